/* Chunked coding: whole, cut at every byte, byte by byte; limits; what is malformed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "http/chunked.h"

#define V(literal)                                                                                           \
    { literal, sizeof(literal) - 1 }

struct row {
    const char *name;
    struct view bytes;
    enum chunked_result expected;
    const char *body, *rest, *trailers;
};

static const struct row rows[] = {
    {"empty body", V("0\r\n\r\n"), CHUNKED_END, "", "", ""},
    {"one chunk", V("5\r\nhello\r\n0\r\n\r\n"), CHUNKED_END, "hello", "", ""},
    {"two chunks", V("5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n"), CHUNKED_END, "hello, world", "", ""},
    {"hexadecimal, both cases", V("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n"), CHUNKED_END,
     "01234567890123456789", "", ""},
    {"leading zeros", V("0005\r\nhello\r\n000\r\n\r\n"), CHUNKED_END, "hello", "", ""},
    {"16 digits twice", V("0000000000000001\r\na\r\n0000000000000001\r\nb\r\n0\r\n\r\n"), CHUNKED_END, "ab",
     "", ""},
    {"extension", V("5;a=b\r\nhello\r\n0;c=\"d e\"\r\n\r\n"), CHUNKED_END, "hello", "", ""},
    {"space before extension", V("5 ;a=b\r\nhello\r\n0\r\n\r\n"), CHUNKED_END, "hello", "", ""},
    {"padded size", V("5  \r\nhello\r\n0\r\n\r\n"), CHUNKED_END, "hello", "", ""},
    {"bytes behind", V("1\r\na\r\n0\r\n\r\nHTTP/1.1"), CHUNKED_END, "a", "HTTP/1.1", ""},
    {"data like framing", V("7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n"), CHUNKED_END, "\r\n0\r\n\r\n", "", ""},
    {"trailer", V("1\r\na\r\n0\r\nX-Sum:  12 \r\n\r\n"), CHUNKED_END, "a", "", "x-sum=12;"},
    {"trailers", V("0\r\nA: 1\r\nb:\r\nA: 2\r\n\r\nZ"), CHUNKED_END, "", "Z", "a=1;b=;a=2;"},
    {"trailer without a space", V("0\r\nA:12\r\n\r\n"), CHUNKED_END, "", "", "a=12;"},
    {"framing trailers are left out",
     V("0\r\nContent-Length: 1\r\nTransfer-Encoding: x\r\nHost: y\r\nA: 1\r\n\r\n"), CHUNKED_END, "", "",
     "a=1;"},
    {"not whole", V("5\r\nhel"), CHUNKED_MORE, "hel", "", ""},
    {"last CRLF lacking", V("0\r\n"), CHUNKED_MORE, "", "", ""},
    {"no size", V("\r\nhello"), CHUNKED_MALFORMED, "", NULL, ""},
    {"extension without size", V(";a\r\n"), CHUNKED_MALFORMED, "", NULL, ""},
    {"sign", V("+5\r\nhello\r\n"), CHUNKED_MALFORMED, "", NULL, ""},
    {"minus", V("-1\r\n"), CHUNKED_MALFORMED, "", NULL, ""},
    {"0x", V("0x5\r\nhello\r\n"), CHUNKED_MALFORMED, "", NULL, ""},
    {"space first", V(" 5\r\nhello\r\n"), CHUNKED_MALFORMED, "", NULL, ""},
    {"digits after space", V("5 5\r\nhello\r\n"), CHUNKED_MALFORMED, "", NULL, ""},
    {"not hexadecimal", V("g\r\n"), CHUNKED_MALFORMED, "", NULL, ""},
    {"bare LF after the size", V("5\nhello"), CHUNKED_MALFORMED, "", NULL, ""},
    {"bare CR after the size", V("5\rhello"), CHUNKED_MALFORMED, "", NULL, ""},
    {"bare LF in an extension", V("5;a\nhello"), CHUNKED_MALFORMED, "", NULL, ""},
    {"NUL in an extension", V("5;a\0\r\nhello"), CHUNKED_MALFORMED, "", NULL, ""},
    {"DEL in an extension", V("5;a\x7f\r\nhello"), CHUNKED_MALFORMED, "", NULL, ""},
    {"byte above 0x7f in an extension", V("5;a\x80\r\nhello\r\n"), CHUNKED_MORE, "hello", "", ""},
    {"data too long", V("5\r\nhello!\r\n"), CHUNKED_MALFORMED, "hello", NULL, ""},
    {"bare LF after data", V("5\r\nhello\n"), CHUNKED_MALFORMED, "hello", NULL, ""},
    {"CR without LF after data", V("5\r\nhello\r5"), CHUNKED_MALFORMED, "hello", NULL, ""},
    {"overflow", V("10000000000000000\r\n"), CHUNKED_MALFORMED, "", NULL, ""},
    {"17 digits", V("00000000000000005\r\nhello"), CHUNKED_MALFORMED, "", NULL, ""},
    {"largest size", V("ffffffffffffffff\r\na"), CHUNKED_MORE, "a", "", ""},
    {"trailer without colon", V("0\r\nabc\r\n\r\n"), CHUNKED_MALFORMED, "", NULL, ""},
    {"trailer without a name", V("0\r\n: b\r\n\r\n"), CHUNKED_MALFORMED, "", NULL, ""},
    {"folded trailer", V("0\r\nA: b\r\n c\r\n\r\n"), CHUNKED_MALFORMED, "", NULL, "a=b;"},
    {"control byte in a trailer", V("0\r\nA: \x01\r\n\r\n"), CHUNKED_MALFORMED, "", NULL, ""},
    {"bare LF in trailers", V("0\r\nA: b\n\r\n"), CHUNKED_MALFORMED, "", NULL, ""},
    {"bare LF at the end", V("0\r\n\n"), CHUNKED_MALFORMED, "", NULL, ""},
};

/* The bytes, cut into pieces of `first` and then of `step`. */
static void check(const struct row *row, size_t first, size_t step) {
    struct arena arena;
    struct headers trailers;
    struct chunked chunked;
    struct buf body, list;
    arena_init(&arena, 1024 * 1024);
    headers_init(&trailers, &arena);
    chunked_init(&chunked, &trailers);
    buf_init(&body, 1024);
    buf_init(&list, 1024);
    enum chunked_result result = CHUNKED_MORE;
    size_t given = 0, used = 0, piece = first;
    while (given < row->bytes.len && result == CHUNKED_MORE) {
        size_t len = piece < row->bytes.len - given ? piece : row->bytes.len - given;
        char *copy = malloc(len); /* exact, for the sanitizer */
        memcpy(copy, row->bytes.ptr + given, len);
        struct view bytes = {copy, len}, data;
        while ((result = chunked_next(&chunked, &bytes, &data)) == CHUNKED_DATA) {
            assert_true(data.len > 0);
            assert_true(buf_append_view(&body, data));
        }
        if (result == CHUNKED_MORE) assert_int_equal(bytes.len, 0);
        used = given + len - bytes.len;
        given += len;
        piece = step;
        free(copy);
    }
    if (result != row->expected || !view_eq(buf_view(&body), view_from_cstr(row->body)))
        fail_msg("%s (%zu, %zu): %d, body \"%.*s\"", row->name, first, step, (int)result,
                 VIEW_ARG(buf_view(&body)));
    if (row->rest) assert_int_equal(used, row->bytes.len - strlen(row->rest));
    for (size_t i = 0; i < trailers.count; i++)
        buf_printf(&list, "%s=%s;", trailers.fields[i].name.ptr, trailers.fields[i].value.ptr);
    if (!view_eq(buf_view(&list), view_from_cstr(row->trailers)))
        fail_msg("%s: trailers \"%.*s\"", row->name, VIEW_ARG(buf_view(&list)));
    struct view more = VIEW("0\r\n\r\n"), data; /* what is final stays so */
    if (result != CHUNKED_MORE) assert_int_equal(chunked_next(&chunked, &more, &data), result);
    buf_done(&list);
    buf_done(&body);
    chunked_done(&chunked);
    arena_done(&arena);
}

