/* What becomes of a request before anybody looks for its agent: a doorman is asked, a visitor is sent to
 * https, an authority's challenge is answered. And a name that is given back. */
#include "policy/policy_hash.h"
#include "test_core_guest.h"

static struct view got(struct world *world, const char *name) {
    return headers_get(&last_sent(world)->headers, view_from_cstr(name));
}

/* ---- a doorman ---- */

static struct {
    doorman_done_fn *done;
    void *target;
    uint64_t ticket;
    unsigned asked;
    bool refuses;
    char method[20], scheme[20], host[100], question[100], address[50];
} doorman;

static bool ask_doorman(void *ctx, const struct door_question *question, doorman_done_fn *done, void *target,
                        uint64_t ticket) {
    assert_ptr_equal(ctx, &doorman);
    if (doorman.refuses) return false;
    doorman.done = done;
    doorman.target = target;
    doorman.ticket = ticket;
    doorman.asked++;
    return view_copy_to(question->method, doorman.method, sizeof(doorman.method)) &&
           view_copy_to(question->scheme, doorman.scheme, sizeof(doorman.scheme)) &&
           view_copy_to(question->host, doorman.host, sizeof(doorman.host)) &&
           view_copy_to(question->target, doorman.question, sizeof(doorman.question)) &&
           view_copy_to(question->address, doorman.address, sizeof(doorman.address));
}

typedef bool doorman_ask_fn(void *ctx, const struct door_question *question, doorman_done_fn *done,
                            void *target, uint64_t ticket);

static const struct view his_fields[] = {{"remote-user", 11}, {"x-auth-id", 9}};
static const struct view his_cookies[] = {{"door_", 5}};

static void begin_with(struct world *world, doorman_ask_fn *ask, const char *rules) {
    memset(&doorman, 0, sizeof(doorman));
    world->ports.doorman = (struct doorman){&doorman, ask};
    world->settings.door_fields = his_fields;
    world->settings.door_fields_count = COUNT(his_fields);
    world->settings.door_cookies = his_cookies;
    world->settings.door_cookies_count = COUNT(his_cookies);
    make_core_anew(world);
    assert_int_equal(agent_with_rules(world, "/", rules), 200);
}

static void begin_with_doorman(struct world *world, const char *rules) {
    begin_with(world, ask_doorman, rules);
}

/* The doorman's word: fields for the service or for the visitor, and a cookie. */
static void says(struct world *world, enum door_says says, int status, const struct field *field,
                 const char *cookie, const char *body) {
    struct arena arena;
    struct door_word word = {.says = says, .status = status, .body = view_from_cstr(body)};
    arena_init(&arena, 65536);
    headers_init(&word.fields, &arena);
    headers_init(&word.cookies, &arena);
    headers_init(&word.headers, &arena);
    struct headers *headers = says == DOOR_OPEN ? &word.fields : &word.headers;
    if (field) headers_add(headers, view_from_cstr(field->name), view_from_cstr(field->value));
    if (cookie) headers_add(&word.cookies, VIEW("set-cookie"), view_from_cstr(cookie));
    doorman.done(doorman.target, doorman.ticket, &word);
    settle(world);
    arena_done(&arena);
}

static void a_doorman_is_asked_about_what_the_visitor_sees(void **state) {
    struct world *world = *state;
    struct guest guest;
    char target[100], host[100];
    begin_with_doorman(world, NULL);
    asks(world, &guest, &(struct ask){.target = "/a?b", .method = "PUT", .is_https = true});
    assert_int_equal(doorman.asked, 1);
    assert_string_equal(doorman.method, "PUT");
    assert_string_equal(doorman.scheme, "https");
    assert_string_equal(doorman.question, "/a?b");
    assert_string_equal(doorman.address, "192.0.2.1");
    snprintf(host, sizeof(host), "%s.localhost:8080", world->tunnel);
    assert_string_equal(doorman.host, host);
    exchange_cancel(guest.visitor.exchange);
    says(world, DOOR_OPEN, 0, NULL, NULL, ""); /* nobody waits for it any more */
    forget(&guest);
    snprintf(target, sizeof(target), "/%s/a?b", world->tunnel);
    asks(world, &guest, &(struct ask){.target = target, .host = "localhost:8080"});
    assert_string_equal(doorman.question, target);
    says(world, DOOR_OPEN, 0, NULL, NULL, "");
    assert_true(view_eq(last_sent(world)->uri, VIEW("/a?b")));
    is_answered(world, &guest, "");
    forget(&guest);
}

