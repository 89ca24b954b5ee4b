/* The request gate: the measured matrix of ambiguous requests, row by row, and the gate for answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "http/gate.h"

static struct arena arena;
static const struct http_limits limits = HTTP_LIMITS_DEFAULT;

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

/* Fields are separated by '|' and added as they stand: "name:value". */
static void fill(struct headers *headers, struct view fields) {
    struct view field;
    headers_init(headers, &arena);
    while (fields.len && view_split(&fields, '|', &field)) {
        size_t colon = view_find(field, ':');
        assert_true(headers_add(headers, view_slice(field, 0, colon), view_skip(field, colon + 1)));
    }
}

static enum http_error check(const char *method, struct view target, const char *version, struct view fields,
                             struct gate_verdict *verdict) {
    struct headers headers;
    struct headers *kept = arena_alloc(&arena, sizeof(headers));
    fill(kept, fields);
    struct gate_request request = {view_from_cstr(method), target, view_from_cstr(version), kept};
    return gate_check_request(&request, &limits, &arena, verdict);
}

#define V(literal)                                                                                           \
    { literal, sizeof(literal) - 1 }
#define BAD HTTP_ERROR_BAD_REQUEST
#define OK HTTP_ERROR_NONE

struct field_row {
    const char *name;
    struct view fields;
    enum http_error expected;
};

/* Each as POST /x HTTP/1.1 with a Host. */
static const struct field_row framing_rows[] = {
    {"no body", V(""), OK},
    {"CL", V("Content-Length:5"), OK},
    {"CL 0", V("Content-Length:0"), OK},
    {"CL with OWS around", V("Content-Length: 5\t"), OK},
    {"CL leading zero", V("Content-Length:010"), OK},
    {"CL largest", V("Content-Length:9223372036854775807"), OK},
    {"CL of 2^63", V("Content-Length:9223372036854775808"), BAD},
    {"CL overflow", V("Content-Length:18446744073709551616"), BAD},
    {"CL negative", V("Content-Length:-48"), BAD},
    {"CL plus", V("Content-Length:+5"), BAD},
    {"CL plus and underscore", V("Content-Length:+1_0"), BAD},
    {"CL underscore", V("Content-Length:1_0"), BAD},
    {"CL list of equals", V("Content-Length:5, 5"), BAD},
    {"CL list of different", V("Content-Length:5,6"), BAD},
    {"CL hex", V("Content-Length:0x5"), BAD},
    {"CL empty", V("Content-Length:"), BAD},
    {"CL only spaces", V("Content-Length:  "), BAD},
    {"CL inner space", V("Content-Length:5 5"), BAD},
    {"CL decimal", V("Content-Length:5.0"), BAD},
    {"CL quoted", V("Content-Length:\"5\""), BAD},
    {"CL NBSP",
     V("Content-Length:\xa0"
       "5"),
     BAD},
    {"CL vertical tab",
     V("Content-Length:\x0b"
       "5"),
     BAD},
    {"two equal CL", V("Content-Length:5|Content-Length:5"), BAD},
    {"two different CL", V("Content-Length:5|content-length:6"), BAD},
    {"CL and TE", V("Content-Length:5|Transfer-Encoding:chunked"), BAD},
    {"TE and CL", V("Transfer-Encoding:chunked|Content-Length:0"), BAD},
    {"TE identity and CL", V("Transfer-Encoding:identity|Content-Length:5"), BAD},
    {"TE", V("Transfer-Encoding:chunked"), OK},
    {"TE folded case", V("TRANSFER-ENCODING:ChunkeD"), OK},
    {"TE with blanks around, not trimmed by the parser", V("Transfer-Encoding:\t chunked "), BAD},
    {"TE xchunked", V("Transfer-Encoding:xchunked"), BAD},
    {"TE chunkedx", V("Transfer-Encoding:chunkedx"), BAD},
    {"TE gzip, chunked", V("Transfer-Encoding:gzip, chunked"), BAD},
    {"TE chunked, gzip", V("Transfer-Encoding:chunked, gzip"), BAD},
    {"TE ,chunked", V("Transfer-Encoding:,chunked"), BAD},
    {"TE ,chunked and CL", V("Transfer-Encoding:,chunked|Content-Length:5"), BAD},
    {"TE chunked,", V("Transfer-Encoding:chunked,"), BAD},
    {"TE identity", V("Transfer-Encoding:identity"), BAD},
    {"TE identity, chunked", V("Transfer-Encoding:identity, chunked"), BAD},
    {"TE chunked, chunked", V("Transfer-Encoding:chunked, chunked"), BAD},
    {"TE chunked with parameter", V("Transfer-Encoding:chunked;q=1"), BAD},
    {"TE quoted", V("Transfer-Encoding:\"chunked\""), BAD},
    {"TE empty", V("Transfer-Encoding:"), BAD},
    {"TE VT chunked",
     V("Transfer-Encoding:\x0b"
       "chunked"),
     BAD},
    {"TE chunked FF", V("Transfer-Encoding:chunked\x0c"), BAD},
    {"TE NEL", V("Transfer-Encoding:chunked\x85"), BAD},
    {"TE NBSP",
     V("Transfer-Encoding:\xa0"
       "chunked"),
     BAD},
    {"TE NUL", V("Transfer-Encoding:chunked\0"), BAD},
    {"two TE", V("Transfer-Encoding:chunked|Transfer-Encoding:chunked"), BAD},
    {"TE identity then chunked", V("Transfer-Encoding:identity|Transfer-Encoding:chunked"), BAD},
};

