/* Quotas of owners and visitors: what is refused, who is told, and that nothing of it is left. */
#include "handler/core_state.h"
#include "metrics/metrics.h"
#include "test_core_mailbox.h"

static struct core_settings *settings_of(struct world *world) {
    world->core->settings.keeps_links = true;
    return &world->core->settings;
}

/* Connects with a token of that subject, which says `more` beside it. */
static int connects(struct world *world, const char *connection, const char *subject, const char *query,
                    const char *more) {
    struct jwt_settings jwt = {.secret = VIEW(JWT_KEY), .issue_more = more};
    char target[JWT_TOKEN_MAX];
    struct buf token;
    buf_init(&token, JWT_TOKEN_MAX);
    assert_true(jwt_issue(&jwt, view_from_cstr(subject), wall_ms(world) / 1000, 3600, &token));
    snprintf(target, sizeof(target), "/?%stoken=%.*s", query, VIEW_ARG(buf_view(&token)));
    buf_done(&token);
    int status = agent_connect(world, connection, target, NULL, NULL);
    if (status == 200) agent_says(world, connection, "{\"type\":\"ready\"}");
    return status;
}

static void answer_last(struct world *world, const char *connection, struct visitor *visitor) {
    agent_answers(world, connection, last_sent(world)->request_id, 204, "");
    assert_int_equal(visitor->status, 204);
}

static void visits(struct world *world, const char *connection) {
    struct visitor visitor;
    visit_tunnel(world, &visitor, "GET", NULL);
    answer_last(world, connection, &visitor);
}

static void visits_in_vain(struct world *world, enum quota quota) {
    uint64_t before = metrics_slots[METRIC_QUOTA_REFUSALS + quota - 1];
    struct visitor visitor;
    visit_tunnel(world, &visitor, "GET", NULL);
    assert_refused(&visitor, HTTP_ERROR_RATE_LIMITED);
    assert_int_equal(metrics_slots[METRIC_QUOTA_REFUSALS + quota - 1], before + 1);
}

/* ---- names ---- */

static void a_token_is_for_its_names(void **state) {
    struct world *world = *state;
    const char *two = "{\"tunnels\":[\"shop\",\"a-*\"]}";
    assert_int_equal(connects(world, "1", "alice", "name=shop&", two), 200);
    assert_int_equal(connects(world, "2", "alice", "name=a-1&", two), 200);
    assert_int_equal(connects(world, "3", "alice", "name=b-1&", two), 403);
    assert_int_equal(connects(world, "4", "alice", "", two), 403);
    assert_int_equal(connects(world, "5", "alice", "", "{\"tunnels\":[]}"), 403);
    assert_int_equal(connects(world, "6", "alice", "", "{\"tunnels\":\"only\"}"), 200);
    assert_string_equal(world->tunnel, "only");
    assert_int_equal(connects(world, "7", "alice", "", "{\"tunnels\":\"*\"}"), 200);
    assert_int_equal(connects(world, "8", "alice", "name=any&", NULL), 200);
    assert_int_equal(connects(world, "9", "alice", "name=any&", "{\"max_rate\":0}"), 401);
}

/* ---- tunnels at once ---- */

static void so_many_tunnels_at_once(void **state) {
    struct world *world = *state;
    const char *two = "{\"max_tunnels\":2}";
    settings_of(world)->quotas.owner_tunnels = 1;
    assert_int_equal(connects(world, "1", "alice", "name=one&", two), 200);
    assert_int_equal(connects(world, "2", "alice", "name=two&", two), 200);
    assert_int_equal(connects(world, "3", "alice", "name=three&", two), 429);
    assert_int_equal(connects(world, "4", "alice", "name=three&", NULL), 429); /* fewer, without a claim */
    assert_int_equal(connects(world, "5", "bob", "name=bobs&", NULL), 200);
    assert_int_equal(connects(world, "6", "bob", "name=bobs-too&", NULL), 429);
    assert_int_equal(connects(world, "7", "alice", "name=two&", two), 200); /* takes its own over */
    agent_leaves(world, "2");
    assert_int_equal(connects(world, "8", "alice", "name=three&", two), 429);
    agent_leaves(world, "7");
    assert_int_equal(connects(world, "9", "alice", "name=three&", two), 200);
    agent_leaves(world, "9");
    agent_leaves(world, "1");
    agent_leaves(world, "5");
    assert_int_equal(world->core->holdings.count, 0);
    assert_int_equal(world->core->owners.count, 0);
}

