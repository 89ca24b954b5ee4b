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
    snprintf(target, sizeof(target), "/?name=app&token=%.*s", VIEW_ARG(buf_view(&token)));
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

/* ---- the end of a token ---- */

static void begin_with_token(struct world *world) {
    assert_int_equal(subject_connects(world, "one", "alice"), 200); /* for 60 s */
    agent_says(world, "one", "{\"type\":\"ready\"}");
    assert_int_equal(last_sent(world)->token_s, 60);
}

static void a_token_that_ends_ends_its_connection(void **state) {
    struct world *world = *state;
    struct visitor early, late;
    begin_with_token(world);
    pass(world, 59999);
    visit_tunnel(world, &early, "GET", NULL);
    struct view id = last_sent(world)->request_id;
    pass(world, 1);
    core_expire(world->core, VIEW("one"), false);
    settle(world);
    assert_true(view_eq(last_sent(world)->code, VIEW("token_expired")));
    assert_string_equal(world->closed, "");
    size_t sent = world->sent_count;
    visit_tunnel(world, &late, "GET", NULL);
    agent_answers(world, "one", id, 200, "");
    assert_int_equal(early.status, 200);
    assert_string_equal(world->closed, "one");
    agent_says(world, "one", "{\"type\":\"ready\"}");
    pass(world, 5000);
    assert_refused(&late, HTTP_ERROR_AGENT_OFFLINE);
    for (size_t i = sent; i < world->sent_count; i++)
        assert_int_equal(world->sent[i].message->type, V1_ERROR);
    assert_int_equal(subject_connects(world, "two", "alice"), 200);
}

/* Nothing is given to it, whoever should have called. */
static void nor_is_it_used_where_nobody_tells(void **state) {
    struct world *world = *state;
    struct visitor visitor;
    begin_with_token(world);
    pass(world, 60000);
    size_t sent = world->sent_count;
    visit_tunnel(world, &visitor, "GET", NULL);
    pass(world, 5000);
    assert_refused(&visitor, HTTP_ERROR_AGENT_OFFLINE);
    assert_int_equal(world->sent_count, sent);
}

/* As on AWS: who comes finds it. */
static void a_shared_agent_hears_of_the_end_of_its_token_with_the_next_visitor(void **state) {
    struct world *world = *state;
    struct visitor visitor;
    begin_with_token(world);
    pass(world, 60000);
    visit_tunnel(world, &visitor, "GET", NULL);
    assert_true(view_eq(last_sent(world)->code, VIEW("token_expired")));
    size_t sent = world->sent_count;
    pass(world, 5000);
    assert_refused(&visitor, HTTP_ERROR_AGENT_OFFLINE);
    assert_int_equal(world->sent_count, sent);
    assert_string_equal(world->closed, "");
}

static int set_up_shared_auth(void **state) {
    return make_world(state, false, true, 0);
}

/* ---- how a connection that was taken over ends ---- */

static void it_is_closed_when_its_time_is_over(void **state) {
    struct world *world = *state;
    char resume[1024] = "";
    struct visitor visitor;
    agent_ready(world, "one", "/", resume);
    visit_tunnel(world, &visitor, "GET", NULL);
    assert_int_equal(agent_connect(world, "two", "/", resume, NULL), 200);
    pass(world, 25000); /* the visitor's */
    assert_refused(&visitor, HTTP_ERROR_TIMEOUT);
    assert_string_equal(world->closed, "one"); /* it has nothing more */
    world->closed[0] = '\0';
    agent_says(world, "two", "{\"type\":\"ready\",\"request_timeout_ms\":60000}");
    visit_tunnel(world, &visitor, "GET", NULL);
    assert_int_equal(agent_connect(world, "three", "/", resume, NULL), 200);
    pass(world, 29999);
    assert_string_equal(world->closed, "");
    pass(world, 1);
    assert_string_equal(world->closed, "two");
    exchange_cancel(visitor.exchange);
    buf_done(&visitor.body);
}

