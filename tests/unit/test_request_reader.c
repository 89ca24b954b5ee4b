/* Requests out of bytes: each row whole, cut into pieces of every size, and with little room for the body. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "http/request_reader.h"

#define HEAD_BYTES 256

#define V(literal)                                                                                           \
    { literal, sizeof(literal) - 1 }
#define HEAD(line) line "\r\nHost: a\r\n"

/* In what comes out a head is "METHOD target;", the body "(bytes)", its end "." and a refusal "!status". */
struct row {
    const char *name;
    struct view bytes;
    const char *expected;
};

static const struct row rows[] = {
    {"plain", V(HEAD("GET /a HTTP/1.1") "\r\n"), "GET /a;()."},
    {"no fields", V("GET /a HTTP/1.0\r\n\r\n"), "GET /a;()."},
    {"not whole", V("GET /a HTTP/1.1\r\nHost: a\r\n"), ""},
    {"two", V(HEAD("GET /a HTTP/1.1") "\r\n" HEAD("HEAD /b HTTP/1.1") "\r\n"), "GET /a;().HEAD /b;()."},
    {"empty lines in front", V("\r\n\r\nGET /a HTTP/1.1\r\n\r\n\r\nGET /b HTTP/1.1\r\n\r\n"),
     "GET /a;().GET /b;()."},
    {"length", V(HEAD("POST /a HTTP/1.1") "Content-Length: 5\r\n\r\nhelloGET /b HTTP/1.1\r\n\r\n"),
     "POST /a;(hello).GET /b;()."},
    {"length 0", V(HEAD("POST /a HTTP/1.1") "Content-Length: 0\r\n\r\n"), "POST /a;()."},
    {"body that is not whole", V(HEAD("POST /a HTTP/1.1") "Content-Length: 9\r\n\r\nhello"),
     "POST /a;(hello"},
    {"chunks",
     V(HEAD("POST /a HTTP/1.1") "Transfer-Encoding: Chunked\r\n\r\n3;x\r\nabc\r\n2\r\nde\r\n0\r\nT: "
                                "1\r\n\r\nGET "
                                "/b HTTP/1.1\r\n\r\n"),
     "POST /a;(abcde).GET /b;()."},
    {"no chunks", V(HEAD("POST /a HTTP/1.1") "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), "POST /a;()."},
    {"bad chunk", V(HEAD("POST /a HTTP/1.1") "Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n"),
     "POST /a;(ab!400"},
    {"bare LF in chunks", V(HEAD("POST /a HTTP/1.1") "Transfer-Encoding: chunked\r\n\r\n2\nab\r\n"),
     "POST /a;(!400"},
    {"in doubt: length and chunks",
     V(HEAD("POST /a HTTP/1.1") "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc"), "POST /a;("},
    {"in doubt: two lengths", V(HEAD("POST /a HTTP/1.1") "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
     "POST /a;("},
    {"in doubt: chunks of HTTP/1.0",
     V(HEAD("POST /a HTTP/1.0") "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), "POST /a;("},
    {"bare LF", V("GET /a HTTP/1.1\nHost: a\r\n\r\n"), "!400"},
    {"folded line", V("GET /a HTTP/1.1\r\nX: a\r\n b\r\n\r\n"), "!400"},
    {"NUL", V("GET /a HTTP/1.1\r\nX: a\0b\r\n\r\n"), "!400"},
    {"no version", V("GET /a\r\n\r\n"), "!400"},
    {"TLS", V("\x16\x03\x01"), "!400"},
    {"behind a whole one", V("GET /a HTTP/1.1\r\n\r\nnonsense\r\n\r\n"), "GET /a;().!400"},
};

struct transcript {
    char text[512];
    size_t len;
    bool is_in_body;
};

static void write_view(struct transcript *out, struct view v) {
    assert_true(out->len + v.len < sizeof(out->text));
    memcpy(out->text + out->len, v.ptr, v.len);
    out->len += v.len;
}

static void write_step(struct transcript *out, const struct request_reader *reader, enum request_step step,
                       struct view data) {
    char status[8];
    switch (step) {
    case REQUEST_HEAD:
        write_view(out, reader->head.method);
        write_view(out, VIEW(" "));
        write_view(out, reader->head.target);
        write_view(out, VIEW(";("));
        break;
    case REQUEST_DATA: write_view(out, data); break;
    case REQUEST_END: write_view(out, VIEW(").")); break;
    case REQUEST_REFUSED:
        snprintf(status, sizeof(status), "!%d", http_error_status(reader->error));
        write_view(out, view_from_cstr(status));
        break;
    case REQUEST_MORE: break;
    }
}

/* What is not used is shown again with what comes behind it. */
static struct transcript read_in_pieces(struct view bytes, size_t piece, size_t room) {
    struct transcript out = {.len = 0};
    struct request_reader reader;
    struct arena arena;
    arena_init(&arena, (size_t)64 * 1024);
    request_reader_init(&reader, HEAD_BYTES);
    enum request_step step = REQUEST_MORE;
    for (size_t begin = 0, end = 0; end < bytes.len && step != REQUEST_REFUSED;) {
        end = piece < bytes.len - end ? end + piece : bytes.len;
        struct view held = view_slice(bytes, begin, end), data;
        do {
            step = request_reader_next(&reader, &held, room, &arena, &data);
            write_step(&out, &reader, step, data);
            if (step == REQUEST_DATA) assert_in_range(data.len, 1, room);
            if (step == REQUEST_END) request_reader_begin(&reader);
        } while (step != REQUEST_MORE && step != REQUEST_REFUSED);
        begin = end - held.len;
    }
    request_reader_begin(&reader);
    arena_done(&arena);
    return out;
}

static void check(const struct row *row, size_t piece, size_t room) {
    struct transcript out = read_in_pieces(row->bytes, piece, room);
    if (!view_eq(view_of(out.text, out.len), view_from_cstr(row->expected)))
        fail_msg("%s, in pieces of %zu: %.*s, not %s", row->name, piece, (int)out.len, out.text,
                 row->expected);
}

static void test_rows(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (size_t piece = 1; piece <= rows[i].bytes.len; piece++)
            for (size_t room = 1; room < 4; room++) check(&rows[i], piece, room);
}

static void test_room(void **state) {
    (void)state;
    struct view bytes = VIEW("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"), data;
    struct request_reader reader;
    struct arena arena;
    arena_init(&arena, (size_t)64 * 1024);
    request_reader_init(&reader, HEAD_BYTES);
    data = VIEW("of before");
    assert_int_equal(request_reader_next(&reader, &bytes, 0, &arena, &data), REQUEST_HEAD);
    assert_true(!data.ptr && data.len == 0);
    assert_true(request_reader_wants_body(&reader) && !request_reader_is_at_end(&reader));
    assert_int_equal(request_reader_next(&reader, &bytes, 0, &arena, &data), REQUEST_MORE);
    assert_int_equal(bytes.len, 3);
    assert_int_equal(request_reader_next(&reader, &bytes, 2, &arena, &data), REQUEST_DATA);
    assert_int_equal(data.len, 2);
    assert_int_equal(request_reader_next(&reader, &bytes, 9, &arena, &data), REQUEST_DATA);
    assert_int_equal(request_reader_next(&reader, &bytes, 0, &arena, &data), REQUEST_END);
    assert_true(request_reader_is_at_end(&reader) && !request_reader_wants_body(&reader));
    arena_done(&arena);
}

static void test_a_refusal_lasts(void **state) {
    (void)state;
    struct view bytes = VIEW("GET / HTTP/1.1\n"), more = VIEW("GET / HTTP/1.1\r\n\r\n"), data;
    struct request_reader reader;
    struct arena arena;
    arena_init(&arena, (size_t)64 * 1024);
    request_reader_init(&reader, HEAD_BYTES);
    assert_int_equal(request_reader_next(&reader, &bytes, 1, &arena, &data), REQUEST_REFUSED);
    assert_int_equal(request_reader_next(&reader, &more, 1, &arena, &data), REQUEST_REFUSED);
    assert_int_equal(reader.error, HTTP_ERROR_BAD_REQUEST);
    request_reader_begin(&reader);
    assert_int_equal(reader.error, HTTP_ERROR_NONE);
    assert_int_equal(request_reader_next(&reader, &more, 1, &arena, &data), REQUEST_HEAD);
    arena_done(&arena);
}

static void test_what_is_in_doubt_has_no_body(void **state) {
    (void)state;
    struct view bytes = VIEW("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), data;
    struct request_reader reader;
    struct arena arena;
    arena_init(&arena, (size_t)64 * 1024);
    request_reader_init(&reader, HEAD_BYTES);
    assert_int_equal(request_reader_next(&reader, &bytes, 9, &arena, &data), REQUEST_HEAD);
    assert_int_equal(reader.framing, BODY_NONE);
    assert_false(request_reader_wants_body(&reader) || request_reader_is_at_end(&reader));
    arena_done(&arena);
}

/* Too large, and of what: with an end of a line among the first bytes it is the fields. */
static void test_sizes(void **state) {
    (void)state;
    static char target[HEAD_BYTES], fields[HEAD_BYTES];
    memset(target, 'p', sizeof(target));
    memset(fields, 'f', sizeof(fields));
    memcpy(target, "GET /", 5);
    memcpy(fields, "GET / HTTP/1.1\r\nX:", 18);
    const struct row large[] = {{"target", {target, sizeof(target)}, "!414"},
                                {"fields", {fields, sizeof(fields)}, "!431"},
                                {"target that may yet end", {target, sizeof(target) - 1}, ""},
                                {"fields that may yet end", {fields, sizeof(fields) - 1}, ""}};
    for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++)
        for (size_t piece = 1; piece <= HEAD_BYTES; piece++) check(&large[i], piece, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_a_refusal_lasts),
        cmocka_unit_test(test_what_is_in_doubt_has_no_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