static const struct field_row field_rows[] = {
    {"ordinary", V("Accept:*/*|x-a_b.c!:1"), OK},
    {"empty value", V("X-A:"), OK},
    {"bytes above 0x7f", V("X-A:\x80\xff"), OK},
    {"tab inside", V("X-A:a\tb"), OK},
    {"space after the name", V("Content-Length :5"), BAD},
    {"tab after the name", V("X-A\t:5"), BAD},
    {"space before the name", V(" X-A:5"), BAD},
    {"space in the name", V("X A:5"), BAD},
    {"empty name", V(":x"), BAD},
    {"NEL before the name",
     V("\x85"
       "Content-Length:5"),
     BAD},
    {"NEL after the name", V("Content-Length\x85:5"), BAD},
    {"NBSP before the name",
     V("\xa0"
       "Host:5"),
     BAD},
    {"NBSP after the name", V("Transfer-Encoding\xa0:chunked"), BAD},
    {"parentheses in the name", V("X(A):5"), BAD},
    {"NUL in the name", V("X\0A:5"), BAD},
    {"CR in the name", V("X\rA:5"), BAD},
    {"CR in the value", V("X-A:a\rb"), BAD},
    {"LF in the value", V("X-A:a\nb"), BAD},
    {"CRLF and a field in the value", V("X-A:a\r\nX-B"), BAD},
    {"NUL in the value", V("X-A:a\0b"), BAD},
    {"DEL in the value", V("X-A:a\x7f"), BAD},
    {"SOH in the value", V("X-A:\x01"), BAD},
    {"ESC in the value", V("X-A:\x1b[0m"), BAD},
    {"CR at the end", V("X-A:a\r"), BAD},
    {"100-continue", V("Expect:100-continue"), OK},
    {"100-continue folded", V("Expect: 100-Continue "), OK},
    {"unknown expectation", V("Expect:200-ok"), HTTP_ERROR_EXPECTATION_FAILED},
    {"list of expectations", V("Expect:100-continue, x"), HTTP_ERROR_EXPECTATION_FAILED},
    {"second expectation", V("Expect:100-continue|Expect:x"), HTTP_ERROR_EXPECTATION_FAILED},
    {"empty expectation", V("Expect:"), HTTP_ERROR_EXPECTATION_FAILED},
};

static void run_field_rows(const struct field_row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct gate_verdict verdict;
        struct headers *headers = arena_alloc(&arena, sizeof(*headers));
        fill(headers, rows[i].fields);
        headers_add(headers, VIEW("Host"), VIEW("a.example"));
        struct gate_request request = {VIEW("POST"), VIEW("/x"), VIEW("HTTP/1.1"), headers};
        print_message("%s\n", rows[i].name);
        assert_int_equal(gate_check_request(&request, &limits, &arena, &verdict), rows[i].expected);
    }
}

