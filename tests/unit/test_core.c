/* The core as a whole: its bounds, and its end. */
#include "handler/core_state.h"
#include "test_core_mailbox.h"

static void too_many_at_once_are_refused(void **state) {
    struct world *world = *state;
    agent_ready(world, "one", "/", NULL);
    struct visitor visitors[5];
    for (int i = 0; i < 5; i++) visit_tunnel(world, &visitors[i], "GET", NULL);
    assert_refused(&visitors[4], HTTP_ERROR_OVERLOADED);
    for (int i = 0; i < 4; i++) exchange_cancel(visitors[i].exchange);
}

/* Fills the places of a tunnel, of which there are four. */
static void visit_four(struct world *world, struct visitor visitors[4]) {
    for (int i = 0; i < 4; i++) {
        visit_tunnel(world, &visitors[i], "GET", NULL);
        assert_int_equal(visitors[i].status, 0);
    }
}

static void leave_all(struct visitor visitors[], size_t count) {
    for (size_t i = 0; i < count; i++) {
        exchange_cancel(visitors[i].exchange);
        buf_done(&visitors[i].body);
    }
}

static void who_waits_for_long_takes_no_place(void **state) {
    struct world *world = *state;
    struct visitor visitors[9];
    agent_ready(world, "one", "/", NULL);
    visit_four(world, visitors);
    pass(world, 4999);
    visit_tunnel(world, &visitors[4], "GET", NULL);
    assert_refused(&visitors[4], HTTP_ERROR_OVERLOADED);
    pass(world, 1);
    visit_four(world, visitors + 4);
    visit_tunnel(world, &visitors[8], "GET", NULL);
    assert_refused(&visitors[8], HTTP_ERROR_OVERLOADED);
    leave_all(visitors, 4); /* those that took none give none back */
    visit_tunnel(world, &visitors[8], "GET", NULL);
    assert_refused(&visitors[8], HTTP_ERROR_OVERLOADED);
    leave_all(visitors + 4, 4);
}

/* Only who waits for the first byte does: an answer that takes long on its way keeps its place. */
static void a_slow_answer_keeps_its_place(void **state) {
    struct world *world = *state;
    struct visitor visitors[5];
    char more[256] = ",\"body\":\"";
    for (int i = 0; i < 50; i++) strcat(more, "YWFh"); /* more than the window */
    strcat(more, "\"");
    agent_ready(world, "one", "/", NULL);
    visit_four(world, visitors);
    for (size_t i = 0; i < 4; i++) {
        agent_answers(world, "one", world->sent[1 + i].message->request_id, 200, more);
        assert_int_equal(visitors[i].status, 200);
        assert_false(visitors[i].ended);
    }
    pass(world, 60000);
    visit_tunnel(world, &visitors[4], "GET", NULL);
    assert_refused(&visitors[4], HTTP_ERROR_OVERLOADED);
    leave_all(visitors, 4);
}

/* Of four places the last is for nobody who has two. */
static void one_visitor_has_his_share(void **state) {
    struct world *world = *state;
    struct visitor visitors[5], refused;
    agent_ready(world, "one", "/", NULL);
    world->visitor = 7;
    visit_tunnel(world, &visitors[0], "GET", NULL);
    visit_tunnel(world, &visitors[1], "GET", NULL);
    visit_tunnel(world, &visitors[2], "GET", NULL); /* while there are enough */
    visit_tunnel(world, &refused, "GET", NULL);
    assert_refused(&refused, HTTP_ERROR_OVERLOADED);
    world->visitor = 8;
    visit_tunnel(world, &visitors[3], "GET", NULL);
    assert_int_equal(visitors[3].status, 0);
    world->visitor = 9; /* full is full */
    visit_tunnel(world, &refused, "GET", NULL);
    assert_refused(&refused, HTTP_ERROR_OVERLOADED);
    leave_all(visitors, 4);
}

static void nobody_in_particular_has_no_share(void **state) {
    struct world *world = *state;
    struct visitor visitors[4];
    agent_ready(world, "one", "/", NULL);
    visit_four(world, visitors);
    leave_all(visitors, 4);
    world->settings.visitor_share_percent = 0;
    make_core_anew(world);
    agent_ready(world, "two", "/", NULL);
    world->visitor = 7;
    visit_four(world, visitors);
    leave_all(visitors, 4);
}

