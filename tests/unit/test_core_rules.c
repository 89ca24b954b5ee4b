/* Rules for visitors where a request comes in: what a visitor is told who does not pass them, what the
 * service gets of what he showed, and who has tried too often. */
#include "auth/jwt.h"
#include "policy/login_failures.h"
#include "policy/policy.h"
#include "policy/policy_hash.h"
#include "test_core_guest.h"

#define NOW_S UINT64_C(1700000000)
#define ANN "Basic YW5uOnNlY3JldC0xMg=="
#define NOT_ANN "Basic YW5uOnNlY3JldC0xMw=="

static const unsigned char salt[POLICY_SALT_BYTES] = {1, 2, 3};
static const unsigned char key[PASS_KEY_LEN] = {4, 5, 6};

/* "<rule>=" and the hash of a secret. */
static const char *hashed(const char *rule, const char *secret) {
    static char text[200];
    struct buf out;
    buf_init(&out, sizeof(text));
    assert_true(buf_append_view(&out, view_from_cstr(rule)) &&
                policy_hash_append(&out, view_from_cstr(secret), salt));
    assert_true(view_copy_to(buf_view(&out), text, sizeof(text)));
    buf_done(&out);
    return text;
}

static void begin(struct world *world, const char *rules) {
    assert_int_equal(agent_with_rules(world, "/", rules), 200);
}

static struct view got(struct world *world, const char *name) {
    return headers_get(&last_sent(world)->headers, view_from_cstr(name));
}

/* ---- whose rules ---- */

static void the_gateways_rules_hold_beside_the_owners(void **state) {
    struct world *world = *state;
    world->settings.visitor_policy = VIEW("methods=GET,POST");
    make_core_anew(world);
    begin(world, "deny-path=/admin");
    comes_in(world, &(struct ask){.target = "/a"});
    is_refused(world, &(struct ask){.target = "/admin"}, HTTP_ERROR_FORBIDDEN);
    is_refused(world, &(struct ask){.target = "/a", .method = "DELETE"}, HTTP_ERROR_FORBIDDEN);
    agent_leaves(world, "one");
    begin(world, NULL);
    comes_in(world, &(struct ask){.target = "/admin"});
    is_refused(world, &(struct ask){.target = "/a", .method = "DELETE"}, HTTP_ERROR_FORBIDDEN);
}

static void a_trusted_proxy_says_whose_address_counts(void **state) {
    struct world *world = *state;
    struct ask ask = {.target = "/", .fields = {{"X-Forwarded-For", "198.51.100.7, 203.0.113.9"}}};
    begin(world, "allow-ip=203.0.113.9");
    is_refused(world, &ask, HTTP_ERROR_FORBIDDEN);
    ask.is_proxy = true;
    comes_in(world, &ask);
    ask.hops = 1;
    is_refused(world, &ask, HTTP_ERROR_FORBIDDEN);
}

static void unknown_rules_are_refused_at_connect(void **state) {
    struct world *world = *state;
    assert_int_equal(agent_with_rules(world, "/", "geo=DE"), 400);
    assert_int_equal(agent_with_rules(world, "/", "methods="), 400);
    assert_int_equal(agent_with_rules(world, "/", "private=on"), 400); /* nobody could come */
    assert_int_equal(agent_with_rules(world, "/", ""), 200);
}

/* ---- a login ---- */

static void a_login_is_not_the_services(void **state) {
    struct world *world = *state;
    struct guest guest;
    begin(world, hashed("basic=", "ann:secret-12"));
    is_let_in(world, &guest, &(struct ask){.target = "/", .fields = {{"Authorization", ANN}}});
    assert_null(got(world, "authorization").ptr);
    is_answered(world, &guest, "");
    forget(&guest);
    asks(world, &guest, &(struct ask){.target = "/"});
    assert_int_equal(guest.visitor.error, HTTP_ERROR_UNAUTHORIZED);
    char realm[100];
    snprintf(realm, sizeof(realm), "Basic realm=\"%s\", charset=\"UTF-8\"", world->tunnel);
    assert_told(&guest, "www-authenticate", realm);
    forget(&guest);
    is_refused(world,
               &(struct ask){.target = "/", .fields = {{"Authorization", ANN}, {"Authorization", ANN}}},
               HTTP_ERROR_UNAUTHORIZED);
}