static void test_framing(void **state) {
    (void)state;
    run_field_rows(framing_rows, sizeof(framing_rows) / sizeof(framing_rows[0]));
}

static void test_fields(void **state) {
    (void)state;
    run_field_rows(field_rows, sizeof(field_rows) / sizeof(field_rows[0]));
}

static void test_lines_and_hosts(void **state) {
    (void)state;
    static const struct {
        const char *name, *method;
        struct view target;
        const char *version;
        struct view fields;
        enum http_error expected;
    } rows[] = {
        {"plain", "GET", V("/"), "HTTP/1.1", V("Host:a"), OK},
        {"1.0", "GET", V("/"), "HTTP/1.0", V("Host:a"), OK},
        {"unknown method", "BREW", V("/"), "HTTP/1.1", V("Host:a"), OK},
        {"lower-case method", "get", V("/"), "HTTP/1.1", V("Host:a"), OK},
        {"control byte in the method", "G\x01T", V("/"), "HTTP/1.1", V("Host:a"), BAD},
        {"space in the method", "GET /", V("/"), "HTTP/1.1", V("Host:a"), BAD},
        {"no method", "", V("/"), "HTTP/1.1", V("Host:a"), BAD},
        {"CONNECT", "CONNECT", V("host:443"), "HTTP/1.1", V("Host:host:443"), HTTP_ERROR_METHOD_NOT_ALLOWED},
        {"CONNECT origin form", "CONNECT", V("/"), "HTTP/1.1", V("Host:a"), HTTP_ERROR_METHOD_NOT_ALLOWED},
        {"authority form, GET", "GET", V("host:443"), "HTTP/1.1", V("Host:a"), BAD},
        {"1.2", "GET", V("/"), "HTTP/1.2", V("Host:a"), HTTP_ERROR_VERSION_UNSUPPORTED},
        {"2.0", "GET", V("/"), "HTTP/2.0", V("Host:a"), HTTP_ERROR_VERSION_UNSUPPORTED},
        {"0.9", "GET", V("/"), "HTTP/0.9", V("Host:a"), HTTP_ERROR_VERSION_UNSUPPORTED},
        {"9.9", "GET", V("/"), "HTTP/9.9", V("Host:a"), HTTP_ERROR_VERSION_UNSUPPORTED},
        {":.1", "GET", V("/"), "HTTP/:.1", V("Host:a"), BAD},
        {"/.1", "GET", V("/"), "HTTP//.1", V("Host:a"), BAD},
        {"1.x", "GET", V("/"), "HTTP/1.x", V("Host:a"), BAD},
        {"1.10", "GET", V("/"), "HTTP/1.10", V("Host:a"), BAD},
        {"1", "GET", V("/"), "HTTP/1", V("Host:a"), BAD},
        {"http/1.1", "GET", V("/"), "http/1.1", V("Host:a"), BAD},
        {"no version", "GET", V("/"), "", V("Host:a"), BAD},
        {"version with space", "GET", V("/"), "HTTP/1.1 ", V("Host:a"), BAD},
        {"no target", "GET", V(""), "HTTP/1.1", V("Host:a"), BAD},
        {"relative target", "GET", V("x"), "HTTP/1.1", V("Host:a"), BAD},
        {"space in the target", "GET", V("/a b"), "HTTP/1.1", V("Host:a"), BAD},
        {"NUL in the target", "GET", V("/a\0b"), "HTTP/1.1", V("Host:a"), BAD},
        {"fragment", "GET", V("/a#b"), "HTTP/1.1", V("Host:a"), BAD},
        {"* with OPTIONS", "OPTIONS", V("*"), "HTTP/1.1", V("Host:a"), OK},
        {"* with GET", "GET", V("*"), "HTTP/1.1", V("Host:a"), BAD},
        {"* with options", "options", V("*"), "HTTP/1.1", V("Host:a"), BAD},
        {"absolute", "GET", V("http://b/x"), "HTTP/1.1", V("Host:a"), OK},
        {"absolute, other scheme", "GET", V("ftp://b/x"), "HTTP/1.1", V("Host:a"), BAD},
        {"absolute, javascript", "GET", V("javascript://b/x"), "HTTP/1.1", V("Host:a"), BAD},
        {"absolute, no host at all", "GET", V("http:///x"), "HTTP/1.1", V("Host:a"), BAD},
        {"absolute, user info", "GET", V("http://u:p@b/x"), "HTTP/1.1", V("Host:a"), BAD},
        {"absolute, bad authority", "GET", V("http://b:99999/x"), "HTTP/1.1", V("Host:a"), BAD},
        {"absolute, backslash in the authority", "GET", V("http://b\\@a/x"), "HTTP/1.1", V("Host:a"), BAD},
        {"absolute, no Host field", "GET", V("http://b/x"), "HTTP/1.1", V(""), BAD},
        {"absolute, empty Host field", "GET", V("http://b/x"), "HTTP/1.1", V("Host:"), BAD},
        {"absolute, two Host fields", "GET", V("http://b/x"), "HTTP/1.1", V("Host:b|Host:b"), BAD},
        {"absolute, bad Host field", "GET", V("http://b/x"), "HTTP/1.1", V("Host:a b"), BAD},
        {"absolute 1.0, no Host field", "GET", V("http://b/x"), "HTTP/1.0", V(""), OK},
        {"no Host", "GET", V("/"), "HTTP/1.1", V("Accept:a"), BAD},
        {"no Host 1.0", "GET", V("/"), "HTTP/1.0", V(""), BAD},
        {"two Host", "GET", V("/"), "HTTP/1.1", V("Host:a|Host:b"), BAD},
        {"two equal Host", "GET", V("/"), "HTTP/1.1", V("Host:a|HOST:a"), BAD},
        {"two Host 1.0", "GET", V("/"), "HTTP/1.0", V("Host:a|Host:a"), BAD},
        {"empty Host", "GET", V("/"), "HTTP/1.1", V("Host:"), BAD},
        {"empty Host 1.0", "GET", V("/"), "HTTP/1.0", V("Host: "), BAD},
        {"Host list", "GET", V("/"), "HTTP/1.1", V("Host:a, b"), BAD},
        {"Host with a path", "GET", V("/"), "HTTP/1.1", V("Host:a/b"), BAD},
        {"Host with user info", "GET", V("/"), "HTTP/1.1", V("Host:u@a"), BAD},
        {"Host with a bad port", "GET", V("/"), "HTTP/1.1", V("Host:a:b"), BAD},
        {"TE on 1.0", "POST", V("/"), "HTTP/1.0", V("Host:a|Transfer-Encoding:chunked"), BAD},
        {"CL on 1.0", "POST", V("/"), "HTTP/1.0", V("Host:a|Content-Length:5"), OK},
        {"100-continue on 1.0", "POST", V("/"), "HTTP/1.0", V("Host:a|Expect:100-continue"), OK},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gate_verdict verdict;
        print_message("%s\n", rows[i].name);
        assert_int_equal(check(rows[i].method, rows[i].target, rows[i].version, rows[i].fields, &verdict),
                         rows[i].expected);
    }
}

