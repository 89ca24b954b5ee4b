/* The handler core in a small world: the memory store, a clock that the test moves, agents that write down
 * what they are sent, and a visitor that writes down what it is answered. */
#include <stdio.h>
#include <stdlib.h>

#include "cmocka_setup.h"
#include "core_setup.h"
#include "handler/core.h"
#include "store/store_memory.h"

enum { SENT_MAX = 128 };

struct world {
    struct tasks tasks;
    struct timers timers;
    uint64_t now_ms;
    struct store_memory *store;
    struct core *core;
    struct {
        char connection[64];
        struct v1_message *message;
    } sent[SENT_MAX];
    size_t sent_count;
    char dead[64]; /* sends to this connection find it gone */
    struct {
        struct task task;
        agent_sent_fn *done;
        void *target;
        uint64_t ticket;
    } gone;
    char closed[64];
    enum status heard; /* what became of the last message of an agent */
    int connect_status;
    char tunnel[64];
    bool others_sent_too_many; /* by what the store knows */
    unsigned admitted;         /* how often it was asked */
};

struct visitor {
    struct exchange *exchange;
    size_t granted;
    int status;
    enum http_error error;
    bool ended, aborted, close, has_body, says_error;
    uint64_t content_length;
    struct buf body;
    char cookie[128];
    size_t cookies;
};

static uint64_t now_ms(void *ctx) {
    return ((struct world *)ctx)->now_ms;
}
static uint64_t wall_ms(void *ctx) {
    return ((struct world *)ctx)->now_ms + 1700000000000;
}

static void on_gone(struct task *task) {
    struct world *world = LIST_ENTRY(task, struct world, gone.task);
    world->gone.done(world->gone.target, world->gone.ticket, STATUS_GONE);
}

/* What the test sends is parsed as an agent would. */
static void agents_send(void *ctx, const struct link *link, struct view text, agent_sent_fn *done,
                        void *target, uint64_t ticket) {
    struct world *world = ctx;
    enum status status;
    assert_true(world->sent_count < SENT_MAX);
    if (strcmp(link->connection, world->dead) == 0) {
        if (!done) return;
        world->gone.done = done;
        world->gone.target = target;
        world->gone.ticket = ticket;
        tasks_post(&world->tasks, &world->gone.task);
        return;
    }
    strcpy(world->sent[world->sent_count].connection, link->connection);
    world->sent[world->sent_count].message = v1_message_parse(text, 4 * 1024 * 1024, &status);
    assert_non_null(world->sent[world->sent_count].message);
    world->sent_count++;
}

static void agents_close(void *ctx, const struct link *link) {
    strcpy(((struct world *)ctx)->closed, link->connection);
}

static void settle(struct world *world) {
    do {
        while (tasks_run(&world->tasks)) continue;
        timers_run(&world->timers);
    } while (tasks_run(&world->tasks));
}

static void pass(struct world *world, uint64_t ms) {
    world->now_ms += ms;
    settle(world);
}

#define JWT_KEY "0123456789abcdef0123456789abcdef"

static struct world *counting; /* the store's context is its own */

static bool admit(void *ctx, struct view tunnel_id, size_t per_second) {
    struct world *world = counting;
    (void)ctx;
    assert_true(view_eq(tunnel_id, view_from_cstr(world->tunnel)));
    assert_int_equal(per_second, 3);
    world->admitted++;
    return !world->others_sent_too_many;
}

static int make_world(void **state, bool store_tells, bool require_auth, size_t requests_per_second) {
    struct world *world = calloc(1, sizeof *world);
    tasks_init(&world->tasks, NULL, NULL);
    task_init(&world->gone.task, on_gone);
    timers_init(&world->timers, now_ms, NULL, world);
    world->store = store_memory_new(&world->tasks, wall_ms, world);
    struct agents agents = {
        .ctx = world, .send = agents_send, .close = agents_close, .is_shared = !store_tells};
    struct clock clock = {.ctx = world, .wall_ms = wall_ms, .timers = &world->timers, .tasks = &world->tasks};
    struct ports ports = memory_ports(world->store, &agents, &clock);
    struct core_settings settings;
    counting = world;
    if (requests_per_second) ports.registry.admit = admit;
    settings_of_localhost(&settings);
    settings.v1_body_bytes = 1000;
    settings.exchanges_per_tunnel = 4;
    settings.require_auth = require_auth;
    settings.jwt.secret = VIEW(JWT_KEY);
    settings.recheck_waiting_ms = store_tells ? 0 : 250;
    settings.recheck_sent_ms = store_tells ? 0 : 1000;
    settings.tunnel_requests_per_second = requests_per_second;
    world->core = core_new(&settings, &ports);
    if (store_tells) store_memory_listen(world->store, core_store_events(world->core));
    *state = world;
    return 0;
}

