/* Mailbox delivery (protocol v1) from both of its ends: requests, their bodies and answers, and what an agent
 * says. */
#include "test_core_mailbox.h"

static void a_request_reaches_the_agent_and_its_answer_the_visitor(void **state) {
    struct world *world = *state;
    agent_ready(world, "one", "/", NULL);
    struct visitor visitor;
    visit_tunnel(world, &visitor, "GET", NULL);
    struct v1_message *request = last_sent(world);
    assert_int_equal(request->type, V1_HTTP_REQUEST);
    assert_true(view_eq(request->uri, VIEW("/a?b=%2F")));
    assert_true(view_eq(headers_get(&request->headers, VIEW("x-forwarded-for")), VIEW("192.0.2.1")));
    assert_true(view_eq(headers_get(&request->headers, VIEW("x-forwarded-proto")), VIEW("http")));
    assert_null(headers_get(&request->headers, VIEW("x-tunnel-epoch")).ptr);
    assert_null(headers_get(&request->headers, VIEW("x-private")).ptr);
    assert_null(headers_get(&request->headers, VIEW("connection")).ptr);
    agent_answers(world, "one", request->request_id, 200,
                  ",\"headers\":{\"set-cookie\":[\"a\",\"b\",\"c\"],\"content-length\":[\"9\"],"
                  "\"connection\":[\"close\"]},"
                  "\"body\":\"aGVsbG8=\"");
    assert_true(visitor.ended);
    assert_int_equal(visitor.status, 200);
    assert_int_equal(visitor.error, HTTP_ERROR_NONE);
    assert_int_equal(visitor.cookies, 3);
    assert_string_equal(visitor.cookie, "a");
    assert_int_equal(visitor.content_length, 5);
    assert_true(view_eq(buf_view(&visitor.body), VIEW("hello")));
    buf_done(&visitor.body);
}

/* What GET's body would be has a length that HEAD's answer may tell; no other answer without a body has one.
 */
static void a_head_may_be_answered_with_a_body(void **state) {
    static const struct {
        const char *method, *more;
        int status;
        uint64_t length;
    } rows[] = {
        {"HEAD", ",\"body\":\"aGVsbG8=\"", 200, 5},
        {"HEAD", ",\"headers\":{\"content-length\":[\"9\"]},\"body\":\"aGVsbG8=\"", 200, 9},
        {"HEAD", "", 200, LENGTH_UNKNOWN},
        {"GET", ",\"body\":\"aGVsbG8=\"", 304, LENGTH_UNKNOWN},
    };
    struct world *world = *state;
    agent_ready(world, "one", "/", NULL);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct visitor visitor;
        visit_tunnel(world, &visitor, rows[i].method, NULL);
        agent_answers(world, "one", last_sent(world)->request_id, rows[i].status, rows[i].more);
        assert_true(visitor.ended);
        assert_false(visitor.has_body);
        assert_int_equal(visitor.content_length, rows[i].length);
        buf_done(&visitor.body);
    }
}

/* Only the gateway speaks of errors so: what comes with a v1 answer is the service's. */
static void an_agent_cannot_make_an_error_of_ours(void **state) {
    struct world *world = *state;
    agent_ready(world, "one", "/", NULL);
    struct visitor visitor;
    visit_tunnel(world, &visitor, "GET", NULL);
    agent_answers(world, "one", last_sent(world)->request_id, 200,
                  ",\"headers\":{\"x-tunnel-error\":[\"agent_lost\"]},\"body\":\"aGVsbG8=\"");
    assert_true(visitor.ended);
    assert_int_equal(visitor.status, 200);
    assert_int_equal(visitor.error, HTTP_ERROR_NONE);
    assert_false(visitor.says_error);
    assert_true(view_eq(buf_view(&visitor.body), VIEW("hello")));
    buf_done(&visitor.body);
}

static void a_slow_visitor_gets_the_body_as_he_drains(void **state) {
    struct world *world = *state;
    agent_ready(world, "one", "/", NULL);
    struct visitor visitor;
    visit_tunnel(world, &visitor, "GET", NULL);
    char more[512] = ",\"body\":\"";
    for (int i = 0; i < 75; i++) strcat(more, "YWFh"); /* 225 bytes */
    strcat(more, "\"");
    agent_answers(world, "one", last_sent(world)->request_id, 200, more);
    assert_int_equal(visitor.body.len, 64);
    assert_false(visitor.ended);
    for (size_t seen = 64; seen < 225; seen = visitor.body.len) {
        exchange_drained(visitor.exchange, 50);
        settle(world);
        assert_int_equal(visitor.body.len, seen + 50 < 225 ? seen + 50 : 225);
    }
    assert_true(visitor.ended);
    buf_done(&visitor.body);
}

