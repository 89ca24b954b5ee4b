/* Who may visit: policies, requests and what comes of them, with the ways by which somebody may try to pass.
 */
#include <stdio.h>

#include "cmocka_setup.h"
#include "policy/policy.h"
#include "policy/policy_hash.h"

struct row {
    const char *policy, *method, *target, *address, *authorization;
    enum policy_verdict verdict;
};

#define IN POLICY_LETS_IN
#define NO POLICY_REFUSES

static const struct row rows[] = {
    {"", "GET", "/", "192.0.2.1", NULL, IN},
    /* addresses */
    {"allow-ip=192.0.2.0/24", "GET", "/", "192.0.2.255", NULL, IN},
    {"allow-ip=192.0.2.0/24", "GET", "/", "192.0.3.0", NULL, NO},
    {"allow-ip=192.0.2.0/25", "GET", "/", "192.0.2.128", NULL, NO},
    {"allow-ip=192.0.2.0/25", "GET", "/", "192.0.2.127", NULL, IN},
    {"allow-ip=192.0.2.7", "GET", "/", "192.0.2.7", NULL, IN},
    {"allow-ip=192.0.2.7", "GET", "/", "192.0.2.6", NULL, NO},
    {"allow-ip=192.0.2.7/32", "GET", "/", "192.0.2.7", NULL, IN},
    {"allow-ip=::1/128", "GET", "/", "::1", NULL, IN},
    {"allow-ip=192.0.2.7", "GET", "/", "::ffff:192.0.2.7", NULL, IN},
    {"allow-ip=::ffff:192.0.2.7", "GET", "/", "192.0.2.7", NULL, IN},
    {"allow-ip=10.0.0.0/8 , 2001:db8::/32", "GET", "/", "2001:db8:ffff::1", NULL, IN},
    {"allow-ip=10.0.0.0/8,2001:db8::/32", "GET", "/", "2001:db9::1", NULL, NO},
    {"allow-ip=0.0.0.0/0", "GET", "/", "198.51.100.1", NULL, IN},
    {"allow-ip=0.0.0.0/0", "GET", "/", "2001:db8::1", NULL, NO},
    {"allow-ip=::/0", "GET", "/", "198.51.100.1", NULL, IN},
    {"allow-ip=fe80::/10", "GET", "/", "fe80::1%eth0", NULL, IN},
    {"allow-ip=10.0.0.0/8", "GET", "/", "nobody", NULL, NO},
    {"allow-ip=10.0.0.0/8", "GET", "/", "", NULL, NO},
    {"deny-ip=10.0.0.0/8", "GET", "/", "10.1.2.3", NULL, NO},
    {"deny-ip=10.0.0.0/8", "GET", "/", "::ffff:10.1.2.3", NULL, NO},
    {"deny-ip=10.0.0.0/8", "GET", "/", "11.1.2.3", NULL, IN},
    {"deny-ip=10.0.0.0/8", "GET", "/", "unknown", NULL, NO},
    {"allow-ip=10.0.0.0/8; deny-ip=10.1.0.0/16", "GET", "/", "10.1.0.1", NULL, NO},
    {"allow-ip=10.0.0.0/8; deny-ip=10.1.0.0/16;", "GET", "/", "10.2.0.1", NULL, IN},
    /* methods */
    {"methods=GET,HEAD", "GET", "/", "192.0.2.1", NULL, IN},
    {"methods=GET, HEAD", "HEAD", "/", "192.0.2.1", NULL, IN},
    {"methods=GET,HEAD", "POST", "/", "192.0.2.1", NULL, NO},
    {"methods=GET,HEAD", "get", "/", "192.0.2.1", NULL, NO},
    {"methods=GET,HEAD", "GETT", "/", "192.0.2.1", NULL, NO},
    /* paths that are denied, and what a service may take for them */
    {"deny-path=/admin", "GET", "/", "192.0.2.1", NULL, IN},
    {"deny-path=/admin", "GET", "/admin", "192.0.2.1", NULL, NO},
    {"deny-path=/admin", "GET", "/admin/", "192.0.2.1", NULL, NO},
    {"deny-path=/admin/", "GET", "/admin", "192.0.2.1", NULL, NO},
    {"deny-path=/admin", "GET", "/admin/users?a=1", "192.0.2.1", NULL, NO},
    {"deny-path=/admin", "GET", "/admin?a=1", "192.0.2.1", NULL, NO},
    {"deny-path=/admin", "GET", "/?/admin", "192.0.2.1", NULL, IN},
    {"deny-path=/admin", "GET", "/ADMIN", "192.0.2.1", NULL, NO},
    {"deny-path=/admin", "GET", "//admin", "192.0.2.1", NULL, NO},
    {"deny-path=/admin", "GET", "/./admin", "192.0.2.1", NULL, NO},
    {"deny-path=/admin", "GET", "/x/../admin", "192.0.2.1", NULL, NO},
    {"deny-path=/admin", "GET", "/x/%2e%2e/admin", "192.0.2.1", NULL, NO},
    {"deny-path=/admin", "GET", "/x/..%2fadmin", "192.0.2.1", NULL, NO},
    {"deny-path=/admin", "GET", "/admin/../public", "192.0.2.1", NULL, NO},
    {"deny-path=/admin", "GET", "/%61dmin", "192.0.2.1", NULL, NO},
    {"deny-path=/admin", "GET", "/%2561dmin", "192.0.2.1", NULL, NO},
    {"deny-path=/admin", "GET", "/%252561dmin", "192.0.2.1", NULL, NO},
    {"deny-path=/admin", "GET", "/%2525252561dmin", "192.0.2.1", NULL, NO},
    {"deny-path=/admin", "GET", "/%25252525252561bout", "192.0.2.1", NULL, NO},
    {"deny-path=/admin", "GET", "/%2Fadmin", "192.0.2.1", NULL, NO},
    {"deny-path=/admin", "GET", "/\\admin", "192.0.2.1", NULL, NO},
    {"deny-path=/admin", "GET", "/%5cadmin", "192.0.2.1", NULL, NO},
    {"deny-path=/admin", "GET", "/;x/admin", "192.0.2.1", NULL, NO},
    {"deny-path=/admin", "GET", "/admin;jsessionid=1", "192.0.2.1", NULL, NO},
    {"deny-path=/admin", "GET", "/admin.json", "192.0.2.1", NULL, NO},
    {"deny-path=/admin", "GET", "/admin%00", "192.0.2.1", NULL, NO},
    {"deny-path=/admin", "GET", "/a%0Adb", "192.0.2.1", NULL, NO},
    {"deny-path=/admin", "GET", "/administrator", "192.0.2.1", NULL, IN},
    {"deny-path=/admin", "GET", "/public/admin", "192.0.2.1", NULL, IN},
    {"deny-path=/admin", "GET", "/100%", "192.0.2.1", NULL, IN},
    {"deny-path=/", "GET", "/any", "192.0.2.1", NULL, NO},
    {"deny-path=/a", "GET", "/%61", "192.0.2.1", NULL, NO},
    {"deny-path=/p", "GET", "/%70", "192.0.2.1", NULL, NO},
    {"deny-path=/e", "GET", "/%25%34", "192.0.2.1", NULL, IN}, /* "%4" is no escape */
    {"deny-path=/x", "GET", "/../x", "192.0.2.1", NULL, NO},
    {"deny-path=//", "GET", "/x", "192.0.2.1", NULL, NO},
    {"deny-path=/admin , /x", "GET", "/x", "192.0.2.1", NULL, NO},
    {"deny-path=/admin", "GET", "/x%7f", "192.0.2.1", NULL, NO},
    {"deny-path=/admin", "GET", "/x%1f", "192.0.2.1", NULL, NO},
    {"deny-path=/admin", "GET", "/x%20%80%c2%a0", "192.0.2.1", NULL, IN},
    /* characters with more bytes than they need, which some decoders read */
    {"deny-path=/admin", "GET", "/%c0%aedmin", "192.0.2.1", NULL, NO},
    {"deny-path=/admin", "GET", "/%c1%81dmin", "192.0.2.1", NULL, NO},
    {"deny-path=/admin", "GET", "/x/%c0%ae", "192.0.2.1", NULL, NO},
    {"deny-path=/admin", "GET", "/%e0%81%a1dmin", "192.0.2.1", NULL, NO},
    {"deny-path=/admin", "GET", "/%e0%9f%bf", "192.0.2.1", NULL, NO},
    {"deny-path=/admin", "GET", "/%e0%a0%80", "192.0.2.1", NULL, IN},
    {"deny-path=/admin", "GET", "/%f0%8f%bf%bf", "192.0.2.1", NULL, NO},
    {"deny-path=/admin", "GET", "/%f0%90%80%80", "192.0.2.1", NULL, IN},
    {"deny-path=/admin", "GET", "/%e2%82%ac", "192.0.2.1", NULL, IN},
    {"deny-path=/admin", "GET", "/%c0a", "192.0.2.1", NULL, IN},
    {"deny-path=/admin", "GET", "/%c0%c0", "192.0.2.1", NULL, IN},
    {"deny-path=/admin", "GET", "/%c0", "192.0.2.1", NULL, IN},
    /* paths that are allowed, and what would lead out of them */
    {"allow-path=/api,/docs", "GET", "/docs/x", "192.0.2.1", NULL, IN},
    {"allow-path=/api/", "GET", "/api", "192.0.2.1", NULL, IN},
    {"allow-path=/api", "GET", "/api/a%20b", "192.0.2.1", NULL, IN},
    {"allow-path=/api", "GET", "/", "192.0.2.1", NULL, NO},
    {"allow-path=/api", "GET", "/apis", "192.0.2.1", NULL, NO},
    {"allow-path=/api", "GET", "/api.json", "192.0.2.1", NULL, NO},
    {"allow-path=/api", "GET", "/API/x", "192.0.2.1", NULL, NO},
    {"allow-path=/api", "GET", "/api/../etc", "192.0.2.1", NULL, NO},
    {"allow-path=/api", "GET", "/api/%2e%2e/etc", "192.0.2.1", NULL, NO},
    {"allow-path=/api", "GET", "/api/%252e%252e/etc", "192.0.2.1", NULL, NO},
    {"allow-path=/api", "GET", "/api/..;/etc", "192.0.2.1", NULL, NO},
    {"allow-path=/api", "GET", "/api/..\\etc", "192.0.2.1", NULL, NO},
    {"allow-path=/api", "GET", "/x/../api", "192.0.2.1", NULL, NO},
    {"allow-path=/api; deny-path=/api/keys", "GET", "/api/keys/1", "192.0.2.1", NULL, NO},
    {"allow-path=/", "GET", "/any", "192.0.2.1", NULL, IN},
    {"allow-path=/x", "GET", "/x/%g1%1g%", "192.0.2.1", NULL, IN},
    {"allow-path=/api", "OPTIONS", "*", "192.0.2.1", NULL, NO},
    /* what is no policy lets nobody in */
    {"nonsense", "GET", "/", "192.0.2.1", NULL, POLICY_FAILS},
    {"later=1", "GET", "/", "192.0.2.1", NULL, POLICY_FAILS},
    {"methods=GET; later=1", "GET", "/", "192.0.2.1", NULL, POLICY_FAILS},
};

