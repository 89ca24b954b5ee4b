/* Routing: a table of hosts and targets. */
#include <stdio.h>

#include "auth/domain.h"
#include "cmocka_setup.h"
#include "handler/route.h"

static const struct row {
    const char *name, *host, *target;
    enum http_error error;
    enum route_mode mode;
    const char *tunnel, *upstream, *prefix;
} rows[] = {
    {"subdomain", "abcdefghijkl.localhost:8080", "/a?b", 0, ROUTE_SUBDOMAIN, "abcdefghijkl", "/a?b", ""},
    {"subdomain keeps dot segments", "app.localhost", "/../x/%2e%2e", 0, ROUTE_SUBDOMAIN, "app",
     "/../x/%2e%2e", ""},
    {"upper case host", "APP.LocalHost", "/", 0, ROUTE_SUBDOMAIN, "app", "/", ""},
    {"trailing dot", "app.localhost.", "/", 0, ROUTE_SUBDOMAIN, "app", "/", ""},
    {"two labels", "a.app.localhost", "/", HTTP_ERROR_UNKNOWN_HOST, 0, "", "", ""},
    {"label too short", "ab.localhost", "/", HTTP_ERROR_TUNNEL_NOT_FOUND, 0, "", "", ""},
    {"label with underscore", "a_b.localhost", "/", HTTP_ERROR_TUNNEL_NOT_FOUND, 0, "", "", ""},
    {"a domain that only ends like ours", "evillocalhost", "/", HTTP_ERROR_UNKNOWN_HOST, 0, "", "", ""},
    {"foreign host", "example.com", "/", HTTP_ERROR_UNKNOWN_HOST, 0, "", "", ""},
    {"path mode", "localhost", "/app/a/b?c=d", 0, ROUTE_PATH, "app", "/a/b?c=d", "/app"},
    {"path mode, bare", "localhost", "/app", 0, ROUTE_PATH, "app", "/", "/app"},
    {"path mode, bare with query", "localhost", "/app?x", 0, ROUTE_PATH, "app", "/?x", "/app"},
    {"path mode, empty query", "localhost", "/app/?", 0, ROUTE_PATH, "app", "/?", "/app"},
    {"path mode by IPv4", "127.0.0.1:8080", "/app/", 0, ROUTE_PATH, "app", "/", "/app"},
    {"path mode by IPv6", "[::1]:8080", "/app/", 0, ROUTE_PATH, "app", "/", "/app"},
    {"path mode by another name", "gateway.test", "/app/x", 0, ROUTE_PATH, "app", "/x", "/app"},
    {"path mode, climbing", "localhost", "/app/../other/x", HTTP_ERROR_BAD_REQUEST, 0, "", "", ""},
    {"path mode, climbing encoded", "localhost", "/app/%2e%2E/x", HTTP_ERROR_BAD_REQUEST, 0, "", "", ""},
    {"path mode, dots within", "localhost", "/app/a/../b", 0, ROUTE_PATH, "app", "/a/../b", "/app"},
    {"path mode, nothing named", "localhost", "/", HTTP_ERROR_TUNNEL_NOT_FOUND, 0, "", "", ""},
    {"path mode, no such name possible", "localhost", "/favicon.ico", HTTP_ERROR_TUNNEL_NOT_FOUND, 0, "", "",
     ""},
    {"path mode, raw bytes kept", "localhost", "/app/%2F?a=%2F&a=b+c&&=x", 0, ROUTE_PATH, "app",
     "/%2F?a=%2F&a=b+c&&=x", "/app"},
};

static void each_row(void **state) {
    (void)state;
    const struct view others[] = {VIEW("gateway.test")};
    struct route_names names = {VIEW("localhost"), others, 1, true, true, false};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        struct arena arena;
        arena_init(&arena, 65536);
        struct gate_verdict verdict = {0};
        assert_true(host_parse(view_from_cstr(row->host), &arena, &verdict.host));
        assert_true(target_parse(view_from_cstr(row->target), &verdict.target));
        struct route route;
        enum http_error error = route_request(&names, &verdict, &arena, &route);
        if (error != row->error) fail_msg("%s: error %d", row->name, (int)error);
        if (error == HTTP_ERROR_NONE &&
            (route.mode != row->mode || !view_eq(route.tunnel_id, view_from_cstr(row->tunnel)) ||
             !view_eq(route.target, view_from_cstr(row->upstream)) ||
             !view_eq(route.prefix, view_from_cstr(row->prefix))))
            fail_msg("%s: tunnel %.*s target %.*s prefix %.*s", row->name, VIEW_ARG(route.tunnel_id),
                     VIEW_ARG(route.target), VIEW_ARG(route.prefix));
        arena_done(&arena);
    }
}

static void without_subdomains_a_label_is_a_foreign_host(void **state) {
    (void)state;
    struct route_names names = {.domain = VIEW("localhost"), .path_routing = true};
    struct arena arena;
    arena_init(&arena, 65536);
    struct gate_verdict verdict = {0};
    assert_true(host_parse(VIEW("app.localhost"), &arena, &verdict.host));
    assert_true(target_parse(VIEW("/"), &verdict.target));
    struct route route;
    assert_int_equal(route_request(&names, &verdict, &arena, &route), HTTP_ERROR_UNKNOWN_HOST);
    arena_done(&arena);
}