static bool sets(const struct guest *guest, struct view cookie) {
    for (size_t i = 0; i < guest->headers.count; i++)
        if (view_eq(guest->headers.fields[i].value, cookie)) return true;
    return false;
}

static void what_is_the_doormans_nobody_else_says(void **state) {
    struct world *world = *state;
    struct guest guest;
    begin_with_doorman(world, NULL);
    asks(world, &guest,
         &(struct ask){.target = "/",
                       .fields = {{"Remote_User", "root"},
                                  {"X.Auth-Id", "1"},
                                  {"Remote-Users", "2"},
                                  {"Remote-Usex", "3"},
                                  {"Cookie", "a=1; door_session=2; xdoor_=3"}}});
    size_t sent = world->sent_count;
    says(world, DOOR_OPEN, 0, &(struct field){"remote-user", "ann"}, "door_session=new", "");
    assert_int_equal(world->sent_count, sent + 1);
    assert_true(view_eq(got(world, "remote-user"), VIEW("ann")));
    assert_int_equal(headers_count(&last_sent(world)->headers, VIEW("remote-user")), 1);
    assert_null(got(world, "remote_user").ptr);
    assert_null(got(world, "x.auth-id").ptr);
    assert_non_null(got(world, "remote-users").ptr);
    assert_non_null(got(world, "remote-usex").ptr);
    assert_true(view_eq(got(world, "cookie"), VIEW("a=1; xdoor_=3")));
    is_answered(world, &guest,
                ",\"headers\":{\"Set-Cookie\":[\"door_session=forged\",\"b=1\",\"=door_=forged\"],"
                "\"X-Other\":[\"door_1\"]}");
    assert_int_equal(headers_count(&guest.headers, VIEW("set-cookie")), 2);
    assert_told(&guest, "set-cookie", "b=1");
    assert_told(&guest, "x-other", "door_1");
    assert_true(sets(&guest, VIEW("door_session=new")));
    forget(&guest);
}

static void without_a_doorman_nothing_is_his(void **state) {
    struct world *world = *state;
    struct guest guest;
    begin_with(world, NULL, NULL);
    is_let_in(world, &guest, &(struct ask){.target = "/", .fields = {{"Remote-User", "ann"}}});
    assert_true(view_eq(got(world, "remote-user"), VIEW("ann")));
    is_answered(world, &guest, ",\"headers\":{\"Set-Cookie\":[\"door_session=1\"]}");
    assert_told(&guest, "set-cookie", "door_session=1");
    forget(&guest);
}

static void a_doorman_may_shut_the_door(void **state) {
    struct world *world = *state;
    static const struct {
        int status;
        struct field field;
        const char *error; /* NULL: it is none */
    } rows[] = {
        {302, {"location", "https://login.example/"}, NULL},
        {401, {"www-authenticate", "Digest"}, "unauthorized"},
        {403, {"x-why", "no"}, "forbidden"},
    };
    begin_with_doorman(world, NULL);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct guest guest;
        size_t sent = world->sent_count;
        asks(world, &guest, &(struct ask){.target = "/"});
        says(world, DOOR_SHUT, rows[i].status, &rows[i].field, NULL, "his own page");
        assert_int_equal(world->sent_count, sent);
        assert_int_equal(guest.visitor.status, rows[i].status);
        assert_told(&guest, rows[i].field.name, rows[i].field.value);
        assert_told(&guest, "cache-control", "no-store");
        if (rows[i].error) assert_told(&guest, "x-tunnel-error", rows[i].error);
        assert_int_equal(told(&guest, "x-tunnel-error").ptr != NULL, rows[i].error != NULL);
        assert_int_equal(guest.visitor.error != HTTP_ERROR_NONE, rows[i].error != NULL);
        assert_true(shows(&guest, "his own page"));
        forget(&guest);
    }
}

static void a_doorman_who_says_nothing_lets_nobody_in(void **state) {
    struct world *world = *state;
    static const struct {
        enum door_says says;
        enum http_error error;
    } rows[] = {{DOOR_SILENT, HTTP_ERROR_AUTH_UNAVAILABLE}, {DOOR_BROKEN, HTTP_ERROR_AUTH_FAILED}};
    begin_with_doorman(world, NULL);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct guest guest;
        size_t sent = world->sent_count;
        asks(world, &guest, &(struct ask){.target = "/"});
        says(world, rows[i].says, 0, NULL, NULL, "");
        assert_int_equal(guest.visitor.error, rows[i].error);
        assert_int_equal(world->sent_count, sent);
        forget(&guest);
    }
    doorman.refuses = true;
    is_refused(world, &(struct ask){.target = "/"}, HTTP_ERROR_OVERLOADED);
}