static struct view or_absent(const char *text) {
    return view_from_cstr(text);
}

static enum policy_verdict check(const char *policy, const struct row *row) {
    struct policy_request request = {.method = or_absent(row->method),
                                     .target = or_absent(row->target),
                                     .address = or_absent(row->address),
                                     .authorization = or_absent(row->authorization)};
    struct arena arena;
    struct headers headers;
    struct policy_outcome outcome;
    arena_init(&arena, 65536);
    headers_init(&headers, &arena);
    request.arena = &arena;
    request.headers = &headers;
    enum policy_verdict verdict = policy_check(view_from_cstr(policy), &request, &outcome);
    arena_done(&arena);
    return verdict;
}

static enum policy_verdict override(const char *name, const char *value) {
    struct arena arena;
    struct headers headers;
    struct policy_outcome outcome;
    arena_init(&arena, 65536);
    headers_init(&headers, &arena);
    headers_add(&headers, view_from_cstr(name), view_from_cstr(value));
    struct policy_request request = {
        .method = VIEW("GET"), .target = VIEW("/"), .headers = &headers, .arena = &arena};
    enum policy_verdict verdict = policy_check(VIEW("methods=GET,HEAD"), &request, &outcome);
    arena_done(&arena);
    return verdict;
}

static void test_a_method_in_a_field(void **state) {
    (void)state;
    assert_int_equal(override("x-http-method-override", "HEAD"), POLICY_LETS_IN);
    assert_int_equal(override("x-other", "DELETE"), POLICY_LETS_IN);
    assert_int_equal(override("x-http-method-override", "DELETE"), POLICY_REFUSES);
    assert_int_equal(override("x-http-method", "head"), POLICY_REFUSES);
    assert_int_equal(override("x-method-override", ""), POLICY_REFUSES);
}