/* Bodies that are awaited: who has stalled for longest goes, and nobody who has done so for less than 5 s. */
static void the_longest_stalled_makes_room(void **state) {
    struct world *world = *state;
    struct visitor visitors[4], late;
    agent_ready(world, "one", "/", NULL);
    for (int i = 0; i < 4; i++) visit_tunnel(world, &visitors[i], "POST", "5");
    pass(world, 20000);
    exchange_stalled(visitors[1].exchange, core_now_ms(world->core) - 5000);
    exchange_stalled(visitors[2].exchange, core_now_ms(world->core) - 9000);
    exchange_stalled(visitors[3].exchange, core_now_ms(world->core) - 4999);
    visit_tunnel(world, &late, "GET", NULL);
    assert_refused(&visitors[2], HTTP_ERROR_REQUEST_TIMEOUT);
    assert_int_equal(late.status, 0);
    visit_tunnel(world, &visitors[2], "GET", NULL);
    assert_refused(&visitors[1], HTTP_ERROR_REQUEST_TIMEOUT);
    assert_int_equal(visitors[2].status, 0);
    visit_tunnel(world, &visitors[1], "GET", NULL);
    assert_refused(&visitors[1], HTTP_ERROR_OVERLOADED);
    exchange_stalled(visitors[3].exchange, 0); /* he goes on */
    pass(world, 4000);
    visit_tunnel(world, &visitors[1], "GET", NULL);
    assert_refused(&visitors[1], HTTP_ERROR_OVERLOADED);
    visitors[1] = late;
    leave_all(visitors, 4);
}

/* Two that come in one turn do not both take the place of one. */
static void each_place_is_given_once(void **state) {
    struct world *world = *state;
    struct visitor visitors[4], late[2];
    char host[128];
    agent_ready(world, "one", "/", NULL);
    snprintf(host, sizeof(host), "%s.localhost:8080", world->tunnel);
    for (int i = 0; i < 4; i++) visit_tunnel(world, &visitors[i], "POST", "5");
    pass(world, 20000);
    exchange_stalled(visitors[0].exchange, core_now_ms(world->core) - 6000);
    begin_visit(world, &late[0], "GET", host, "/", NULL);
    begin_visit(world, &late[1], "GET", host, "/", NULL);
    settle(world);
    assert_refused(&visitors[0], HTTP_ERROR_REQUEST_TIMEOUT);
    assert_int_equal(late[0].status, 0);
    assert_refused(&late[1], HTTP_ERROR_OVERLOADED);
    visitors[0] = late[0];
    leave_all(visitors, 4);
}

static void all_tunnels_together_have_so_many_places(void **state) {
    struct world *world = *state;
    struct visitor visitors[5];
    world->settings.exchanges_total = 4;
    world->settings.exchanges_per_tunnel = 256;
    make_core_anew(world);
    agent_ready(world, "one", "/", NULL);
    visit_four(world, visitors);
    visit_tunnel(world, &visitors[4], "GET", NULL);
    assert_refused(&visitors[4], HTTP_ERROR_OVERLOADED);
    visit(world, &visitors[4], "GET", "example.com", "/", NULL); /* what is wrong with it comes first */
    assert_refused(&visitors[4], HTTP_ERROR_UNKNOWN_HOST);
    exchange_cancel(visitors[3].exchange);
    visit_tunnel(world, &visitors[3], "GET", NULL);
    assert_int_equal(visitors[3].status, 0);
    leave_all(visitors, 4);
}

/* A ticket is a place and a number, of which another one has the next. */
static void tickets_find_who_is_there(void **state) {
    struct world *world = *state;
    struct visitor visitor;
    agent_ready(world, "one", "/", NULL);
    assert_null(exchange_find(world->core, 0));
    for (size_t i = 0; i < 1000; i++) {
        begin_visit(world, &visitor, "GET", "abc.localhost", "/", NULL);
        uint64_t ticket = visitor.exchange->ticket;
        assert_ptr_equal(exchange_find(world->core, ticket), visitor.exchange);
        assert_null(exchange_find(world->core, ticket + ((uint64_t)1 << 32)));
        exchange_cancel(visitor.exchange);
        assert_null(exchange_find(world->core, ticket));
        settle(world);
    }
    assert_int_equal(world->core->slot_count, 256); /* places are used again */
    assert_int_equal(world->core->free_count, 256);
    assert_null(exchange_find(world->core, 256));
}

static void a_visitor_may_leave_at_once(void **state) {
    struct world *world = *state;
    struct visitor visitor;
    begin_visit(world, &visitor, "GET", "example.com", "/", NULL);
    exchange_cancel(visitor.exchange);
    settle(world);
    assert_int_equal(visitor.status, 0);
}