static void test_verdict(void **state) {
    (void)state;
    struct gate_verdict verdict;
    assert_int_equal(check("POST", VIEW("/a?b"), "HTTP/1.1",
                           VIEW("Host: A.Example:8080 |Content-Length:42|Expect:100-continue"), &verdict),
                     OK);
    assert_int_equal(verdict.target.form, TARGET_ORIGIN);
    assert_true(view_eq(verdict.target.path, VIEW("/a")));
    assert_true(view_eq(verdict.target.query, VIEW("b")));
    assert_true(view_eq(verdict.host.name, VIEW("a.example")));
    assert_int_equal(verdict.host.port, 8080);
    assert_true(view_eq(verdict.host_field, VIEW("A.Example:8080")));
    assert_int_equal(verdict.framing, BODY_LENGTH);
    assert_int_equal(verdict.content_length, 42);
    assert_true(verdict.expects_continue);
    assert_false(verdict.is_upgrade);
    assert_int_equal(
        check("POST", VIEW("http://B:81/x"), "HTTP/1.1", VIEW("Host:a|Transfer-Encoding:chunked"), &verdict),
        OK);
    assert_int_equal(verdict.framing, BODY_CHUNKED);
    assert_true(view_eq(verdict.host.name, VIEW("b")));
    assert_int_equal(verdict.host.port, 81);
    assert_true(view_eq(verdict.host_field, VIEW("B:81")));
    assert_false(verdict.expects_continue);
    assert_int_equal(check("POST", VIEW("/"), "HTTP/1.0", VIEW("Host:a|Expect:100-continue"), &verdict), OK);
    assert_false(verdict.expects_continue);
    assert_int_equal(verdict.framing, BODY_NONE);
}