static void without_such_a_rule_a_login_is_the_services(void **state) {
    struct world *world = *state;
    begin(world, "methods=GET");
    comes_in(world, &(struct ask){.target = "/?tunnel-token=1",
                                  .fields = {{"Authorization", ANN}, {"Cookie", "x-tunnel-share=1"}}});
    assert_true(view_eq(got(world, "authorization"), VIEW(ANN)));
    assert_true(view_eq(got(world, "cookie"), VIEW("x-tunnel-share=1")));
    assert_true(view_eq(last_sent(world)->uri, VIEW("/?tunnel-token=1")));
}

static void who_fails_too_often_is_shut_out_for_a_while(void **state) {
    struct world *world = *state;
    char guess[] = NOT_ANN "0";
    const struct ask wrong = {.target = "/", .fields = {{"Authorization", guess}}},
                     again = {.target = "/", .fields = {{"Authorization", NOT_ANN}}},
                     right = {.target = "/", .fields = {{"Authorization", ANN}}},
                     elsewhere = {.target = "/", .fields = {{"Authorization", ANN}}, .client = "192.0.2.2"};
    begin(world, hashed("basic=", "ann:secret-12"));
    for (int i = 0; i < LOGIN_FAILURES_MAX; i++) {
        comes_in(world, &right);
        is_refused(world, &(struct ask){.target = "/"}, HTTP_ERROR_UNAUTHORIZED);
        is_refused(world, &again, HTTP_ERROR_UNAUTHORIZED); /* counts once, however often it comes */
    }
    comes_in(world, &right);
    for (int i = 1; i < LOGIN_FAILURES_MAX; i++) {
        guess[sizeof(guess) - 2] = (char)('0' + i);
        is_refused(world, &wrong, HTTP_ERROR_UNAUTHORIZED);
    }
    is_refused(world, &right, HTTP_ERROR_RATE_LIMITED);
    is_refused(world, &(struct ask){.target = "/"}, HTTP_ERROR_UNAUTHORIZED); /* is told that it needs one */
    comes_in(world, &elsewhere);
    pass(world, LOGIN_FAILURES_MS);
    comes_in(world, &right);
}

/* ---- a link to share ---- */

static const char *link_rule(void) {
    static char text[100];
    struct buf out;
    buf_init(&out, sizeof(text));
    assert_true(buf_append_view(&out, VIEW("share=")) && policy_share_append(&out, key));
    assert_true(view_copy_to(buf_view(&out), text, sizeof(text)));
    buf_done(&out);
    return text;
}

/* "<before><token><behind>", of a link that is good for a minute. */
static const char *with_token(struct world *world, const char *before, const char *behind) {
    static char text[2][300];
    static int turn;
    struct buf out;
    turn = !turn;
    buf_init(&out, sizeof(text[0]) - 1);
    assert_true(buf_append_view(&out, view_from_cstr(before)) &&
                policy_share_token(&out, key, view_from_cstr(world->tunnel), NOW_S + 60) &&
                buf_append_view(&out, view_from_cstr(behind)));
    assert_true(view_copy_to(buf_view(&out), text[turn], sizeof(text[turn])));
    buf_done(&out);
    return text[turn];
}

static void a_link_leads_to_a_cookie(void **state) {
    struct world *world = *state;
    struct guest guest;
    begin(world, link_rule());
    is_refused(world, &(struct ask){.target = "/a", .fields = {HTML}}, HTTP_ERROR_LINK_REQUIRED);
    struct ask ask = {.target = with_token(world, "/a?tunnel-token=", "&b=1"), .fields = {HTML}};
    asks(world, &guest, &ask);
    assert_int_equal(guest.visitor.status, 303);
    assert_told(&guest, "location", "/a?b=1");
    assert_told(&guest, "cache-control", "no-store");
    assert_told(&guest, "referrer-policy", "no-referrer");
    assert_told(&guest, "x-tunnel-routing-mode", "subdomain");
    assert_told(&guest, "set-cookie",
                with_token(world, "x-tunnel-share=", "; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"));
    forget(&guest);
    ask.is_https = true;
    asks(world, &guest, &ask);
    assert_told(&guest, "set-cookie",
                with_token(world, "x-tunnel-share=", "; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure"));
    forget(&guest);
}

