/* Header fields under a prefix. */
#include <stdio.h>
#include <time.h>

#include "cmocka_setup.h"
#include "rewrite/fields.h"
#include "rewrite/page_script.h"

static const struct rewrite_site site = {.prefix = {"/abc", 4},
                                         .scheme = {"https", 5},
                                         .host = {"t.example", 9},
                                         .service = {"localhost:3000", 14}};

static void check_fate(enum field_fate fate, const char *name, const char *value, const struct buf *out,
                       const char *expected) {
    bool kept = strcmp(value, expected) == 0;
    if (fate != (kept ? FIELD_KEPT : FIELD_CHANGED) ||
        !view_eq(buf_view(out), view_from_cstr(kept ? "" : expected)))
        fail_msg("%s: %s gave %d \"%.*s\", not \"%s\"", name, value, (int)fate, VIEW_ARG(buf_view(out)),
                 expected);
}

static void answer(const char *name, const char *value, const char *expected) {
    struct buf out;
    buf_init(&out, 1 << 20);
    enum field_fate fate = field_of_answer(&site, view_from_cstr(name), view_from_cstr(value), true, &out);
    check_fate(fate, name, value, &out, expected);
    buf_done(&out);
}

static void request(const char *name, const char *value, const char *expected) {
    struct buf out;
    buf_init(&out, 1 << 20);
    enum field_fate fate = field_of_request(&site, view_from_cstr(name), view_from_cstr(value), &out);
    check_fate(fate, name, value, &out, expected);
    buf_done(&out);
}

static void addresses_get_the_prefix(void **state) {
    (void)state;
    answer("location", "/x?y=/z", "/abc/x?y=/z");
    answer("location", "http://localhost:3000/x", "https://t.example/abc/x");
    answer("location", "http://t.example/x", "http://t.example/abc/x"); /* behind TLS, and does not know it */
    answer("location", "http://t.example:8080/x", "http://t.example:8080/x");
    answer("location", "https://t.example/x", "https://t.example/abc/x");
    answer("location", "https://other.example/x", "https://other.example/x");
    answer("location", "x", "x");
    answer("location", "", "");
    answer("content-location", "/abc/x", "/abc/x");
    answer("refresh", "5; url=/x", "5; url=/abc/x");
    answer("refresh", "5;URL='/x'", "5;URL='/abc/x'");
    answer("x-other", "/x", "/x");
}

static void links(void **state) {
    (void)state;
    answer("link", "</x>; rel=preload, <https://t.example/y>;rel=\"a, </z>\" , </w>",
           "</abc/x>; rel=preload, <https://t.example/abc/y>;rel=\"a, </z>\" , </abc/w>");
    answer("link", "<x>; a=</y>", "<x>; a=</y>");
    answer("link", "</x", "</abc/x");
    answer("link", "<", "<");
    answer("link", "</x>; title=\"\\\", </y>", "</abc/x>; title=\"\\\", </y>");
}

static void cookies(void **state) {
    (void)state;
    answer("set-cookie", "a=b; Path=/; HttpOnly", "a=b; Path=/abc/; HttpOnly");
    answer("set-cookie", "a=b;path=/x;Path= /y", "a=b;path=/abc/x;Path= /abc/y");
    answer("set-cookie", "a=b; Path=/abc; Secure", "a=b; Path=/abc; Secure");
    answer("set-cookie", "a=b; Path=/abcd", "a=b; Path=/abc/abcd");
    answer("set-cookie", "Path=/; Path", "Path=/; Path");
    answer("set-cookie", "a=b; Path=; Path=x", "a=b; Path=; Path=x");
    answer("set-cookie", "a=b; Domain=T.example; Secure", "a=b; Secure");
    answer("set-cookie", "a=b;domain=.t.example", "a=b");
    answer("set-cookie", "a=b; Domain=localhost", "a=b");
    answer("set-cookie", "a=b; Domain=example", "a=b; Domain=example");
    answer("set-cookie", "__Host-id=1; Secure; Path=/", "__Secure-ttf-host-id=1; Secure; Path=/abc/");
    request("cookie", "a=b; __Secure-ttf-host-id=1;c=__Secure-ttf-host-",
            "a=b; __Host-id=1;c=__Secure-ttf-host-");
    request("cookie", "a=b", "a=b");
}

static void scopes_of_workers_stay_inside(void **state) {
    (void)state;
    const char *name = "service-worker-allowed";
    answer(name, "/", "/abc/");
    answer(name, "/x/y", "/abc/x/y");
    answer(name, "/abc/x", "/abc/x");
    answer(name, "/abc/", "/abc/");
    answer(name, "/abc", "/abc/");
    answer(name, "/abcd", "/abc/abcd");
    answer(name, "https://t.example/", "/abc/");
    answer(name, "x", "/abc/");
    answer(name, "../", "/abc/");
    answer(name, "/abc/../", "/abc/");
    answer(name, "/abc/%2e./", "/abc/");
    answer(name, "/abc/..\\", "/abc/");
    answer(name, "//t.example/", "/abc/");
    answer(name, "", "/abc/");
}