static void test_upgrade(void **state) {
    (void)state;
    static const struct {
        const char *name, *version;
        struct view fields;
        bool is_upgrade;
    } rows[] = {
        {"websocket", "HTTP/1.1",
         V("Host:a|Connection:Upgrade|Upgrade: websocket|Sec-WebSocket-Key:dGhlIHNhbXBsZSBub25jZQ=="), true},
        {"in a list", "HTTP/1.1",
         V("Host:a|Connection:keep-alive, "
           "UPGRADE|Upgrade:websocket|Sec-WebSocket-Key:dGhlIHNhbXBsZSBub25jZQ=="),
         true},
        {"1.0", "HTTP/1.0", V("Host:a|Connection:Upgrade|Upgrade:websocket"), false},
        {"no Connection", "HTTP/1.1", V("Host:a|Upgrade:websocket"), false},
        {"other Connection", "HTTP/1.1", V("Host:a|Connection:x-upgrade|Upgrade:websocket"), false},
        {"no Upgrade", "HTTP/1.1", V("Host:a|Connection:Upgrade"), false},
        {"two Upgrade", "HTTP/1.1", V("Host:a|Connection:Upgrade|Upgrade:websocket|Upgrade:h2c"), false},
        {"h2c, an offer to ignore", "HTTP/1.1",
         V("Host:a|Connection:Upgrade, HTTP2-Settings|Upgrade: h2c|HTTP2-Settings:AAMAAABk"), false},
        {"empty Upgrade", "HTTP/1.1", V("Host:a|Connection:Upgrade|Upgrade:"), false},
        {"no list of protocols", "HTTP/1.1", V("Host:a|Connection:Upgrade|Upgrade: web socket"), false},
        {"nothing behind the slash", "HTTP/1.1", V("Host:a|Connection:Upgrade|Upgrade: TLS/"), false},
        {"endless", "HTTP/1.1",
         V("Host:a|Connection:Upgrade|Upgrade: "
           "a23456789012345678901234567890123456789012345678901234567890123456"),
         false},
        {"longest", "HTTP/1.1",
         V("Host:a|Connection:Upgrade|Upgrade: "
           "a234567890123456789012345678901234567890123456789012345678901234"),
         true},
        {"too long by one", "HTTP/1.1",
         V("Host:a|Connection:Upgrade|Upgrade: "
           "a2345678901234567890123456789012345678901234567890123456789012345"),
         false},
        {"with chunks", "HTTP/1.1", V("Host:a|Connection:Upgrade|Upgrade:tcp|Transfer-Encoding:chunked"),
         false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gate_verdict verdict;
        print_message("%s\n", rows[i].name);
        assert_int_equal(check("GET", VIEW("/"), rows[i].version, rows[i].fields, &verdict), OK);
        assert_int_equal(verdict.is_upgrade, rows[i].is_upgrade);
    }
}

static void test_websocket_keys(void **state) {
    (void)state;
    static const struct {
        const char *name;
        struct view fields;
    } rows[] = {
        {"none", V("")},
        {"empty", V("|Sec-WebSocket-Key:")},
        {"17 bytes", V("|Sec-WebSocket-Key:AAAAAAAAAAAAAAAAAAAAAAA=")},
        {"15 bytes", V("|Sec-WebSocket-Key:AAAAAAAAAAAAAAAAAAAA")},
        {"no base64", V("|Sec-WebSocket-Key:!!!!!!!!!!!!!!!!!!!!!!==")},
        {"two", V("|Sec-WebSocket-Key:dGhlIHNhbXBsZSBub25jZQ==|Sec-WebSocket-Key:dGhlIHNhbXBsZSBub25jZQ==")},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gate_verdict verdict;
        char fields[200];
        int len = snprintf(fields, sizeof(fields), "Host:a|Connection:Upgrade|Upgrade:websocket%s",
                           rows[i].fields.ptr);
        print_message("%s\n", rows[i].name);
        assert_int_equal(check("GET", VIEW("/"), "HTTP/1.1", view_of(fields, (size_t)len), &verdict), BAD);
    }
}

static void test_offers(void **state) {
    (void)state;
    static const char *const offers[] = {"TLS/1.2", "SPDY/3.1", "HTTP/2.0", "IRC/6.9, RTA/x11", "tcp", "a,b"};
    for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++) {
        struct gate_verdict verdict;
        char fields[200];
        int len = snprintf(fields, sizeof(fields), "Host:a|Connection:Upgrade|Content-Length:5|Upgrade: %s",
                           offers[i]);
        print_message("%s\n", offers[i]);
        assert_int_equal(check("POST", VIEW("/"), "HTTP/1.1", view_of(fields, (size_t)len), &verdict), OK);
        assert_true(verdict.is_upgrade && view_eq(verdict.upgrade, view_from_cstr(offers[i])));
        assert_int_equal(verdict.content_length, 5);
        assert_int_equal(check("HEAD", VIEW("/"), "HTTP/1.1", view_of(fields, (size_t)len), &verdict), OK);
        assert_true(verdict.is_upgrade);
    }
}