static void a_body_is_granted_and_sent_whole(void **state) {
    struct world *world = *state;
    agent_ready(world, "one", "/", NULL);
    struct visitor visitor;
    visit_tunnel(world, &visitor, "POST", "6");
    assert_true(visitor.granted >= 6);
    assert_int_equal(last_sent(world)->type, V1_CONNECTION_ESTABLISHED);
    exchange_body(visitor.exchange, VIEW("abc"));
    exchange_body(visitor.exchange, VIEW("def"));
    exchange_body_end(visitor.exchange);
    settle(world);
    assert_int_equal(last_sent(world)->type, V1_HTTP_REQUEST);
    assert_true(view_eq(last_sent(world)->body, VIEW("abcdef")));
    agent_answers(world, "one", last_sent(world)->request_id, 204, "");
    assert_int_equal(visitor.status, 204);
    assert_false(visitor.has_body);
    assert_true(visitor.ended);
    buf_done(&visitor.body);
}

static void a_body_over_the_limit_is_refused(void **state) {
    struct world *world = *state;
    agent_ready(world, "one", "/", NULL);
    struct visitor visitor;
    visit_tunnel(world, &visitor, "POST", "1001");
    assert_true(visitor.close);
    assert_refused(&visitor, HTTP_ERROR_BODY_TOO_LARGE);
    assert_int_equal(visitor.granted, 0);
}

static void errors_of_the_agent_become_answers(void **state) {
    struct world *world = *state;
    static const struct {
        const char *code, *more;
        enum http_error error;
    } rows[] = {
        {"timeout", "", HTTP_ERROR_TIMEOUT},
        {"local_service_unavailable", "", HTTP_ERROR_LOCAL_SERVICE_UNAVAILABLE},
        {"invalid_request", "", HTTP_ERROR_BAD_REQUEST},
        {"internal_error", "", HTTP_ERROR_BAD_RESPONSE},
        {"internal_error", ",\"reason\":\"response_too_large\"", HTTP_ERROR_RESPONSE_TOO_LARGE},
        {"anything else", "", HTTP_ERROR_BAD_RESPONSE},
    };
    agent_ready(world, "one", "/", NULL);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct visitor visitor;
        visit_tunnel(world, &visitor, "GET", NULL);
        char text[512];
        snprintf(text, sizeof(text),
                 "{\"type\":\"error\",\"request_id\":\"%.*s\",\"code\":\"%s\",\"message\":\"m\"%s}",
                 VIEW_ARG(last_sent(world)->request_id), rows[i].code, rows[i].more);
        agent_says(world, "one", text);
        assert_refused(&visitor, rows[i].error);
    }
}

static void answers_that_are_none_are_bad_responses(void **state) {
    struct world *world = *state;
    static const char *const rows[] = {",\"headers\":{\"a b\":[\"c\"]}",
                                       ",\"headers\":{\"a\":[\"b\\r\\nc: d\"]}",
                                       ",\"headers\":{\"\":[\"c\"]}"};
    agent_ready(world, "one", "/", NULL);
    struct visitor visitor;
    for (size_t i = 0; i < 3; i++) {
        visit_tunnel(world, &visitor, "GET", NULL);
        agent_answers(world, "one", last_sent(world)->request_id, 200, rows[i]);
        assert_refused(&visitor, HTTP_ERROR_BAD_RESPONSE);
    }
    static const int statuses[] = {0, 99, 100, 101, 199, 1000, 99999, -1};
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        visit_tunnel(world, &visitor, "GET", NULL);
        agent_answers(world, "one", last_sent(world)->request_id, statuses[i], "");
        assert_refused(&visitor, HTTP_ERROR_BAD_RESPONSE);
    }
}

static void an_answer_may_come_in_pieces(void **state) {
    struct world *world = *state;
    agent_ready(world, "one", "/", NULL);
    struct visitor visitor;
    visit_tunnel(world, &visitor, "GET", NULL);
    static const char *const pieces[] = {"0,\"total\":2,\"data\":\"{\\\"type\\\":\\\"http_response\\\",",
                                         "1,\"total\":2,\"data\":\"\\\"status_code\\\":201}"};
    struct view id = last_sent(world)->request_id;
    char text[1024], named[256];
    snprintf(named, sizeof(named), "\\\"request_id\\\":\\\"%.*s\\\",", VIEW_ARG(id));
    for (int i = 1; i >= 0; i--) {
        assert_false(visitor.ended);
        snprintf(text, sizeof(text), "{\"type\":\"chunk\",\"request_id\":\"%.*s\",\"seq\":%s%s\"}",
                 VIEW_ARG(id), pieces[i], i ? "" : named);
        agent_says(world, "one", text);
    }
    assert_true(visitor.ended);
    assert_int_equal(visitor.status, 201);
}