static void dropped(bool is_answer, const char *name, const char *value) {
    struct buf out;
    buf_init(&out, 4096);
    struct view key = view_from_cstr(name), text = view_from_cstr(value);
    enum field_fate fate =
        is_answer ? field_of_answer(&site, key, text, false, &out) : field_of_request(&site, key, text, &out);
    if (fate != FIELD_DROPPED) fail_msg("%s: %s: %d", name, value, (int)fate);
    assert_int_equal(out.len, 0);
    buf_done(&out);
}

static void our_own_cookie_is_ours(void **state) {
    (void)state;
    request("cookie", "a=b; x-tunnel-path=/abc; c=d", "a=b; c=d");
    request("cookie", "x-tunnel-path=/abc;c=d; x-tunnel-path=", "c=d");
    request("cookie", "x-tunnel-paths=/abc; X-Tunnel-Path=1", "x-tunnel-paths=/abc; X-Tunnel-Path=1");
    dropped(false, "cookie", "x-tunnel-path=/abc");
    dropped(false, "cookie", "x-tunnel-path=/abc;x-tunnel-path");
    dropped(false, "cookie", "x-tunnel-path=/abc; ");
    dropped(true, "set-cookie", " x-tunnel-path =/def; Path=/");
    answer("set-cookie", "x-tunnel-path-x=1", "x-tunnel-path-x=1");
}

static void a_cookie_gets_the_path_that_a_browser_would_not_find(void **state) {
    (void)state;
    static const struct row {
        const char *value, *expected;
    } rows[] = {{"a=b", "a=b; Path=/abc/in"},
                {"a=b; Secure", "a=b; Secure; Path=/abc/in"},
                {"a=b; Path=/x", "a=b; Path=/abc/x"},
                {"a=b; Path=/x; path=y", "a=b; Path=/abc/x; path=y; Path=/abc/in"},
                {"a=b; Path", "a=b; Path; Path=/abc/in"},
                {"a=b; path=y; Path=/x", "a=b; path=y; Path=/abc/x"}};
    struct rewrite_site guessed = site;
    guessed.cookie_path = VIEW("/abc/in");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf out;
        buf_init(&out, 4096);
        struct view value = view_from_cstr(rows[i].value);
        enum field_fate fate = field_of_answer(&guessed, VIEW("set-cookie"), value, false, &out);
        check_fate(fate, "set-cookie", rows[i].value, &out, rows[i].expected);
        buf_done(&out);
    }
}

static void origins(void **state) {
    (void)state;
    answer("access-control-allow-origin", "http://localhost:3000", "https://t.example");
    answer("access-control-allow-origin", "http://127.0.0.1:3000", "https://t.example");
    answer("access-control-allow-origin", "https://t.example", "https://t.example");
    answer("access-control-allow-origin", "*", "*");
    answer("access-control-allow-origin", "null", "null");
    answer("access-control-allow-origin", "http://localhost:3001", "http://localhost:3001");
}

/* '@' stands for the script's source. */
static void policy(const char *value, const char *expected) {
    char source[PAGE_SCRIPT_SOURCE_SIZE], text[512];
    const char *at = strchr(expected, '@');
    page_script_source(source);
    if (at)
        snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - expected), expected, source, at + 1);
    else
        snprintf(text, sizeof(text), "%s", expected);
    answer("content-security-policy", value, text);
}

static void policies_allow_the_script(void **state) {
    (void)state;
    policy("script-src 'self'", "script-src 'self' @");
    policy("script-src 'nonce-x' 'strict-dynamic'; img-src *",
           "script-src 'nonce-x' 'strict-dynamic' @; img-src *");
    policy("script-src 'unsafe-inline'", "script-src 'unsafe-inline'");
    policy("script-src 'unsafe-inline' 'sha256-x'", "script-src 'unsafe-inline' 'sha256-x' @");
    policy("script-src 'none'", "script-src  @");
    policy("default-src 'self' https:", "default-src 'self' https:; script-src 'self' https: @");
    policy("default-src 'none'", "default-src 'none'; script-src  @");
    policy("default-src 'self' 'unsafe-inline'", "default-src 'self' 'unsafe-inline'");
    policy("img-src 'self'", "img-src 'self'");
    policy("base-uri 'none'; img-src *", "base-uri  t.example/abc/; img-src *");
    policy("base-uri 'self' https://a.example", "base-uri 'self' https://a.example t.example/abc/");
    policy("", "");
}

static void policies_follow_the_prefix(void **state) {
    (void)state;
    policy("img-src https://t.example/i/ http://localhost:3000 localhost:3000/j t.example https://other/x",
           "img-src https://t.example/abc/i/ https://t.example t.example/abc/j t.example https://other/x");
    policy("connect-src ws://localhost:3000; report-uri /r https://other/r",
           "connect-src wss://t.example; report-uri /abc/r https://other/r");
    policy("img-src 'self', default-src https://t.example/d",
           "img-src 'self', default-src https://t.example/abc/d; script-src https://t.example/abc/d @");
}