/* The older connection of a tunnel may finish what it has, and is none of his tunnels any more. */
static void what_was_taken_over_counts_no_more(void **state) {
    struct world *world = *state;
    struct visitor visitor;
    const char *two = "{\"max_tunnels\":2}";
    settings_of(world);
    assert_int_equal(connects(world, "1", "alice", "name=one&", two), 200);
    visit_tunnel(world, &visitor, "GET", NULL);
    struct view id = last_sent(world)->request_id;
    assert_int_equal(connects(world, "2", "alice", "name=one&", two), 200);
    assert_int_equal(connects(world, "3", "alice", "name=two&", two), 200);
    agent_answers(world, "1", id, 204, "");
    agent_leaves(world, "1");
    assert_int_equal(connects(world, "4", "alice", "name=three&", two), 429);
}

/* A connection that got no tunnel holds none. */
static void who_is_refused_holds_nothing(void **state) {
    struct world *world = *state;
    settings_of(world)->quotas.owner_tunnels = 5;
    assert_int_equal(connects(world, "1", "alice", "name=one&", NULL), 200);
    assert_int_equal(connects(world, "2", "bob", "name=one&", NULL), 409);
    world->core->settings.subject_tunnels_per_day = 1;
    assert_int_equal(connects(world, "3", "bob", "name=two&", NULL), 200);
    assert_int_equal(connects(world, "4", "bob", "name=three&", NULL), 429);
    assert_int_equal(world->core->holdings.count, 2);
}

static void so_many_connects_a_minute(void **state) {
    struct world *world = *state;
    settings_of(world)->quotas.owner_connects = 3;
    for (int i = 0; i < 3; i++) assert_int_equal(connects(world, "1", "alice", "name=one&", NULL), 200);
    assert_int_equal(connects(world, "2", "alice", "name=one&", NULL), 429);
    assert_int_equal(connects(world, "3", "bob", "name=two&", NULL), 200);
    pass(world, 20001);
    assert_int_equal(connects(world, "4", "alice", "name=one&", NULL), 200);
    assert_int_equal(connects(world, "5", "alice", "name=one&", NULL), 429);
}

/* ---- requests ---- */

static void an_owner_has_so_many_requests_a_second(void **state) {
    struct world *world = *state;
    settings_of(world)->quotas.owner_rate = 4;
    assert_int_equal(connects(world, "1", "alice", "name=one&", NULL), 200);
    for (int i = 0; i < 3; i++) visits(world, "1");
    assert_int_equal(connects(world, "2", "alice", "name=two&", NULL), 200);
    visits(world, "2");
    visits_in_vain(world, QUOTA_OWNER_RATE);            /* both together */
    assert_int_equal(last_sent(world)->type, V1_ERROR); /* its agent is told */
    assert_true(view_eq(last_sent(world)->code, VIEW("quota")));
    assert_true(view_eq(last_sent(world)->message,
                        VIEW("a quota is met, requests a second of all tunnels of its owner (owner-rate)")));
    size_t sent = world->sent_count;
    visits_in_vain(world, QUOTA_OWNER_RATE);
    assert_int_equal(world->sent_count, sent); /* but not of each */
    assert_int_equal(connects(world, "3", "bob", "name=three&", "{\"max_rate\":1}"), 200);
    visits(world, "3");
    visits_in_vain(world, QUOTA_OWNER_RATE); /* the token's own bound comes first */
    pass(world, 300);
    strcpy(world->tunnel, "one");
    visits(world, "1");
    visits_in_vain(world, QUOTA_OWNER_RATE);
    pass(world, 1000);
    pass(world, 1000);
    assert_int_equal(world->core->tunnels.count, 0);
    assert_int_equal(world->core->owners.count, 0);
    assert_int_equal(world->timers.count, 0);
}

static void an_owner_has_so_many_requests_at_once(void **state) {
    struct world *world = *state;
    struct visitor first, second;
    settings_of(world);
    assert_int_equal(connects(world, "1", "alice", "name=one&", "{\"max_connections\":2}"), 200);
    visit_tunnel(world, &first, "GET", NULL);
    struct view id = last_sent(world)->request_id;
    visit_tunnel(world, &second, "GET", NULL);
    visits_in_vain(world, QUOTA_OWNER_REQUESTS);
    agent_answers(world, "1", id, 204, "");
    assert_int_equal(first.status, 204);
    struct visitor third;
    visit_tunnel(world, &third, "GET", NULL);
    assert_int_equal(third.status, 0);
    exchange_cancel(second.exchange);
    exchange_cancel(third.exchange);
    visits(world, "1");
    pass(world, 1000);
    assert_int_equal(world->core->owners.count, 0);
}

