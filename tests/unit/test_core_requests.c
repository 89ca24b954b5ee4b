/* Requests of v1 on their way to the agent: how large they may be, how long they may take, in which pieces
 * they go, and what becomes of one that cannot be sent or whose visitor leaves. */
#include "base/log.h"
#include "handler/core_state.h"
#include "protocol/chunks.h"
#include "test_core_mailbox.h"

static void begin_with_agent(struct world *world, const char *ready) {
    assert_int_equal(agent_connect(world, "one", "/", NULL, NULL), 200);
    agent_says(world, "one", ready);
    assert_int_equal(world->heard, STATUS_OK);
}

static void leave(struct visitor *visitor) {
    exchange_cancel(visitor->exchange);
    buf_done(&visitor->body);
}

/* ---- how large ---- */

static void a_path_may_be_so_long(void **state) {
    struct world *world = *state;
    char host[128], target[4096];
    struct visitor visitor;
    agent_ready(world, "one", "/", NULL);
    snprintf(host, sizeof(host), "%s.localhost", world->tunnel);
    memset(target, '/', sizeof(target));
    target[2048] = '\0';
    visit(world, &visitor, "GET", host, target, NULL);
    assert_int_equal(last_sent(world)->type, V1_HTTP_REQUEST);
    leave(&visitor);
    target[2048] = '/';
    target[2049] = '\0';
    visit(world, &visitor, "GET", host, target, NULL);
    assert_refused(&visitor, HTTP_ERROR_URI_TOO_LONG);
}

static void a_value_may_be_so_long(void **state) {
    struct world *world = *state;
    static char value[8193];
    struct visitor visitor;
    agent_ready(world, "one", "/", NULL);
    memset(value, 'v', sizeof(value));
    world->more = (struct header){VIEW("X-Long"), view_of(value, 8192)};
    visit_tunnel(world, &visitor, "GET", NULL);
    assert_int_equal(last_sent(world)->type, V1_HTTP_REQUEST);
    leave(&visitor);
    world->more.value.len++;
    visit_tunnel(world, &visitor, "GET", NULL);
    assert_refused(&visitor, HTTP_ERROR_HEADERS_TOO_LARGE);
}

static void headers_may_be_so_large(void **state) {
    struct world *world = *state;
    static char value[32 * 1024];
    struct visitor visitor;
    world->settings.limits.v1_value_bytes = sizeof(value);
    world->settings.limits.v1_headers_bytes = 1000;
    make_core_anew(world);
    agent_ready(world, "one", "/", NULL);
    memset(value, 'v', sizeof(value));
    world->more = (struct header){VIEW("X-Long"), view_of(value, 100)};
    visit_tunnel(world, &visitor, "GET", NULL);
    size_t others = visitor.exchange->headers.bytes - 100;
    leave(&visitor);
    world->more.value.len = 1000 + 16 * 1024 - others;
    visit_tunnel(world, &visitor, "GET", NULL);
    assert_int_equal(last_sent(world)->type, V1_HTTP_REQUEST);
    leave(&visitor);
    world->more.value.len++;
    visit_tunnel(world, &visitor, "GET", NULL);
    assert_refused(&visitor, HTTP_ERROR_HEADERS_TOO_LARGE);
}

static void a_body_may_be_so_large(void **state) {
    struct world *world = *state;
    static char bytes[1001];
    struct visitor visitor;
    agent_ready(world, "one", "/", NULL);
    visit_tunnel(world, &visitor, "POST", "1000");
    assert_int_equal(visitor.granted, 1001); /* one that is too many is to be seen */
    exchange_body(visitor.exchange, view_of(bytes, 1000));
    exchange_body_end(visitor.exchange);
    settle(world);
    assert_int_equal(last_sent(world)->body.len, 1000);
    leave(&visitor);
    world->more = (struct header){VIEW("Transfer-Encoding"), VIEW("chunked")};
    visit_tunnel(world, &visitor, "POST", NULL);
    assert_int_equal(visitor.granted, 1001);
    exchange_body(visitor.exchange, view_of(bytes, 1001));
    exchange_body(visitor.exchange, view_of(bytes, 1)); /* too late */
    settle(world);
    assert_refused(&visitor, HTTP_ERROR_BODY_TOO_LARGE);
}