static void a_host_may_be_out_of_time(void **state) {
    struct world *world = *state;
    struct visitor visitor;
    agent_ready(world, "one", "/", NULL);
    visit_tunnel(world, &visitor, "GET", NULL);
    exchange_expire(visitor.exchange);
    assert_refused(&visitor, HTTP_ERROR_TIMEOUT);
}

static void the_core_may_end_with_work_under_way(void **state) {
    struct world *world = *state;
    agent_ready(world, "one", "/", NULL);
    struct visitor visitor;
    visit_tunnel(world, &visitor, "GET", NULL);
    core_free(world->core);
    assert_true(visitor.aborted);
    struct core_settings settings;
    core_settings_init(&settings);
    struct ports ports = {.clock = {.timers = &world->timers, .tasks = &world->tasks}};
    world->core = core_new(&settings, &ports);
    store_memory_listen(world->store, core_store_events(world->core));
}

/* ---- settings ---- */

static void settings_begin_as_their_header_says(void **state) {
    (void)state;
    struct core_settings settings;
    core_settings_init(&settings);
    const struct {
        const char *name;
        uint64_t is, is_to_be;
    } rows[] = {
        {"subdomain_routing", settings.subdomain_routing, true},
        {"path_routing", settings.path_routing, true},
        {"jwt.leeway_s", settings.jwt.leeway_s, 30},
        {"v1_body_bytes", settings.v1_body_bytes, 2097152},
        {"request_timeout_ms", settings.request_timeout_ms, 25000},
        {"request_timeout_max_ms", settings.request_timeout_max_ms, 3600000},
        {"body_idle_timeout_ms", settings.body_idle_timeout_ms, 300000},
        {"heartbeat_ms", settings.heartbeat_ms, 0},
        {"pending_ms", settings.pending_ms, 30000},
        {"grace_ms", settings.grace_ms, 5000},
        {"retire_ms", settings.retire_ms, 30000},
        {"keep_anonymous_ms", settings.keep_anonymous_ms, 300000},
        {"keep_owned_ms", settings.keep_owned_ms, 86400000},
        {"claim_ttl_ms", settings.claim_ttl_ms, 0},
        {"recheck_waiting_ms", settings.recheck_waiting_ms, 0},
        {"recheck_sent_ms", settings.recheck_sent_ms, 0},
        {"resume_ttl_ms", settings.resume_ttl_ms, 604800000},
        {"exchanges_per_tunnel", settings.exchanges_per_tunnel, 256},
        {"visitor_share_percent", settings.visitor_share_percent, 50},
        {"long_lived_per_tunnel", settings.long_lived_per_tunnel, 4096},
        {"long_wait_ms", settings.long_wait_ms, 5000},
        {"exchanges_total", settings.exchanges_total, 16384},
        {"tunnel_requests_per_second", settings.tunnel_requests_per_second, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].is != rows[i].is_to_be)
            fail_msg("%s: %llu", rows[i].name, (unsigned long long)rows[i].is);
}

/* A whole body in base64, headers of nothing but control characters, and room for the rest. */
static void the_largest_message_is_the_largest_request(void **state) {
    (void)state;
    struct core_settings settings;
    core_settings_init(&settings);
    settings.limits.v1_headers_bytes = 1000;
    for (size_t bytes = 0; bytes < 7; bytes++) {
        static const size_t base64[] = {0, 4, 4, 4, 8, 8, 8};
        settings.v1_body_bytes = bytes;
        assert_int_equal(core_settings_message_max(&settings), base64[bytes] + 6000 + 65536);
    }
}

/* Texts that are gone when the core has been made: the sanitizers see who looks at them afterwards. */
static struct view lend(struct arena *arena, const char *text) {
    struct view copy = arena_copy(arena, view_from_cstr(text));
    assert_non_null(copy.ptr);
    return copy;
}

static const struct view *lend_two(struct arena *arena, const char *first, const char *second) {
    struct view *both = arena_alloc(arena, 2 * sizeof(*both));
    assert_non_null(both);
    both[0] = lend(arena, first);
    both[1] = lend(arena, second);
    return both;
}