static void test_rules(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum policy_verdict verdict = check(rows[i].policy, &rows[i]);
        if (verdict != rows[i].verdict)
            fail_msg("%s: %s %s of %s: %d, not %d", rows[i].policy, rows[i].method, rows[i].target,
                     rows[i].address, verdict, rows[i].verdict);
    }
}

/* Base64 of "ann:secret-12", "ann:secret-13", "ann", "bob:other-word", and of ann's with a NUL behind it. */
#define ANN "YW5uOnNlY3JldC0xMg=="
#define BOB "Ym9iOm90aGVyLXdvcmQ="

static void test_logins(void **state) {
    (void)state;
    static const unsigned char salts[2][8] = {{1, 2, 3, 4, 5, 6, 7, 0xff}, {9}};
    static const struct row logins[] = {
        {NULL, "GET", "/", "192.0.2.1", "Basic " ANN, IN},
        {NULL, "GET", "/", "192.0.2.1", "basic  " ANN, IN},
        {NULL, "GET", "/", "192.0.2.1", "Basic " BOB, IN},
        {NULL, "GET", "/", "192.0.2.1", NULL, POLICY_ASKS_LOGIN},
        {NULL, "GET", "/", "192.0.2.1", "", POLICY_ASKS_LOGIN},
        {NULL, "GET", "/", "192.0.2.1", "Basic", POLICY_ASKS_LOGIN},
        {NULL, "GET", "/", "192.0.2.1", "Bearer " ANN, POLICY_ASKS_LOGIN},
        {NULL, "GET", "/", "192.0.2.1", "Basic YW5uOnNlY3JldC0xMw==", POLICY_ASKS_LOGIN},
        {NULL, "GET", "/", "192.0.2.1", "Basic YW5uOnNlY3JldC0xMgA=", POLICY_ASKS_LOGIN},
        {NULL, "GET", "/", "192.0.2.1", "Basic YW5u", POLICY_ASKS_LOGIN},
        {NULL, "GET", "/", "192.0.2.1", "Basic YW5uOnNlY3JldC0xMg", POLICY_ASKS_LOGIN},
        {NULL, "GET", "/", "192.0.2.1", "Basic " ANN "=", POLICY_ASKS_LOGIN},
        {NULL, "POST", "/", "192.0.2.1", "Basic " ANN,
         NO}, /* the other rules hold for who knows the password, too */
    };
    struct buf policy;
    char text[512], broken[512];
    buf_init(&policy, sizeof(text));
    buf_append_view(&policy, VIEW("methods=GET; basic="));
    assert_true(policy_hash_append(&policy, VIEW("ann:secret-12"), salts[0]));
    assert_int_equal(policy.len, strlen("methods=GET; basic=") + 81);
    buf_append(&policy, ",", 1);
    assert_true(policy_hash_append(&policy, VIEW("bob:other-word"), salts[1]));
    assert_true(view_copy_to(buf_view(&policy), text, sizeof(text)));
    assert_null(strstr(text, "secret"));
    for (size_t i = 0; i < sizeof(logins) / sizeof(logins[0]); i++) {
        enum policy_verdict verdict = check(text, &logins[i]);
        if (verdict != logins[i].verdict) fail_msg("%s: %d", logins[i].authorization, verdict);
    }
    assert_int_equal(policy_takes(view_from_cstr(text)), POLICY_TAKES_AUTHORIZATION);
    assert_int_equal(policy_takes(VIEW("methods=GET")), 0);
    snprintf(broken, sizeof(broken), "%.*s", (int)policy.len - 1, text);
    assert_int_equal(check(broken, &logins[0]), POLICY_FAILS);
    for (const char *digit = "ABF"; *digit; digit++) { /* in capitals it is none of ours */
        snprintf(broken, sizeof(broken), "%s", text);
        broken[strlen("methods=GET; basic=")] = *digit;
        assert_int_equal(check(broken, &logins[0]), POLICY_FAILS);
    }
    buf_clear(&policy);
    assert_true(buf_append_view(&policy, VIEW("basic=")) &&
                policy_hash_append(&policy, VIEW("ann"), salts[0]));
    assert_true(view_copy_to(buf_view(&policy), text, sizeof(text)));
    assert_int_equal(check(text, &logins[9]), POLICY_ASKS_LOGIN); /* without a colon it is no login */
    buf_done(&policy);
}