static enum http_error check_sizes(size_t target_len, size_t value_len, size_t count) {
    static char text[70000];
    struct gate_verdict verdict;
    struct headers headers;
    memset(text, 'a', sizeof(text));
    text[0] = '/';
    headers_init(&headers, &arena);
    headers_add(&headers, VIEW("host"), VIEW("a"));
    while (headers.count < count) headers_add(&headers, VIEW("x"), view_of(text, value_len));
    struct gate_request request = {VIEW("GET"), view_of(text, target_len), VIEW("HTTP/1.1"), &headers};
    return gate_check_request(&request, &limits, &arena, &verdict);
}

static void test_limits(void **state) {
    (void)state;
    static const struct {
        const char *name;
        size_t target_len, value_len, count;
        enum http_error expected;
    } rows[] = {
        {"target at the limit", 65000, 1, 2, OK},
        {"target over", 65537, 1, 2, HTTP_ERROR_URI_TOO_LONG},
        {"target and fields over", 65000, 600, 2, HTTP_ERROR_HEADERS_TOO_LARGE},
        {"large value", 1, 65000, 2, OK},
        {"value over", 1, 65536, 2, HTTP_ERROR_HEADERS_TOO_LARGE},
        {"count at the limit", 1, 1, 256, OK},
        {"count over", 1, 1, 257, HTTP_ERROR_HEADERS_TOO_LARGE},
        {"total under", 1, 8000, 9, OK},
        {"total over", 1, 8190, 9, HTTP_ERROR_HEADERS_TOO_LARGE},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        print_message("%s\n", rows[i].name);
        assert_int_equal(check_sizes(rows[i].target_len, rows[i].value_len, rows[i].count), rows[i].expected);
    }
}

static void test_total_at_the_limit(void **state) {
    (void)state;
    struct http_limits tight = limits;
    struct headers headers;
    struct gate_verdict verdict;
    fill(&headers, VIEW("host:a|x-a:b"));
    struct gate_request request = {VIEW("GET"), VIEW("/"), VIEW("HTTP/1.1"), &headers};
    tight.headers_bytes = headers.bytes + 1; /* the target */
    assert_int_equal(gate_check_request(&request, &tight, &arena, &verdict), OK);
    tight.headers_bytes--;
    assert_int_equal(gate_check_request(&request, &tight, &arena, &verdict), HTTP_ERROR_HEADERS_TOO_LARGE);
    request.raw_target = VIEW("/23456789");
    tight.headers_bytes = 9; /* as long as the target */
    assert_int_equal(gate_check_request(&request, &tight, &arena, &verdict), HTTP_ERROR_HEADERS_TOO_LARGE);
    tight.headers_bytes = 8;
    assert_int_equal(gate_check_request(&request, &tight, &arena, &verdict), HTTP_ERROR_URI_TOO_LONG);
    tight = limits;
    tight.target_bytes = 9;
    assert_int_equal(gate_check_request(&request, &tight, &arena, &verdict), OK);
    tight.target_bytes = 8;
    assert_int_equal(gate_check_request(&request, &tight, &arena, &verdict), HTTP_ERROR_URI_TOO_LONG);
}