static int set_up(void **state) {
    return make_world(state, true, false, 0);
}

static int set_up_auth(void **state) {
    return make_world(state, true, true, 0);
}

static int set_up_limited(void **state) {
    return make_world(state, true, false, 3);
}

/* A store whose changes are other processes' doing. */
static int set_up_silent(void **state) {
    return make_world(state, false, false, 0);
}

static int tear_down(void **state) {
    struct world *world = *state;
    settle(world);
    assert_int_equal(core_exchange_count(world->core), 0);
    assert_int_equal(store_memory_pending(world->store), 0);
    task_cancel(&world->gone.task);
    store_memory_free(world->store);
    core_free(world->core);
    timers_done(&world->timers);
    for (size_t i = 0; i < world->sent_count; i++) v1_message_free(world->sent[i].message);
    free(world);
    return 0;
}

/* ---- agents ---- */

static void on_connected(void *ctx, const struct connect_outcome *outcome) {
    struct world *world = ctx;
    world->connect_status = outcome->status;
    view_copy_to(outcome->tunnel_id, world->tunnel, sizeof world->tunnel);
}

static int agent_connect(struct world *world, const char *connection, const char *target, const char *resume,
                         const char *origin) {
    struct arena arena;
    arena_init(&arena, 65536);
    struct headers headers;
    headers_init(&headers, &arena);
    if (resume) headers_add(&headers, VIEW("x-tunnel-resume"), view_from_cstr(resume));
    if (origin) headers_add(&headers, VIEW("origin"), view_from_cstr(origin));
    struct connect_event event = {
        .connection_id = view_from_cstr(connection), .target = view_from_cstr(target), .headers = &headers};
    world->connect_status = 0;
    core_connect(world->core, &event, on_connected, world);
    assert_int_equal(world->connect_status, 0);
    settle(world);
    arena_done(&arena);
    return world->connect_status;
}

static void on_heard(void *ctx, enum status status) {
    ((struct world *)ctx)->heard = status;
}

static void agent_says(struct world *world, const char *connection, const char *text) {
    world->heard = STATUS_UNAVAILABLE;
    core_message(world->core, view_from_cstr(connection), view_from_cstr(text), on_heard, world);
    settle(world);
}

static struct v1_message *last_sent(struct world *world) {
    assert_true(world->sent_count > 0);
    return world->sent[world->sent_count - 1].message;
}

/* An agent that is ready; its tunnel's id is in world->tunnel, its resume token in `resume`. */
static void agent_ready(struct world *world, const char *connection, const char *target, char *resume) {
    assert_int_equal(agent_connect(world, connection, target, resume && resume[0] ? resume : NULL, NULL),
                     200);
    agent_says(world, connection, "{\"type\":\"ready\",\"capabilities\":[\"resume\"]}");
    assert_int_equal(last_sent(world)->type, V1_CONNECTION_ESTABLISHED);
    if (resume) assert_true(view_copy_to(last_sent(world)->resume, resume, 1024));
}

static void agent_answers(struct world *world, const char *connection, struct view request_id, int status,
                          const char *more) {
    char text[1024];
    snprintf(text, sizeof text, "{\"type\":\"http_response\",\"request_id\":\"%.*s\",\"status_code\":%d%s}",
             VIEW_ARG(request_id), status, more);
    agent_says(world, connection, text);
}

static void agent_leaves(struct world *world, const char *connection) {
    core_disconnect(world->core, view_from_cstr(connection), NULL, NULL);
    settle(world);
}

/* ---- visitors ---- */

static void on_grant(void *ctx, size_t bytes) {
    ((struct visitor *)ctx)->granted += bytes;
}