/* ---- links to share ---- */

#define NOW 1000000

struct guest {
    const char *target, *cookie; /* NULL: none; "%s" is the token */
    bool is_program;
    enum policy_verdict verdict;
    const char *leads;
};

static enum policy_verdict check_guest(const char *policy, const struct guest *guest, const char *token,
                                       uint64_t now_s, struct arena *arena, struct policy_outcome *outcome) {
    struct headers headers;
    char target[300], cookie[300];
    snprintf(target, sizeof(target), guest->target, token);
    headers_init(&headers, arena);
    if (guest->cookie) {
        snprintf(cookie, sizeof(cookie), guest->cookie, token);
        headers_add(&headers, VIEW("cookie"), view_from_cstr(cookie));
    }
    struct policy_request request = {.method = VIEW("GET"),
                                     .target = arena_copy(arena, view_from_cstr(target)),
                                     .headers = &headers,
                                     .tunnel = VIEW("abc"),
                                     .now_s = now_s,
                                     .is_navigation = !guest->is_program,
                                     .arena = arena};
    return policy_check(view_from_cstr(policy), &request, outcome);
}

static const struct guest guests[] = {
    {"/", NULL, false, POLICY_ASKS_LINK, NULL},
    {"/?tunnel-token=%s", NULL, false, POLICY_LEADS, "/"},
    {"/a?b&tunnel-token=%s&c=d", NULL, false, POLICY_LEADS, "/a?b&c=d"},
    {"/?tunnel%%2Dtoken=%s", NULL, false, POLICY_LEADS, "/"},
    {"/?tunnel-token=%s&tunnel-token=x&c", NULL, false, POLICY_LEADS, "/?c"},
    {"/?tunnel-token=%s", NULL, true, IN, NULL},
    {"/?tunnel-token=x&tunnel-token=%s", NULL, false, POLICY_ASKS_LINK, NULL},
    {"/?tunnel-token", NULL, false, POLICY_ASKS_LINK, NULL},
    {"/?tunnel-token=%sx", NULL, false, POLICY_ASKS_LINK, NULL},
    {"/?tunnel-token=x", "x-tunnel-share=%s", false, IN, NULL},
    {"/", "x-tunnel-share=%s", false, IN, NULL},
    {"/", "a=b;x-tunnel-share = %s ;c", false, IN, NULL},
    {"/", "x-tunnel-share=x; x-tunnel-share=%s", false, IN, NULL},
    {"/", "x-tunnel-share", false, POLICY_ASKS_LINK, NULL},
    {"/", "x-tunnel-share=", false, POLICY_ASKS_LINK, NULL},
    {"/", "y-tunnel-share=%s", false, POLICY_ASKS_LINK, NULL},
    {"/", "; ;=;x-tunnel-share=%s.", false, POLICY_ASKS_LINK, NULL},
};

