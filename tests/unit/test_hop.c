/* Hop-by-hop fields, what Connection may name and what it may not, and our own fields. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "http/hop.h"

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

/* "name: value" lines in, names with spaces between them out. */
static void fill(struct headers *headers, const char *lines) {
    struct view rest = view_from_cstr(lines), line;
    headers_init(headers, &arena);
    while (view_split(&rest, '\n', &line)) {
        size_t colon = view_find(line, ':');
        if (line.len) headers_add(headers, view_slice(line, 0, colon), view_trim(view_skip(line, colon + 1)));
    }
}

static void assert_names(const struct headers *headers, const char *expected) {
    char names[2048] = "";
    size_t len = 0;
    for (size_t i = 0; i < headers->count; i++)
        len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%.*s", i ? " " : "",
                                VIEW_ARG(headers->fields[i].name));
    assert_string_equal(names, expected);
}

static void test_hop_strip(void **state) {
    (void)state;
    static const struct {
        const char *name, *lines, *left;
    } rows[] = {
        {"nothing", "", ""},
        {"end to end", "Host: a\nAccept: b\nX-A: c", "host accept x-a"},
        {"all fixed",
         "Connection: close\nKeep-Alive: 5\nProxy-Connection: x\nTE: trailers\nTrailer: "
         "a\nTransfer-Encoding: "
         "chunked\nUpgrade: h2c\nProxy-Authenticate: x\nProxy-Authorization: y\nX-A: b",
         "x-a"},
        {"named", "X-A: 1\nConnection: X-A, close\nX-B: 2\nx-a: 3", "x-b"},
        {"named in two fields", "Connection: x-a\nX-A: 1\nConnection:  , X-B ,\nX-B: 2\nX-C: 3", "x-c"},
        {"protected",
         "Connection: host, Authorization, cookie, content-length, Content-Type, forwarded, x-forwarded-for, "
         "X-Forwarded-Host, set-cookie, x-tunnel-id\nHost: a\nAuthorization: b\nCookie: c\nContent-Length: "
         "5\nContent-Type: d\nForwarded: e\nX-Forwarded-For: f\nX-Forwarded-Host: g\nSet-Cookie: "
         "h\nX-Tunnel-Id: i",
         "host authorization cookie content-length content-type forwarded x-forwarded-for x-forwarded-host "
         "set-cookie x-tunnel-id"},
        {"prefix is no match", "Connection: x-a\nX-AB: 1\nX-: 2\nTEE: 3", "x-ab x- tee"},
        {"options are no names", "Connection: close\nClose: 1\nX-A: 1", "close x-a"},
        {"a name of one letter", "Connection: a\nA: 1\nB: 1", "b"},
        {"names a missing one", "Connection: x-none\nX-A: 1", "x-a"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct headers headers;
        print_message("%s\n", rows[i].name);
        fill(&headers, rows[i].lines);
        hop_strip(&headers);
        assert_names(&headers, rows[i].left);
    }
}

static void test_only_so_many_names_count(void **state) {
    (void)state;
    struct headers headers;
    headers_init(&headers, &arena);
    for (int i = 0; i < 100; i++) {
        char name[16];
        int len = snprintf(name, sizeof(name), "n%d", i);
        headers_add(&headers, VIEW("connection"), view_of(name, (size_t)len));
        headers_add(&headers, view_of(name, (size_t)len), VIEW("x"));
    }
    hop_strip(&headers);
    assert_int_equal(headers.count, 36);
    assert_null(headers_get(&headers, VIEW("n63")).ptr);
    assert_non_null(headers_get(&headers, VIEW("n64")).ptr);
    assert_int_equal(headers_count(&headers, VIEW("connection")), 0);
}

/* What is no name does not count as one. */
static void test_options_leave_room_for_names(void **state) {
    (void)state;
    static const char *const options[] = {"close", "", "te", "host"};
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        struct headers headers;
        headers_init(&headers, &arena);
        for (int j = 0; j < 100; j++) headers_add(&headers, VIEW("connection"), view_from_cstr(options[i]));
        headers_add(&headers, VIEW("connection"), VIEW("x-a"));
        headers_add(&headers, VIEW("x-a"), VIEW("1"));
        hop_strip(&headers);
        assert_names(&headers, "");
    }
}

static void test_strip_ours(void **state) {
    (void)state;
    struct headers headers;
    const char *lines = "X-Tunnel-Error: a\nX-Tunnel-Rewrite: off\nX-Tunnel: b\nX-Tunnel-: c\nX-Tunnels-A: d";
    fill(&headers, lines);
    hop_strip_ours(&headers, VIEW("x-tunnel-rewrite"));
    assert_names(&headers, "x-tunnel-rewrite x-tunnel x-tunnels-a");
    fill(&headers, lines);
    hop_strip_ours(&headers, (struct view){NULL, 0});
    assert_names(&headers, "x-tunnel x-tunnels-a");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_hop_strip),
        TEST(test_only_so_many_names_count),
        TEST(test_options_leave_room_for_names),
        TEST(test_strip_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
