/* Dispatch: which agent a request goes to and how long it waits for one. */
#include "handler/core_state.h"
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

/* ---- a registry that is asked, and answers when the test says so ---- */

static struct asked {
    registry_claim_fn *done;
    void *target;
    uint64_t ticket;
    unsigned count, forgotten;
} asked;

static void hold(void *ctx, struct view id, registry_claim_fn *done, void *target, uint64_t ticket) {
    (void)ctx;
    assert_true(view_eq(id, view_from_cstr(counting->tunnel)));
    asked.done = done;
    asked.target = target;
    asked.ticket = ticket;
    asked.count++;
}

static void forget(void *ctx, struct view id) {
    (void)ctx;
    assert_true(view_eq(id, view_from_cstr(counting->tunnel)));
    asked.forgotten++;
}

static void hold_lookups(struct world *world) {
    asked = (struct asked){0};
    world->core->ports.registry.lookup = hold;
    world->core->ports.registry.forget = forget;
}

static void tell(struct world *world, enum status status, const struct claim *claim) {
    asked.done(asked.target, asked.ticket, status, claim, VIEW(""));
    settle(world);
}

/* Of the agent that is there, so long after its last change; a negative age is another machine's clock. */
static struct claim claim_of(const struct world *world, enum claim_state claim_state, int64_t age_ms) {
    struct claim claim = {.epoch = 1, .member = {.state = claim_state, .epoch = 1}};
    strcpy(claim.tunnel_id, world->tunnel);
    strcpy(claim.member.link.connection, "one");
    claim.member.changed_ms = (uint64_t)((int64_t)(world->now_ms + 1700000000000) - age_ms);
    return claim;
}

static void how_long_an_agent_is_waited_for(void **state) {
    struct world *world = *state;
    static const struct {
        enum claim_state state;
        int64_t age_ms;
        uint64_t wait_ms;
    } rows[] = {{CLAIM_OFFLINE, 0, 5000},  {CLAIM_OFFLINE, 1000, 4000},   {CLAIM_OFFLINE, 4999, 1},
                {CLAIM_OFFLINE, 5000, 0},  {CLAIM_OFFLINE, 90000, 0},     {CLAIM_OFFLINE, -10000, 5000},
                {CLAIM_OFFLINE, -1, 5000}, {CLAIM_CONNECTING, 9000, 5000}};
    agent_ready(world, "one", "/", NULL);
    hold_lookups(world);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct visitor visitor;
        struct claim claim = claim_of(world, rows[i].state, rows[i].age_ms);
        visit_tunnel(world, &visitor, "GET", NULL);
        tell(world, STATUS_OK, &claim);
        if (rows[i].wait_ms > 0) pass(world, rows[i].wait_ms - 1);
        if (rows[i].wait_ms > 0) assert_int_equal(visitor.status, 0);
        pass(world, rows[i].wait_ms ? 1 : 0);
        assert_refused(&visitor, HTTP_ERROR_AGENT_OFFLINE);
    }
}

static void a_registry_that_is_away_is_not_the_visitors_fault(void **state) {
    struct world *world = *state;
    struct visitor visitor;
    agent_ready(world, "one", "/", NULL);
    hold_lookups(world);
    visit_tunnel(world, &visitor, "GET", NULL);
    tell(world, STATUS_UNAVAILABLE, NULL);
    assert_refused(&visitor, HTTP_ERROR_OVERLOADED);
    visit_tunnel(world, &visitor, "GET", NULL);
    exchange_cancel(visitor.exchange); /* he does not wait to hear it */
    tell(world, STATUS_UNAVAILABLE, NULL);
    buf_done(&visitor.body);
}

static void what_led_to_nobody_is_forgotten(void **state) {
    struct world *world = *state;
    struct visitor visitor;
    agent_ready(world, "one", "/", NULL);
    strcpy(world->dead, "one");
    hold_lookups(world);
    struct claim claim = claim_of(world, CLAIM_READY, 0);
    visit_tunnel(world, &visitor, "GET", NULL);
    tell(world, STATUS_OK, &claim);
    assert_int_equal(asked.forgotten, 1);
    assert_int_equal(asked.count, 2); /* and asked for again */
    exchange_cancel(visitor.exchange);
    buf_done(&visitor.body);
}