static void test_links(void **state) {
    (void)state;
    static const unsigned char key[PASS_KEY_LEN] = {1, 2, 3}, others[PASS_KEY_LEN] = {1, 2, 4};
    char policy[200], token[PASS_TEXT_MAX + 1], foreign[PASS_TEXT_MAX + 1], theirs[PASS_TEXT_MAX + 1];
    struct policy_outcome outcome;
    struct arena arena;
    struct buf text;
    arena_init(&arena, 65536);
    buf_init(&text, 200);
    assert_true(buf_append_view(&text, VIEW("share=")) && policy_share_append(&text, key));
    assert_true(view_copy_to(buf_view(&text), policy, sizeof(policy)));
    buf_clear(&text);
    assert_true(policy_share_token(&text, key, VIEW("abc"), NOW + 60));
    assert_true(view_copy_to(buf_view(&text), token, sizeof(token)));
    buf_clear(&text);
    assert_true(policy_share_token(&text, key, VIEW("abd"), NOW + 60));
    assert_true(view_copy_to(buf_view(&text), foreign, sizeof(foreign)));
    buf_clear(&text);
    assert_true(policy_share_token(&text, others, VIEW("abc"), NOW + 60));
    assert_true(view_copy_to(buf_view(&text), theirs, sizeof(theirs)));
    for (size_t i = 0; i < sizeof(guests) / sizeof(guests[0]); i++) {
        enum policy_verdict verdict = check_guest(policy, &guests[i], token, NOW, &arena, &outcome);
        if (verdict != guests[i].verdict) fail_msg("%s, %s: %d", guests[i].target, guests[i].cookie, verdict);
        if (guests[i].leads && !view_eq(outcome.target, view_from_cstr(guests[i].leads)))
            fail_msg("%s leads to %.*s", guests[i].target, VIEW_ARG(outcome.target));
        if (guests[i].leads) assert_int_equal(outcome.cookie_age_s, 60);
        assert_int_not_equal(check_guest(policy, &guests[i], foreign, NOW, &arena, &outcome), IN);
        assert_int_equal(check_guest(policy, &guests[i], theirs, NOW, &arena, &outcome), POLICY_ASKS_LINK);
        assert_int_equal(check_guest(policy, &guests[i], token, NOW + 60, &arena, &outcome),
                         POLICY_ASKS_LINK);
    }
    assert_int_equal(policy_takes(view_from_cstr(policy)), POLICY_TAKES_COOKIES | POLICY_TAKES_PARAMETER);
    buf_done(&text);
    arena_done(&arena);
}

