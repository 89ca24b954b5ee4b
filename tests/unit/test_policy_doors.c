/* The rules that ask a visitor for something: a button, a password, a token, a signature. What each takes for
 * an answer, and what comes of it: where the visitor is led, and with which cookie. */
#include <stdio.h>

#include "cmocka_setup.h"
#include "policy/policy.h"
#include "policy/policy_hash.h"
#include "policy/policy_target.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NOW 1000000
#define FORM "application/x-www-form-urlencoded"

struct field {
    const char *name, *value;
};

/* A visitor's request, and what came of it; the outcome's views live until finish(). */
struct asked {
    struct arena arena;
    struct headers headers;
    struct policy_request request;
    struct policy_outcome outcome;
};

static void begin(struct asked *asked, const char *method, const char *target, const struct field *fields) {
    arena_init(&asked->arena, 1024 * 1024);
    headers_init(&asked->headers, &asked->arena);
    for (; fields && fields->name; fields++)
        assert_true(
            headers_add(&asked->headers, view_from_cstr(fields->name), view_from_cstr(fields->value)));
    asked->request = (struct policy_request){.method = view_from_cstr(method),
                                             .target = view_from_cstr(target),
                                             .headers = &asked->headers,
                                             .tunnel = VIEW("abc"),
                                             .now_s = NOW,
                                             .is_navigation = true,
                                             .is_page = true,
                                             .is_at_door = policy_is_door(view_from_cstr(target)),
                                             .arena = &asked->arena};
}

static void has_body(struct asked *asked, const char *body) {
    asked->request.has_body = true;
    asked->request.body = view_from_cstr(body);
}

static enum policy_verdict judge(struct asked *asked, const char *policy) {
    return policy_check(view_from_cstr(policy), &asked->request, &asked->outcome);
}

static void finish(struct asked *asked) {
    arena_done(&asked->arena);
}

static void assert_view(struct view is, const char *expected) {
    if (!view_eq(is, view_from_cstr(expected))) fail_msg("\"%.*s\", not \"%s\"", VIEW_ARG(is), expected);
}

/* ---- the first visit ---- */