static void in_path_mode_a_cookie_is_for_the_prefix(void **state) {
    struct world *world = *state;
    struct guest guest;
    char before[100], behind[200];
    begin(world, link_rule());
    snprintf(before, sizeof(before), "/%s/a?tunnel-token=", world->tunnel);
    struct ask ask = {.target = with_token(world, before, ""), .fields = {HTML}, .host = "localhost:8080"};
    asks(world, &guest, &ask);
    assert_int_equal(guest.visitor.status, 303);
    snprintf(before, sizeof(before), "/%s/a", world->tunnel);
    assert_told(&guest, "location", before);
    assert_told(&guest, "x-tunnel-routing-mode", "path");
    snprintf(behind, sizeof(behind), "; Path=/%s/; Max-Age=60; HttpOnly; SameSite=Lax", world->tunnel);
    assert_told(&guest, "set-cookie", with_token(world, "x-tunnel-share=", behind));
    forget(&guest);
}

/* "//host" would lead to another host. */
static void a_link_leads_nowhere_else(void **state) {
    struct world *world = *state;
    static const struct {
        const char *target, *location;
    } rows[] = {{"//evil.example/?tunnel-token=", "/.//evil.example/"},
                {"//?tunnel-token=", "/.//"},
                {"/a//b?tunnel-token=", "/a//b"},
                {"/?tunnel-token=", "/"}};
    begin(world, link_rule());
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct guest guest;
        asks(world, &guest, &(struct ask){.target = with_token(world, rows[i].target, ""), .fields = {HTML}});
        assert_int_equal(guest.visitor.status, 303);
        assert_told(&guest, "location", rows[i].location);
        forget(&guest);
    }
}

static void what_a_link_is_known_by_is_not_the_services(void **state) {
    struct world *world = *state;
    begin(world, link_rule());
    comes_in(world, &(struct ask){.target = with_token(world, "/a?tunnel-token=", "&b"),
                                  .fields = {{"Referer", "http://x/?tunnel-token=1&c"}}});
    assert_true(view_eq(last_sent(world)->uri, VIEW("/a?b")));
    assert_true(view_eq(got(world, "referer"), VIEW("http://x/?c")));
    comes_in(world, &(struct ask){.target = "/a",
                                  .fields = {{"Cookie", with_token(world, "a=1;x-tunnel-share=", "; b=2")},
                                             {"X-Other", ""}}});
    assert_true(view_eq(got(world, "cookie"), VIEW("a=1; b=2")));
    assert_non_null(got(world, "x-other").ptr);
    comes_in(world, &(struct ask){.target = "/a",
                                  .fields = {{"Cookie", with_token(world, "x-tunnel-share=", "")},
                                             {"Cookie", "x-tunnel-seen=1; c=3"}}});
    assert_int_equal(headers_count(&last_sent(world)->headers, VIEW("cookie")), 1);
    assert_true(view_eq(got(world, "cookie"), VIEW("c=3")));
    comes_in(world,
             &(struct ask){.target = "/a", .fields = {{"Cookie", with_token(world, "x-tunnel-share=", "")}}});
    assert_null(got(world, "cookie").ptr);
}

/* ---- a password's page ---- */

static void a_password_is_asked_for_by_a_page(void **state) {
    struct world *world = *state;
    struct guest guest;
    begin(world, hashed("password=", "correct-horse"));
    asks(world, &guest, &(struct ask){.target = "/a?\"b", .fields = {HTML}});
    assert_int_equal(guest.visitor.error, HTTP_ERROR_PASSWORD_REQUIRED);
    assert_int_equal(guest.visitor.status, 401);
    assert_told(&guest, "x-tunnel-error", "password_required");
    assert_told(&guest, "content-type", "text/html; charset=utf-8");
    assert_told(&guest, "cache-control", "no-store");
    assert_told(&guest, "x-frame-options", "DENY");
    assert_told(&guest, "x-content-type-options", "nosniff");
    assert_told(&guest, "referrer-policy", "same-origin");
    assert_true(view_starts_with(told(&guest, "content-security-policy"), VIEW("default-src 'none'")));
    char realm[100];
    snprintf(realm, sizeof(realm), "Cookie realm=\"%s\"", world->tunnel);
    assert_told(&guest, "www-authenticate", realm);
    assert_true(shows(&guest, "action=\"/.tunnel/login\""));
    assert_true(shows(&guest, "name=\"to\" value=\"/a?&#34;b\""));
    assert_true(shows(&guest, "type=\"password\""));
    assert_false(shows(&guest, "That was not the password"));
    assert_false(shows(&guest, "aria-invalid"));
    forget(&guest);
    asks(world, &guest, &(struct ask){.target = "/a"});
    assert_int_equal(guest.visitor.status, 401);
    assert_false(shows(&guest, "<"));
    forget(&guest);
}