static void requests_are_turned_back(void **state) {
    (void)state;
    request("referer", "https://t.example/abc/x?y", "https://t.example/x?y");
    request("referer", "https://t.example/abc", "https://t.example/");
    request("referer", "https://t.example/abc?x", "https://t.example/?x");
    request("referer", "https://t.example/abcd/x", "https://t.example/abcd/x");
    request("referer", "https://other.example/abc/x", "https://other.example/abc/x");
    request("destination", "/abc/x", "/x");
    request("destination", "//abc/x", "//abc/x");
    request("destination", "https://t.example:443/abc/x", "https://t.example:443/x");
    request("origin", "https://t.example", "https://t.example");
}

static void tags_that_were_made_weak_match_again(void **state) {
    (void)state;
    request("if-match", "W/\"a\"", "\"a\"");
    request("if-match", "W/\"a\", \"b\",W/\"c,W/\"", "\"a\", \"b\",\"c,W/\"");
    request("if-none-match", "W/\"a\",\"b\", W/\"c\"", "W/\"a\", \"a\",\"b\", W/\"c\", \"c\"");
    request("if-none-match", "*", "*");
    request("if-none-match", "W/\"a", "W/\"a");
    request("if-none-match", "\"W/\"x\"", "\"W/\"x\"");
    request("if-range", "W/\"a\"", "W/\"a\"");
}

static void codings_that_nobody_here_knows_go(void **state) {
    (void)state;
    request("accept-encoding", "gzip, deflate, br, zstd", "gzip, deflate, br, zstd");
    request("accept-encoding", "compress;q=1, gzip;q=0.5,*;q=0", " gzip;q=0.5");
    request("accept-encoding", "dcb, GZIP , identity;q=0", " GZIP , identity;q=0");
    request("accept-encoding", "*", "identity");
    request("accept-encoding", "", "identity");
}

static void what_would_reach_other_tunnels_is_dropped(void **state) {
    (void)state;
    static const struct view names[] = {
        {"clear-site-data", 15}, {"strict-transport-security", 25}, {"alt-svc", 7},           {"nel", 3},
        {"report-to", 9},        {"origin-agent-cluster", 20},      {"use-as-dictionary", 17}};
    static const struct rewrite_site off = {.scheme = {"https", 5}};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct buf out;
        buf_init(&out, 100);
        assert_int_equal(field_of_answer(&site, names[i], VIEW("\"*\""), true, &out), FIELD_DROPPED);
        assert_int_equal(field_of_answer(&off, names[i], VIEW("\"*\""), true, &out), FIELD_KEPT);
        assert_int_equal(out.len, 0);
    }
}

static void room_is_bounded(void **state) {
    (void)state;
    struct buf out;
    buf_init(&out, 4);
    assert_int_equal(field_of_answer(&site, VIEW("location"), VIEW("/x"), true, &out), FIELD_FAILED);
    buf_done(&out);
}

static double cost(const char *name, const char *pattern, size_t size) {
    struct buf value, out;
    struct timespec from, to;
    buf_init(&value, 1 << 26);
    buf_init(&out, 1 << 28);
    while (value.len < size) buf_append_view(&value, view_from_cstr(pattern));
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    field_of_answer(&site, view_from_cstr(name), buf_view(&value), true, &out);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    buf_done(&value);
    buf_done(&out);
    return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
}

static void long_values_take_no_more_than_their_length(void **state) {
    (void)state;
    static const char *const fields[][2] = {
        {"set-cookie", "a;"},
        {"set-cookie", ";path=/"},
        {"set-cookie", " "},
        {"link", "<"},
        {"link", "</x>,"},
        {"link", "\""},
        {"refresh", "1;"},
        {"content-security-policy", "a "},
        {"content-security-policy", "script-src;"},
        {"content-security-policy", "default-src a,"},
    };
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        double one = cost(fields[i][0], fields[i][1], 32 * 1024),
               eight = cost(fields[i][0], fields[i][1], 256 * 1024);
        if (eight > 24 * one + 0.05)
            fail_msg("%s %s: %f s, eight times as much %f s", fields[i][0], fields[i][1], one, eight);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_get_the_prefix),
        cmocka_unit_test(links),
        cmocka_unit_test(scopes_of_workers_stay_inside),
        cmocka_unit_test(our_own_cookie_is_ours),
        cmocka_unit_test(a_cookie_gets_the_path_that_a_browser_would_not_find),
        cmocka_unit_test(cookies),
        cmocka_unit_test(origins),
        cmocka_unit_test(policies_allow_the_script),
        cmocka_unit_test(policies_follow_the_prefix),
        cmocka_unit_test(requests_are_turned_back),
        cmocka_unit_test(tags_that_were_made_weak_match_again),
        cmocka_unit_test(codings_that_nobody_here_knows_go),
        cmocka_unit_test(what_would_reach_other_tunnels_is_dropped),
        cmocka_unit_test(room_is_bounded),
        cmocka_unit_test(long_values_take_no_more_than_their_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