static void test_who_is_told(void **state) {
    (void)state;
    static const struct {
        const char *target;
        struct field fields[3];
        bool is_program, skips;
        const char *leads; /* where the button leads; NULL: is let in */
    } rows[] = {
        {"/a?b=/c", {{0}}, false, false, "/a?b=/c"},
        {"//elsewhere", {{0}}, false, false, "/"},
        {"/", {{0}}, true, false, NULL},
        {"/", {{0}}, false, true, NULL},
        {"/", {{"cookie", "a=b; x-tunnel-seen=1"}}, false, false, NULL},
        {"/", {{"cookie", "a=b"}, {"cookie", "x-tunnel-seen=1"}}, false, false, NULL},
        {"/", {{"cookie", "x-tunnel-seen"}}, false, false, "/"},
        {"/", {{"cookie", "x-tunnel-see=1; ax-tunnel-seen=1"}}, false, false, "/"},
        {"/", {{"x-other", "x-tunnel-seen=1"}}, false, false, "/"},
        {"/.tunnel/visitor", {{"cookie", "x-tunnel-seen=1"}}, false, false, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct asked asked;
        begin(&asked, "GET", rows[i].target, rows[i].fields);
        asked.request.is_page = !rows[i].is_program;
        asked.request.skips_page = rows[i].skips;
        if (judge(&asked, "first-visit=on") != (rows[i].leads ? POLICY_WARNS : POLICY_LETS_IN))
            fail_msg("row %zu", i);
        if (rows[i].leads) assert_view(asked.outcome.target, rows[i].leads);
        finish(&asked);
    }
}

/* The form of the page, and those that another site could have made. */
static void test_the_button(void **state) {
    (void)state;
    static const struct {
        const char *method;
        struct field fields[4];
        enum policy_verdict verdict;
    } rows[] = {
        {"POST", {{"content-type", FORM}, {"sec-fetch-site", "same-origin"}}, POLICY_LEADS},
        {"GET", {{"content-type", FORM}, {"sec-fetch-site", "same-origin"}}, POLICY_WARNS},
        {"POST", {{"sec-fetch-site", "same-origin"}}, POLICY_WARNS},
        {"POST", {{"content-type", "text/plain"}, {"sec-fetch-site", "same-origin"}}, POLICY_WARNS},
        {"POST", {{"content-type", FORM}, {"sec-fetch-site", "cross-site"}}, POLICY_WARNS},
        {"POST", {{"content-type", FORM}, {"sec-fetch-site", "none"}}, POLICY_WARNS},
        {"POST", {{"content-type", FORM}}, POLICY_WARNS},
        {"POST",
         {{"content-type", FORM}, {"origin", "https://App.example"}, {"x-forwarded-host", "app.example"}},
         POLICY_LEADS},
        {"POST",
         {{"content-type", FORM}, {"origin", "https://app.example:1"}, {"x-forwarded-host", "app.example"}},
         POLICY_WARNS},
        {"POST",
         {{"content-type", FORM}, {"origin", "https:/app.example"}, {"x-forwarded-host", "app.example"}},
         POLICY_WARNS},
        {"POST", {{"content-type", FORM}, {"origin", "null"}, {"x-forwarded-host", "null"}}, POLICY_WARNS},
        {"POST",
         {{"sec-fetch-site", "cross-site"}, {"origin", "https://app"}, {"x-forwarded-host", "app"}},
         POLICY_WARNS},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct asked asked;
        begin(&asked, rows[i].method, POLICY_VISIT_DOOR "?x", rows[i].fields);
        enum policy_verdict first = rows[i].verdict == POLICY_LEADS ? POLICY_READS : POLICY_WARNS;
        if (judge(&asked, "first-visit=on") != first) fail_msg("row %zu without its body", i);
        if (first == POLICY_READS) assert_int_equal(asked.outcome.body_most, 8192);
        has_body(&asked, "from=/x&to=%2Fa%3Fb");
        if (judge(&asked, "first-visit=on") != rows[i].verdict) fail_msg("row %zu", i);
        assert_view(asked.outcome.target, first == POLICY_READS ? "/a?b" : "/");
        if (first == POLICY_READS) assert_view(asked.outcome.cookie, "x-tunnel-seen=1");
        if (first == POLICY_READS) assert_int_equal(asked.outcome.cookie_age_s, 30 * 24 * 3600);
        finish(&asked);
    }
}

static void test_where_forms_lead(void **state) {
    (void)state;
    static const char *const own[] = {"/", "/a?b=/../c", "/a/../b", "/.tunnel", "/a//b", "/~a?%5c"};
    static const char *const foreign[] = {"",          "a",     "//a",          "/\\a", "/a\\b",
                                          "/a#b",      "/../a", "/a/%2e%2e/..", "/a b", "/.tunnel/login",
                                          "https://a/"};
    char longest[2049];
    for (size_t i = 0; i < COUNT(own); i++) assert_view(policy_own_target(view_from_cstr(own[i])), own[i]);
    for (size_t i = 0; i < COUNT(foreign); i++)
        assert_view(policy_own_target(view_from_cstr(foreign[i])), "/");
    assert_view(policy_own_target((struct view){0}), "/");
    memset(longest, '/', sizeof(longest));
    memset(longest + 1, 'a', sizeof(longest) - 1);
    assert_int_equal(policy_own_target(view_of(longest, 2048)).len, 2048);
    assert_int_equal(policy_own_target(view_of(longest, 2049)).len, 1);
}

/* ---- the password's cookie ---- */

static void password_policy(const char *password, char *out, size_t size) {
    static const unsigned char salt[POLICY_SALT_BYTES] = {1, 2, 3};
    struct buf text;
    buf_init(&text, size);
    assert_true(buf_append_view(&text, VIEW("password=")) &&
                policy_hash_append(&text, view_from_cstr(password), salt));
    assert_true(view_copy_to(buf_view(&text), out, size));
    buf_done(&text);
}

/* Says the password at the door, and notes the cookie that comes of it. */
static enum policy_verdict say(const char *policy, const char *password, char *cookie, size_t cookie_size) {
    static const struct field fields[] = {{"content-type", FORM}, {0}};
    char body[600];
    struct asked asked;
    snprintf(body, sizeof(body), "to=/a&password=%s", password);
    begin(&asked, "POST", POLICY_DOOR, fields);
    assert_int_equal(judge(&asked, policy), POLICY_READS);
    assert_int_equal(asked.outcome.body_most, 8192);
    has_body(&asked, body);
    enum policy_verdict verdict = judge(&asked, policy);
    assert_view(asked.outcome.target, "/a");
    assert_true(view_copy_to(asked.outcome.cookie, cookie, cookie_size));
    assert_int_equal(asked.outcome.cookie_age_s, verdict == POLICY_LEADS ? 12 * 3600 : 0);
    finish(&asked);
    return verdict;
}

static enum policy_verdict show(const char *policy, const char *cookie, struct view tunnel, uint64_t now_s) {
    struct field fields[] = {{"cookie", cookie}, {0}};
    struct asked asked;
    begin(&asked, "GET", "/a", fields);
    asked.request.tunnel = tunnel;
    asked.request.now_s = now_s;
    enum policy_verdict verdict = judge(&asked, policy);
    finish(&asked);
    return verdict;
}

static void test_the_cookie_of_a_password(void **state) {
    (void)state;
    char policy[200], other[200], cookie[200], forged[200];
    password_policy("correct-horse", policy, sizeof(policy));
    password_policy("correct-house", other, sizeof(other));
    assert_int_equal(say(policy, "correct-house", cookie, sizeof(cookie)), POLICY_WRONG_PASSWORD);
    assert_int_equal(say(policy, "correct-horse", cookie, sizeof(cookie)), POLICY_LEADS);
    assert_int_equal(strncmp(cookie, POLICY_LOGIN_COOKIE "=", strlen(POLICY_LOGIN_COOKIE) + 1), 0);
    assert_int_equal(show(policy, cookie, VIEW("abc"), NOW), POLICY_LETS_IN);
    assert_int_equal(show(policy, cookie, VIEW("abc"), NOW + 12 * 3600 - 1), POLICY_LETS_IN);
    assert_int_equal(show(policy, cookie, VIEW("abc"), NOW + 12 * 3600), POLICY_ASKS_PASSWORD);
    assert_int_equal(show(policy, cookie, VIEW("abd"), NOW), POLICY_ASKS_PASSWORD);
    assert_int_equal(show(other, cookie, VIEW("abc"), NOW), POLICY_ASKS_PASSWORD);
    snprintf(forged, sizeof(forged), "x-tunnel-share%s", cookie + strlen(POLICY_LOGIN_COOKIE));
    assert_int_equal(show(policy, forged, VIEW("abc"), NOW), POLICY_ASKS_PASSWORD);
}

static void test_how_long_a_password_is(void **state) {
    (void)state;
    char policy[200], cookie[200], password[258];
    memset(password, 'p', sizeof(password));
    password[257] = '\0';
    password_policy(password, policy, sizeof(policy));
    assert_int_equal(say(policy, password, cookie, sizeof(cookie)), POLICY_WRONG_PASSWORD);
    password[256] = '\0';
    password_policy(password, policy, sizeof(policy));
    assert_int_equal(say(policy, password, cookie, sizeof(cookie)), POLICY_LEADS);
}

static void test_the_form_of_a_password(void **state) {
    (void)state;
    static const struct field plain[] = {{"content-type", "text/plain"}, {0}};
    char policy[200];
    struct asked asked;
    password_policy("correct-horse", policy, sizeof(policy));
    begin(&asked, "POST", POLICY_DOOR, plain);
    has_body(&asked, "password=correct-horse&to=/a");
    assert_int_equal(judge(&asked, policy), POLICY_ASKS_PASSWORD);
    assert_view(asked.outcome.target, "/");
    finish(&asked);
    begin(&asked, "GET", "/a?tunnel-token=x&b", NULL);
    assert_int_equal(judge(&asked, policy), POLICY_ASKS_PASSWORD);
    assert_view(asked.outcome.target, "/a?b");
    finish(&asked);
    assert_int_equal(policy_takes(view_from_cstr(policy)), POLICY_TAKES_COOKIES | POLICY_TAKES_DOOR);
}

/* ---- passes in cookies ---- */

/* Of many cookies of one name the first few are looked at, in all fields together. */
static void test_how_many_cookies_are_tried(void **state) {
    (void)state;
    static const unsigned char key[PASS_KEY_LEN] = {9};
    char pass[PASS_TEXT_MAX + 1];
    struct buf text;
    struct arena arena;
    arena_init(&arena, 65536);
    buf_init(&text, PASS_TEXT_MAX);
    assert_true(pass_append(&text, key, VIEW("p"), VIEW("abc"), NOW + 1));
    assert_true(view_copy_to(buf_view(&text), pass, sizeof(pass)));
    buf_done(&text);
    for (int before = 0; before < 12; before++) {
        struct headers headers;
        headers_init(&headers, &arena);
        for (int i = 0; i < before; i++) headers_add(&headers, VIEW("cookie"), VIEW("other=1; c=1"));
        headers_add(&headers, VIEW("cookie"), arena_printf(&arena, "c=%s", pass));
        bool holds = pass_in_cookies(&headers, VIEW("c"), key, VIEW("p"), VIEW("abc"), NOW);
        assert_int_equal(holds, before < 8);
        assert_false(pass_in_cookies(&headers, VIEW("c"), key, VIEW("q"), VIEW("abc"), NOW));
    }
    arena_done(&arena);
}

/* Longer ones are not read at all. */
static void test_how_long_a_pass_is(void **state) {
    (void)state;
    static const unsigned char key[PASS_KEY_LEN] = {9};
    uint64_t expires_s;
    char pass[200];
    struct buf text;
    buf_init(&text, PASS_TEXT_MAX);
    assert_true(pass_append(&text, key, VIEW("p"), VIEW("abc"), NOW + 1));
    for (size_t zeros = 0; zeros < 60; zeros++) {
        snprintf(pass, sizeof(pass), "%0*d%.*s", (int)zeros, 0, VIEW_ARG(buf_view(&text)));
        struct view padded = view_from_cstr(pass);
        assert_int_equal(pass_holds(padded, key, VIEW("p"), VIEW("abc"), NOW, &expires_s),
                         padded.len <= PASS_TEXT_MAX);
    }
    buf_done(&text);
}

static void test_names_of_set_cookies(void **state) {
    (void)state;
    static const struct {
        const char *value;
        bool is;
    } rows[] = {
        {"x-tunnel-share=1", true},
        {" \tx-tunnel-login=1; path=/", true},
        {"=x-tunnel-share=1", true},
        {" = = x-tunnel-seen=1", true},
        {"a=x-tunnel-share=1", false},
        {"x-tunnel=1", false},
        {"", false},
        {"=", false},
        {"X-tunnel-share=1", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        if (cookie_is_set_as(view_from_cstr(rows[i].value), VIEW(POLICY_COOKIES)) != rows[i].is)
            fail_msg("%s", rows[i].value);
}

/* ---- a token, and what rules take for themselves ---- */

static void test_private(void **state) {
    (void)state;
    struct asked asked;
    begin(&asked, "GET", "/", NULL);
    assert_int_equal(judge(&asked, "private=on"), POLICY_ASKS_TOKEN);
    asked.request.has_token = true;
    assert_int_equal(judge(&asked, "private=on"), POLICY_LETS_IN);
    finish(&asked);
    assert_int_equal(policy_takes(VIEW("methods=GET; private=on; first-visit=on")),
                     POLICY_TAKES_TOKEN | POLICY_TAKES_COOKIES);
    assert_int_equal(policy_takes(VIEW("deny-path=/a; allow-ip=::1; webhook=github:YQ")), 0);
    assert_int_equal(policy_takes(VIEW("unknown=1")), 0);
}

/* ---- webhooks ---- */

#define BODY "Hello, World!"
#define SIGNED "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
#define FIELD "x-hub-signature-256"

static void webhook_policy(const char *scheme, struct view secret, char *out, size_t size) {
    struct buf text;
    buf_init(&text, size - 1);
    assert_true(buf_append_view(&text, VIEW("webhook=")) &&
                policy_webhook_append(&text, view_from_cstr(scheme), secret));
    assert_true(view_copy_to(buf_view(&text), out, size));
    buf_done(&text);
}

static void test_webhook(void **state) {
    (void)state;
    static const struct {
        struct field fields[3];
        const char *body; /* NULL: it is not here yet */
        enum policy_verdict verdict;
    } rows[] = {
        {{{0}}, BODY, POLICY_ASKS_SIGNATURE},
        {{{FIELD, SIGNED}}, NULL, POLICY_READS},
        {{{FIELD, SIGNED}}, BODY, POLICY_LETS_IN},
        {{{FIELD, SIGNED}}, BODY "!", POLICY_ASKS_SIGNATURE},
        {{{FIELD, SIGNED}, {FIELD, SIGNED}}, BODY, POLICY_ASKS_SIGNATURE},
    };
    char policy[200];
    webhook_policy("github", VIEW("It's a Secret to Everybody"), policy, sizeof(policy));
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct asked asked;
        begin(&asked, "POST", "/hook", rows[i].fields);
        if (rows[i].body) has_body(&asked, rows[i].body);
        if (judge(&asked, policy) != rows[i].verdict) fail_msg("row %zu", i);
        if (rows[i].verdict == POLICY_READS) assert_int_equal(asked.outcome.body_most, 1024 * 1024);
        finish(&asked);
    }
}

/* Twilio signs the URL that it was told: with the tunnel's prefix, which the service does not get. */
static void test_the_url_that_is_signed(void **state) {
    (void)state;
    static const struct field fields[] = {{"content-type", FORM},
                                          {"x-forwarded-host", "mycompany.com"},
                                          {"x-twilio-signature", "0/KCTR6DLpKmkAf8muzZqo1nDgQ="},
                                          {0}};
    char policy[200];
    struct asked asked;
    webhook_policy("twilio", VIEW("12345"), policy, sizeof(policy));
    begin(&asked, "POST", ".php?foo=1&bar=2", fields);
    has_body(&asked, "CallSid=CA1234567890ABCDE&Caller=%2B12349013030&Digits=1234&From=%2B12349013030&To="
                     "%2B18005551212");
    assert_int_equal(judge(&asked, policy), POLICY_ASKS_SIGNATURE);
    asked.request.base = VIEW("/myapp");
    assert_int_equal(judge(&asked, policy), POLICY_LETS_IN);
    finish(&asked);
}

static void test_secrets_of_webhooks(void **state) {
    (void)state;
    char longest[1000], secret[257], policy[400], longer[402], error[100];
    struct buf text;
    memset(secret, 's', sizeof(secret));
    webhook_policy("generic-hmac", view_of(secret, 256), policy, sizeof(policy));
    assert_null(policy_fault(view_from_cstr(policy), error, sizeof(error)));
    snprintf(longer, sizeof(longer), "%sAA", policy); /* one byte more */
    assert_non_null(policy_fault(view_from_cstr(longer), error, sizeof(error)));
    snprintf(longer, sizeof(longer), "webhook=github:%0380d", 0);
    assert_non_null(policy_fault(view_from_cstr(longer), error, sizeof(error)));
    memset(longest, 'A', sizeof(longest));
    memcpy(longest, "webhook=github:", 15);
    assert_non_null(policy_fault(view_of(longest, sizeof(longest)), error, sizeof(error)));
    buf_init(&text, 1000);
    assert_false(policy_webhook_append(&text, VIEW("github"), view_of(secret, 257)));
    assert_false(policy_webhook_append(&text, VIEW("github"), VIEW("")));
    assert_false(policy_webhook_append(&text, VIEW("gitlab"), VIEW("s")));
    assert_int_equal(text.len, 0);
    assert_true(policy_webhook_append(&text, VIEW("slack"), VIEW("s")));
    assert_view(buf_view(&text), "slack:cw");
    buf_done(&text);
    assert_null(policy_fault(VIEW("webhook=slack:cw"), error, sizeof(error)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_is_told),
        cmocka_unit_test(test_the_button),
        cmocka_unit_test(test_where_forms_lead),
        cmocka_unit_test(test_the_cookie_of_a_password),
        cmocka_unit_test(test_how_long_a_password_is),
        cmocka_unit_test(test_the_form_of_a_password),
        cmocka_unit_test(test_how_many_cookies_are_tried),
        cmocka_unit_test(test_how_long_a_pass_is),
        cmocka_unit_test(test_names_of_set_cookies),
        cmocka_unit_test(test_private),
        cmocka_unit_test(test_webhook),
        cmocka_unit_test(test_the_url_that_is_signed),
        cmocka_unit_test(test_secrets_of_webhooks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