/* As on AWS, each second: what is lost is sent again, what is as it was is waited for. */
static void a_request_in_flight_looks_at_its_claim(void **state) {
    struct world *world = *state;
    struct claim claim;
    struct visitor visitor;
    agent_ready(world, "one", "/", NULL);
    hold_lookups(world);
    visit_tunnel(world, &visitor, "GET", NULL);
    claim = claim_of(world, CLAIM_READY, 0);
    tell(world, STATUS_OK, &claim);
    assert_int_equal(last_sent(world)->type, V1_HTTP_REQUEST);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(asked.count, 1 + i);
        pass(world, 999);
        assert_int_equal(asked.count, 1 + i);
        pass(world, 1);
        assert_int_equal(asked.count, 2 + i);
        if (i < 2) tell(world, i ? STATUS_OK : STATUS_UNAVAILABLE, i ? &claim : NULL);
    }
    claim.member.state = CLAIM_OFFLINE;
    tell(world, STATUS_OK, &claim);
    assert_int_equal(asked.forgotten, 1); /* it waits for another one */
    assert_int_equal(asked.count, 5);
    strcpy(claim.member.link.connection, "two");
    claim.member.state = CLAIM_READY;
    tell(world, STATUS_OK, &claim);
    assert_string_equal(world->sent[world->sent_count - 1].connection, "two");
    pass(world, 1000);
    strcpy(claim.member.link.connection, "three"); /* another one has come meanwhile: twice is enough */
    tell(world, STATUS_OK, &claim);
    assert_refused(&visitor, HTTP_ERROR_AGENT_LOST);
}

static void who_leaves_while_the_claim_is_looked_at_leaves_nothing(void **state) {
    struct world *world = *state;
    struct visitor visitor;
    agent_ready(world, "one", "/", NULL);
    hold_lookups(world);
    struct claim claim = claim_of(world, CLAIM_READY, 0);
    visit_tunnel(world, &visitor, "GET", NULL);
    tell(world, STATUS_OK, &claim);
    pass(world, 1000);
    exchange_cancel(visitor.exchange);
    claim.member.state = CLAIM_OFFLINE;
    tell(world, STATUS_OK, &claim);
    assert_int_equal(asked.forgotten, 0);
    buf_done(&visitor.body);
}

/* ---- what a store tells ---- */

static void what_was_missed_is_asked_again(void **state) {
    struct world *world = *state;
    struct store_events events = core_store_events(world->core);
    struct visitor visitor;
    assert_int_equal(agent_connect(world, "one", "/", NULL, NULL), 200);
    visit_tunnel(world, &visitor, "GET", NULL);
    agent_says(world, "one", "{\"type\":\"ready\"}");
    assert_int_equal(last_sent(world)->type, V1_CONNECTION_ESTABLISHED); /* nobody has told */
    events.missed(events.ctx);
    settle(world);
    assert_int_equal(last_sent(world)->type, V1_HTTP_REQUEST);
    agent_answers(world, "one", last_sent(world)->request_id, 204, "");
    assert_int_equal(visitor.status, 0); /* nor of this */
    events.missed(events.ctx);
    settle(world);
    assert_int_equal(visitor.status, 204);
}

static void who_waits_for_a_connection_that_is_gone_waits_in_vain(void **state) {
    struct world *world = *state;
    struct store_events events = core_store_events(world->core);
    struct visitor get, post;
    agent_ready(world, "one", "/", NULL);
    visit_tunnel(world, &get, "GET", NULL);
    visit_tunnel(world, &post, "POST", NULL);
    events.connection_gone(events.ctx, VIEW("two"));
    settle(world);
    assert_int_equal(post.status, 0);
    events.connection_gone(events.ctx, VIEW("one"));
    settle(world);
    assert_refused(&post, HTTP_ERROR_AGENT_LOST);
    assert_int_equal(get.status, 0); /* for another one */
    exchange_cancel(get.exchange);
    buf_done(&get.body);
}

/* A POST may have been executed if it was, and waits for the next agent if not. */
static void hear_whether_it_was_handed_over(struct world *world, struct visitor *post, enum status status) {
    world->holds_sent = false;
    tell_sent(world, status);
    settle(world);
    if (status == STATUS_OK) {
        assert_refused(post, HTTP_ERROR_AGENT_LOST);
    } else {
        assert_int_equal(post->status, 0);
        exchange_cancel(post->exchange);
        buf_done(&post->body);
    }
}

