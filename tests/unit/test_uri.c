/* Request targets: the four forms, what is refused, climbing paths, queries and decoding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "http/uri.h"

static struct arena arena;

static int setup(void **state) {
    (void)state;
    arena_init(&arena, 64 * 1024);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    arena_done(&arena);
    return 0;
}

/* NULL stands for the absent view. */
static void assert_view(struct view v, const char *expected) {
    if (!expected) {
        assert_true(!v.ptr && v.len == 0);
        return;
    }
    assert_non_null(v.ptr);
    assert_int_equal(v.len, strlen(expected));
    assert_memory_equal(v.ptr, expected, v.len);
}

static void test_forms(void **state) {
    (void)state;
    static const struct {
        const char *raw;
        enum target_form form;
        const char *scheme, *authority, *path, *query, *origin;
    } rows[] = {
        {"/", TARGET_ORIGIN, NULL, NULL, "/", NULL, "/"},
        {"/a/b?c=d?e", TARGET_ORIGIN, NULL, NULL, "/a/b", "c=d?e", "/a/b?c=d?e"},
        {"/?", TARGET_ORIGIN, NULL, NULL, "/", "", "/?"},
        {"//host/x", TARGET_ORIGIN, NULL, NULL, "//host/x", NULL, "//host/x"},
        {"/a%20b/../c", TARGET_ORIGIN, NULL, NULL, "/a%20b/../c", NULL, "/a%20b/../c"},
        {"/\xc3\xa4", TARGET_ORIGIN, NULL, NULL, "/\xc3\xa4", NULL, "/\xc3\xa4"},
        {"/!\x80", TARGET_ORIGIN, NULL, NULL, "/!\x80", NULL, "/!\x80"},
        {"/http://x/", TARGET_ORIGIN, NULL, NULL, "/http://x/", NULL, "/http://x/"},
        {"*", TARGET_ASTERISK, NULL, NULL, "*", NULL, "*"},
        {"http://h", TARGET_ABSOLUTE, "http", "h", "/", NULL, "/"},
        {"http://h/", TARGET_ABSOLUTE, "http", "h", "/", NULL, "/"},
        {"HTTPS://h:8/a?b", TARGET_ABSOLUTE, "HTTPS", "h:8", "/a", "b", "/a?b"},
        {"http://h?q=/x", TARGET_ABSOLUTE, "http", "h", "/", "q=/x", "/?q=/x"},
        {"http://u@h/a", TARGET_ABSOLUTE, "http", "u@h", "/a", NULL, "/a"},
        {"a+b-c.9://h/a", TARGET_ABSOLUTE, "a+b-c.9", "h", "/a", NULL, "/a"},
        {"h://x/a", TARGET_ABSOLUTE, "h", "x", "/a", NULL, "/a"},
        {"Zz0://h/a", TARGET_ABSOLUTE, "Zz0", "h", "/a", NULL, "/a"},
        {"http://[::1]:80/x", TARGET_ABSOLUTE, "http", "[::1]:80", "/x", NULL, "/x"},
        {"example.com:443", TARGET_AUTHORITY, NULL, "example.com:443", NULL, NULL, NULL},
        {"host:65535", TARGET_AUTHORITY, NULL, "host:65535", NULL, NULL, NULL},
        {"[::1]:443", TARGET_AUTHORITY, NULL, "[::1]:443", NULL, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct target target;
        print_message("%s\n", rows[i].raw);
        assert_true(target_parse(view_from_cstr(rows[i].raw), &target));
        assert_int_equal(target.form, rows[i].form);
        assert_view(target.scheme, rows[i].scheme);
        assert_view(target.authority, rows[i].authority);
        assert_view(target.path, rows[i].path);
        assert_view(target.query, rows[i].query);
        struct view origin = target_origin(&target, &arena);
        assert_view(origin, rows[i].origin);
        if (origin.ptr) assert_int_equal(origin.ptr[origin.len], 0);
    }
}

static void test_refused_targets(void **state) {
    (void)state;
    static const struct view rows[] = {
        {"", 0},          {"a", 1},           {"**", 2},          {"*/", 2},
        {"/a b", 4},      {"/a\tb", 4},       {"/a\0b", 4},       {"/a\r", 3},
        {"/a\n", 3},      {"/a\x7f", 3},      {"/a#b", 4},        {"?a=b", 4},
        {"http:/x", 7},   {"http:x", 6},      {"http://", 7},     {"http:///x", 9},
        {"http://?x", 9}, {"1http://x/", 10}, {"://x/", 5},       {":80", 3},
        {"host:", 5},     {"host:x", 6},      {"host:65536", 10}, {"host:80/x", 9},
        {"host:80?x", 9}, {"index.html", 10}, {"mailto:a@b", 10}, {"ht tp://x/", 10},
        {"\\x", 2},       {"host", 4},        {"\x01:80", 4},     {"1a://x/", 7},
        {"1://x/", 6},    {"#:80", 4},        {" :80", 4},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct target target;
        print_message("'%s'\n", rows[i].ptr);
        assert_int_equal(rows[i].len, i == 6 ? 4 : strlen(rows[i].ptr));
        char *copy = malloc(rows[i].len + !rows[i].len); /* exact, for the sanitizer */
        memcpy(copy, rows[i].ptr, rows[i].len);
        assert_false(target_parse(view_of(copy, rows[i].len), &target));
        free(copy);
    }
    struct target target;
    assert_false(target_parse((struct view){NULL, 0}, &target));
}

static void test_origin_without_memory(void **state) {
    (void)state;
    struct arena none;
    struct target target;
    arena_init(&none, 0);
    assert_true(target_parse(VIEW("http://h?q"), &target));
    assert_null(target_origin(&target, &none).ptr);
    assert_true(target_parse(VIEW("/x?q"), &target));
    assert_view(target_origin(&target, &none), "/x?q");
}

static void test_path_escapes(void **state) {
    (void)state;
    static const struct {
        const char *path;
        bool escapes;
    } rows[] = {
        {"/", false},
        {"", false},
        {"/a/b/c", false},
        {"/..", true},
        {"/../", true},
        {"/../x", true},
        {"..", true},
        {"../x", true},
        {"/a/..", false},
        {"/a/../..", true},
        {"/a/../b/../c", false},
        {"/a/../../b", true},
        {"/a/b/../../..", true},
        {"/a/b/../../c/..", false},
        {"/./.././x", true},
        {"/a/./..", false},
        {"/a/././../..", true},
        {"/a/%2e%2E/../x", true},
        {"/%2e%2e/x", true},
        {"/%2E./x", true},
        {"/.%2e/", true},
        {"/.%2e", true},
        {"/a/.%2e/", false},
        {"/a/%2e/../..", true},
        {"/a/..%2f..%2fx", true},
        {"/a/..%2Fx", false},
        {"/..%2f", true},
        {"%2f..", true},
        {"/a/..\\..\\x", true},
        {"/\\..\\x", true},
        {"/a%5c..%5C..", true},
        {"/a%5cb/../..", false},
        {"/a//../..", true},
        {"/a/b//../x", false},
        {"/...", false},
        {"/.../..", false},
        {"/..a/..b", false},
        {"/a../b..", false},
        {"/%252e%252e/x", false},
        {"/%2e%2", false},
        {"/%zz/..", false},
        {"/%2e%zz", false},
        {"/a/..%00/../..", false},
        {"/%2", false},
        {"/%", false},
        {"/a/b/c/../../../..", true},
        {"/..;/x", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        print_message("%s\n", rows[i].path);
        assert_int_equal(path_escapes(view_from_cstr(rows[i].path)), rows[i].escapes);
    }
    assert_false(path_escapes((struct view){NULL, 0}));
}

static void test_decode(void **state) {
    (void)state;
    static const struct {
        const char *text, *expected;
    } rows[] = {
        {"", ""},         {"abc", "abc"}, {"a%20b", "a b"}, {"%41%62%7E", "Ab~"},   {"a+b", "a+b"},
        {"%252e", "%2e"}, {"%", NULL},    {"%4", NULL},     {"a%4", NULL},          {"%4g", NULL},
        {"%g4", NULL},    {"%%41", NULL}, {"%-1", NULL},    {"%c3%a4", "\xc3\xa4"}, {"x%25", "x%"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        print_message("%s\n", rows[i].text);
        struct view decoded = uri_decode(view_from_cstr(rows[i].text), &arena);
        assert_view(decoded, rows[i].expected);
        if (decoded.ptr) assert_int_equal(decoded.ptr[decoded.len], 0);
    }
    assert_true(view_eq(uri_decode(VIEW("%00a"), &arena), VIEW("\0a")));
    struct arena none;
    arena_init(&none, 0);
    assert_null(uri_decode(VIEW("a"), &none).ptr);
}

static void test_query_get(void **state) {
    (void)state;
    static const struct {
        const char *query, *name, *expected;
    } rows[] = {
        {"a=1&b=2", "b", "2"}, {"a=1&a=2", "a", "1"}, {"a=1", "b", NULL},       {"a", "a", ""},
        {"a=", "a", ""},       {"a=b=c", "a", "b=c"}, {"aa=1&a=2", "a", "2"},   {"a=%3d%26", "a", "=&"},
        {"a=1+2", "a", "1+2"}, {"a=%zz", "a", NULL},  {"a=%zz&a=1", "a", NULL}, {"&&a=1", "a", "1"},
        {"%61=1", "a", NULL},  {"A=1", "a", NULL},    {"", "a", NULL},          {NULL, "a", NULL},
        {"a=?x", "a", "?x"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        print_message("%s\n", rows[i].query ? rows[i].query : "(absent)");
        assert_view(query_get(view_from_cstr(rows[i].query), view_from_cstr(rows[i].name), &arena),
                    rows[i].expected);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_forms),        TEST(test_refused_targets), TEST(test_origin_without_memory),
        TEST(test_path_escapes), TEST(test_decode),          TEST(test_query_get),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