/* He is not told what was for the rules, and who does not pass these is not spoken of. */
static void a_doorman_comes_behind_the_rules(void **state) {
    struct world *world = *state;
    struct guest guest;
    begin_with_doorman(world, "methods=GET");
    is_refused(world, &(struct ask){.target = "/", .method = "PUT"}, HTTP_ERROR_FORBIDDEN);
    assert_int_equal(doorman.asked, 0);
    asks(world, &guest, &(struct ask){.target = "/"});
    assert_int_equal(doorman.asked, 1);
    says(world, DOOR_OPEN, 0, NULL, NULL, "");
    is_answered(world, &guest, "");
    assert_int_equal(doorman.asked, 1);
    forget(&guest);
}

/* What was shown to the rules is gone by then, and is not asked for again. */
static void what_passed_the_rules_is_not_asked_twice(void **state) {
    struct world *world = *state;
    struct guest guest;
    static const unsigned char salt[POLICY_SALT_BYTES] = {1};
    char rules[120];
    struct buf text;
    buf_init(&text, sizeof(rules));
    assert_true(buf_append_view(&text, VIEW("basic=")) &&
                policy_hash_append(&text, VIEW("ann:secret-12"), salt));
    assert_true(view_copy_to(buf_view(&text), rules, sizeof(rules)));
    buf_done(&text);
    begin_with_doorman(world, rules);
    asks(world, &guest,
         &(struct ask){.target = "/", .fields = {{"Authorization", "Basic YW5uOnNlY3JldC0xMg=="}}});
    size_t sent = world->sent_count;
    says(world, DOOR_OPEN, 0, NULL, NULL, "");
    assert_int_equal(world->sent_count, sent + 1);
    is_answered(world, &guest, "");
    forget(&guest);
}

/* As programs fold them: a letter or a digit is itself. */
static void names_of_his_fields(void **state) {
    struct world *world = *state;
    static const char *const others[] = {"x-_z09", "x-a_09",  "x-az_9", "x-az0_",
                                         "x-az0",  "x-az099", "y-az09"};
    static const char *const his[] = {"x-az09", "x_az09", "X-AZ09", "x.az09"};
    static const struct view field = {"x-az09", 6};
    begin_with_doorman(world, NULL);
    world->core->settings.door_fields = &field;
    world->core->settings.door_fields_count = 1;
    for (size_t i = 0; i < COUNT(others) + COUNT(his); i++) {
        struct guest guest;
        const char *name = i < COUNT(others) ? others[i] : his[i - COUNT(others)];
        asks(world, &guest, &(struct ask){.target = "/", .fields = {{name, "1"}, {"x-last", "2"}}});
        size_t count = guest.visitor.exchange->headers.count;
        says(world, DOOR_OPEN, 0, NULL, NULL, "");
        if (guest.visitor.exchange->headers.count != count - (i >= COUNT(others))) fail_msg("%s", name);
        assert_non_null(got(world, "x-last").ptr);
        is_answered(world, &guest, "");
        forget(&guest);
    }
}

/* ---- another gateway's visitors ---- */

/* HTTP_ERROR_STALE_EPOCH: nothing stood in its way but the agent, which is of v1. */
static enum http_error comes_from_a_peer(struct world *world, bool is_let_in) {
    struct visitor visitor = {0};
    struct headers none = {0};
    struct view id = view_from_cstr(world->tunnel);
    struct dispatch_event event = {.tunnel_id = id,
                                   .epoch = 1,
                                   .is_let_in = is_let_in,
                                   .visitor = 77,
                                   .gateway = VIEW(""),
                                   .method = VIEW("GET"),
                                   .host = VIEW("a.localhost"),
                                   .target = VIEW("/"),
                                   .headers = &none};
    struct body_source source = {&visitor, on_grant};
    struct answer_sink sink = {&visitor, on_head, on_data, on_end, on_abort};
    buf_init(&visitor.body, 1 << 20);
    visitor.exchange = core_dispatch(world->core, &event, &source, &sink, 64);
    assert_int_equal(visitor.exchange->share.visitor, 77);
    settle(world);
    assert_true(visitor.ended);
    buf_done(&visitor.body);
    return visitor.error;
}