static void test_each_value_is_checked(void **state) {
    (void)state;
    struct headers headers;
    fill(&headers, VIEW("a:12345|b:1234"));
    assert_true(gate_check_values(&headers, 5));
    assert_false(gate_check_values(&headers, 4));
    fill(&headers, VIEW("b:1234|a:12345"));
    assert_false(gate_check_values(&headers, 4));
}

static void test_responses(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int status;
        struct view fields;
        bool ok;
    } rows[] = {
        {"plain", 200, V("content-type:text/html|set-cookie:a|set-cookie:b"), true},
        {"no fields", 404, V(""), true},
        {"599", 599, V(""), true},
        {"600", 600, V(""), true},
        {"999", 999, V(""), true},
        {"1000", 1000, V(""), false},
        {"199", 199, V(""), false},
        {"101", 101, V(""), false},
        {"0", 0, V(""), false},
        {"negative", -200, V(""), false},
        {"bad name", 200, V("a b:c"), false},
        {"empty name", 200, V(":c"), false},
        {"CRLF in a value", 200, V("location:/\r\nset-cookie"), false},
        {"NUL in a value", 200, V("a:b\0"), false},
        {"OWS at the end", 200, V("a: b "), true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct headers headers;
        print_message("%s\n", rows[i].name);
        fill(&headers, rows[i].fields);
        assert_int_equal(gate_check_response(rows[i].status, &headers, &limits),
                         rows[i].ok ? OK : HTTP_ERROR_BAD_RESPONSE);
    }
    struct headers headers;
    struct http_limits tight = limits;
    tight.headers_count = 1;
    fill(&headers, VIEW("a:b|c:d"));
    assert_int_equal(gate_check_response(200, &headers, &tight), HTTP_ERROR_BAD_RESPONSE);
    tight = limits;
    tight.answer_bytes = headers.bytes;
    assert_int_equal(gate_check_response(200, &headers, &tight), OK);
    tight.answer_bytes--;
    assert_int_equal(gate_check_response(200, &headers, &tight), HTTP_ERROR_BAD_RESPONSE);
    tight = http_limits_v1_answer(&limits);
    assert_true(tight.answer_bytes == 64 * 1024 && tight.header_value_bytes == 8192);
}

static void test_bodies_and_methods(void **state) {
    (void)state;
    assert_true(http_answer_has_body(VIEW("GET"), 200));
    assert_true(http_answer_has_body(VIEW("head"), 200));
    assert_false(http_answer_has_body(VIEW("HEAD"), 200));
    assert_false(http_answer_has_body(VIEW("GET"), 204));
    assert_false(http_answer_has_body(VIEW("GET"), 304));
    assert_false(http_answer_has_body(VIEW("GET"), 101));
    assert_true(http_answer_has_body(VIEW("GET"), 205));
    assert_true(http_answer_has_body(VIEW("POST"), 500));
    assert_true(http_method_is_safe(VIEW("GET")));
    assert_true(http_method_is_safe(VIEW("HEAD")));
    assert_true(http_method_is_safe(VIEW("OPTIONS")));
    assert_true(http_method_is_safe(VIEW("TRACE")));
    assert_false(http_method_is_safe(VIEW("get")));
    assert_false(http_method_is_safe(VIEW("POST")));
    assert_false(http_method_is_safe(VIEW("PUT")));
    assert_false(http_method_is_safe(VIEW("DELETE")));
    assert_false(http_method_is_safe(VIEW("")));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_framing),
        TEST(test_fields),
        TEST(test_lines_and_hosts),
        TEST(test_verdict),
        TEST(test_upgrade),
        TEST(test_websocket_keys),
        TEST(test_offers),
        TEST(test_limits),
        TEST(test_total_at_the_limit),
        TEST(test_each_value_is_checked),
        TEST(test_responses),
        TEST(test_bodies_and_methods),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
