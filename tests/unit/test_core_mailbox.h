/* A world for mailbox delivery (protocol v1): the memory store, a clock that the test moves, agents that
 * write down what they are sent, and a visitor that writes down what it is answered. */
#ifndef TEST_CORE_MAILBOX_H
#define TEST_CORE_MAILBOX_H

#include <stdio.h>
#include <stdlib.h>

#include "cmocka_setup.h"
#include "core_setup.h"
#include "handler/core.h"
#include "store/store_memory.h"

enum { SENT_MAX = 128 };

struct world {
    uint64_t visitor; /* whose the next requests are */
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
    char dead[64];           /* sends to this connection end so: */
    enum status dead_status; /* STATUS_OK stands for STATUS_GONE */
    bool holds_sent;         /* nobody is told what became of a message, until tell_sent() */
    struct sending {
        struct task task;
        agent_sent_fn *done;
        void *target;
        uint64_t ticket;
        enum status status;
    } sendings[SENT_MAX];
    size_t sending_count;
    char closed[64];
    enum status heard; /* what became of the last message of an agent */
    int connect_status;
    char tunnel[64];
    struct ports ports;
    struct core_settings settings; /* of the core, to be changed for another one */
    struct header more;            /* a field that visitors send, too */
    bool others_sent_too_many;     /* by what the store knows */
    unsigned admitted;             /* how often it was asked */
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

static inline uint64_t now_ms(void *ctx) {
    return ((struct world *)ctx)->now_ms;
}
static inline uint64_t wall_ms(void *ctx) {
    return ((struct world *)ctx)->now_ms + 1700000000000;
}

static inline void on_sent(struct task *task) {
    struct sending *sending = LIST_ENTRY(task, struct sending, task);
    sending->done(sending->target, sending->ticket, sending->status);
}

static inline void tell_later(struct world *world, enum status status, agent_sent_fn *done, void *target,
                              uint64_t ticket) {
    assert_true(world->sending_count < SENT_MAX);
    struct sending *sending = &world->sendings[world->sending_count++];
    *sending = (struct sending){.done = done, .target = target, .ticket = ticket, .status = status};
    task_init(&sending->task, on_sent);
    if (!world->holds_sent) tasks_post(&world->tasks, &sending->task);
}

/* What became of the last message that was sent while `holds_sent`. */
static inline void tell_sent(struct world *world, enum status status) {
    struct sending *sending = &world->sendings[world->sending_count - 1];
    sending->status = status;
    tasks_post(&world->tasks, &sending->task);
}

/* What the test sends is parsed as an agent would. */
static inline void agents_send(void *ctx, const struct link *link, struct view text, agent_sent_fn *done,
                               void *target, uint64_t ticket) {
    struct world *world = ctx;
    enum status status;
    bool is_dead = strcmp(link->connection, world->dead) == 0;
    enum status gone = world->dead_status ? world->dead_status : STATUS_GONE;
    assert_true(world->sent_count < SENT_MAX);
    if (done) tell_later(world, is_dead ? gone : STATUS_OK, done, target, ticket);
    if (is_dead) return;
    strcpy(world->sent[world->sent_count].connection, link->connection);
    world->sent[world->sent_count].message = v1_message_parse(text, 4 * 1024 * 1024, &status);
    assert_non_null(world->sent[world->sent_count].message);
    world->sent_count++;
}

static inline void agents_close(void *ctx, const struct link *link) {
    strcpy(((struct world *)ctx)->closed, link->connection);
}

static inline void settle(struct world *world) {
    do {
        while (tasks_run(&world->tasks)) continue;
        timers_run(&world->timers);
    } while (tasks_run(&world->tasks));
}

static inline void pass(struct world *world, uint64_t ms) {
    world->now_ms += ms;
    settle(world);
}

#define JWT_KEY "0123456789abcdef0123456789abcdef"

static struct world *counting; /* the store's context is its own */

static inline bool admit(void *ctx, struct view tunnel_id, size_t per_second) {
    struct world *world = counting;
    (void)ctx;
    assert_true(view_eq(tunnel_id, view_from_cstr(world->tunnel)));
    assert_int_equal(per_second, 3);
    world->admitted++;
    return !world->others_sent_too_many;
}

static inline int make_world(void **state, bool store_tells, bool require_auth, size_t requests_per_second) {
    struct world *world = calloc(1, sizeof(*world));
    tasks_init(&world->tasks, NULL, NULL);
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
    world->ports = ports;
    world->settings = settings;
    world->core = core_new(&settings, &ports);
    if (store_tells) store_memory_listen(world->store, core_store_events(world->core));
    *state = world;
    return 0;
}

static inline int set_up(void **state) {
    return make_world(state, true, false, 0);
}

static inline int set_up_auth(void **state) {
    return make_world(state, true, true, 0);
}

static inline int set_up_limited(void **state) {
    return make_world(state, true, false, 3);
}

/* A store whose changes are other processes' doing. */
static inline int set_up_silent(void **state) {
    return make_world(state, false, false, 0);
}

static inline int tear_down(void **state) {
    struct world *world = *state;
    settle(world);
    assert_int_equal(core_exchange_count(world->core), 0);
    assert_int_equal(store_memory_pending(world->store), 0);
    for (size_t i = 0; i < world->sending_count; i++) task_cancel(&world->sendings[i].task);
    store_memory_free(world->store);
    core_free(world->core);
    timers_done(&world->timers);
    for (size_t i = 0; i < world->sent_count; i++) v1_message_free(world->sent[i].message);
    free(world);
    return 0;
}

/* Another core over the same store, with world->settings. */
static inline void make_core_anew(struct world *world) {
    core_free(world->core);
    world->core = core_new(&world->settings, &world->ports);
    assert_non_null(world->core);
    store_memory_listen(world->store, core_store_events(world->core));
}

/* ---- agents ---- */

static inline void on_connected(void *ctx, const struct connect_outcome *outcome) {
    struct world *world = ctx;
    world->connect_status = outcome->status;
    view_copy_to(outcome->tunnel_id, world->tunnel, sizeof(world->tunnel));
}

static inline int agent_connect(struct world *world, const char *connection, const char *target,
                                const char *resume, const char *origin) {
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

static inline void on_heard(void *ctx, enum status status) {
    ((struct world *)ctx)->heard = status;
}

static inline void agent_says(struct world *world, const char *connection, const char *text) {
    world->heard = STATUS_UNAVAILABLE;
    core_message(world->core, view_from_cstr(connection), view_from_cstr(text), on_heard, world);
    settle(world);
}

static inline struct v1_message *last_sent(struct world *world) {
    assert_true(world->sent_count > 0);
    return world->sent[world->sent_count - 1].message;
}

/* An agent that is ready; its tunnel's id is in world->tunnel, its resume token in `resume`. */
static inline void agent_ready(struct world *world, const char *connection, const char *target,
                               char *resume) {
    assert_int_equal(agent_connect(world, connection, target, resume && resume[0] ? resume : NULL, NULL),
                     200);
    agent_says(world, connection, "{\"type\":\"ready\",\"capabilities\":[\"resume\"]}");
    assert_int_equal(last_sent(world)->type, V1_CONNECTION_ESTABLISHED);
    if (resume) assert_true(view_copy_to(last_sent(world)->resume, resume, 1024));
}

static inline void agent_answers(struct world *world, const char *connection, struct view request_id,
                                 int status, const char *more) {
    char text[2048];
    int len = snprintf(text, sizeof(text),
                       "{\"type\":\"http_response\",\"request_id\":\"%.*s\",\"status_code\":%d%s}",
                       VIEW_ARG(request_id), status, more);
    assert_in_range(len, 1, sizeof(text) - 1);
    agent_says(world, connection, text);
}

static inline void agent_leaves(struct world *world, const char *connection) {
    core_disconnect(world->core, view_from_cstr(connection), NULL, NULL);
    settle(world);
}

/* ---- visitors ---- */

static inline void on_grant(void *ctx, size_t bytes) {
    ((struct visitor *)ctx)->granted += bytes;
}

static inline void on_head(void *ctx, const struct answer_head *head) {
    struct visitor *visitor = ctx;
    visitor->status = head->status;
    visitor->error = head->error;
    visitor->close = head->close;
    visitor->has_body = head->has_body;
    visitor->content_length = head->content_length;
    visitor->says_error = headers_get(head->headers, VIEW("x-tunnel-error")).ptr != NULL;
    visitor->cookies = headers_count(head->headers, VIEW("set-cookie"));
    view_copy_to(headers_get(head->headers, VIEW("set-cookie")), visitor->cookie, sizeof(visitor->cookie));
    assert_null(headers_get(head->headers, VIEW("connection")).ptr);
    assert_null(headers_get(head->headers, VIEW("content-length")).ptr);
}

static inline void on_data(void *ctx, struct view data) {
    struct visitor *visitor = ctx;
    assert_true(visitor->has_body && data.len > 0);
    assert_true(buf_append_view(&visitor->body, data));
}

static inline void on_end(void *ctx, const struct headers *trailers) {
    (void)trailers;
    ((struct visitor *)ctx)->ended = true;
}

static inline void on_abort(void *ctx) {
    ((struct visitor *)ctx)->aborted = true;
}

/* Nothing has happened yet. */
static inline void begin_visit(struct world *world, struct visitor *visitor, const char *method,
                               const char *host, const char *target, const char *length) {
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
    if (world->more.name.len) headers_add(&headers, world->more.name, world->more.value);
    struct forward_event event = {.method = view_from_cstr(method),
                                  .target = view_from_cstr(target),
                                  .version = VIEW("HTTP/1.1"),
                                  .headers = &headers,
                                  .client = VIEW("192.0.2.1"),
                                  .visitor = world->visitor,
                                  .scheme = VIEW("http")};
    *visitor = (struct visitor){0};
    buf_init(&visitor->body, 1 << 20);
    struct body_source source = {visitor, on_grant};
    struct answer_sink sink = {visitor, on_head, on_data, on_end, on_abort};
    visitor->exchange = core_forward(world->core, &event, &source, &sink, 64);
    assert_non_null(visitor->exchange);
    assert_int_equal(visitor->status, 0);
    arena_done(&arena);
}

static inline void visit(struct world *world, struct visitor *visitor, const char *method, const char *host,
                         const char *target, const char *length) {
    begin_visit(world, visitor, method, host, target, length);
    settle(world);
}

static inline void visit_tunnel(struct world *world, struct visitor *visitor, const char *method,
                                const char *length) {
    char host[128];
    snprintf(host, sizeof(host), "%s.localhost:8080", world->tunnel);
    visit(world, visitor, method, host, "/a?b=%2F", length);
}

static inline void assert_refused(struct visitor *visitor, enum http_error error) {
    assert_int_equal(visitor->error, error);
    assert_int_equal(visitor->status, http_error_status(error));
    assert_true(visitor->ended);
    buf_done(&visitor->body);
}

/* ---- tests ---- */

#define TEST_IN(set_up, test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define TEST(test) TEST_IN(set_up, test)

#endif