/* As with an agent at another gateway: its refusal comes behind the news that the connection is gone. */
static void who_may_never_have_been_handed_over_is_not_lost(void **state) {
    static const enum status statuses[] = {STATUS_OK, STATUS_GONE};
    struct world *world = *state;
    struct store_events events = core_store_events(world->core);
    agent_ready(world, "one", "/", NULL);
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        struct visitor post;
        world->holds_sent = true;
        visit_tunnel(world, &post, "POST", NULL);
        assert_int_equal(last_sent(world)->type, V1_HTTP_REQUEST);
        events.connection_gone(events.ctx, VIEW("one"));
        settle(world);
        assert_int_equal(post.status, 0);
        hear_whether_it_was_handed_over(world, &post, statuses[i]);
    }
}

/* ---- what a store has lost ---- */

/* As Redis, when it comes back without what was waited for. */
static void lose_the_last_request(struct world *world) {
    struct mailbox *mailbox = &world->core->ports.mailbox;
    struct store_events events = core_store_events(world->core);
    mailbox->remove(mailbox->ctx, last_sent(world)->request_id);
    events.missed(events.ctx);
    settle(world);
}

static void a_get_that_the_store_has_lost_is_sent_once_more(void **state) {
    struct world *world = *state;
    struct visitor visitor;
    agent_ready(world, "one", "/", NULL);
    visit_tunnel(world, &visitor, "GET", NULL);
    size_t sent = world->sent_count;
    struct view first = last_sent(world)->request_id;
    lose_the_last_request(world);
    assert_int_equal(world->sent_count, sent + 1);
    assert_string_equal(world->sent[sent].connection, "one"); /* which is as good as it was */
    agent_answers(world, "one", first, 200, "");              /* too late: nobody waits for that one */
    assert_int_equal(visitor.status, 0);
    agent_answers(world, "one", last_sent(world)->request_id, 201, "");
    assert_int_equal(visitor.status, 201);
    visit_tunnel(world, &visitor, "GET", NULL);
    for (int i = 0; i < 2; i++) lose_the_last_request(world); /* twice is enough */
    assert_refused(&visitor, HTTP_ERROR_AGENT_LOST);
    assert_int_equal(world->sent_count, sent + 3);
}

static void a_post_that_the_store_has_lost_is_not_sent_again(void **state) {
    struct world *world = *state;
    struct visitor visitor;
    agent_ready(world, "one", "/", NULL);
    visit_tunnel(world, &visitor, "POST", NULL);
    size_t sent = world->sent_count;
    lose_the_last_request(world);
    assert_refused(&visitor, HTTP_ERROR_AGENT_LOST);
    assert_int_equal(world->sent_count, sent);
}

/* The store has lost it before it was known whether the agent was handed it. */
static void a_lost_post_waits_to_hear_whether_it_was_handed_over(void **state) {
    static const enum status statuses[] = {STATUS_OK, STATUS_GONE};
    struct world *world = *state;
    agent_ready(world, "one", "/", NULL);
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        struct visitor post;
        world->holds_sent = true;
        visit_tunnel(world, &post, "POST", NULL);
        lose_the_last_request(world);
        assert_int_equal(post.status, 0);
        hear_whether_it_was_handed_over(world, &post, statuses[i]);
    }
}

/* The refusal comes while an answer is asked for. */
static void a_refusal_is_heard_while_an_answer_is_asked_for(void **state) {
    struct world *world = *state;
    struct store_events events = core_store_events(world->core);
    char resume[1024] = "";
    struct visitor post;
    agent_ready(world, "one", "/", resume);
    world->holds_sent = true;
    visit_tunnel(world, &post, "POST", NULL);
    world->holds_sent = false;
    tell_sent(world, STATUS_GONE);
    events.missed(events.ctx);
    settle(world);
    agent_connect(world, "two", "/", resume, NULL);
    agent_says(world, "two", "{\"type\":\"ready\"}");
    assert_int_equal(last_sent(world)->type, V1_HTTP_REQUEST);
    agent_answers(world, "two", last_sent(world)->request_id, 200, "");
    assert_int_equal(post.status, 200);
}

