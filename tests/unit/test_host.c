/* The Host field: names, IP literals, ports, what is refused; and the shape of tunnel labels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/host.h"

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

static void test_good_hosts(void **state) {
    (void)state;
    static const struct {
        const char *text, *name;
        uint16_t port;
        bool is_ip;
    } rows[] = {
        {"localhost", "localhost", 0, false},
        {"Example.COM", "example.com", 0, false},
        {"example.com.", "example.com", 0, false},
        {"example.com.:81", "example.com", 81, false},
        {"my_app-1.local:8080", "my_app-1.local", 8080, false},
        {"a:1", "a", 1, false},
        {"a:65535", "a", 65535, false},
        {"a:00080", "a", 80, false},
        {"127.0.0.1", "127.0.0.1", 0, true},
        {"127.0.0.1:80", "127.0.0.1", 80, true},
        {"127.0.0.1.", "127.0.0.1", 0, true},
        {"127.0.0.256", "127.0.0.256", 0, false},
        {"127.1", "127.1", 0, false},
        {"[::1]", "::1", 0, true},
        {"[2001:DB8::A]:443", "2001:db8::a", 443, true},
        {"[::ffff:1.2.3.4]:1", "::ffff:1.2.3.4", 1, true},
        {"-a-", "-a-", 0, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct host host;
        print_message("%s\n", rows[i].text);
        assert_true(host_parse(view_from_cstr(rows[i].text), &arena, &host));
        assert_true(view_eq(host.name, view_from_cstr(rows[i].name)));
        assert_int_equal(host.name.ptr[host.name.len], 0);
        assert_int_equal(host.port, rows[i].port);
        assert_int_equal(host.is_ip, rows[i].is_ip);
    }
}

static void test_bad_hosts(void **state) {
    (void)state;
    static const char *const rows[] = {
        "",
        ".",
        "..",
        "a..b",
        ".a",
        "a..",
        ":80",
        "a:",
        "a:0",
        "a:65536",
        "a:+80",
        "a:-1",
        "a:80x",
        "a:080000",
        "a:000080",
        "a:80:80",
        "a b",
        " a",
        "a ",
        "a/b",
        "a\\b",
        "user@a",
        "a@b:80",
        "a,b",
        "a#b",
        "a?b",
        "a%41",
        "h\xc3\xa4",
        "::1",
        "[::1",
        "::1]",
        "[]",
        "[127.0.0.1]",
        "[::1]x",
        "[::1]80",
        "[::1]:",
        "[fe80::1%1]",
        "[::g]",
        "[v1.a]",
        "[:::]",
        "[[::1]]",
        "a\tb",
        "a\x7f",
        "a:8 0",
        "a;b",
        "<a>",
        "\"a\"",
        "[1:2:3:4:5:6:7:8:9]",
        "*",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct host host;
        print_message("'%s'\n", rows[i]);
        memset(&host, 0xff, sizeof(host));
        assert_false(host_parse(view_from_cstr(rows[i]), &arena, &host));
        assert_true(!host.name.ptr && host.port == 0);
    }
    struct host host;
    assert_false(host_parse(VIEW("a\0b"), &arena, &host));
    assert_false(host_parse(VIEW("127.0.0.1\0"), &arena, &host));
    assert_false(host_parse((struct view){NULL, 0}, &arena, &host));
}

static void test_long_names_and_no_memory(void **state) {
    (void)state;
    char name[300];
    struct host host;
    struct arena none;
    memset(name, 'a', sizeof(name));
    assert_true(host_parse(view_of(name, 253), &arena, &host));
    assert_false(host_parse(view_of(name, 254), &arena, &host));
    arena_init(&none, 0);
    assert_false(host_parse(VIEW("a"), &none, &host));
}

static void test_tunnel_labels(void **state) {
    (void)state;
    char name[65];
    memset(name, 'a', sizeof(name));
    static const struct {
        const char *label;
        bool ok;
    } rows[] = {
        {"abc", true},          {"a-b", true},  {"123", true},  {"a--b", true},
        {"abcdefghij12", true}, {"az09", true}, {"ab", false},  {"", false},
        {"-ab", false},         {"ab-", false}, {"---", false}, {"aBc", false},
        {"a_b", false},         {"a.b", false}, {"a b", false}, {"ab\xc3\xa4", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        print_message("'%s'\n", rows[i].label);
        assert_int_equal(host_is_tunnel_label(view_from_cstr(rows[i].label)), rows[i].ok);
    }
    assert_true(host_is_tunnel_label(view_of(name, 63)));
    assert_false(host_is_tunnel_label(view_of(name, 64)));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_good_hosts),
        TEST(test_bad_hosts),
        TEST(test_long_names_and_no_memory),
        TEST(test_tunnel_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