/* ---- the form's password ---- */

static void say(const char *policy, const char *method, const char *target, const char *body,
                enum policy_verdict expected, const char *leads) {
    struct arena arena;
    struct headers headers;
    struct policy_outcome outcome;
    arena_init(&arena, 65536);
    headers_init(&headers, &arena);
    headers_add(&headers, VIEW("content-type"), VIEW("Application/x-www-form-urlencoded; charset=utf-8"));
    struct policy_request request = {.method = view_from_cstr(method),
                                     .target = view_from_cstr(target),
                                     .headers = &headers,
                                     .tunnel = VIEW("abc"),
                                     .now_s = NOW,
                                     .is_at_door = policy_is_door(view_from_cstr(target)),
                                     .has_body = body != NULL,
                                     .body = view_from_cstr(body),
                                     .arena = &arena};
    enum policy_verdict verdict = policy_check(view_from_cstr(policy), &request, &outcome);
    if (verdict != expected) fail_msg("%s %s, %s: %d", method, target, body ? body : "-", verdict);
    if (leads && !view_eq(outcome.target, view_from_cstr(leads)))
        fail_msg("%s leads to %.*s", body ? body : target, VIEW_ARG(outcome.target));
    arena_done(&arena);
}

static void test_door(void **state) {
    (void)state;
    static const unsigned char salt[] = {1, 2, 3, 4, 5, 6, 7, 8};
    char policy[200];
    struct buf text;
    buf_init(&text, sizeof(policy));
    assert_true(buf_append_view(&text, VIEW("methods=GET; allow-path=/x; password=")) &&
                policy_hash_append(&text, VIEW("correct+horse"), salt));
    assert_true(view_copy_to(buf_view(&text), policy, sizeof(policy)));
    say(policy, "GET", "/x?a", NULL, POLICY_ASKS_PASSWORD, "/x?a");
    say(policy, "GET", "/x//y\\z", NULL, POLICY_ASKS_PASSWORD, "/");
    say(policy, "GET", "/y", NULL, NO, NULL);
    say(policy, "GET", POLICY_DOOR, NULL, POLICY_ASKS_PASSWORD, "/");
    say(policy, "POST", POLICY_DOOR, NULL, POLICY_READS, NULL);
    say(policy, "POST", POLICY_DOOR "/", NULL, NO, NULL);
    say(policy, "POST", POLICY_DOOR, "", POLICY_ASKS_PASSWORD, "/");
    say(policy, "POST", POLICY_DOOR, "password=correct%2Bhorse&to=/x", POLICY_LEADS, "/x");
    say(policy, "POST", POLICY_DOOR, "password=correct+horse&to=/x", POLICY_WRONG_PASSWORD, "/x");
    say(policy, "POST", POLICY_DOOR, "password=correct%2Bhorse&to=//x", POLICY_LEADS, "/");
    say(policy, "POST", POLICY_DOOR, "password=correct%2Bhorse%00", POLICY_WRONG_PASSWORD, NULL);
    say(policy, "POST", POLICY_DOOR, "password=x&password=correct%2Bhorse", POLICY_WRONG_PASSWORD, NULL);
    buf_done(&text);
}