static void on_head(void *ctx, const struct answer_head *head) {
    struct visitor *visitor = ctx;
    visitor->status = head->status;
    visitor->error = head->error;
    visitor->close = head->close;
    visitor->has_body = head->has_body;
    visitor->content_length = head->content_length;
    visitor->says_error = headers_get(head->headers, VIEW("x-tunnel-error")).ptr != NULL;
    visitor->cookies = headers_count(head->headers, VIEW("set-cookie"));
    view_copy_to(headers_get(head->headers, VIEW("set-cookie")), visitor->cookie, sizeof visitor->cookie);
    assert_null(headers_get(head->headers, VIEW("connection")).ptr);
    assert_null(headers_get(head->headers, VIEW("content-length")).ptr);
}

static void on_data(void *ctx, struct view data) {
    struct visitor *visitor = ctx;
    assert_true(visitor->has_body);
    assert_true(buf_append_view(&visitor->body, data));
}

static void on_end(void *ctx, const struct headers *trailers) {
    (void)trailers;
    ((struct visitor *)ctx)->ended = true;
}

static void on_abort(void *ctx) {
    ((struct visitor *)ctx)->aborted = true;
}

static void visit(struct world *world, struct visitor *visitor, const char *method, const char *host,
                  const char *target, const char *length) {
    struct arena arena;
    arena_init(&arena, 65536);
    struct headers headers;
    headers_init(&headers, &arena);
    headers_add(&headers, VIEW("Host"), view_from_cstr(host));
    headers_add(&headers, VIEW("X-Tunnel-Epoch"), VIEW("9"));
    headers_add(&headers, VIEW("X-Forwarded-For"), VIEW("6.6.6.6"));
    headers_add(&headers, VIEW("Connection"), VIEW("keep-alive, X-Private"));
    headers_add(&headers, VIEW("X-Private"), VIEW("1"));
    if (length) headers_add(&headers, VIEW("Content-Length"), view_from_cstr(length));
    struct forward_event event = {.method = view_from_cstr(method),
                                  .target = view_from_cstr(target),
                                  .version = VIEW("HTTP/1.1"),
                                  .headers = &headers,
                                  .client = VIEW("192.0.2.1"),
                                  .scheme = VIEW("http")};
    *visitor = (struct visitor){0};
    buf_init(&visitor->body, 1 << 20);
    struct body_source source = {visitor, on_grant};
    struct answer_sink sink = {visitor, on_head, on_data, on_end, on_abort};
    visitor->exchange = core_forward(world->core, &event, &source, &sink, 64);
    assert_non_null(visitor->exchange);
    assert_int_equal(visitor->status, 0);
    arena_done(&arena);
    settle(world);
}

static void visit_tunnel(struct world *world, struct visitor *visitor, const char *method,
                         const char *length) {
    char host[128];
    snprintf(host, sizeof host, "%s.localhost:8080", world->tunnel);
    visit(world, visitor, method, host, "/a?b=%2F", length);
}

static void assert_refused(struct visitor *visitor, enum http_error error) {
    assert_int_equal(visitor->error, error);
    assert_int_equal(visitor->status, http_error_status(error));
    assert_true(visitor->ended);
    buf_done(&visitor->body);
}

/* ---- tests ---- */

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
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
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
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct visitor visitor;
        visit_tunnel(world, &visitor, "GET", NULL);
        char text[512];
        snprintf(text, sizeof text,
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
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        visit_tunnel(world, &visitor, "GET", NULL);
        agent_answers(world, "one", last_sent(world)->request_id, statuses[i], "");
        assert_refused(&visitor, HTTP_ERROR_BAD_RESPONSE);
    }
}

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

static void too_many_at_once_are_refused(void **state) {
    struct world *world = *state;
    agent_ready(world, "one", "/", NULL);
    struct visitor visitors[5];
    for (int i = 0; i < 5; i++) visit_tunnel(world, &visitors[i], "GET", NULL);
    assert_refused(&visitors[4], HTTP_ERROR_OVERLOADED);
    for (int i = 0; i < 4; i++) exchange_cancel(visitors[i].exchange);
}