static void a_foreign_agent_cannot_answer(void **state) {
    struct world *world = *state;
    agent_ready(world, "other", "/", NULL);
    agent_ready(world, "one", "/", NULL);
    struct visitor visitor;
    visit_tunnel(world, &visitor, "GET", NULL);
    struct view id = last_sent(world)->request_id;
    agent_answers(world, "other", id, 200, "");
    assert_int_equal(visitor.status, 0);
    assert_int_equal(world->heard, STATUS_NOT_FOUND);
    agent_answers(world, "one", id, 201, "");
    assert_int_equal(visitor.status, 201);
    agent_answers(world, "one", id, 202, "");
    assert_int_equal(world->heard, STATUS_NOT_FOUND);
}

/* A store that was away tells that it may have missed something: what waits asks again, and goes on waiting.
 */
static void an_answer_that_has_not_come_is_waited_for(void **state) {
    struct world *world = *state;
    agent_ready(world, "one", "/", NULL);
    struct visitor visitor;
    visit_tunnel(world, &visitor, "GET", NULL);
    size_t sent = world->sent_count;
    struct store_events events = core_store_events(world->core);
    events.missed(events.ctx);
    settle(world);
    assert_int_equal(world->sent_count, sent);
    assert_int_equal(visitor.status, 0);
    agent_answers(world, "one", last_sent(world)->request_id, 200, "");
    assert_int_equal(visitor.status, 200);
    buf_done(&visitor.body);
}

static void a_silent_service_times_out(void **state) {
    struct world *world = *state;
    agent_ready(world, "one", "/", NULL);
    struct visitor visitor;
    visit_tunnel(world, &visitor, "GET", NULL);
    pass(world, 24900);
    assert_int_equal(visitor.status, 0);
    pass(world, 200);
    assert_refused(&visitor, HTTP_ERROR_TIMEOUT);
}

static void the_agent_may_ask_for_more_time(void **state) {
    struct world *world = *state;
    assert_int_equal(agent_connect(world, "one", "/", NULL, NULL), 200);
    agent_says(world, "one", "{\"type\":\"ready\",\"request_timeout_ms\":60000}");
    struct visitor visitor;
    visit_tunnel(world, &visitor, "GET", NULL);
    pass(world, 59000);
    assert_int_equal(visitor.status, 0);
    agent_answers(world, "one", last_sent(world)->request_id, 200, "");
    assert_int_equal(visitor.status, 200);
}

static void a_visitor_who_leaves_leaves_nothing(void **state) {
    struct world *world = *state;
    agent_ready(world, "one", "/", NULL);
    struct visitor visitor;
    visit_tunnel(world, &visitor, "GET", NULL);
    struct view id = last_sent(world)->request_id;
    exchange_cancel(visitor.exchange);
    assert_int_equal(core_exchange_count(world->core), 0);
    agent_answers(world, "one", id, 200, "");
    assert_int_equal(visitor.status, 0);
}

static void malformed_messages_are_dropped(void **state) {
    struct world *world = *state;
    agent_ready(world, "one", "/", NULL);
    static const char *const rows[] = {"",        "{", "[]", "{\"type\":1}", "{\"type\":\"http_response\"}",
                                       "nonsense"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        agent_says(world, "one", rows[i]);
        assert_int_equal(world->heard, STATUS_INVALID);
    }
    struct visitor visitor;
    visit_tunnel(world, &visitor, "GET", NULL);
    agent_answers(world, "one", last_sent(world)->request_id, 200, "");
    assert_int_equal(visitor.status, 200);
}

static void a_ping_is_answered(void **state) {
    struct world *world = *state;
    agent_ready(world, "one", "/", NULL);
    agent_says(world, "one", "{\"type\":\"ping\"}");
    assert_int_equal(last_sent(world)->type, V1_PONG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_request_reaches_the_agent_and_its_answer_the_visitor),
        TEST(a_head_may_be_answered_with_a_body),
        TEST(an_agent_cannot_make_an_error_of_ours),
        TEST(a_slow_visitor_gets_the_body_as_he_drains),
        TEST(a_body_is_granted_and_sent_whole),
        TEST(a_body_over_the_limit_is_refused),
        TEST(errors_of_the_agent_become_answers),
        TEST(answers_that_are_none_are_bad_responses),
        TEST(an_answer_may_come_in_pieces),
        TEST(a_foreign_agent_cannot_answer),
        TEST(an_answer_that_has_not_come_is_waited_for),
        TEST(a_silent_service_times_out),
        TEST(the_agent_may_ask_for_more_time),
        TEST(a_visitor_who_leaves_leaves_nothing),
        TEST(malformed_messages_are_dropped),
        TEST(a_ping_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