static void a_password_leads_on(void **state) {
    struct world *world = *state;
    struct guest guest;
    struct ask ask = {.target = "/.tunnel/login", .fields = {HTML, FORM}, .body = "password=no&to=/a"};
    begin(world, hashed("password=", "correct-horse"));
    asks(world, &guest, &ask);
    assert_int_equal(guest.visitor.status, 401);
    assert_true(shows(&guest, "That was not the password"));
    assert_true(shows(&guest, "aria-invalid"));
    assert_true(shows(&guest, "value=\"/a\""));
    forget(&guest);
    ask.body = "password=correct-horse&to=/a";
    asks(world, &guest, &ask);
    assert_int_equal(guest.visitor.status, 303);
    assert_told(&guest, "location", "/a");
    char cookie[300];
    struct view whole = told(&guest, "set-cookie");
    assert_true(view_ends_with(whole, VIEW("; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax")));
    assert_true(view_copy_to(view_slice(whole, 0, view_find(whole, ';')), cookie, sizeof(cookie)));
    forget(&guest);
    comes_in(world, &(struct ask){.target = "/a", .fields = {{"Cookie", cookie}}});
    assert_null(got(world, "cookie").ptr);
}

static void who_guesses_a_password_is_shut_out_for_a_while(void **state) {
    struct world *world = *state;
    struct guest guest;
    char guess[] = "password=no0";
    const struct ask wrong = {.target = "/.tunnel/login", .fields = {FORM}, .body = guess},
                     right = {.target = "/.tunnel/login", .fields = {FORM}, .body = "password=correct-horse"},
                     page = {.target = "/", .fields = {HTML}};
    begin(world, hashed("password=", "correct-horse"));
    for (int i = 0; i < LOGIN_FAILURES_MAX; i++) {
        is_refused(world, &page, HTTP_ERROR_PASSWORD_REQUIRED);
        is_refused(world, &wrong, HTTP_ERROR_PASSWORD_REQUIRED); /* the same again is no further guess */
        guess[sizeof(guess) - 2] = (char)('0' + i);
        is_refused(world, &wrong, HTTP_ERROR_PASSWORD_REQUIRED);
    }
    is_refused(world, &right, HTTP_ERROR_RATE_LIMITED);
    is_refused(world, &page, HTTP_ERROR_PASSWORD_REQUIRED);
    pass(world, LOGIN_FAILURES_MS);
    asks(world, &guest, &right);
    assert_int_equal(guest.visitor.status, 303);
    forget(&guest);
}

static void a_form_has_its_bound(void **state) {
    struct world *world = *state;
    struct guest guest;
    static char body[8194];
    struct ask ask = {.target = "/.tunnel/login", .fields = {FORM}, .body = body};
    world->settings.v1_body_bytes = 10000;
    make_core_anew(world);
    begin(world, hashed("password=", "correct-horse"));
    memset(body, 'x', sizeof(body) - 1);
    body[8192] = '\0';
    is_refused(world, &ask, HTTP_ERROR_PASSWORD_REQUIRED);
    body[8192] = 'x';
    is_refused(world, &ask, HTTP_ERROR_BODY_TOO_LARGE);
    begin_ask(world, &guest, &ask);
    settle(world);
    assert_int_equal(guest.visitor.error, HTTP_ERROR_BODY_TOO_LARGE); /* before it comes */
    forget(&guest);
    struct ask chunked = {
        .target = "/.tunnel/login", .fields = {FORM, {"Transfer-Encoding", "chunked"}}, .method = "POST"};
    begin_ask(world, &guest, &chunked);
    settle(world);
    assert_int_equal(guest.visitor.granted, 8193); /* one too many is to be seen */
    exchange_body(guest.visitor.exchange, view_of(body, 8192));
    settle(world);
    assert_int_equal(guest.visitor.status, 0);
    exchange_body(guest.visitor.exchange, view_of(body, 1));
    settle(world);
    assert_int_equal(guest.visitor.error, HTTP_ERROR_BODY_TOO_LARGE);
    forget(&guest);
}