static void malformed_messages_are_dropped(void **state) {
    struct world *world = *state;
    agent_ready(world, "one", "/", NULL);
    static const char *const rows[] = {"",        "{", "[]", "{\"type\":1}", "{\"type\":\"http_response\"}",
                                       "nonsense"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        agent_says(world, "one", rows[i]);
        assert_int_equal(world->heard, STATUS_INVALID);
    }
    struct visitor visitor;
    visit_tunnel(world, &visitor, "GET", NULL);
    agent_answers(world, "one", last_sent(world)->request_id, 200, "");
    assert_int_equal(visitor.status, 200);
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
    snprintf(named, sizeof named, "\\\"request_id\\\":\\\"%.*s\\\",", VIEW_ARG(id));
    for (int i = 1; i >= 0; i--) {
        assert_false(visitor.ended);
        snprintf(text, sizeof text, "{\"type\":\"chunk\",\"request_id\":\"%.*s\",\"seq\":%s%s\"}",
                 VIEW_ARG(id), pieces[i], i ? "" : named);
        agent_says(world, "one", text);
    }
    assert_true(visitor.ended);
    assert_int_equal(visitor.status, 201);
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

static void a_host_may_be_out_of_time(void **state) {
    struct world *world = *state;
    struct visitor visitor;
    agent_ready(world, "one", "/", NULL);
    visit_tunnel(world, &visitor, "GET", NULL);
    exchange_expire(visitor.exchange);
    assert_refused(&visitor, HTTP_ERROR_TIMEOUT);
}

static void a_ping_is_answered(void **state) {
    struct world *world = *state;
    agent_ready(world, "one", "/", NULL);
    agent_says(world, "one", "{\"type\":\"ping\"}");
    assert_int_equal(last_sent(world)->type, V1_PONG);
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
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_request_reaches_the_agent_and_its_answer_the_visitor),
        T(an_answer_that_has_not_come_is_waited_for),
        T(a_head_may_be_answered_with_a_body),
        T(an_agent_cannot_make_an_error_of_ours),
        T(a_slow_visitor_gets_the_body_as_he_drains),
        T(a_body_is_granted_and_sent_whole),
        T(a_body_over_the_limit_is_refused),
        T(errors_of_the_agent_become_answers),
        T(answers_that_are_none_are_bad_responses),
        T(nobody_there),
        T(an_agent_that_has_gone_is_waited_for_then_offline),
        T(a_request_before_ready_waits_for_it),
        T(a_get_is_sent_once_more_to_the_agent_that_came_back),
        T(a_post_in_flight_is_lost_at_once),
        T(a_post_that_never_left_waits_for_the_next_agent),
        T(a_foreign_agent_cannot_answer),
        T(a_silent_service_times_out),
        T(the_agent_may_ask_for_more_time),
        T(a_visitor_who_leaves_leaves_nothing),
        T(a_name_is_its_owners),
        cmocka_unit_test_setup_teardown(a_subject_keeps_its_name_for_a_day, set_up_auth, tear_down),
        T(a_takeover_tells_the_older_and_lets_it_finish),
        T(a_forged_resume_token_gets_a_tunnel_of_its_own),
        T(an_origin_is_refused),
        T(too_many_at_once_are_refused),
        T(malformed_messages_are_dropped),
        T(an_answer_may_come_in_pieces),
        cmocka_unit_test_setup_teardown(a_request_waits_for_an_agent_that_the_store_does_not_tell_of,
                                        set_up_silent, tear_down),
        cmocka_unit_test_setup_teardown(a_request_in_flight_looks_at_the_claim_again, set_up_silent,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_shared_agent_that_was_taken_over_is_closed_when_it_is_overdue,
                                        set_up_silent, tear_down),
        T(a_post_that_finds_nobody_takes_the_claim_offline),
        T(a_host_may_be_out_of_time),
        T(a_ping_is_answered),
        cmocka_unit_test_setup_teardown(a_tunnel_has_so_many_requests_a_second, set_up_limited, tear_down),
        cmocka_unit_test_setup_teardown(what_is_sent_again_is_counted_once, set_up_limited, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_sent_is_not_counted, set_up_limited, tear_down),
        cmocka_unit_test_setup_teardown(what_others_have_sent_counts, set_up_limited, tear_down),
        T(the_core_may_end_with_work_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