static void make_core_of_lent_settings(struct world *world, const struct jwt_settings *jwt) {
    struct arena arena;
    struct core_settings settings;
    arena_init(&arena, 65536);
    core_settings_init(&settings);
    settings.domain = lend(&arena, "tunnel.test");
    settings.public_url = lend(&arena, "https://tunnel.test:8443");
    settings.resume_secret = lend(&arena, "0123456789abcdef0123456789abcdef");
    settings.gateway = lend(&arena, "wss://a.test");
    settings.require_auth = settings.guards_names = true;
    settings.jwt = (struct jwt_settings){.secret = lend(&arena, JWT_KEY),
                                         .audience = lend(&arena, jwt->audience.ptr),
                                         .issuer = lend(&arena, jwt->issuer.ptr)};
    for (size_t i = 0; i < JWT_OLDER_MAX; i++)
        settings.jwt.older[i] = lend(&arena, "an-older-secret-of-thirty-two-by");
    settings.visitor_policy = lend(&arena, "methods=GET");
    settings.door_fields = lend_two(&arena, "x-door-a", "x-door-b");
    settings.door_cookies = lend_two(&arena, "a_", "b_");
    settings.other_names = lend_two(&arena, "first.test", "other.test");
    settings.allowed_names = lend_two(&arena, "api", "www");
    settings.pass_fields = lend_two(&arena, "true-client-ip", "x-real-ip");
    settings.allowed_origins = lend_two(&arena, "http://first.test", "http://other.test");
    settings.other_names_count = settings.allowed_names_count = settings.pass_fields_count =
        settings.allowed_origins_count = settings.door_fields_count = settings.door_cookies_count = 2;
    world->settings = settings;
    make_core_anew(world);
    arena_done(&arena);
}

static void what_settings_point_to_is_copied(void **state) {
    struct world *world = *state;
    struct jwt_settings jwt = {.secret = VIEW(JWT_KEY), .audience = VIEW("tunnels"), .issuer = VIEW("here")};
    static const char *const hosts[] = {"www.tunnel.test", "first.test", "other.test", "tunnel.test"};
    char target[JWT_TOKEN_MAX], resume[1024];
    struct buf token;
    make_core_of_lent_settings(world, &jwt);
    buf_init(&token, JWT_TOKEN_MAX);
    assert_true(jwt_issue(&jwt, VIEW("alice"), wall_ms(world) / 1000, 60, &token));
    snprintf(target, sizeof(target), "/?name=www&token=%.*s", VIEW_ARG(buf_view(&token)));
    buf_done(&token);
    assert_int_equal(agent_connect(world, "one", target, NULL, "http://evil.test"), 403);
    assert_int_equal(agent_connect(world, "one", target, NULL, "http://other.test"), 200);
    agent_says(world, "one", "{\"type\":\"ready\",\"capabilities\":[\"resume\"]}");
    assert_true(view_eq(last_sent(world)->public_url, VIEW("https://www.tunnel.test:8443")));
    assert_true(view_copy_to(last_sent(world)->resume, resume, sizeof(resume)));
    world->more = (struct header){VIEW("X-Real-IP"), VIEW("198.51.100.7")};
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        struct visitor visitor;
        visit(world, &visitor, "GET", hosts[i], i == 0 ? "/a" : "/www/a", NULL);
        assert_true(view_eq(last_sent(world)->uri, VIEW("/a")));
        assert_true(view_eq(headers_get(&last_sent(world)->headers, VIEW("x-real-ip")), world->more.value));
        exchange_cancel(visitor.exchange);
        buf_done(&visitor.body);
    }
    assert_int_equal(agent_connect(world, "two", target, resume, NULL), 200);
    assert_string_equal(world->tunnel, "www");
    /* in places of its own, whether or not something else has been written to the lent ones since */
    const struct core_settings *lent = &world->settings, *own = &world->core->settings;
    for (size_t i = 0; i < JWT_OLDER_MAX; i++) {
        assert_ptr_not_equal(own->jwt.older[i].ptr, lent->jwt.older[i].ptr);
        assert_true(view_eq(own->jwt.older[i], VIEW("an-older-secret-of-thirty-two-by")));
    }
    assert_ptr_not_equal(own->door_fields, lent->door_fields);
    assert_true(view_eq(own->door_fields[1], VIEW("x-door-b")));
    assert_ptr_not_equal(own->door_cookies, lent->door_cookies);
    assert_true(view_eq(own->door_cookies[0], VIEW("a_")));
    assert_ptr_not_equal(own->visitor_policy.ptr, lent->visitor_policy.ptr);
    assert_true(view_eq(own->visitor_policy, VIEW("methods=GET")));
}

static void other_keys_check_tokens(void **state) {
    struct world *world = *state;
    const struct jwks *keys = (const struct jwks *)(uintptr_t)world; /* not looked into */
    core_set_token_keys(world->core, keys);
    assert_ptr_equal(world->core->settings.jwt.keys, keys);
}