/* Where other processes of ours carry requests of the tunnel as well. */
static void elsewhere_a_tokens_rate_is_the_tunnels(void **state) {
    struct world *world = *state;
    assert_int_equal(connects(world, "1", "alice", "name=one&",
                              "{\"max_rate\":3,\"max_connections\":1,\"max_tunnels\":1}"),
                     200);
    for (int i = 0; i < 3; i++) visits(world, "1");
    visits_in_vain(world, QUOTA_TUNNEL_RATE);
    assert_int_equal(world->core->owners.count, 0);
    assert_int_equal(connects(world, "2", "alice", "name=two&", "{\"max_tunnels\":1}"), 200);
}

static void a_visitor_has_so_many_requests_a_second(void **state) {
    struct world *world = *state;
    settings_of(world)->quotas.visitor_rate = 2;
    assert_int_equal(connects(world, "1", "alice", "name=one&", NULL), 200);
    for (int i = 0; i < 3; i++) visits(world, "1"); /* nobody in particular */
    world->visitor = 7;
    visits(world, "1");
    visits(world, "1");
    visits_in_vain(world, QUOTA_VISITOR_RATE);
    world->visitor = 8;
    visits(world, "1");
    world->visitor = 7;
    pass(world, 500);
    visits(world, "1");
    visits_in_vain(world, QUOTA_VISITOR_RATE);
}

/* ---- other processes ---- */

static struct spending told;
static unsigned times_told;

static void spend(void *ctx, struct view owner, const struct spending *spent) {
    (void)ctx;
    assert_true(view_eq(owner, VIEW("sub:alice")));
    told = *spent;
    times_told++;
}

static void what_others_have_let_pass_counts(void **state) {
    struct world *world = *state;
    struct store_events events = core_store_events(world->core);
    times_told = 0;
    settings_of(world)->quotas.owner_rate = 10;
    world->core->ports.registry.spend = spend;
    assert_int_equal(connects(world, "1", "alice", "name=one&", NULL), 200);
    events.spent(events.ctx, VIEW("sub:alice"), &(struct spending){10, 10}); /* has nothing here yet */
    for (int i = 0; i < 2; i++) visits(world, "1");
    assert_int_equal(times_told, 0);
    pass(world, 200);
    assert_int_equal(times_told, 1);
    assert_int_equal(told.requests, 2);
    events.spent(events.ctx, VIEW("sub:bob"), &(struct spending){1000, 0});
    events.spent(events.ctx, VIEW("sub:alice"), &(struct spending){9, 5});
    visits(world, "1"); /* 10, of which 2 were had here and 9 there; 2 have come back */
    visits_in_vain(world, QUOTA_OWNER_RATE);
    events.spent(events.ctx, VIEW("sub:alice"), &(struct spending){UINT64_MAX, UINT64_MAX});
    pass(world, 900);
    visits_in_vain(world, QUOTA_OWNER_RATE);
    pass(world, 300); /* a second's worth at most is held against him */
    visits(world, "1");
    pass(world, 200);
    assert_int_equal(times_told, 3);
    pass(world, 1000);
    pass(world, 1000);
    assert_int_equal(world->core->owners.count, 0);
    assert_int_equal(world->timers.count, 0);
}

/* Not of each request of one who may have many. */
static void who_uses_little_is_hardly_spoken_of(void **state) {
    struct world *world = *state;
    times_told = 0;
    settings_of(world)->quotas.owner_rate = 200;
    world->core->ports.registry.spend = spend;
    assert_int_equal(connects(world, "1", "alice", "name=one&", NULL), 200);
    struct visitor waiting; /* keeps its owner in use */
    visit_tunnel(world, &waiting, "GET", NULL);
    struct view id = last_sent(world)->request_id;
    for (int i = 0; i < 8; i++) {
        visits(world, "1");
        pass(world, 200);
    }
    assert_int_equal(times_told, 0);
    visits(world, "1");
    pass(world, 200);
    assert_int_equal(times_told, 1);
    assert_int_equal(told.requests, 10);
    agent_answers(world, "1", id, 204, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST_IN(set_up_auth, a_token_is_for_its_names),
        TEST_IN(set_up_auth, so_many_tunnels_at_once),
        TEST_IN(set_up_auth, what_was_taken_over_counts_no_more),
        TEST_IN(set_up_auth, who_is_refused_holds_nothing),
        TEST_IN(set_up_auth, so_many_connects_a_minute),
        TEST_IN(set_up_auth, an_owner_has_so_many_requests_a_second),
        TEST_IN(set_up_auth, an_owner_has_so_many_requests_at_once),
        TEST_IN(set_up_auth, elsewhere_a_tokens_rate_is_the_tunnels),
        TEST_IN(set_up_auth, what_others_have_let_pass_counts),
        TEST_IN(set_up_auth, who_uses_little_is_hardly_spoken_of),
        TEST_IN(set_up_auth, a_visitor_has_so_many_requests_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