static void what_an_agent_need_not_know_is_not_sent(void **state) {
    struct world *world = *state;
    struct visitor visitor;
    agent_ready(world, "one", "/", NULL);
    world->more = (struct header){VIEW("Expect"), VIEW("100-continue")};
    visit_tunnel(world, &visitor, "POST", "1");
    exchange_body(visitor.exchange, VIEW("x"));
    exchange_body_end(visitor.exchange);
    settle(world);
    assert_true(view_eq(last_sent(world)->body, VIEW("x")));
    assert_null(headers_get(&last_sent(world)->headers, VIEW("expect")).ptr);
    leave(&visitor);
}

/* ---- how long ---- */

static void a_body_may_be_silent_for_so_long(void **state) {
    struct world *world = *state;
    struct visitor visitor;
    agent_ready(world, "one", "/", NULL);
    visit_tunnel(world, &visitor, "POST", "2");
    pass(world, 299999);
    assert_int_equal(visitor.status, 0);
    exchange_body(visitor.exchange, VIEW("x"));
    pass(world, 299999);
    assert_int_equal(visitor.status, 0);
    pass(world, 1);
    assert_refused(&visitor, HTTP_ERROR_REQUEST_TIMEOUT);
}

static void an_agent_may_ask_for_so_much_time(void **state) {
    struct world *world = *state;
    struct visitor visitor;
    static const struct {
        const char *ready;
        uint64_t ms;
    } rows[] = {
        {"{\"type\":\"ready\"}", 25000},
        {"{\"type\":\"ready\",\"request_timeout_ms\":1000}", 1000},
        {"{\"type\":\"ready\",\"request_timeout_ms\":3600000}", 3600000},
        {"{\"type\":\"ready\",\"request_timeout_ms\":3600001}", 3600000},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin_with_agent(world, rows[i].ready);
        visit_tunnel(world, &visitor, "GET", NULL);
        pass(world, rows[i].ms - 1);
        assert_int_equal(visitor.status, 0);
        pass(world, 1);
        assert_refused(&visitor, HTTP_ERROR_TIMEOUT);
        agent_leaves(world, "one");
    }
}

/* ---- in pieces ---- */

enum { LARGE = 150000 };

static char *large_body(void) {
    char *bytes = malloc(LARGE);
    assert_non_null(bytes);
    for (size_t i = 0; i < LARGE; i++) bytes[i] = (char)('a' + i % 23);
    return bytes;
}

static void post_large(struct world *world, struct visitor *visitor, const char *bytes) {
    world->settings.v1_body_bytes = LARGE;
    visit_tunnel(world, visitor, "POST", "150000");
    exchange_body(visitor->exchange, view_of(bytes, LARGE));
    exchange_body_end(visitor->exchange);
    settle(world);
}

static void a_long_message_goes_in_pieces_to_who_can_join_them(void **state) {
    struct world *world = *state;
    struct visitor visitor;
    char *bytes = large_body();
    world->settings.v1_body_bytes = LARGE;
    make_core_anew(world);
    begin_with_agent(world, "{\"type\":\"ready\",\"capabilities\":[\"chunks\"]}");
    size_t sent = world->sent_count;
    post_large(world, &visitor, bytes);
    assert_int_equal(world->sent_count - sent, 2); /* 200 KB in base64 */
    struct buf text;
    buf_init(&text, 1 << 20);
    for (size_t i = 0; i < 2; i++) {
        const struct v1_message *piece = world->sent[sent + i].message;
        assert_int_equal(piece->type, V1_CHUNK);
        assert_int_equal(piece->chunk.seq, i);
        assert_int_equal(piece->chunk.total, 2);
        assert_true(buf_append_view(&text, piece->chunk.data));
    }
    enum status status;
    struct v1_message *joined = v1_message_parse(buf_view(&text), LARGE, &status);
    assert_non_null(joined);
    assert_int_equal(joined->type, V1_HTTP_REQUEST);
    assert_true(view_eq(joined->body, view_of(bytes, LARGE)));
    v1_message_free(joined);
    buf_done(&text);
    visit_tunnel(world, &(struct visitor){0}, "GET", NULL); /* a short one does not */
    assert_int_equal(last_sent(world)->type, V1_HTTP_REQUEST);
    agent_answers(world, "one", last_sent(world)->request_id, 204, "");
    assert_true(list_empty(&world->core->operations)); /* each was told of */
    leave(&visitor);
    free(bytes);
}