static void test_faults(void **state) {
    (void)state;
    static const struct {
        const char *policy, *says; /* NULL: it is one */
    } faults[] = {
        {"", NULL},
        {" methods = GET ;; allow-ip=10.0.0.1 ", NULL},
        {"geo=DE", "'geo' for visitors is not known here"},
        {"methods=GET; methods=GET", "'methods' for visitors stands twice"},
        {"methods=get", "'methods' for visitors wants methods in capitals"},
        {"methods=GET,aX", "wants methods"},
        {"methods=Xz", "wants methods"},
        {"methods=X-1,X`~", NULL},
        {"methods=", "wants methods"},
        {"allow-ip=10.0.0.0/33", "'allow-ip' for visitors wants addresses"},
        {"allow-ip=10.0.0.0/-1", "wants addresses"},
        {"allow-ip=2001:db8::/129", "wants addresses"},
        {"deny-ip=10.0.0", "'deny-ip' for visitors wants addresses"},
        {"deny-ip=10.0.0.1,", "wants addresses"},
        {"deny-path=admin", "'deny-path' for visitors wants paths"},
        {"deny-path=/a%62", "wants paths"},
        {"allow-path=/a?b", "wants paths"},
        {"allow-path=/a b", "wants paths"},
        {"basic=ann:secret", "'basic' for visitors wants hashes"},
        {"password=abc", "'password' for visitors wants a hash"},
        {"first-visit=off", "'first-visit' for visitors wants on"},
        {"private=off", "'private' for visitors wants on"},
        {"private=on; webhook=github:c2VjcmV0", NULL},
        {"webhook=gitlab:c2VjcmV0", "'webhook' for visitors wants a scheme and a secret"},
        {"webhook=github:", "wants a scheme"},
        {"webhook=github", "wants a scheme"},
        {"webhook=github:c2Vj cmV0", "wants a scheme"},
        {"share=abc", "'share' for visitors wants a key"},
        {"share=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB", "wants a key"}, /* unused bits */
        {"share=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", NULL},
        {"a b=1", "'?' for visitors is not known here"},
    };
    char error[200], longest[POLICY_MAX + 2];
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        const char *fault = policy_fault(view_from_cstr(faults[i].policy), error, sizeof(error));
        if (!fault != !faults[i].says || (fault && !strstr(fault, faults[i].says)))
            fail_msg("%s: %s", faults[i].policy, fault ? fault : "none");
    }
    memset(longest, ' ', sizeof(longest));
    assert_null(policy_fault(view_of(longest, POLICY_MAX), error, sizeof(error)));
    assert_non_null(policy_fault(view_of(longest, POLICY_MAX + 1), error, sizeof(error)));
    assert_string_equal(error, "the rules for visitors are longer than 1024 bytes");
    longest[POLICY_MAX] = longest[POLICY_MAX + 1] = '\0';
    assert_int_equal(check(longest, &rows[0]), IN);
    longest[POLICY_MAX] = ' ';
    assert_int_equal(check(longest, &rows[0]), POLICY_FAILS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),  cmocka_unit_test(test_a_method_in_a_field),
        cmocka_unit_test(test_logins), cmocka_unit_test(test_links),
        cmocka_unit_test(test_door),   cmocka_unit_test(test_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