static enum http_error ask(const struct route_names *names, const char *host, const char *target,
                           struct arena *arena, struct route *route) {
    struct gate_verdict verdict = {0};
    assert_true(host_parse(view_from_cstr(host), arena, &verdict.host));
    assert_true(target_parse(view_from_cstr(target), &verdict.target));
    return route_request(names, &verdict, arena, route);
}

static void without_paths_a_domain_has_no_tunnels(void **state) {
    (void)state;
    struct route_names names = {.domain = VIEW("localhost"), .subdomain_routing = true};
    struct arena arena;
    arena_init(&arena, 65536);
    struct route route;
    assert_int_equal(ask(&names, "localhost", "/app/", &arena, &route), HTTP_ERROR_TUNNEL_NOT_FOUND);
    assert_int_equal(ask(&names, "127.0.0.1", "/app/", &arena, &route), HTTP_ERROR_TUNNEL_NOT_FOUND);
    assert_int_equal(route.mode, ROUTE_SUBDOMAIN); /* nobody looks for another that may be meant */
    assert_int_equal(ask(&names, "example.com", "/app/", &arena, &route), HTTP_ERROR_UNKNOWN_HOST);
    assert_int_equal(ask(&names, "app.localhost", "/x", &arena, &route), HTTP_ERROR_NONE);
    arena_done(&arena);
}

static void a_path_that_ends_with_the_prefix_is_bare(void **state) {
    (void)state;
    struct route_names names = {.domain = VIEW("localhost"), .path_routing = true};
    struct arena arena;
    arena_init(&arena, 65536);
    struct route route;
    assert_int_equal(ask(&names, "localhost", "/app?x", &arena, &route), HTTP_ERROR_NONE);
    assert_true(route.is_bare && view_eq(route.target, VIEW("/?x")));
    assert_int_equal(ask(&names, "localhost", "/app/?x", &arena, &route), HTTP_ERROR_NONE);
    assert_false(route.is_bare);
    assert_int_equal(ask(&names, "localhost", "/x.js", &arena, &route), HTTP_ERROR_TUNNEL_NOT_FOUND);
    assert_true(route.mode == ROUTE_PATH && !route.tunnel_id.ptr);
    arena_done(&arena);
}

static void a_guess_is_of_the_whole_path(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 65536);
    struct gate_verdict verdict = {0};
    struct route route;
    assert_true(target_parse(VIEW("/app/x?y"), &verdict.target));
    assert_int_equal(route_guess(&verdict, VIEW("other"), &arena, &route), HTTP_ERROR_NONE);
    assert_true(route.mode == ROUTE_PATH && route.is_guess && !route.is_bare);
    assert_true(view_eq(route.tunnel_id, VIEW("other")) && view_eq(route.prefix, VIEW("/other")) &&
                view_eq(route.target, VIEW("/app/x?y")));
    assert_true(target_parse(VIEW("/a/../../x"), &verdict.target));
    assert_int_equal(route_guess(&verdict, VIEW("other"), &arena, &route), HTTP_ERROR_BAD_REQUEST);
    arena_done(&arena);
}

static void routings_have_names(void **state) {
    (void)state;
    bool subdomain, path;
    const char *const names[] = {"subdomain", "path", "both"};
    for (size_t i = 0; i < 3; i++) {
        assert_true(routing_parse(view_from_cstr(names[i]), &subdomain, &path));
        assert_true(subdomain == (i != 1) && path == (i != 0));
        assert_string_equal(routing_name(subdomain, path), names[i]);
    }
    assert_false(routing_parse(VIEW("Both"), &subdomain, &path));
    assert_false(routing_parse(VIEW(""), &subdomain, &path));
}

static void a_domain_of_somebodys_own_has_a_name(void **state) {
    (void)state;
    static const struct view others[] = {{"dev.example.org", 15}};
    struct route_names names = {VIEW("tunnel.example"), others, 1, true, true, true};
    struct arena arena;
    struct route route;
    arena_init(&arena, 65536);
    assert_int_equal(ask(&names, "App.Example.com.:80", "/a?b", &arena, &route), HTTP_ERROR_NONE);
    assert_true(domain_is_name(route.tunnel_id) && route.is_custom && route.mode == ROUTE_SUBDOMAIN);
    assert_true(view_eq(route.target, VIEW("/a?b")) && !route.prefix.ptr);
    static const char *const foreign[] = {"a.b.tunnel.example", "example", "a_b.example", "-a.example",
                                          "x.y.1"};
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
        assert_int_equal(ask(&names, foreign[i], "/", &arena, &route), HTTP_ERROR_UNKNOWN_HOST);
    assert_int_equal(ask(&names, "dev.example.org", "/app/", &arena, &route), HTTP_ERROR_NONE);
    assert_false(route.is_custom);
    names.custom_domains = false;
    assert_int_equal(ask(&names, "app.example.com", "/", &arena, &route), HTTP_ERROR_UNKNOWN_HOST);
    arena_done(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_row),
                                       cmocka_unit_test(a_domain_of_somebodys_own_has_a_name),
                                       cmocka_unit_test(without_paths_a_domain_has_no_tunnels),
                                       cmocka_unit_test(a_path_that_ends_with_the_prefix_is_bare),
                                       cmocka_unit_test(a_guess_is_of_the_whole_path),
                                       cmocka_unit_test(routings_have_names),
                                       cmocka_unit_test(without_subdomains_a_label_is_a_foreign_host)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
