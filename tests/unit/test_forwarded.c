/* Who says who a visitor is: what is taken off, lists over several lines, and the visitor behind proxies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/forwarded.h"
#include "sockets/behind_proxy.h"

static struct arena arena;
static struct headers headers;

static int setup(void **state) {
    (void)state;
    arena_init(&arena, 64 * 1024);
    headers_init(&headers, &arena);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    arena_done(&arena);
    return 0;
}

static void add(const char *name, const char *value) {
    assert_true(headers_add(&headers, view_from_cstr(name), view_from_cstr(value)));
}

/* 64 bytes */
#define LONG_NAME "x_forwarded_234567890123456789012345678901234567890123456789abcd"

static void test_strip(void **state) {
    (void)state;
    static const char *const claims[] = {"Forwarded",      "X-Real-IP",      "X-Forwarded-Ssl",
                                         "True-Client-IP", "X-Original-URL", "X-Rewrite-URL",
                                         "X-Forwarded-For"};
    static const char *const always[] = {"Proxy",     "x_forwarded_for", "Content_Length",
                                         "x-real_ip", "Host_",           "_"};
    for (size_t i = 0; i < 7; i++) add(claims[i], "a");
    for (size_t i = 0; i < 6; i++) add(always[i], "b");
    add("x-forwarded", "c");
    add("x-forwarded-", "d");
    add("x-something-else-that-is-long", "e");
    add(LONG_NAME, "f");     /* is compared with a dash for each _ up to this length */
    add(LONG_NAME "a", "g"); /* and as it is when longer */
    forwarded_strip(&headers, true, NULL, 0);
    assert_int_equal(headers.count, 7 + 6); /* Host_, _, x-forwarded and those behind it are nobody's */
    assert_false(headers_get(&headers, VIEW(LONG_NAME)).ptr);
    assert_true(headers_get(&headers, VIEW(LONG_NAME "a")).ptr);
    const struct view keep[] = {VIEW("X-REAL-ip")};
    forwarded_strip(&headers, false, keep, 1);
    assert_int_equal(headers.count, 1 + 6);
    assert_true(headers_get(&headers, VIEW("x-real-ip")).ptr);
}

static void test_lists(void **state) {
    (void)state;
    struct view name = VIEW("x-list");
    struct view none[] = {forwarded_nearest(&headers, name, 0), forwarded_element(&headers, name, 0),
                          forwarded_join(&headers, name, &arena)};
    for (size_t i = 0; i < 3; i++) assert_true(!none[i].ptr && none[i].len == 0);
    add("X-List", " a , b,");
    add("X-Other", "z");
    add("X-List", ",, c");
    add("X-List", "");
    assert_true(view_eq(forwarded_element(&headers, name, 0), VIEW("c")));
    assert_true(view_eq(forwarded_element(&headers, name, 1), VIEW("b")));
    assert_true(view_eq(forwarded_element(&headers, name, 2), VIEW("a")));
    assert_null(forwarded_element(&headers, name, 3).ptr);
    assert_true(view_eq(forwarded_nearest(&headers, name, 99), VIEW("a")));
    assert_true(view_eq(forwarded_join(&headers, name, &arena), VIEW("a , b,, ,, c")));
}

static void assert_behind(const char *value, const char *text, size_t hops) {
    static struct network proxies[2];
    struct clients clients;
    struct sockaddr_storage address;
    char found[ADDRESS_TEXT_MAX];
    size_t found_hops;
    network_parse(VIEW("10.0.0.0/8"), &proxies[0]);
    network_parse(VIEW("fd00::/8"), &proxies[1]);
    clients_init(&clients, 0, 0, proxies, 2);
    headers_remove(&headers, VIEW("x-forwarded-for"));
    add("X-Forwarded-For", value);
    bool is_there = behind_proxy(&headers, &clients, &address, &found_hops);
    assert_int_equal(is_there, text != NULL);
    if (is_there) {
        address_text((const struct sockaddr *)&address, found);
        assert_string_equal(found, text);
    }
    assert_int_equal(found_hops, hops);
    clients_done(&clients);
}

static void test_behind(void **state) {
    (void)state;
    assert_behind("203.0.113.7", "203.0.113.7", 0);
    assert_behind("6.6.6.6, 203.0.113.7:80, 10.1.1.1, fd00::1", "203.0.113.7", 2);
    assert_behind("[2001:db8::1]:443", "2001:db8::1", 0);
    assert_behind("2001:db8::1", "2001:db8::1", 0);
    assert_behind("10.0.0.1,10.0.0.2", "10.0.0.1", 1);
    assert_behind("unknown, 10.0.0.2", "10.0.0.2", 0);
    assert_behind("unknown", NULL, 0);
    assert_behind("[", NULL, 0);
    assert_behind("[]:1", NULL, 0);
    assert_behind(
        "10.0.0.1, 10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1,"
        "10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1",
        "10.0.0.1", 15); /* no further */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_strip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lists, setup, teardown),
        cmocka_unit_test_setup_teardown(test_behind, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