static void it_has_done_its_part_when_its_answer_is_here(void **state) {
    struct world *world = *state;
    char resume[1024] = "", more[256] = ",\"body\":\"";
    struct visitor visitor;
    for (int i = 0; i < 50; i++) strcat(more, "YWFh"); /* more than the visitor takes at once */
    strcat(more, "\"");
    agent_ready(world, "one", "/", resume);
    visit_tunnel(world, &visitor, "GET", NULL);
    assert_int_equal(agent_connect(world, "two", "/", resume, NULL), 200);
    agent_answers(world, "one", world->sent[1].message->request_id, 200, more);
    assert_false(visitor.ended);
    assert_string_equal(world->closed, "one");
    agent_leaves(world, "one");
    exchange_drained(visitor.exchange, 64);
    settle(world);
    assert_int_equal(visitor.body.len, 128);
    exchange_cancel(visitor.exchange);
    buf_done(&visitor.body);
}

static void one_that_has_gone_is_not_closed(void **state) {
    struct world *world = *state;
    char resume[1024] = "";
    struct visitor visitor;
    agent_ready(world, "one", "/", resume);
    visit_tunnel(world, &visitor, "POST", NULL);
    assert_int_equal(agent_connect(world, "two", "/", resume, NULL), 200);
    agent_leaves(world, "one");
    assert_refused(&visitor, HTTP_ERROR_AGENT_LOST);
    assert_string_equal(world->closed, "");
    pass(world, 60000);
    assert_string_equal(world->closed, "");
}

static void one_that_does_not_know_yet_is_told(void **state) {
    struct world *world = *state;
    char resume[1024] = "";
    struct store_events events = core_store_events(world->core);
    agent_ready(world, "one", "/", resume);
    agent_ready(world, "two", "/", resume);
    world->closed[0] = '\0';
    agent_says(world, "one", "{\"type\":\"ready\"}"); /* it was under way */
    assert_int_equal(world->heard, STATUS_CONFLICT);
    assert_true(view_eq(last_sent(world)->code, VIEW("taken_over")));
    assert_string_equal(world->sent[world->sent_count - 1].connection, "one");
    assert_string_equal(world->closed, "one");
    events.connection_replaced(events.ctx, &(struct link){.connection = "four"});
    assert_true(view_eq(last_sent(world)->code, VIEW("taken_over")));
    assert_string_equal(world->closed, "four");
}

static void the_end_of_a_core_lets_go_of_those_that_were_to_end(void **state) {
    struct world *world = *state;
    char resume[1024] = "";
    struct visitor visitor;
    agent_ready(world, "one", "/", resume);
    visit_tunnel(world, &visitor, "GET", NULL);
    assert_int_equal(agent_connect(world, "two", "/", resume, NULL), 200);
    make_core_anew(world);
    assert_true(visitor.aborted);
    assert_int_equal(world->timers.count, 0);
}

/* ---- what an agent is told when it is ready, and what it may say ---- */

static void an_agent_is_told_its_urls(void **state) {
    struct world *world = *state;
    static const struct {
        bool subdomain, path;
        const char *public_url, *subdomain_url, *path_based_url;
    } rows[] = {
        {true, true, "http://app.localhost:8080", "http://app.localhost:8080", "http://localhost:8080/app"},
        {true, false, "http://app.localhost:8080", "http://app.localhost:8080", ""},
        {false, true, "http://localhost:8080/app", "", "http://localhost:8080/app"},
    };
    for (size_t i = 0; i < 3; i++) {
        world->settings.subdomain_routing = rows[i].subdomain;
        world->settings.path_routing = rows[i].path;
        world->settings.heartbeat_ms = 2999;
        world->settings.keep_anonymous_ms = 0;
        make_core_anew(world);
        agent_ready(world, "one", "/?name=app", NULL);
        const struct v1_message *said = last_sent(world);
        assert_true(view_eq(said->public_url, view_from_cstr(rows[i].public_url)));
        assert_true(view_eq(said->subdomain_url, view_from_cstr(rows[i].subdomain_url)));
        assert_true(view_eq(said->path_based_url, view_from_cstr(rows[i].path_based_url)));
        assert_true(view_eq(said->connection_id, VIEW("one")));
        assert_true(view_eq(said->tunnel_id, VIEW("app")));
        assert_int_equal(said->heartbeat_s, 2);
        agent_leaves(world, "one");
    }
}

