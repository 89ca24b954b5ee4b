/* Dispatch: which agent a request goes to, how long it waits for one, and how many a tunnel is sent. */
#include "test_core_mailbox.h"

static void nobody_there(void **state) {
    struct world *world = *state;
    struct visitor visitor;
    visit(world, &visitor, "GET", "neverclaimed.localhost", "/", NULL);
    assert_refused(&visitor, HTTP_ERROR_TUNNEL_NOT_FOUND);
    visit(world, &visitor, "GET", "example.com", "/", NULL);
    assert_refused(&visitor, HTTP_ERROR_UNKNOWN_HOST);
}

static void an_agent_that_has_gone_is_waited_for_then_offline(void **state) {
    struct world *world = *state;
    agent_ready(world, "one", "/", NULL);
    agent_leaves(world, "one");
    pass(world, 2000);
    struct visitor visitor;
    visit_tunnel(world, &visitor, "GET", NULL);
    assert_int_equal(visitor.status, 0);
    pass(world, 2900);
    assert_int_equal(visitor.status, 0);
    pass(world, 200); /* 5.1 s after it left */
    assert_refused(&visitor, HTTP_ERROR_AGENT_OFFLINE);
    visit_tunnel(world, &visitor, "GET", NULL); /* gone for longer than the grace: at once */
    assert_refused(&visitor, HTTP_ERROR_AGENT_OFFLINE);
    pass(world, 5 * 60 * 1000);
    visit_tunnel(world, &visitor, "GET", NULL);
    assert_refused(&visitor, HTTP_ERROR_TUNNEL_NOT_FOUND);
}

static void a_request_before_ready_waits_for_it(void **state) {
    struct world *world = *state;
    assert_int_equal(agent_connect(world, "one", "/", NULL, NULL), 200);
    struct visitor visitor;
    visit_tunnel(world, &visitor, "GET", NULL);
    assert_int_equal(world->sent_count, 0);
    agent_says(world, "one", "{\"type\":\"ready\"}");
    assert_int_equal(world->sent_count, 2);
    assert_int_equal(world->sent[0].message->type, V1_CONNECTION_ESTABLISHED);
    assert_int_equal(world->sent[1].message->type, V1_HTTP_REQUEST);
    agent_answers(world, "one", last_sent(world)->request_id, 200, "");
    assert_int_equal(visitor.status, 200);
}

static void a_get_is_sent_once_more_to_the_agent_that_came_back(void **state) {
    struct world *world = *state;
    char resume[1024] = "";
    agent_ready(world, "one", "/", resume);
    char tunnel[64];
    strcpy(tunnel, world->tunnel);
    struct visitor visitor;
    visit_tunnel(world, &visitor, "GET", NULL);
    agent_leaves(world, "one");
    assert_int_equal(visitor.status, 0);
    pass(world, 1000);
    assert_int_equal(agent_connect(world, "two", "/", resume, NULL), 200);
    assert_string_equal(world->tunnel, tunnel);
    agent_says(world, "two", "{\"type\":\"ready\"}");
    assert_int_equal(last_sent(world)->type, V1_HTTP_REQUEST);
    assert_string_equal(world->sent[world->sent_count - 1].connection, "two");
    agent_leaves(world, "two"); /* twice is enough */
    assert_refused(&visitor, HTTP_ERROR_AGENT_LOST);
}

static void a_post_in_flight_is_lost_at_once(void **state) {
    struct world *world = *state;
    agent_ready(world, "one", "/", NULL);
    struct visitor visitor;
    visit_tunnel(world, &visitor, "POST", NULL);
    agent_leaves(world, "one");
    assert_refused(&visitor, HTTP_ERROR_AGENT_LOST);
}