static void a_form_comes_in_time(void **state) {
    struct world *world = *state;
    struct guest guest;
    begin(world, hashed("password=", "correct-horse"));
    begin_ask(world, &guest,
              &(struct ask){
                  .target = "/.tunnel/login", .fields = {FORM, {"Content-Length", "9"}}, .method = "POST"});
    settle(world);
    pass(world, 299999);
    exchange_body(guest.visitor.exchange, VIEW("pass"));
    pass(world, 299999);
    assert_int_equal(guest.visitor.status, 0);
    pass(world, 1);
    assert_int_equal(guest.visitor.error, HTTP_ERROR_REQUEST_TIMEOUT);
    forget(&guest);
    const struct ask silent = {
        .target = "/.tunnel/login", .fields = {FORM, {"Content-Length", "9"}}, .method = "POST"};
    begin_ask(world, &guest, &silent);
    settle(world);
    pass(world, 300000);
    assert_int_equal(guest.visitor.error, HTTP_ERROR_REQUEST_TIMEOUT);
    forget(&guest);
    is_refused(world, &(struct ask){.target = "/.tunnel/login", .fields = {FORM}, .method = "POST"},
               HTTP_ERROR_PASSWORD_REQUIRED); /* no body at all */
}

/* ---- webhooks ---- */

static void a_signed_body_goes_on_as_it_came(void **state) {
    struct world *world = *state;
    struct guest guest;
    struct ask ask = {.target = "/hook",
                      .fields = {{"X-Hub-Signature-256",
                                  "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"},
                                 {"Expect", "100-continue"}},
                      .body = "Hello, World!"};
    char rules[100];
    struct buf text;
    buf_init(&text, sizeof(rules));
    assert_true(buf_append_view(&text, VIEW("webhook=")) &&
                policy_webhook_append(&text, VIEW("github"), VIEW("It's a Secret to Everybody")));
    assert_true(view_copy_to(buf_view(&text), rules, sizeof(rules)));
    buf_done(&text);
    begin(world, rules);
    is_let_in(world, &guest, &ask);
    assert_true(view_eq(last_sent(world)->body, VIEW("Hello, World!")));
    assert_null(got(world, "expect").ptr);
    is_answered(world, &guest, "");
    forget(&guest);
    ask.body = "Hello, World?";
    is_refused(world, &ask, HTTP_ERROR_BAD_SIGNATURE);
    is_refused(world, &(struct ask){.target = "/hook", .body = "Hello, World!"}, HTTP_ERROR_BAD_SIGNATURE);
}

/* ---- tokens ---- */

static const char *token_field(const char *before, uint64_t expires_in_s, struct world *world) {
    static char text[JWT_TOKEN_MAX + 100];
    struct jwt_settings jwt = {.secret = VIEW(JWT_KEY)};
    struct buf token;
    buf_init(&token, JWT_TOKEN_MAX);
    assert_true(jwt_issue(&jwt, VIEW("ann"), wall_ms(world) / 1000, expires_in_s, &token));
    snprintf(text, sizeof(text), "%s%.*s", before, VIEW_ARG(buf_view(&token)));
    buf_done(&token);
    return text;
}

