/* Who may have which tunnel: names, their owners, and how one connection takes over from another. */
#include "test_core_mailbox.h"

static void a_name_is_its_owners(void **state) {
    struct world *world = *state;
    char resume[1024] = "";
    agent_ready(world, "one", "/?name=my-app", resume);
    assert_string_equal(world->tunnel, "my-app");
    assert_int_equal(agent_connect(world, "two", "/?name=my-app", NULL, NULL), 409);
    assert_int_equal(agent_connect(world, "three", "/?name=My_App", NULL, NULL), 400);
    agent_leaves(world, "one");
    assert_int_equal(agent_connect(world, "two", "/?name=my-app", NULL, NULL), 409);
    assert_int_equal(agent_connect(world, "four", "/?name=my-app", resume, NULL), 200);
    assert_string_equal(world->tunnel, "my-app");
}

/* Connects with a token of that subject for the name "app". */
static int subject_connects(struct world *world, const char *connection, const char *subject) {
    struct jwt_settings jwt = {.secret = VIEW(JWT_KEY)};
    char target[JWT_TOKEN_MAX];
    struct buf token;
    buf_init(&token, JWT_TOKEN_MAX);
    assert_true(jwt_issue(&jwt, view_from_cstr(subject), wall_ms(world) / 1000, 60, &token));
    snprintf(target, sizeof target, "/?name=app&token=%.*s", VIEW_ARG(buf_view(&token)));
    buf_done(&token);
    return agent_connect(world, connection, target, NULL, NULL);
}

static void a_subject_keeps_its_name_for_a_day(void **state) {
    struct world *world = *state;
    assert_int_equal(agent_connect(world, "none", "/?name=app", NULL, NULL), 401);
    assert_int_equal(subject_connects(world, "one", "alice"), 200);
    assert_int_equal(subject_connects(world, "two", "bob"), 409);
    agent_leaves(world, "one");
    pass(world, 24 * 3600 * 1000 - 1);
    assert_int_equal(subject_connects(world, "three", "bob"), 409);
    pass(world, 1);
    assert_int_equal(subject_connects(world, "four", "bob"), 200);
    assert_int_equal(subject_connects(world, "five", "alice"), 409);
}

static void a_takeover_tells_the_older_and_lets_it_finish(void **state) {
    struct world *world = *state;
    char resume[1024] = "";
    agent_ready(world, "one", "/", resume);
    struct visitor visitor;
    visit_tunnel(world, &visitor, "GET", NULL);
    struct view id = last_sent(world)->request_id;
    assert_int_equal(agent_connect(world, "two", "/", resume, NULL), 200);
    assert_int_equal(last_sent(world)->type, V1_ERROR);
    assert_true(view_eq(last_sent(world)->code, VIEW("taken_over")));
    assert_string_equal(world->closed, "");
    agent_answers(world, "one", id, 200, "");
    assert_int_equal(visitor.status, 200);
    assert_string_equal(world->closed, "one");
    agent_leaves(world, "one"); /* and its leaving does not touch the claim */
    agent_says(world, "two", "{\"type\":\"ready\"}");
    visit_tunnel(world, &visitor, "GET", NULL);
    assert_string_equal(world->sent[world->sent_count - 1].connection, "two");
    agent_answers(world, "two", last_sent(world)->request_id, 200, "");
}

/* As on AWS: the other requests of the older one are under way in other processes. */
static void a_shared_agent_that_was_taken_over_is_closed_when_it_is_overdue(void **state) {
    struct world *world = *state;
    char resume[1024] = "";
    agent_ready(world, "one", "/", resume);
    assert_int_equal(agent_connect(world, "two", "/", resume, NULL), 200);
    assert_true(view_eq(last_sent(world)->code, VIEW("taken_over")));
    pass(world, 60000);
    assert_string_equal(world->closed, "");
    struct store_events events = core_store_events(world->core);
    events.connection_overdue(events.ctx, &(struct link){.connection = "one"});
    assert_string_equal(world->closed, "one");
}

static void a_forged_resume_token_gets_a_tunnel_of_its_own(void **state) {
    struct world *world = *state;
    char resume[1024] = "";
    agent_ready(world, "one", "/", resume);
    char tunnel[64];
    strcpy(tunnel, world->tunnel);
    resume[3] = resume[3] == 'a' ? 'b' : 'a';
    assert_int_equal(agent_connect(world, "two", "/", resume, NULL), 200);
    assert_string_not_equal(world->tunnel, tunnel);
}

static void an_origin_is_refused(void **state) {
    struct world *world = *state;
    assert_int_equal(agent_connect(world, "one", "/", NULL, "http://evil.test"), 403);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_name_is_its_owners),
        TEST_IN(set_up_auth, a_subject_keeps_its_name_for_a_day),
        TEST(a_takeover_tells_the_older_and_lets_it_finish),
        TEST_IN(set_up_silent, a_shared_agent_that_was_taken_over_is_closed_when_it_is_overdue),
        TEST(a_forged_resume_token_gets_a_tunnel_of_its_own),
        TEST(an_origin_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
