/* Message heads: whole and cut at every byte, limits, and what is malformed in requests and in answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "http/head.h"

static struct arena arena;

static int setup(void **state) {
    (void)state;
    arena_init(&arena, 1024 * 1024);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    arena_done(&arena);
    return 0;
}

#define V(literal)                                                                                           \
    { literal, sizeof(literal) - 1 }
#define LINE "GET / HTTP/1.1\r\n"
#define OK "HTTP/1.1 200 OK\r\n"

struct row {
    const char *name;
    struct view bytes;
    enum head_result expected;
};

static const struct row request_rows[] = {
    {"no fields", V(LINE "\r\n"), HEAD_COMPLETE},
    {"field", V(LINE "A:b\r\n\r\n"), HEAD_COMPLETE},
    {"empty value", V(LINE "A:\r\n\r\n"), HEAD_COMPLETE},
    {"OWS around the value", V(LINE "A: \t b\t \r\n\r\n"), HEAD_COMPLETE},
    {"1.0", V("GET / HTTP/1.0\r\n\r\n"), HEAD_COMPLETE},
    {"1.9", V("GET / HTTP/1.9\r\n\r\n"), HEAD_COMPLETE},
    {"1.:", V("GET / HTTP/1.:\r\n\r\n"), HEAD_MALFORMED},
    {"1./", V("GET / HTTP/1./\r\n\r\n"), HEAD_MALFORMED},
    {"method of one letter", V("M / HTTP/1.1\r\n\r\n"), HEAD_COMPLETE},
    {"least and largest bytes in the target", V("M /!~\x80\xff HTTP/1.1\r\n\r\n"), HEAD_COMPLETE},
    {"DEL in the target", V("M /\x7f HTTP/1.1\r\n\r\n"), HEAD_MALFORMED},
    {"control byte first in the target", V("M \x01/ HTTP/1.1\r\n\r\n"), HEAD_MALFORMED},
    {"empty target", V("M  HTTP/1.1\r\n\r\n"), HEAD_MALFORMED},
    {"a line of one byte", V(LINE "a\r\n\r\n"), HEAD_MALFORMED},
    {"nothing", V(""), HEAD_INCOMPLETE},
    {"first line alone", V(LINE), HEAD_INCOMPLETE},
    {"up to the last LF", V(LINE "A: b\r\n\r"), HEAD_INCOMPLETE},
    {"bare LF", V("GET / HTTP/1.1\n\n"), HEAD_MALFORMED},
    {"bare LF in a field, head not whole", V(LINE "A: b\nC: d"), HEAD_MALFORMED},
    {"bare LF at the end", V(LINE "A: b\r\n\n"), HEAD_MALFORMED},
    {"bare CR in a value", V(LINE "A: b\rc\r\n\r\n"), HEAD_MALFORMED},
    {"CR CR LF", V(LINE "A: b\r\r\n\r\n"), HEAD_MALFORMED},
    {"NUL in a value", V(LINE "A: b\0\r\n\r\n"), HEAD_MALFORMED},
    {"obs-fold", V(LINE "A: b\r\n c\r\n\r\n"), HEAD_MALFORMED},
    {"obs-fold first", V(LINE " A: b\r\n\r\n"), HEAD_MALFORMED},
    {"space before the colon", V(LINE "A : b\r\n\r\n"), HEAD_MALFORMED},
    {"empty name", V(LINE ": b\r\n\r\n"), HEAD_MALFORMED},
    {"no colon", V(LINE "A b\r\n\r\n"), HEAD_MALFORMED},
    {"no colon, token", V(LINE "Ab\r\n\r\n"), HEAD_MALFORMED},
    {"control byte in a name", V(LINE "A\x01: b\r\n\r\n"), HEAD_MALFORMED},
    {"empty line first", V("\r\n" LINE "\r\n"), HEAD_MALFORMED},
    {"TLS hello", V("\x16\x03\x01\x02"), HEAD_MALFORMED},
    {"two spaces", V("GET  / HTTP/1.1\r\n\r\n"), HEAD_MALFORMED},
    {"tab", V("GET\t/\tHTTP/1.1\r\n\r\n"), HEAD_MALFORMED},
    {"space in the target", V("GET /a b HTTP/1.1\r\n\r\n"), HEAD_MALFORMED},
    {"control byte in the target", V("GET /\x01 HTTP/1.1\r\n\r\n"), HEAD_MALFORMED},
    {"space at the end of the line", V("GET / HTTP/1.1 \r\n\r\n"), HEAD_MALFORMED},
    {"no version", V("GET /\r\n\r\n"), HEAD_MALFORMED},
    {"method alone", V("GET\r\n\r\n"), HEAD_MALFORMED},
    {"HTTP/2.0", V("PRI * HTTP/2.0\r\n\r\n"), HEAD_MALFORMED},
    {"HTTP/1.10", V("GET / HTTP/1.10\r\n\r\n"), HEAD_MALFORMED},
    {"http/1.1", V("GET / http/1.1\r\n\r\n"), HEAD_MALFORMED},
    {"bad method", V("G(T / HTTP/1.1\r\n\r\n"), HEAD_MALFORMED},
};

static const struct row response_rows[] = {
    {"no fields", V(OK "\r\n"), HEAD_COMPLETE},
    {"no reason", V("HTTP/1.1 200\r\n\r\n"), HEAD_COMPLETE},
    {"empty reason", V("HTTP/1.1 200 \r\n\r\n"), HEAD_COMPLETE},
    {"bare LF", V("HTTP/1.1 200 OK\nA: b\n\n"), HEAD_COMPLETE},
    {"mixed line ends", V("HTTP/1.1 200 OK\r\nA: b\n\r\n"), HEAD_COMPLETE},
    {"reason above 0x7f", V("HTTP/1.1 200 \xc3\xa4 x\r\n\r\n"), HEAD_COMPLETE},
    {"100", V("HTTP/1.1 100 Continue\r\n\r\n"), HEAD_COMPLETE},
    {"bare LF, not whole", V("HTTP/1.1 200 OK\nA: b\n"), HEAD_INCOMPLETE},
    {"control byte in the reason", V("HTTP/1.1 200 O\x01K\r\n\r\n"), HEAD_MALFORMED},
    {"two digits", V("HTTP/1.1 20 OK\r\n\r\n"), HEAD_MALFORMED},
    {"four digits", V("HTTP/1.1 2000 OK\r\n\r\n"), HEAD_MALFORMED},
    {"099", V("HTTP/1.1 099 OK\r\n\r\n"), HEAD_MALFORMED},
    {"sign", V("HTTP/1.1 +20 OK\r\n\r\n"), HEAD_MALFORMED},
    {"no status", V("HTTP/1.1\r\n\r\n"), HEAD_MALFORMED},
    {"two spaces before the status", V("HTTP/1.1  200 OK\r\n\r\n"), HEAD_MALFORMED},
    {"HTTP/2", V("HTTP/2 200\r\n\r\n"), HEAD_MALFORMED},
    {"ICY", V("ICY 200 OK\r\n\r\n"), HEAD_MALFORMED},
    {"not HTTP", V("SSH-2.0-OpenSSH_9\r\n\r\n"), HEAD_MALFORMED},
    {"obs-fold", V(OK "A: b\r\n\tc\n d\r\nE: f\r\n\r\n"), HEAD_COMPLETE},
    {"obs-fold before the first field", V(OK "\tA: b\r\n\r\n"), HEAD_MALFORMED},
    {"NUL in an obs-fold", V(OK "A: b\r\n \0\r\n\r\n"), HEAD_MALFORMED},
    {"bare CR in an obs-fold", V(OK "A: b\r\n c\rd\r\n\r\n"), HEAD_MALFORMED},
    {"space before the colon", V(OK "A : b\r\n\r\n"), HEAD_MALFORMED},
    {"bare CR", V(OK "A: b\rc\r\n\r\n"), HEAD_MALFORMED},
    {"NUL", V(OK "A: b\0c\r\n\r\n"), HEAD_MALFORMED},
    {"no colon", V(OK "Ab\r\n\r\n"), HEAD_MALFORMED},
};

static void test_request_rows(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(request_rows) / sizeof(request_rows[0]); i++) {
        struct request_head head;
        size_t len = 0;
        print_message("%s\n", request_rows[i].name);
        assert_int_equal(request_head_parse(request_rows[i].bytes, 1000, &arena, &head, &len),
                         request_rows[i].expected);
        if (request_rows[i].expected == HEAD_COMPLETE) assert_int_equal(len, request_rows[i].bytes.len);
    }
}

static void test_response_rows(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(response_rows) / sizeof(response_rows[0]); i++) {
        struct response_head head;
        size_t len = 0;
        print_message("%s\n", response_rows[i].name);
        assert_int_equal(response_head_parse(response_rows[i].bytes, 1000, &arena, &head, &len),
                         response_rows[i].expected);
        if (response_rows[i].expected == HEAD_COMPLETE) assert_int_equal(len, response_rows[i].bytes.len);
    }
}

static void test_faults_are_named(void **state) {
    (void)state;
    static const struct {
        struct view bytes;
        const char *fault;
    } rows[] = {
        {V("HTTP/1.1 2x0 OK\r\n\r\n"), "the service sent a status line that is none"},
        {V(OK "Ab\r\n\r\n"), "the service sent a field without a colon"},
        {V(OK "A b: c\r\n\r\n"), "the service sent a field name that is none"},
        {V(OK "A: b\x01\r\n\r\n"), "the service sent a control byte in a field"},
        {V(OK "A: b\r\n\r\n"), NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct response_head head = {.fault = "nothing"};
        size_t len;
        enum head_result result = response_head_parse(rows[i].bytes, 1000, &arena, &head, &len);
        assert_int_equal(result, rows[i].fault ? HEAD_MALFORMED : HEAD_COMPLETE);
        if (rows[i].fault)
            assert_string_equal(head.fault, rows[i].fault);
        else
            assert_null(head.fault);
    }
}

static void test_folded_values(void **state) {
    (void)state;
    struct response_head head;
    size_t len;
    struct view bytes = VIEW(OK "A: b\r\n\tc\n   d\r\nE:\r\n f\r\nG: h\r\n \r\n\r\nbody");
    assert_int_equal(response_head_parse(bytes, 1000, &arena, &head, &len), HEAD_COMPLETE);
    assert_int_equal(len, bytes.len - 4);
    assert_int_equal(head.headers.count, 3);
    assert_true(view_eq(headers_get(&head.headers, VIEW("a")), VIEW("b  \tc    d")));
    assert_true(view_eq(headers_get(&head.headers, VIEW("e")), VIEW("f")));
    assert_true(view_eq(headers_get(&head.headers, VIEW("g")), VIEW("h")));
}

static void test_request_in_pieces(void **state) {
    (void)state;
    static const char text[] =
        "POST /connect?token=x HTTP/1.1\r\nHost: a.b\r\nX-One:1\r\nx-one: 2 \r\n\r\nBODY\n";
    size_t head_len = sizeof(text) - 1 - 5, len = 0;
    struct request_head head;
    for (size_t i = 0; i < head_len; i++) {
        /* An exact copy, so that a sanitizer sees a read behind what has come. */
        char *piece = malloc(i + 1);
        memcpy(piece, text, i);
        assert_int_equal(request_head_parse(view_of(piece, i), 1000, &arena, &head, &len), HEAD_INCOMPLETE);
        free(piece);
    }
    assert_int_equal(arena.used_bytes, 0);
    assert_int_equal(request_head_parse(view_of(text, sizeof(text) - 1), 1000, &arena, &head, &len),
                     HEAD_COMPLETE);
    assert_int_equal(len, head_len);
    assert_true(view_eq(head.method, VIEW("POST")));
    assert_true(view_eq(head.target, VIEW("/connect?token=x")));
    assert_int_equal(head.minor_version, 1);
    assert_int_equal(head.headers.count, 3);
    assert_true(view_eq(headers_get(&head.headers, VIEW("host")), VIEW("a.b")));
    assert_true(view_eq(head.headers.fields[1].value, VIEW("1")));
    assert_true(view_eq(head.headers.fields[2].name, VIEW("x-one")));
    assert_true(view_eq(head.headers.fields[2].value, VIEW("2")));
}

