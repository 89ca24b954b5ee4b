/* Requests of HTTP/2 in the words of HTTP/1.1: what the core is told of them, and what is refused because it
 * would mean something else there. */
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "cmocka_setup.h"
#include "public/h2_visit.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct row {
    const char *method, *scheme, *authority, *path, *protocol, *fields; /* "name: value" lines */
    bool has_body;
    enum http_error error;
    const char *target, *told; /* NULL: as `path`; the fields that the core gets */
};

static const struct row rows[] = {
    {"GET", "https", "a.example", "/x?y", NULL, "accept: text/html\nx-a: 1", false, HTTP_ERROR_NONE, NULL,
     "host: a.example\naccept: text/html\nx-a: 1\n"},
    {"GET", "HTTPS", "a", "/", NULL, "", false, HTTP_ERROR_NONE, NULL, "host: a\n"},
    {"GET", "http", "a", "/", NULL, "", false, HTTP_ERROR_BAD_REQUEST, NULL, NULL},
    {"GET", "", "a", "/", NULL, "", false, HTTP_ERROR_BAD_REQUEST, NULL, NULL},
    /* whose it is */
    {"GET", "https", "", "/", NULL, "host: b", false, HTTP_ERROR_NONE, NULL, "host: b\n"},
    {"GET", "https", "a", "/", NULL, "host: A", false, HTTP_ERROR_NONE, NULL, "host: a\n"},
    {"GET", "https", "a", "/", NULL, "host: b", false, HTTP_ERROR_BAD_REQUEST, NULL, NULL},
    {"GET", "https", "a", "/", NULL, "host: a\nhost: a", false, HTTP_ERROR_BAD_REQUEST, NULL, NULL},
    {"GET", "https", "", "/", NULL, "host: a\nhost: a", false, HTTP_ERROR_BAD_REQUEST, NULL, NULL},
    {"GET", "https", "", "/", NULL, "", false, HTTP_ERROR_NONE, NULL, ""},
    /* bodies */
    {"POST", "https", "a", "/", NULL, "content-length: 5", true, HTTP_ERROR_NONE, NULL,
     "host: a\ncontent-length: 5\n"},
    {"POST", "https", "a", "/", NULL, "", true, HTTP_ERROR_NONE, NULL,
     "host: a\ntransfer-encoding: chunked\n"},
    {"POST", "https", "a", "/", NULL, "content-length: 0", false, HTTP_ERROR_NONE, NULL,
     "host: a\ncontent-length: 0\n"},
    /* cookies come in pieces, and are one field there */
    {"GET", "https", "a", "/", NULL, "cookie: a=1\nx-a: 1\ncookie: b=2\ncookie: c", false, HTTP_ERROR_NONE,
     NULL, "host: a\nx-a: 1\ncookie: a=1; b=2; c\n"},
    {"GET", "https", "a", "/", NULL, "te: trailers", false, HTTP_ERROR_NONE, NULL, "host: a\n"},
    /* what only a connection has */
    {"GET", "https", "a", "/", NULL, "connection: close", false, HTTP_ERROR_BAD_REQUEST, NULL, NULL},
    {"GET", "https", "a", "/", NULL, "proxy-connection: close", false, HTTP_ERROR_BAD_REQUEST, NULL, NULL},
    {"GET", "https", "a", "/", NULL, "keep-alive: 5", false, HTTP_ERROR_BAD_REQUEST, NULL, NULL},
    {"POST", "https", "a", "/", NULL, "transfer-encoding: chunked", true, HTTP_ERROR_BAD_REQUEST, NULL, NULL},
    {"GET", "https", "a", "/", NULL, "upgrade: websocket", false, HTTP_ERROR_BAD_REQUEST, NULL, NULL},
    /* CONNECT: of a proxy, and for a protocol */
    {"CONNECT", "", "a:443", "", NULL, "", false, HTTP_ERROR_NONE, "a:443", "host: a:443\n"},
    {"CONNECT", "http", "a", "/", "websocket", "", true, HTTP_ERROR_BAD_REQUEST, NULL, NULL},
    {"CONNECT", "https", "a", "/", "websocket", "content-length: 5", true, HTTP_ERROR_BAD_REQUEST, NULL,
     NULL},
};

static void read_fields(const char *fields, struct headers *headers) {
    struct view rest = view_from_cstr(fields), line;
    while (rest.len && view_split(&rest, '\n', &line)) {
        size_t colon = view_find(line, ':');
        assert_true(headers_add(headers, view_slice(line, 0, colon), view_skip(line, colon + 2)));
    }
}