static void a_post_that_never_left_waits_for_the_next_agent(void **state) {
    struct world *world = *state;
    char resume[1024] = "";
    agent_ready(world, "one", "/", resume);
    strcpy(world->dead, "one");
    struct visitor visitor;
    visit_tunnel(world, &visitor, "POST", NULL);
    assert_int_equal(visitor.status, 0);
    agent_connect(world, "two", "/", resume, NULL);
    agent_says(world, "two", "{\"type\":\"ready\"}");
    assert_int_equal(last_sent(world)->type, V1_HTTP_REQUEST);
    agent_answers(world, "two", last_sent(world)->request_id, 200, "");
    assert_int_equal(visitor.status, 200);
}

static void a_request_waits_for_an_agent_that_the_store_does_not_tell_of(void **state) {
    struct world *world = *state;
    assert_int_equal(agent_connect(world, "one", "/", NULL, NULL), 200);
    struct visitor visitor;
    visit_tunnel(world, &visitor, "GET", NULL);
    pass(world, 600);
    agent_says(world, "one", "{\"type\":\"ready\"}");
    assert_int_equal(last_sent(world)->type, V1_CONNECTION_ESTABLISHED);
    pass(world, 250);
    assert_int_equal(last_sent(world)->type, V1_HTTP_REQUEST);
    exchange_cancel(visitor.exchange);
}

/* Another process has seen the agent leave, and come back. */
static void a_request_in_flight_looks_at_the_claim_again(void **state) {
    struct world *world = *state;
    char resume[1024] = "";
    struct visitor get, post;
    agent_ready(world, "one", "/", resume);
    visit_tunnel(world, &get, "GET", NULL);
    visit_tunnel(world, &post, "POST", "0");
    exchange_body_end(post.exchange);
    settle(world);
    pass(world, 1000);
    assert_int_equal(get.status, 0);
    agent_ready(world, "two", "/", resume);
    pass(world, 1000);
    assert_refused(&post, HTTP_ERROR_AGENT_LOST);
    assert_string_equal(world->sent[world->sent_count - 1].connection, "two");
    assert_int_equal(last_sent(world)->type, V1_HTTP_REQUEST);
    exchange_cancel(get.exchange);
    buf_done(&get.body);
}

static void on_claim(void *target, uint64_t ticket, enum status status, const struct claim *claim,
                     struct view options) {
    (void)ticket, (void)options;
    assert_int_equal(status, STATUS_OK);
    *(enum claim_state *)target = claim->member.state;
}

static void a_post_that_finds_nobody_takes_the_claim_offline(void **state) {
    struct world *world = *state;
    struct registry registry = store_memory_registry(world->store);
    struct visitor visitor;
    enum claim_state claim_state = CLAIM_CONNECTING;
    agent_ready(world, "one", "/", NULL);
    strcpy(world->dead, "one");
    visit_tunnel(world, &visitor, "GET", NULL);
    registry.lookup(registry.ctx, view_from_cstr(world->tunnel), on_claim, &claim_state, 0);
    settle(world);
    assert_int_equal(claim_state, CLAIM_OFFLINE);
    pass(world, 5000);
    assert_refused(&visitor, HTTP_ERROR_AGENT_OFFLINE);
}

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

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(nobody_there),
        TEST(an_agent_that_has_gone_is_waited_for_then_offline),
        TEST(a_request_before_ready_waits_for_it),
        TEST(a_get_is_sent_once_more_to_the_agent_that_came_back),
        TEST(a_post_in_flight_is_lost_at_once),
        TEST(a_post_that_never_left_waits_for_the_next_agent),
        TEST_IN(set_up_silent, a_request_waits_for_an_agent_that_the_store_does_not_tell_of),
        TEST_IN(set_up_silent, a_request_in_flight_looks_at_the_claim_again),
        TEST(a_post_that_finds_nobody_takes_the_claim_offline),
        TEST_IN(set_up_limited, a_tunnel_has_so_many_requests_a_second),
        TEST_IN(set_up_limited, what_is_sent_again_is_counted_once),
        TEST_IN(set_up_limited, what_is_not_sent_is_not_counted),
        TEST_IN(set_up_limited, what_others_have_sent_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
