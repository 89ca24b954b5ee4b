/* What an agent is told of itself and its gateway, and what of its words is kept for people (the log). */
#include "base/log.h"
#include "test_core_guest.h"

static char lines[4000];

static void on_line(void *ctx, enum log_level level, const char *component, struct view line) {
    size_t at = strlen(lines);
    (void)ctx, (void)level;
    snprintf(lines + at, sizeof(lines) - at, "%s: %.*s\n", component, VIEW_ARG(line));
}

static bool was_logged(const char *text) {
    bool was = strstr(lines, text) != NULL;
    lines[0] = '\0';
    return was;
}

static int set_up_log(void **state) {
    lines[0] = '\0';
    log_set_sink(on_line, NULL);
    log_set_level(LOG_LEVEL_INFO);
    return set_up(state);
}

static int tear_down_log(void **state) {
    log_set_sink(NULL, NULL);
    return tear_down(state);
}

static struct v1_message *ready(struct world *world) {
    agent_says(world, "one", "{\"type\":\"ready\",\"capabilities\":[\"resume\",\"domains\"]}");
    assert_int_equal(last_sent(world)->type, V1_CONNECTION_ESTABLISHED);
    return last_sent(world);
}

/* ---- when it is ready ---- */

static void what_the_gateway_can(void **state) {
    struct world *world = *state;
    assert_int_equal(agent_with_rules(world, "/", NULL), 200);
    const struct v1_message *said = ready(world);
    assert_int_equal(said->capabilities, V1_CAP_RESUME);
    assert_int_equal(said->heartbeat_s, 0);
    assert_int_equal(said->token_s, 0);
    agent_leaves(world, "one");
    assert_int_equal(agent_with_rules(world, "/", "methods=GET"), 200);
    assert_int_equal(ready(world)->capabilities, V1_CAP_RESUME | V1_CAP_POLICY); /* rules are enforced here */
    agent_leaves(world, "one");
    world->core->settings.custom_domains = true;
    world->core->settings.heartbeat_ms = 20000;
    assert_int_equal(agent_with_rules(world, "/", NULL), 200);
    said = ready(world);
    assert_int_equal(said->capabilities, V1_CAP_RESUME | V1_CAP_DOMAINS);
    assert_int_equal(said->heartbeat_s, 20);
}

/* Whole seconds, and one where it is less: 0 would say that it has no end. */
static void how_long_its_token_is_good(void **state) {
    struct world *world = *state;
    static const struct {
        uint64_t left_ms, told_s;
    } rows[] = {{60000, 60}, {59999, 59}, {2001, 2}, {1000, 1}, {999, 1}, {1, 1}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct headers none = {0};
        struct connect_event event = {.connection_id = VIEW("one"),
                                      .target = VIEW("/"),
                                      .headers = &none,
                                      .subject = VIEW("ann"),
                                      .subject_end_ms = wall_ms(world) + rows[i].left_ms};
        world->connect_status = 0;
        core_connect(world->core, &event, on_connected, world);
        settle(world);
        assert_int_equal(world->connect_status, 200);
        if (ready(world)->token_s != rows[i].told_s) fail_msg("row %zu", i);
        agent_leaves(world, "one");
    }
}

static void what_has_expired(void **state) {
    struct world *world = *state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(agent_with_rules(world, "/", NULL), 200);
        core_expire(world->core, VIEW("one"), i);
        settle(world);
        assert_int_equal(last_sent(world)->type, V1_ERROR);
        assert_true(view_eq(last_sent(world)->code, VIEW("token_expired")));
        assert_true(
            view_eq(last_sent(world)->message,
                    i ? VIEW("The certificate of this connection has expired: connect with a new one.")
                      : VIEW("The token of this connection has expired: connect with a new one.")));
        assert_true(was_logged(i ? "one: its certificate has expired" : "one: its token has expired"));
        agent_leaves(world, "one");
    }
}

/* ---- the log ---- */

static void what_an_agent_says_amiss(void **state) {
    struct world *world = *state;
    struct guest guest;
    assert_int_equal(agent_with_rules(world, "/", NULL), 200);
    lines[0] = '\0';
    agent_says(world, "one", "nonsense");
    assert_true(was_logged("one: a malformed message was dropped"));
    agent_says(world, "one",
               "{\"type\":\"error\",\"request_id\":null,\"code\":\"oops\",\"message\":\"it hurts\"}");
    assert_int_equal(world->heard, STATUS_OK);
    assert_true(was_logged("one: it says: oops: it hurts"));
    agent_answers(world, "one", VIEW("unknown"), 200, "");
    assert_true(was_logged("one: an answer to a request that is not (or no more) its own was dropped"));
    is_let_in(world, &guest, &(struct ask){.target = "/"});
    is_answered(world, &guest, "");
    assert_false(was_logged("was dropped"));
    forget(&guest);
}

/* Why a service's answer was refused, and not what was asked for with secrets in it. */
static void what_a_service_says_amiss(void **state) {
    struct world *world = *state;
    struct guest guest;
    char expected[200];
    assert_int_equal(agent_with_rules(world, "/", NULL), 200);
    is_let_in(world, &guest, &(struct ask){.target = "/a?token=secret"});
    agent_answers(world, "one", last_sent(world)->request_id, 199, "");
    assert_int_equal(guest.visitor.error, HTTP_ERROR_BAD_RESPONSE);
    snprintf(expected, sizeof(expected), "answer: %s: GET /a", world->tunnel);
    assert_non_null(strstr(lines, expected));
    assert_null(strstr(lines, "secret"));
    assert_true(was_logged("bad_response: the service sent a status that is none"));
    forget(&guest);
}

/* ---- what a host may know of a request ---- */

static void facts_of_a_request(void **state) {
    struct world *world = *state;
    struct guest guest;
    assert_int_equal(agent_with_rules(world, "/", NULL), 200);
    begin_ask(world, &guest, &(struct ask){.target = "/", .host = "nobody-is.elsewhere"});
    assert_int_equal(exchange_tunnel_key(guest.visitor.exchange), 0);
    settle(world);
    forget(&guest);
    is_let_in(world, &guest, &(struct ask){.target = "/"});
    assert_int_not_equal(exchange_tunnel_key(guest.visitor.exchange), 0);
    struct exchange_facts facts = exchange_facts(guest.visitor.exchange);
    assert_true(view_eq(facts.tunnel, view_from_cstr(world->tunnel)));
    assert_int_equal(facts.owner.len, 0); /* has shown no token */
    assert_int_not_equal(facts.given_us, 0);
    assert_int_equal(facts.answered_us, 0);
    is_answered(world, &guest, "");
    forget(&guest);
}

#define LOGGED(test) cmocka_unit_test_setup_teardown(test, set_up_log, tear_down_log)

int main(void) {
    const struct CMUnitTest tests[] = {
        LOGGED(what_the_gateway_can),      TEST_IN(set_up_auth, how_long_its_token_is_good),
        LOGGED(what_has_expired),          LOGGED(what_an_agent_says_amiss),
        LOGGED(what_a_service_says_amiss), LOGGED(facts_of_a_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