static void test_rows(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check(&rows[i], rows[i].bytes.len, 1);
        check(&rows[i], 1, 1);
        check(&rows[i], 3, 3);
        for (size_t cut = 1; cut < rows[i].bytes.len; cut++) check(&rows[i], cut, rows[i].bytes.len);
    }
}

static enum chunked_result feed(struct chunked *chunked, const char *text, size_t times) {
    enum chunked_result result = CHUNKED_MORE;
    struct view data;
    for (size_t i = 0; i < times && (result == CHUNKED_MORE || result == CHUNKED_DATA); i++) {
        struct view bytes = view_from_cstr(text);
        while ((result = chunked_next(chunked, &bytes, &data)) == CHUNKED_DATA) {
        }
    }
    return result;
}

static void test_limits(void **state) {
    (void)state;
    struct arena arena;
    struct headers trailers;
    struct chunked chunked;
    arena_init(&arena, 1024 * 1024);
    headers_init(&trailers, &arena);

    chunked_init(&chunked, &trailers);
    assert_int_equal(feed(&chunked, "5;", 1), CHUNKED_MORE);
    assert_int_equal(feed(&chunked, "a", CHUNKED_EXTENSION_MAX - 2), CHUNKED_MORE);
    assert_int_equal(feed(&chunked, "a", 1), CHUNKED_TOO_LARGE);
    chunked_done(&chunked);

    chunked_init(&chunked, &trailers); /* the bound is of a line, not of all of them */
    assert_int_equal(feed(&chunked, "1;abcdefghij\r\nx\r\n", 10000), CHUNKED_MORE);
    assert_int_equal(feed(&chunked, "0\r\n", 1), CHUNKED_MORE);
    assert_int_equal(feed(&chunked, "a: b\r\n", CHUNKED_TRAILERS_COUNT_MAX), CHUNKED_MORE);
    assert_int_equal(feed(&chunked, "a: b\r\n", 1), CHUNKED_TOO_LARGE);
    chunked_done(&chunked);

    chunked_init(&chunked, &trailers);
    assert_int_equal(feed(&chunked, "0\r\n", 1), CHUNKED_MORE);
    assert_int_equal(feed(&chunked, "a", CHUNKED_TRAILERS_MAX), CHUNKED_MORE);
    assert_int_equal(feed(&chunked, "a", 1), CHUNKED_TOO_LARGE);
    chunked_done(&chunked);

    chunked_init(&chunked, &trailers); /* those left out count as bytes, too */
    assert_int_equal(feed(&chunked, "0\r\n", 1), CHUNKED_MORE);
    assert_int_equal(feed(&chunked, "host: b\r\n", 100000), CHUNKED_TOO_LARGE);
    chunked_done(&chunked);
    arena_done(&arena);
}

static void test_framing_only(void **state) {
    (void)state;
    struct arena arena;
    struct headers trailers;
    struct chunked chunked;
    arena_init(&arena, 4096);
    headers_init(&trailers, &arena);
    chunked_init(&chunked, &trailers);
    struct view bytes = VIEW("2\r\nab\r\n0\r\n\r\n"), data;
    assert_int_equal(chunked_next(&chunked, &bytes, NULL), CHUNKED_MORE);
    assert_int_equal(bytes.len, 9);
    assert_int_equal(chunked_next(&chunked, &bytes, NULL), CHUNKED_MORE);
    assert_int_equal(bytes.len, 9);
    assert_int_equal(chunked_next(&chunked, &bytes, &data), CHUNKED_DATA);
    assert_true(view_eq(data, VIEW("ab")));
    assert_int_equal(chunked_next(&chunked, &bytes, NULL), CHUNKED_END);
    chunked_done(&chunked);
    arena_done(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_limits),
                                       cmocka_unit_test(test_framing_only)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