static void it_goes_whole_to_who_cannot(void **state) {
    struct world *world = *state;
    struct visitor visitor;
    char *bytes = large_body();
    world->settings.v1_body_bytes = LARGE;
    make_core_anew(world);
    begin_with_agent(world, "{\"type\":\"ready\"}");
    post_large(world, &visitor, bytes);
    assert_int_equal(last_sent(world)->type, V1_HTTP_REQUEST);
    assert_true(view_eq(last_sent(world)->body, view_of(bytes, LARGE)));
    leave(&visitor);
    free(bytes);
}

/* ---- answers ---- */

static void answers_body(struct world *world, const char *base64) {
    char text[4096];
    snprintf(text, sizeof(text),
             "{\"type\":\"http_response\",\"request_id\":\"%.*s\",\"status_code\":200,\"body\":\"%s\"}",
             VIEW_ARG(last_sent(world)->request_id), base64);
    agent_says(world, "one", text);
}

static void an_answer_may_be_so_large(void **state) {
    struct world *world = *state;
    char base64[2000] = "";
    struct visitor visitor;
    agent_ready(world, "one", "/", NULL);
    visit_tunnel(world, &visitor, "GET", NULL);
    answers_body(world, "YQ==");
    assert_true(visitor.ended);
    assert_true(view_eq(buf_view(&visitor.body), VIEW("a")));
    buf_done(&visitor.body);
    for (int i = 0; i < 333; i++) strcat(base64, "YWFh");
    strcat(base64, "YQ=="); /* 1000 bytes */
    visit_tunnel(world, &visitor, "GET", NULL);
    answers_body(world, base64);
    exchange_drained(visitor.exchange, 64);
    settle(world);
    assert_int_equal(visitor.body.len, 128);
    leave(&visitor);
    strcpy(base64 + 333 * 4, "YWE=");
    visit_tunnel(world, &visitor, "GET", NULL);
    answers_body(world, base64);
    assert_refused(&visitor, HTTP_ERROR_RESPONSE_TOO_LARGE);
}

static char logged[512];

static void keep_line(void *ctx, enum log_level level, const char *component, struct view line) {
    (void)ctx, (void)level;
    if (strcmp(component, "answer") == 0) view_copy_to(line, logged, sizeof(logged));
}

static void assert_logged(struct world *world, const char *method, const char *target, const char *message,
                          const char *expected) {
    char host[128], text[512];
    struct visitor visitor;
    snprintf(host, sizeof(host), "%s.localhost", world->tunnel);
    logged[0] = '\0';
    visit(world, &visitor, method, host, target, NULL);
    snprintf(text, sizeof(text), message, VIEW_ARG(last_sent(world)->request_id));
    log_set_level(LOG_LEVEL_INFO);
    log_set_sink(keep_line, NULL);
    agent_says(world, "one", text);
    assert_true(visitor.ended);
    buf_done(&visitor.body);
    const char *at = strstr(logged, method);
    if (*expected ? !at || strcmp(at, expected) != 0 : logged[0] != '\0')
        fail_msg("%s, not %s", logged, expected);
}