static void a_core_may_refuse_what_is_new(void **state) {
    struct world *world = *state;
    struct visitor early, late;
    agent_ready(world, "one", "/", NULL);
    visit_tunnel(world, &early, "GET", NULL);
    struct view id = last_sent(world)->request_id;
    core_refuse_new(world->core, true);
    visit_tunnel(world, &late, "GET", NULL);
    assert_refused(&late, HTTP_ERROR_OVERLOADED);
    agent_answers(world, "one", id, 204, "");
    assert_int_equal(early.status, 204);
    core_refuse_new(world->core, false);
    visit_tunnel(world, &late, "GET", NULL);
    assert_int_not_equal(exchange_facts(late.exchange).given_us, 0);
    agent_answers(world, "one", last_sent(world)->request_id, 204, "");
    assert_int_equal(late.status, 204);
}

static void another_secret_makes_and_checks_resume_tokens(void **state) {
    struct world *world = *state;
    static const unsigned char secret[SECRET_LEN] = "fedcba9876543210fedcba987654321";
    char old[1024] = "", fresh[1024] = "", first[64], second[64];
    agent_ready(world, "one", "/", old);
    strcpy(first, world->tunnel);
    core_set_resume_secret(world->core, secret);
    agent_ready(world, "two", "/", old);
    strcpy(second, world->tunnel);
    assert_string_not_equal(second, first);
    agent_ready(world, "three", "/", fresh);
    strcpy(second, world->tunnel);
    agent_ready(world, "four", "/", fresh);
    assert_string_equal(world->tunnel, second);
}

/* ---- the end ---- */

static void what_has_expired_is_removed(void **state) {
    struct world *world = *state;
    world->heard = STATUS_UNAVAILABLE;
    core_cleanup(world->core, on_heard, world);
    assert_int_equal(world->heard, STATUS_UNAVAILABLE);
    settle(world);
    assert_int_equal(world->heard, STATUS_OK);
    core_cleanup(world->core, NULL, NULL);
    settle(world);
}

static void on_never(void *ctx, enum status status) {
    (void)ctx, (void)status;
    fail_msg("a core that has ended completes nothing");
}

static void on_never_connected(void *ctx, const struct connect_outcome *outcome) {
    (void)outcome;
    on_never(ctx, STATUS_OK);
}

static void begin_to_connect(struct world *world, const char *connection, struct view origin) {
    struct header field = {VIEW("origin"), origin};
    struct headers headers = {.fields = &field, .count = origin.len ? 1 : 0};
    struct connect_event event = {
        .connection_id = view_from_cstr(connection), .target = VIEW("/"), .headers = &headers};
    core_connect(world->core, &event, on_never_connected, world);
}

/* One of each kind; the store is the first to end. */
static void the_core_may_end_with_operations_under_way(void **state) {
    struct world *world = *state;
    agent_ready(world, "one", "/", NULL);
    begin_to_connect(world, "two", (struct view){0});
    begin_to_connect(world, "three", VIEW("http://evil.test"));
    core_message(world->core, VIEW("one"), VIEW("{\"type\":\"ping\"}"), on_never, world);
    core_message(world->core, VIEW("one"), VIEW("{\"type\":\"ready\"}"), on_never, world);
    core_message(world->core, VIEW("one"), VIEW("nonsense"), on_never, world);
    core_disconnect(world->core, VIEW("four"), on_never, world);
    core_cleanup(world->core, on_never, world);
    assert_true(core_certify(world->core, VIEW("localhost"), on_never, world));
    assert_true(core_certify(world->core, VIEW("name.localhost"), on_never, world));
    store_memory_free(world->store);
    core_free(world->core);
    while (tasks_run(&world->tasks)) continue;
    core_free(NULL);
    world->store = store_memory_new(&world->tasks, wall_ms, world);
    world->core = core_new(&(struct core_settings){.domain = VIEW("localhost")}, &world->ports);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(too_many_at_once_are_refused),
        TEST(who_waits_for_long_takes_no_place),
        TEST(a_slow_answer_keeps_its_place),
        TEST(one_visitor_has_his_share),
        TEST(nobody_in_particular_has_no_share),
        TEST(the_longest_stalled_makes_room),
        TEST(each_place_is_given_once),
        TEST(all_tunnels_together_have_so_many_places),
        TEST(tickets_find_who_is_there),
        TEST(a_visitor_may_leave_at_once),
        TEST(a_host_may_be_out_of_time),
        TEST(settings_begin_as_their_header_says),
        TEST(the_largest_message_is_the_largest_request),
        TEST(what_settings_point_to_is_copied),
        TEST(other_keys_check_tokens),
        TEST(a_core_may_refuse_what_is_new),
        TEST(another_secret_makes_and_checks_resume_tokens),
        TEST(what_has_expired_is_removed),
        TEST(the_core_may_end_with_work_under_way),
        TEST(the_core_may_end_with_operations_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