static void test_response_in_pieces(void **state) {
    (void)state;
    static const char text[] = "HTTP/1.0 404 Not Found\nSet-Cookie: a=b\r\nset-cookie: c\n\nx\n\n";
    size_t head_len = sizeof(text) - 1 - 3, len = 0;
    struct response_head head;
    for (size_t i = 0; i < head_len; i++)
        assert_int_equal(response_head_parse(view_of(text, i), 1000, &arena, &head, &len), HEAD_INCOMPLETE);
    assert_int_equal(arena.used_bytes, 0);
    assert_int_equal(response_head_parse(view_of(text, sizeof(text) - 1), 1000, &arena, &head, &len),
                     HEAD_COMPLETE);
    assert_int_equal(len, head_len);
    assert_int_equal(head.status, 404);
    assert_int_equal(head.minor_version, 0);
    assert_true(view_eq(head.reason, VIEW("Not Found")));
    assert_int_equal(headers_count(&head.headers, VIEW("set-cookie")), 2);
}

static void test_limits(void **state) {
    (void)state;
    struct request_head head;
    size_t len;
    struct view bytes = VIEW(LINE "A: b\r\n\r\n"), open = VIEW(LINE "A: b\r\n");
    assert_int_equal(request_head_parse(bytes, bytes.len, &arena, &head, &len), HEAD_COMPLETE);
    assert_int_equal(request_head_parse(bytes, bytes.len - 1, &arena, &head, &len), HEAD_TOO_LARGE);
    assert_int_equal(request_head_parse(open, open.len + 1, &arena, &head, &len), HEAD_INCOMPLETE);
    assert_int_equal(request_head_parse(open, open.len, &arena, &head, &len), HEAD_TOO_LARGE);
    assert_int_equal(request_head_parse((struct view){NULL, 0}, 10, &arena, &head, &len), HEAD_INCOMPLETE);
    struct arena none;
    arena_init(&none, 10);
    assert_int_equal(request_head_parse(bytes, 1000, &none, &head, &len), HEAD_TOO_LARGE);
    arena_done(&none);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_request_rows),     TEST(test_response_rows),      TEST(test_request_in_pieces),
        TEST(test_folded_values),    TEST(test_response_in_pieces), TEST(test_limits),
        TEST(test_faults_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