/* Where the service has answered what cannot be passed on, its owner wants to know why. */
static void what_an_answer_was_refused_for_is_logged(void **state) {
    struct world *world = *state;
    char target[400], expected[400];
    static const char fault[] = "{\"type\":\"error\",\"request_id\":\"%.*s\",\"code\":\"internal_error\","
                                "\"message\":\"words of the agent\"}";
    agent_ready(world, "one", "/", NULL);
    assert_logged(world, "GET", "/a?token=secret&b=1", fault,
                  "GET /a?token=***&b=1: bad_response: words of the agent");
    assert_logged(world, "GET", "/a",
                  "{\"type\":\"error\",\"request_id\":\"%.*s\",\"code\":\"timeout\",\"message\":\"m\"}", "");
    memset(target, 'a', sizeof(target));
    target[0] = '/';
    target[300] = '\0';
    snprintf(expected, sizeof(expected), "PROPFIND %.200s: bad_response: words of the agent", target);
    assert_logged(world, "PROPFIND", target, fault, expected);
}

/* ---- what cannot be sent ---- */

static void what_cannot_be_sent_is_an_error(void **state) {
    struct world *world = *state;
    static const struct {
        enum status status;
        enum http_error error;
    } rows[] = {{STATUS_TOO_LARGE, HTTP_ERROR_BODY_TOO_LARGE},
                {STATUS_OVERLOADED, HTTP_ERROR_OVERLOADED},
                {STATUS_UNAVAILABLE, HTTP_ERROR_OVERLOADED}};
    agent_ready(world, "one", "/", NULL);
    strcpy(world->dead, "one");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct visitor visitor;
        world->dead_status = rows[i].status;
        visit_tunnel(world, &visitor, "GET", NULL);
        assert_refused(&visitor, rows[i].error);
    }
    struct visitor visitor;
    world->dead_status = STATUS_NOT_FOUND; /* it has gone: the next one gets it */
    visit_tunnel(world, &visitor, "POST", NULL);
    assert_int_equal(visitor.status, 0);
    pass(world, 5000);
    assert_refused(&visitor, HTTP_ERROR_AGENT_OFFLINE);
}

/* ---- a visitor who leaves ---- */

/* After each turn of the loop that there is until an answer is out. Nothing is kept: the store is asked at
 * the end, and the sanitizers. */
static void a_visitor_may_leave_in_any_turn(void **state) {
    struct world *world = *state;
    char host[128], answer[256];
    struct store_events events = core_store_events(world->core);
    agent_ready(world, "one", "/", NULL);
    snprintf(host, sizeof(host), "%s.localhost", world->tunnel);
    for (int turns = 0; turns < 12; turns++) {
        struct visitor visitor;
        size_t sent = world->sent_count;
        int turn = 0;
        begin_visit(world, &visitor, "GET", host, "/", NULL);
        while (turn < turns && tasks_run(&world->tasks)) turn++;
        if (turn < turns && world->sent_count > sent) {
            snprintf(answer, sizeof(answer),
                     "{\"type\":\"http_response\",\"request_id\":\"%.*s\",\"status_code\":200,"
                     "\"body\":\"YQ==\"}",
                     VIEW_ARG(last_sent(world)->request_id));
            core_message(world->core, VIEW("one"), view_from_cstr(answer), NULL, NULL);
            while (turn < turns && tasks_run(&world->tasks)) turn++;
        }
        if (visitor.ended)
            assert_int_equal(visitor.status, 200);
        else
            exchange_cancel(visitor.exchange);
        events.missed(events.ctx); /* whoever is still in a table is asked for */
        settle(world);
        assert_int_equal(core_exchange_count(world->core), 0);
        assert_int_equal(store_memory_pending(world->store), 0);
        buf_done(&visitor.body);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_path_may_be_so_long),
        TEST(a_value_may_be_so_long),
        TEST(headers_may_be_so_large),
        TEST(a_body_may_be_so_large),
        TEST(what_an_agent_need_not_know_is_not_sent),
        TEST(a_body_may_be_silent_for_so_long),
        TEST(an_agent_may_ask_for_so_much_time),
        TEST(a_long_message_goes_in_pieces_to_who_can_join_them),
        TEST(it_goes_whole_to_who_cannot),
        TEST(an_answer_may_be_so_large),
        TEST(what_an_answer_was_refused_for_is_logged),
        TEST(what_cannot_be_sent_is_an_error),
        TEST(a_visitor_may_leave_in_any_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