/* Its word that the rules let a visitor in is believed, and wanted: one that is older than rules gives none.
 */
static void a_peer_says_who_was_let_in(void **state) {
    struct world *world = *state;
    assert_int_equal(agent_with_rules(world, "/", NULL), 200);
    assert_int_equal(comes_from_a_peer(world, false), HTTP_ERROR_STALE_EPOCH);
    world->core->settings.visitor_policy = VIEW("methods=GET");
    assert_int_equal(comes_from_a_peer(world, false), HTTP_ERROR_FORBIDDEN);
    assert_int_equal(comes_from_a_peer(world, true), HTTP_ERROR_STALE_EPOCH);
    world->core->settings.visitor_policy = VIEW("methods=PUT"); /* asked there, and not here */
    assert_int_equal(comes_from_a_peer(world, true), HTTP_ERROR_STALE_EPOCH);
    world->core->settings.visitor_policy = VIEW("");
    world->core->ports.doorman = (struct doorman){&doorman, ask_doorman};
    assert_int_equal(comes_from_a_peer(world, false), HTTP_ERROR_FORBIDDEN);
    assert_int_equal(comes_from_a_peer(world, true), HTTP_ERROR_STALE_EPOCH);
    world->core->ports.doorman = (struct doorman){0};
    agent_leaves(world, "one");
    assert_int_equal(agent_with_rules(world, "/", "methods=GET"), 200);
    assert_int_equal(comes_from_a_peer(world, false), HTTP_ERROR_FORBIDDEN);
    assert_int_equal(comes_from_a_peer(world, true), HTTP_ERROR_STALE_EPOCH);
}

/* ---- https ---- */

static void who_comes_by_http_is_sent_to_https(void **state) {
    struct world *world = *state;
    static const struct {
        struct ask ask;
        const char *location; /* NULL: is let in */
        const char *public_url;
    } rows[] = {
        {{.target = "/a?b", .host = "one.localhost"}, "https://one.localhost/a?b", "https://localhost"},
        {{.target = "/a", .host = "one.localhost:80"},
         "https://one.localhost:8443/a",
         "https://localhost:8443"},
        {{.target = "*", .method = "OPTIONS", .host = "one.localhost"},
         "https://one.localhost/",
         "https://localhost"},
        {{.target = "http://one.localhost/x", .host = "one.localhost"},
         "https://one.localhost/x",
         "https://localhost"},
        {{.target = "/one/a", .host = "localhost"}, "https://localhost/dev/one/a", "https://localhost/dev/"},
        {{.target = "/one/a", .host = "[::1]"}, "https://[::1]/one/a", "https://localhost"},
        {{.target = "/a", .host = "one.localhost", .is_proxy = true}, NULL, "https://localhost"},
        {{.target = "/a",
          .host = "one.localhost",
          .is_proxy = true,
          .fields = {{"X-Forwarded-Proto", "HTTP"}}},
         "https://one.localhost/a",
         "https://localhost"},
        {{.target = "/a",
          .host = "one.localhost",
          .is_proxy = true,
          .fields = {{"X-Forwarded-Proto", "https"}}},
         NULL,
         "https://localhost"},
        {{.target = "/a", .host = "one.localhost", .fields = {{"X-Forwarded-Proto", "https"}}},
         "https://one.localhost/a",
         "https://localhost"},
        {{.target = "/a", .host = "one.localhost", .is_https = true}, NULL, "https://localhost"},
        {{.target = "/.well-known/acme-challenge/x", .host = "one.localhost"}, NULL, "https://localhost"},
    };
    static const struct view names[] = {{"::1", 3}};
    world->settings.https_only = true;
    world->settings.other_names = names;
    world->settings.other_names_count = 1;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct guest guest;
        world->settings.public_url = view_from_cstr(rows[i].public_url);
        make_core_anew(world);
        asks(world, &guest, &rows[i].ask);
        if (guest.visitor.status != (rows[i].location ? 308 : 404))
            fail_msg("row %zu: %d", i, guest.visitor.status);
        assert_true(guest.visitor.ended);
        if (rows[i].location) assert_told(&guest, "location", rows[i].location);
        if (rows[i].location) assert_told(&guest, "cache-control", "no-store");
        forget(&guest);
    }
    world->settings.https_only = false;
    make_core_anew(world);
    is_refused(world, &rows[0].ask, HTTP_ERROR_TUNNEL_NOT_FOUND);
}