/* A question to the store that is under way. */
static struct {
    struct mailbox mailbox;
    mailbox_take_fn *done;
    void *target;
    uint64_t ticket;
    int times;
} held_take;

static void take_held(void *ctx, struct view request_id, mailbox_take_fn *done, void *target,
                      uint64_t ticket) {
    held_take.times++;
    if (held_take.done) {
        held_take.mailbox.take(ctx, request_id, done, target, ticket);
        return;
    }
    held_take.done = done;
    held_take.target = target;
    held_take.ticket = ticket;
}

/* The store says "not yet", and that there is an answer before what it said has come. */
static void an_answer_that_comes_behind_the_question_is_asked_for_again(void **state) {
    struct world *world = *state;
    struct store_events events = core_store_events(world->core);
    struct visitor visitor;
    agent_ready(world, "one", "/", NULL);
    visit_tunnel(world, &visitor, "POST", NULL);
    memset(&held_take, 0, sizeof(held_take));
    held_take.mailbox = world->core->ports.mailbox;
    world->core->ports.mailbox.take = take_held;
    events.missed(events.ctx);
    settle(world);
    assert_int_equal(held_take.times, 1);
    agent_answers(world, "one", last_sent(world)->request_id, 201, "");
    assert_int_equal(visitor.status, 0);
    held_take.done(held_take.target, held_take.ticket, STATUS_NOT_FOUND, NULL);
    settle(world);
    assert_int_equal(visitor.status, 201);
    assert_int_equal(held_take.times, 2);
}

/* Whoever holds the agent does not listen yet. */
static void what_nobody_has_heard_yet_is_sent_again_to_the_same_agent(void **state) {
    struct world *world = *state;
    struct visitor post;
    agent_ready(world, "one", "/", NULL);
    world->holds_sent = true;
    visit_tunnel(world, &post, "POST", NULL);
    size_t sent = world->sent_count;
    pass(world, 200);
    tell_sent(world, STATUS_UNHEARD);
    settle(world);
    assert_int_equal(world->sent_count, sent + 1);
    assert_string_equal(world->sent[sent].connection, "one");
    pass(world, 5000);
    tell_sent(world, STATUS_UNHEARD);
    settle(world);
    assert_refused(&post, HTTP_ERROR_AGENT_OFFLINE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_get_that_the_store_has_lost_is_sent_once_more),
        TEST(a_post_that_the_store_has_lost_is_not_sent_again),
        TEST(a_lost_post_waits_to_hear_whether_it_was_handed_over),
        TEST(a_refusal_is_heard_while_an_answer_is_asked_for),
        TEST(an_answer_that_comes_behind_the_question_is_asked_for_again),
        TEST(what_nobody_has_heard_yet_is_sent_again_to_the_same_agent),
        TEST(nobody_there),
        TEST(an_agent_that_has_gone_is_waited_for_then_offline),
        TEST(a_request_before_ready_waits_for_it),
        TEST(a_get_is_sent_once_more_to_the_agent_that_came_back),
        TEST(a_post_in_flight_is_lost_at_once),
        TEST(a_post_that_never_left_waits_for_the_next_agent),
        TEST(who_may_never_have_been_handed_over_is_not_lost),
        TEST_IN(set_up_silent, a_request_waits_for_an_agent_that_the_store_does_not_tell_of),
        TEST_IN(set_up_silent, a_request_in_flight_looks_at_the_claim_again),
        TEST(a_post_that_finds_nobody_takes_the_claim_offline),
        TEST_IN(set_up, how_long_an_agent_is_waited_for),
        TEST_IN(set_up, a_registry_that_is_away_is_not_the_visitors_fault),
        TEST_IN(set_up, what_led_to_nobody_is_forgotten),
        TEST_IN(set_up_silent, a_request_in_flight_looks_at_its_claim),
        TEST_IN(set_up_silent, who_leaves_while_the_claim_is_looked_at_leaves_nothing),
        TEST_IN(set_up_silent, what_was_missed_is_asked_again),
        TEST_IN(set_up, who_waits_for_a_connection_that_is_gone_waits_in_vain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