static void write_fields(const struct headers *headers, char *out, size_t size) {
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < headers->count; i++)
        at += (size_t)snprintf(out + at, size - at, "%.*s: %.*s\n", VIEW_ARG(headers->fields[i].name),
                               VIEW_ARG(headers->fields[i].value));
}

static struct view or_absent(const char *text) {
    return view_from_cstr(text);
}

static struct stream_head head_of(const struct row *row, const struct headers *headers) {
    return (struct stream_head){.method = or_absent(row->method),
                                .protocol = or_absent(row->protocol),
                                .scheme = or_absent(row->scheme),
                                .authority = or_absent(row->authority),
                                .path = or_absent(row->path),
                                .headers = headers};
}

static void test_requests(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *row = &rows[i];
        struct arena arena;
        struct headers headers, told;
        struct forward_event event;
        char text[500];
        arena_init(&arena, 65536);
        headers_init(&headers, &arena);
        read_fields(row->fields, &headers);
        struct stream_head head = head_of(row, &headers);
        enum http_error error = h2_request_read(&head, row->has_body, &arena, &event, &told);
        if (error != row->error) fail_msg("row %zu: %d", i, error);
        assert_true(view_eq(event.method, head.method) || row->protocol);
        write_fields(&told, text, sizeof(text));
        if (row->told) assert_string_equal(text, row->told);
        assert_true(view_eq(event.target, or_absent(row->target ? row->target : row->path)));
        assert_true(view_eq(event.scheme, VIEW("https")) && view_eq(event.version, VIEW("HTTP/1.1")));
        assert_ptr_equal(event.headers, &told);
        arena_done(&arena);
    }
}

/* The handshake that it stands for, with a key of our own. */
static void test_a_websocket(void **state) {
    (void)state;
    static const struct row row = {"CONNECT",   "https",
                                   "a",         "/chat",
                                   "websocket", "sec-websocket-key: theirs\nsec-websocket-version: 13",
                                   true,        HTTP_ERROR_NONE,
                                   NULL,        NULL};
    char last[24] = "";
    for (int i = 0; i < 2; i++) {
        struct arena arena;
        struct headers headers, told;
        struct forward_event event;
        char key[30];
        size_t len;
        arena_init(&arena, 65536);
        headers_init(&headers, &arena);
        read_fields(row.fields, &headers);
        struct stream_head head = head_of(&row, &headers);
        assert_int_equal(h2_request_read(&head, true, &arena, &event, &told), HTTP_ERROR_NONE);
        assert_true(view_eq(event.method, VIEW("GET")) && view_eq(event.target, VIEW("/chat")));
        assert_true(view_eq(headers_get(&told, VIEW("connection")), VIEW("upgrade")));
        assert_true(view_eq(headers_get(&told, VIEW("upgrade")), VIEW("websocket")));
        assert_null(headers_get(&told, VIEW("transfer-encoding")).ptr);
        assert_int_equal(headers_count(&told, VIEW("sec-websocket-key")), 1);
        struct view said = headers_get(&told, VIEW("sec-websocket-key"));
        assert_true(said.len == 24 && base64_decode(said, key, &len) && len == 16);
        assert_memory_not_equal(said.ptr, last, 24);
        memcpy(last, said.ptr, 24);
        arena_done(&arena);
    }
}

static void test_too_large_a_head(void **state) {
    (void)state;
    static const struct row row = {"GET", "http", "a", "/", NULL, "", false, HTTP_ERROR_NONE, NULL, NULL};
    struct arena arena, small;
    struct headers headers, told;
    struct forward_event event;
    static char value[5000];
    arena_init(&arena, 65536);
    arena_init(&small, 4096);
    headers_init(&headers, &arena);
    struct stream_head head = head_of(&row, &headers);
    head.is_excess = true;
    assert_int_equal(h2_request_read(&head, false, &arena, &event, &told), HTTP_ERROR_HEADERS_TOO_LARGE);
    head.is_excess = false;
    head.scheme = VIEW("https");
    memset(value, 'v', sizeof(value) - 1);
    assert_true(headers_add(&headers, VIEW("x-long"), view_from_cstr(value)));
    assert_int_equal(h2_request_read(&head, false, &small, &event, &told), HTTP_ERROR_HEADERS_TOO_LARGE);
    headers_init(&headers, &arena);
    assert_true(headers_add(&headers, VIEW("cookie"), view_from_cstr(value)));
    assert_int_equal(h2_request_read(&head, false, &small, &event, &told), HTTP_ERROR_HEADERS_TOO_LARGE);
    arena_done(&small);
    arena_done(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_a_websocket),
        cmocka_unit_test(test_too_large_a_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