/* ---- challenges ---- */

static struct view answer_challenge(void *ctx, struct view name, struct view token) {
    assert_ptr_equal(ctx, &doorman);
    bool is_ours = view_eq(name, VIEW("one.localhost")) && view_eq(token, VIEW("token"));
    return is_ours ? VIEW("token.thumbprint") : (struct view){0};
}

static void an_order_under_way_is_answered_for(void **state) {
    struct world *world = *state;
    struct guest guest;
    world->ports.challenges = (struct challenges_port){&doorman, answer_challenge};
    make_core_anew(world);
    asks(world, &guest,
         &(struct ask){.target = "/.well-known/acme-challenge/token", .host = "ONE.localhost:80"});
    assert_int_equal(guest.visitor.status, 200);
    assert_told(&guest, "content-type", "application/octet-stream");
    assert_told(&guest, "cache-control", "no-store");
    assert_true(view_eq(buf_view(&guest.visitor.body), VIEW("token.thumbprint")));
    forget(&guest);
    const struct ask others[] = {
        {.target = "/.well-known/acme-challenge/other", .host = "one.localhost"},
        {.target = "/.well-known/acme-challenge/token", .host = "two.localhost"},
        {.target = "/.well-known/acme-challenge/token", .host = "one.localhost", .method = "POST"},
        {.target = "/.well-known/acme-challenges/token", .host = "one.localhost"},
    };
    for (size_t i = 0; i < COUNT(others); i++) is_refused(world, &others[i], HTTP_ERROR_TUNNEL_NOT_FOUND);
    is_refused(world,
               &(struct ask){.target = "/.well-known/acme-challenge/token",
                             .host = "one.localhost",
                             .fields = {{"Host", "one.localhost"}}},
               HTTP_ERROR_BAD_REQUEST);
}

/* ---- a name that is given back ---- */

static enum status release(struct world *world, const char *name) {
    world->heard = STATUS_INVALID;
    assert_true(core_release(world->core, view_from_cstr(name), on_heard, world));
    assert_int_equal(world->heard, STATUS_INVALID);
    settle(world);
    return world->heard;
}

static void a_name_without_an_agent_is_given_back(void **state) {
    struct world *world = *state;
    struct jwt_settings jwt = {.secret = VIEW(JWT_KEY)};
    char target[2][JWT_TOKEN_MAX];
    for (size_t i = 0; i < 2; i++) {
        struct buf token;
        buf_init(&token, JWT_TOKEN_MAX);
        assert_true(jwt_issue(&jwt, i ? VIEW("bob") : VIEW("ann"), wall_ms(world) / 1000, 3600, &token));
        snprintf(target[i], sizeof(target[i]), "/?name=shop&token=%.*s", VIEW_ARG(buf_view(&token)));
        buf_done(&token);
    }
    assert_int_equal(release(world, "shop"), STATUS_NOT_FOUND);
    assert_int_equal(agent_with_rules(world, target[0], NULL), 200);
    assert_int_equal(release(world, "shop"), STATUS_CONFLICT);
    agent_leaves(world, "one");
    assert_int_equal(agent_connect(world, "two", target[1], NULL, NULL), 409); /* it is kept for ann */
    assert_int_equal(release(world, "shop"), STATUS_OK);
    assert_int_equal(release(world, "shop"), STATUS_NOT_FOUND);
    assert_int_equal(agent_connect(world, "two", target[1], NULL, NULL), 200);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_doorman_is_asked_about_what_the_visitor_sees),
        TEST(what_is_the_doormans_nobody_else_says),
        TEST(without_a_doorman_nothing_is_his),
        TEST(a_doorman_may_shut_the_door),
        TEST(a_doorman_who_says_nothing_lets_nobody_in),
        TEST(a_doorman_comes_behind_the_rules),
        TEST(what_passed_the_rules_is_not_asked_twice),
        TEST(names_of_his_fields),
        TEST(a_peer_says_who_was_let_in),
        TEST(who_comes_by_http_is_sent_to_https),
        TEST(an_order_under_way_is_answered_for),
        TEST_IN(set_up_auth, a_name_without_an_agent_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