static void an_agent_is_told_what_both_can(void **state) {
    struct world *world = *state;
    agent_ready(world, "one", "/", NULL);
    agent_says(world, "one", "{\"type\":\"ready\",\"capabilities\":[\"resume\",\"chunks\",\"upgrades\"]}");
    assert_int_equal(last_sent(world)->capabilities, V1_CAP_RESUME | V1_CAP_CHUNKS);
    assert_true(last_sent(world)->resume.len > 0);
    agent_says(world, "one", "{\"type\":\"ready\",\"capabilities\":[\"chunks\"]}");
    assert_int_equal(last_sent(world)->capabilities, V1_CAP_CHUNKS);
    assert_int_equal(last_sent(world)->resume.len, 0);
    world->settings.resume_secret = (struct view){0};
    make_core_anew(world);
    agent_says(world, "one", "{\"type\":\"ready\",\"capabilities\":[\"resume\",\"chunks\"]}");
    assert_int_equal(last_sent(world)->capabilities, V1_CAP_CHUNKS);
    assert_int_equal(last_sent(world)->resume.len, 0);
}

static void what_an_agent_may_say(void **state) {
    struct world *world = *state;
    static const struct {
        const char *text;
        enum status status;
    } rows[] = {
        {"{\"type\":\"pong\"}", STATUS_OK},
        {"{\"type\":\"something_new\"}", STATUS_OK},
        {"{\"type\":\"error\",\"code\":\"internal_error\",\"message\":\"m\"}", STATUS_OK},
        {"{\"type\":\"error\",\"request_id\":\"x\",\"code\":\"internal_error\",\"message\":\"m\"}",
         STATUS_NOT_FOUND},
        {"{\"type\":\"chunk\",\"request_id\":\"x\",\"seq\":2,\"total\":2,\"data\":\"{\"}", STATUS_INVALID},
        {"{\"type\":\"chunk\",\"request_id\":\"x\",\"seq\":0,\"total\":2,\"data\":\"{\"}", STATUS_OK},
    };
    char connection[CONNECTION_ID_MAX + 2];
    agent_ready(world, "one", "/", NULL);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        agent_says(world, "one", rows[i].text);
        if (world->heard != rows[i].status) fail_msg("%s: %d", rows[i].text, (int)world->heard);
    }
    memset(connection, 'c', sizeof(connection));
    connection[CONNECTION_ID_MAX] = '\0';
    agent_says(world, connection, "{\"type\":\"pong\"}");
    assert_int_equal(world->heard, STATUS_OK);
    connection[CONNECTION_ID_MAX] = 'c';
    connection[CONNECTION_ID_MAX + 1] = '\0';
    agent_says(world, connection, "{\"type\":\"pong\"}");
    assert_int_equal(world->heard, STATUS_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_name_is_its_owners),
        TEST_IN(set_up_auth, a_subject_keeps_its_name_for_a_day),
        TEST(a_takeover_tells_the_older_and_lets_it_finish),
        TEST_IN(set_up_silent, a_shared_agent_that_was_taken_over_is_closed_when_it_is_overdue),
        TEST_IN(set_up_auth, a_token_that_ends_ends_its_connection),
        TEST_IN(set_up_auth, nor_is_it_used_where_nobody_tells),
        TEST_IN(set_up_shared_auth, a_shared_agent_hears_of_the_end_of_its_token_with_the_next_visitor),
        TEST(a_forged_resume_token_gets_a_tunnel_of_its_own),
        TEST(an_origin_is_refused),
        TEST(it_is_closed_when_its_time_is_over),
        TEST(it_has_done_its_part_when_its_answer_is_here),
        TEST(one_that_has_gone_is_not_closed),
        TEST(one_that_does_not_know_yet_is_told),
        TEST(the_end_of_a_core_lets_go_of_those_that_were_to_end),
        TEST(an_agent_is_told_its_urls),
        TEST(an_agent_is_told_what_both_can),
        TEST(what_an_agent_may_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
