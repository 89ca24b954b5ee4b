/* How many requests a second a tunnel is sent. */
#include "handler/core_state.h"
#include "test_core_mailbox.h"

static void answer_last(struct world *world, const char *connection, struct visitor *visitor) {
    agent_answers(world, connection, last_sent(world)->request_id, 204, "");
    assert_int_equal(visitor->status, 204);
    buf_done(&visitor->body);
}

static void visit_and_answer(struct world *world, const char *connection) {
    struct visitor visitor;
    visit_tunnel(world, &visitor, "GET", NULL);
    answer_last(world, connection, &visitor);
}

static void visit_in_vain(struct world *world) {
    size_t sent = world->sent_count;
    struct visitor visitor;
    visit_tunnel(world, &visitor, "POST", "5");
    assert_refused(&visitor, HTTP_ERROR_RATE_LIMITED);
    assert_int_equal(visitor.granted, 0);
    assert_int_equal(world->sent_count, sent);
}

static void a_tunnel_has_so_many_requests_a_second(void **state) {
    struct world *world = *state;
    agent_ready(world, "one", "/", NULL);
    char first[64];
    strcpy(first, world->tunnel);
    for (int i = 0; i < 3; i++) visit_and_answer(world, "one"); /* all at once */
    visit_in_vain(world);
    agent_ready(world, "two", "/", NULL); /* another tunnel has its own */
    visit_and_answer(world, "two");
    strcpy(world->tunnel, first);
    for (int i = 0; i < 9; i++) { /* and then one each third of a second */
        pass(world, 200);
        visit_in_vain(world);
        pass(world, 134);
        visit_and_answer(world, "one");
    }
    visit_in_vain(world);
    pass(world, 1000);
    for (int i = 0; i < 3; i++) visit_and_answer(world, "one");
    visit_in_vain(world);
    pass(world, 3600 * 1000); /* no more than in a second are saved up */
    for (int i = 0; i < 3; i++) visit_and_answer(world, "one");
    visit_in_vain(world);
    assert_int_equal(world->timers.count, 1);
    pass(world, 1000);
    assert_int_equal(world->timers.count, 0); /* nothing is kept of a tunnel whose bucket is full */
}

static void what_is_sent_again_is_counted_once(void **state) {
    struct world *world = *state;
    char resume[1024] = "";
    struct visitor visitor;
    agent_ready(world, "one", "/", resume);
    visit_and_answer(world, "one");
    visit_and_answer(world, "one");
    visit_tunnel(world, &visitor, "GET", NULL);
    agent_leaves(world, "one");
    assert_int_equal(agent_connect(world, "two", "/", resume, NULL), 200);
    agent_says(world, "two", "{\"type\":\"ready\"}");
    assert_int_equal(last_sent(world)->type, V1_HTTP_REQUEST);
    answer_last(world, "two", &visitor);
    visit_in_vain(world);
}

/* Neither one that finds nobody nor one that waits for its agent in vain is the agent's. */
static void what_is_not_sent_is_not_counted(void **state) {
    struct world *world = *state;
    char resume[1024] = "";
    struct visitor visitor;
    agent_ready(world, "one", "/", resume);
    agent_leaves(world, "one");
    for (int i = 0; i < 4; i++) {
        visit_tunnel(world, &visitor, "GET", NULL);
        if (i == 0) pass(world, 5000);
        assert_refused(&visitor, HTTP_ERROR_AGENT_OFFLINE);
    }
    agent_ready(world, "two", "/", resume);
    for (int i = 0; i < 3; i++) visit_and_answer(world, "two");
    visit_in_vain(world);
}

static void what_others_have_sent_counts(void **state) {
    struct world *world = *state;
    agent_ready(world, "one", "/", NULL);
    visit_and_answer(world, "one");
    world->others_sent_too_many = true;
    visit_in_vain(world);
    world->others_sent_too_many = false;
    visit_and_answer(world, "one");
    assert_int_equal(world->admitted, 3);
    visit_in_vain(world);
    assert_int_equal(world->admitted, 3); /* its own count was enough */
}

/* ---- tunnels at rest ---- */

static void each_tunnel_rests_for_a_second(void **state) {
    struct world *world = *state;
    agent_ready(world, "one", "/", NULL);
    visit_and_answer(world, "one");
    pass(world, 600);
    agent_ready(world, "two", "/", NULL);
    visit_and_answer(world, "two");
    assert_int_equal(world->core->tunnels.count, 2);
    pass(world, 399);
    assert_int_equal(world->core->tunnels.count, 2);
    pass(world, 1);
    assert_int_equal(world->core->tunnels.count, 1);
    assert_int_equal(world->timers.count, 1);
    pass(world, 599);
    assert_int_equal(world->core->tunnels.count, 1);
    pass(world, 1);
    assert_int_equal(world->core->tunnels.count, 0);
    assert_int_equal(world->timers.count, 0);
    visit_and_answer(world, "two"); /* and is let go of at the end */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST_IN(set_up_limited, a_tunnel_has_so_many_requests_a_second),
        TEST_IN(set_up_limited, what_is_sent_again_is_counted_once),
        TEST_IN(set_up_limited, what_is_not_sent_is_not_counted),
        TEST_IN(set_up_limited, what_others_have_sent_counts),
        TEST_IN(set_up_limited, each_tunnel_rests_for_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