static void a_private_tunnel_wants_a_token(void **state) {
    struct world *world = *state;
    assert_int_equal(agent_with_rules(world, token_field("/?token=", 3600, world), "private=on"), 200);
    is_refused(world, &(struct ask){.target = "/"}, HTTP_ERROR_TOKEN_REQUIRED);
    is_refused(world, &(struct ask){.target = "/", .fields = {{"Authorization", "Bearer x"}}},
               HTTP_ERROR_TOKEN_REQUIRED);
    is_refused(world, &(struct ask){.target = "/", .fields = {{"Authorization", ANN}}},
               HTTP_ERROR_TOKEN_REQUIRED);
    comes_in(world,
             &(struct ask){.target = "/", .fields = {{"Authorization", token_field("bearer  ", 60, world)}}});
    assert_null(got(world, "authorization").ptr);
    comes_in(world, &(struct ask){.target = "/",
                                  .fields = {{"Cookie", token_field("a=1; x-tunnel-token=", 60, world)},
                                             {"Authorization", "Bearer the-services"}}});
    assert_true(view_eq(got(world, "authorization"), VIEW("Bearer the-services")));
    assert_true(view_eq(got(world, "cookie"), VIEW("a=1")));
    const char *short_lived = token_field("Bearer ", 60, world);
    pass(world, 120000);
    is_refused(world, &(struct ask){.target = "/", .fields = {{"Authorization", short_lived}}},
               HTTP_ERROR_TOKEN_REQUIRED);
}

/* ---- the first visit ---- */

static void a_page_says_whose_tunnel_it_is(void **state) {
    struct world *world = *state;
    struct guest guest;
    char shown[200];
    world->settings.first_visit_page = true;
    make_core_anew(world);
    begin(world, NULL);
    asks(world, &guest, &(struct ask){.target = "/a", .fields = {HTML}});
    assert_int_equal(guest.visitor.error, HTTP_ERROR_FIRST_VISIT);
    assert_int_equal(guest.visitor.status, 403);
    assert_null(told(&guest, "www-authenticate").ptr);
    snprintf(shown, sizeof(shown), "<strong>%s.localhost:8080</strong>", world->tunnel);
    assert_true(shows(&guest, shown));
    assert_true(shows(&guest, "action=\"/.tunnel/visit\""));
    assert_true(shows(&guest, "value=\"/a\""));
    forget(&guest);
    comes_in(world, &(struct ask){.target = "/a"});
    comes_in(world, &(struct ask){.target = "/a", .fields = {HTML, {"X-Tunnel-Skip-Page", ""}}});
    comes_in(world, &(struct ask){.target = "/a", .fields = {HTML, {"Cookie", "x-tunnel-seen=1"}}});
    assert_null(got(world, "cookie").ptr);
    asks(world, &guest,
         &(struct ask){.target = "/.tunnel/visit",
                       .fields = {HTML, FORM, {"Sec-Fetch-Site", "same-origin"}},
                       .body = "to=/a"});
    assert_int_equal(guest.visitor.status, 303);
    assert_told(&guest, "set-cookie", "x-tunnel-seen=1; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax");
    forget(&guest);
}

static void who_has_shown_a_token_is_known(void **state) {
    struct world *world = *state;
    world->settings.first_visit_page = true;
    make_core_anew(world);
    assert_int_equal(agent_with_rules(world, token_field("/?token=", 3600, world), NULL), 200);
    comes_in(world, &(struct ask){.target = "/a", .fields = {HTML}});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_gateways_rules_hold_beside_the_owners),
        TEST(a_trusted_proxy_says_whose_address_counts),
        TEST(unknown_rules_are_refused_at_connect),
        TEST(a_login_is_not_the_services),
        TEST(without_such_a_rule_a_login_is_the_services),
        TEST(who_fails_too_often_is_shut_out_for_a_while),
        TEST(a_link_leads_to_a_cookie),
        TEST(in_path_mode_a_cookie_is_for_the_prefix),
        TEST(a_link_leads_nowhere_else),
        TEST(what_a_link_is_known_by_is_not_the_services),
        TEST(a_password_is_asked_for_by_a_page),
        TEST(a_password_leads_on),
        TEST(who_guesses_a_password_is_shut_out_for_a_while),
        TEST(a_form_has_its_bound),
        TEST(a_form_comes_in_time),
        TEST(a_signed_body_goes_on_as_it_came),
        TEST_IN(set_up_auth, a_private_tunnel_wants_a_token),
        TEST(a_page_says_whose_tunnel_it_is),
        TEST_IN(set_up_auth, who_has_shown_a_token_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
