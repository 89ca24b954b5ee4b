/* A world for stream delivery (protocol v2): a fake agent port that keeps a record of what it is told, a
 * visitor that does, too, and steps by which a script says what happens. */
#ifndef TEST_CORE_STREAMS_H
#define TEST_CORE_STREAMS_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmocka_setup.h"
#include "core_setup.h"
#include "handler/core.h"
#include "store/store_memory.h"

enum { RECORD_MAX = 2048, FIELDS_MAX = 16 };

struct world;

struct agent_stream {
    struct world *world;
    const struct stream_events *events;
    void *target;
    size_t written; /* of the request's body */
    bool body_follows, ended;
};

struct world {
    struct tasks tasks;
    struct timers timers;
    uint64_t now_ms;
    struct store_memory *store;
    struct core *core;
    struct agent_stream *stream; /* the last one that was opened; NULL once it has ended */
    size_t stream_count;
    enum status open_fails; /* the next one: with this */
    struct exchange *exchange;
    size_t handed;  /* of the request's body */
    uint64_t epoch; /* of the agent that is there */
    int connect_status;
    const char *path;                /* what the agent is asked for; NULL: "/a?b=%2F" */
    bool is_error;                   /* the answer is one of ours */
    bool is_quiet;                   /* keeps no record */
    char quota[32], retry_after[16]; /* that the last answer said was met, and when to try again */
    char tunnel[64], resume[1024], agent[64];
    char record[RECORD_MAX];
    size_t record_len;
};

static inline void record(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline void record(struct world *world, const char *format, ...) {
    size_t room = RECORD_MAX - world->record_len;
    if (world->is_quiet) return;
    va_list args;
    if (world->record_len) world->record[world->record_len++] = ' ';
    va_start(args, format);
    int len = vsnprintf(world->record + world->record_len, room - 1, format, args);
    va_end(args);
    assert_true(len >= 0 && (size_t)len < room - 1);
    world->record_len += (size_t)len;
}

static inline uint64_t now_ms(void *ctx) {
    return ((struct world *)ctx)->now_ms;
}
static inline uint64_t wall_ms(void *ctx) {
    return ((struct world *)ctx)->now_ms + 1700000000000;
}

static inline void settle(struct world *world) {
    do {
        while (tasks_run(&world->tasks)) continue;
        timers_run(&world->timers);
    } while (tasks_run(&world->tasks));
}

/* ---- the agent port ---- */

/* A request's body is a pattern, so that what lacks bytes, or has them twice, is found out. */
static inline char pattern(size_t at) {
    return (char)('a' + at % 23);
}

static inline struct agent_stream *open_stream(void *ctx, const struct claim *claim,
                                               const struct stream_head *head, bool body_follows,
                                               const struct stream_events *events, void *target,
                                               enum status *ret_status) {
    struct world *world = ctx;
    *ret_status = world->open_fails;
    world->open_fails = STATUS_OK;
    if (*ret_status != STATUS_OK) return NULL;
    assert_true(view_eq(head->path, view_from_cstr(world->path ? world->path : "/a?b=%2F")));
    assert_null(headers_get(head->headers, VIEW("x-tunnel-epoch")).ptr);
    struct view offer = headers_get(head->headers, VIEW(STREAM_UPGRADE_FIELD));
    record(world, "%s:%.*s%.*s%s%.*s%s", claim->member.link.connection, VIEW_ARG(head->method),
           VIEW_ARG(head->protocol), offer.ptr ? "?" : "", VIEW_ARG(offer), body_follows ? "+" : "");
    if (offer.ptr) assert_null(headers_get(head->headers, VIEW("content-length")).ptr);
    struct agent_stream *stream = calloc(1, sizeof(*stream));
    *stream = (struct agent_stream){
        .world = world, .events = events, .target = target, .body_follows = body_follows};
    world->stream = stream;
    world->stream_count++;
    return stream;
}

static inline void write_stream(struct agent_stream *stream, struct view data) {
    assert_true(stream->body_follows && !stream->ended);
    for (size_t i = 0; i < data.len; i++) assert_int_equal(data.ptr[i], pattern(stream->written + i));
    stream->written += data.len;
    record(stream->world, "write:%zu", data.len);
}

static inline void end_stream(struct agent_stream *stream) {
    assert_true(stream->body_follows && !stream->ended);
    stream->ended = true;
    record(stream->world, "fin");
}

static inline void consumed(struct agent_stream *stream, size_t bytes) {
    record(stream->world, "consumed:%zu", bytes);
}

static inline void stream_gone(struct agent_stream *stream) {
    if (stream->world->stream == stream) stream->world->stream = NULL;
    free(stream);
}

static inline void reset_stream(struct agent_stream *stream) {
    record(stream->world, "reset");
    stream_gone(stream);
}

struct sending {
    struct task task;
    agent_sent_fn *done;
    void *target;
    uint64_t ticket;
};

static inline void on_sent(struct task *task) {
    struct sending *sending = LIST_ENTRY(task, struct sending, task);
    sending->done(sending->target, sending->ticket, STATUS_OK);
    free(sending);
}

static inline void tell_sent(struct world *world, agent_sent_fn *done, void *target, uint64_t ticket) {
    struct sending *sending = calloc(1, sizeof(*sending));
    if (!sending) abort();
    *sending = (struct sending){.done = done, .target = target, .ticket = ticket};
    task_init(&sending->task, on_sent);
    tasks_post(&world->tasks, &sending->task);
}

static inline void agents_send(void *ctx, const struct link *link, struct view text, agent_sent_fn *done,
                               void *target, uint64_t ticket) {
    struct world *world = ctx;
    enum status status;
    struct v1_message *message = v1_message_parse(text, 1024, &status);
    assert_non_null(message);
    if (done) tell_sent(world, done, target, ticket);
    if (message->type == V1_HTTP_REQUEST)
        record(world, "%s<%.*s/%zu", link->connection, VIEW_ARG(message->method), message->body.len);
    if (message->type == V1_CONNECTION_ESTABLISHED)
        view_copy_to(message->resume, world->resume, sizeof(world->resume));
    v1_message_free(message);
}

static inline void agents_close(void *ctx, const struct link *link) {
    record(ctx, "close:%s", link->connection);
}

/* ---- the visitor ---- */

static inline void on_grant(void *ctx, size_t bytes) {
    record(ctx, "grant:%zu", bytes);
}

/* Status, an error of ours, the length, and that its body is none (-), or its connection ends (!). */
static inline void on_head(void *ctx, const struct answer_head *head) {
    static const char *names[] = {"set-cookie",       "x-tunnel-error",       "connection",
                                  "content-length",   "sec-websocket-accept", "retry-after",
                                  "x-tunnel-epoch",   "x-tunnel-upgraded",    "x-tunnel-service",
                                  "x-tunnel-rewrite", "x-request-id"};
    struct view mode = headers_get(head->headers, VIEW("x-tunnel-routing-mode"));
    char length[32] = "";
    if (head->content_length != LENGTH_UNKNOWN)
        snprintf(length, sizeof(length), "/%" PRIu64, head->content_length);
    struct view code = http_error_code(head->error);
    struct world *world = ctx;
    view_copy_to(headers_get(head->headers, VIEW("x-tunnel-quota")), world->quota, sizeof(world->quota));
    view_copy_to(headers_get(head->headers, VIEW("retry-after")), world->retry_after,
                 sizeof(world->retry_after));
    world->is_error = head->error != HTTP_ERROR_NONE;
    const char *body = head->has_body ? "" : "-", *close = head->close ? "!" : "";
    if (!head->error) assert_true(view_eq(mode, head->status == 101 ? VIEW("") : VIEW("subdomain")));
    if (head->error)
        record(ctx, "%.*s%s%s", VIEW_ARG(code), body, close);
    else
        record(ctx, "%d%s%.*s%s%s", head->status, length, VIEW_ARG(head->upgrade), body, close);
    for (size_t i = head->error ? 2 : 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (headers_get(head->headers, view_from_cstr(names[i])).ptr) record(ctx, "%s", names[i]);
}

static inline void on_data(void *ctx, struct view data) {
    if (!((struct world *)ctx)->is_error) record(ctx, "data:%zu", data.len);
}

static inline void on_end(void *ctx, const struct headers *trailers) {
    struct world *world = ctx;
    world->exchange = NULL;
    record(world, "end");
    for (size_t i = 0; trailers && i < trailers->count; i++)
        record(world, "%.*s", VIEW_ARG(trailers->fields[i].name));
}

static inline void on_abort(void *ctx) {
    ((struct world *)ctx)->exchange = NULL;
    record(ctx, "abort");
}

/* ---- the world ---- */

static inline int set_up(void **state) {
    struct world *world = calloc(1, sizeof(*world));
    world->now_ms = 1000;
    tasks_init(&world->tasks, NULL, NULL);
    timers_init(&world->timers, now_ms, NULL, world);
    world->store = store_memory_new(&world->tasks, wall_ms, world);
    struct agents agents = {.ctx = world,
                            .send = agents_send,
                            .close = agents_close,
                            .open = open_stream,
                            .write = write_stream,
                            .end = end_stream,
                            .consumed = consumed,
                            .reset = reset_stream};
    struct clock clock = {.ctx = world, .wall_ms = wall_ms, .timers = &world->timers, .tasks = &world->tasks};
    struct ports ports = memory_ports(world->store, &agents, &clock);
    struct core_settings settings;
    settings_of_localhost(&settings);
    world->core = core_new(&settings, &ports);
    store_memory_listen(world->store, core_store_events(world->core));
    *state = world;
    return 0;
}

static inline int tear_down(void **state) {
    struct world *world = *state;
    settle(world);
    if (world->exchange) exchange_cancel(world->exchange);
    if (world->core) assert_int_equal(core_exchange_count(world->core), 0);
    assert_null(world->stream);
    store_memory_free(world->store);
    core_free(world->core);
    timers_done(&world->timers);
    free(world);
    return 0;
}

/* ---- steps: the agent ---- */

static inline void on_connected(void *ctx, const struct connect_outcome *outcome) {
    struct world *world = ctx;
    world->connect_status = outcome->status;
    view_copy_to(outcome->tunnel_id, world->tunnel, sizeof(world->tunnel));
}

/* Takes the tunnel over, if it was another agent's. */
static inline void agent_connects(struct world *world, const char *name, enum link_protocol protocol) {
    struct header field = {VIEW("x-tunnel-resume"), view_from_cstr(world->resume)};
    struct headers headers = {.fields = &field, .count = world->resume[0] ? 1 : 0};
    struct connect_event event = {.connection_id = view_from_cstr(name),
                                  .target = VIEW("/"),
                                  .headers = &headers,
                                  .protocol = protocol};
    core_connect(world->core, &event, on_connected, world);
    settle(world);
    assert_int_equal(world->connect_status, 200);
    snprintf(world->agent, sizeof(world->agent), "%s", name);
    world->epoch++;
}

static inline void agent_ready(struct world *world, const char *args) {
    (void)args;
    struct view ready = VIEW("{\"type\":\"ready\",\"capabilities\":[\"resume\"]}");
    core_message(world->core, view_from_cstr(world->agent), ready, NULL, NULL);
}

static inline void step_come(struct world *world, const char *args) {
    agent_connects(world, args, LINK_V2);
    agent_ready(world, args);
}

/* It knows how to carry any offer to switch protocols. */
static inline void step_able(struct world *world, const char *args) {
    struct view ready = VIEW("{\"type\":\"ready\",\"capabilities\":[\"resume\",\"upgrades\"]}");
    agent_connects(world, args, LINK_V2);
    core_message(world->core, view_from_cstr(world->agent), ready, NULL, NULL);
}

static inline void step_old(struct world *world, const char *args) {
    agent_connects(world, args, LINK_V1);
    agent_ready(world, args);
}

static inline void step_connect(struct world *world, const char *args) {
    agent_connects(world, args, LINK_V2);
}

static inline void step_leave(struct world *world, const char *args) {
    (void)args;
    core_disconnect(world->core, view_from_cstr(world->agent), NULL, NULL);
}

static inline void step_sent(struct world *world, const char *args) {
    world->stream->events->sent(world->stream->target, strtoul(args, NULL, 10));
}

static inline void step_informational(struct world *world, const char *args) {
    world->stream->events->informational(world->stream->target, atoi(args));
}

/* "name:value" pieces; the spaces between them become ends. */
static inline void read_fields(char *text, struct headers *headers, struct header *fields) {
    struct view rest = view_from_cstr(text), piece;
    *headers = (struct headers){.fields = fields};
    while (view_split(&rest, ' ', &piece)) {
        size_t colon = view_find(piece, ':');
        if (piece.len == 0) continue;
        assert_true(headers->count < FIELDS_MAX && colon < piece.len);
        struct view name = view_slice(piece, 0, colon), value = view_skip(piece, colon + 1);
        fields[headers->count++] = (struct header){name, value};
    }
}

static inline void step_head(struct world *world, const char *args) {
    struct header fields[FIELDS_MAX];
    struct headers headers;
    char text[256];
    snprintf(text, sizeof(text), "%s", args + 3);
    read_fields(text, &headers, fields);
    struct stream_head head = {.status = atoi(args), .headers = &headers};
    world->stream->events->head(world->stream->target, &head);
}

static inline void step_data(struct world *world, const char *args) {
    size_t len = strtoul(args, NULL, 10);
    char *bytes = calloc(1, len);
    world->stream->events->data(world->stream->target, view_of(bytes, len));
    free(bytes);
}

static inline void step_end(struct world *world, const char *args) {
    struct header fields[FIELDS_MAX];
    struct headers headers;
    char text[256];
    snprintf(text, sizeof(text), "%s", args);
    read_fields(text, &headers, fields);
    world->stream->events->end(world->stream->target, &headers);
}

/* The stream's last event: why it was lost. */
static inline void step_lost(struct world *world, const char *args) {
    static const char *reasons[] = {"reset", "unprocessed", "lost", "severed", "unreached", "broken"};
    struct agent_stream *stream = world->stream, gone = *stream;
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (strcmp(args, reasons[i]) != 0) continue;
        stream_gone(stream);
        gone.events->lost(gone.target, (enum stream_end)i);
        return;
    }
    fail_msg("no such reason: %s", args);
}

static inline void step_refuse(struct world *world, const char *args) {
    world->open_fails = strcmp(args, "gone") == 0          ? STATUS_GONE
                        : strcmp(args, "unavailable") == 0 ? STATUS_UNAVAILABLE
                                                           : STATUS_OVERLOADED;
}

/* ---- steps: the visitor ---- */

/* What a request has beside its method: "length", "chunked", "expect", "upgrade" (of "foo"),
 * "upgrade websocket". */
static inline void request_fields(const char *more, struct headers *headers) {
    if (strstr(more, "length")) headers_add(headers, VIEW("content-length"), VIEW("600000"));
    if (strstr(more, "chunked")) headers_add(headers, VIEW("transfer-encoding"), VIEW("chunked"));
    if (strstr(more, "expect")) headers_add(headers, VIEW("expect"), VIEW("100-continue"));
    if (!strstr(more, "upgrade")) return;
    headers_add(headers, VIEW("connection"), VIEW("upgrade"));
    headers_add(headers, VIEW("upgrade"), strstr(more, "websocket") ? VIEW("websocket") : VIEW("foo"));
    if (!strstr(more, "websocket")) return;
    headers_add(headers, VIEW("sec-websocket-version"), VIEW("13"));
    headers_add(headers, VIEW("sec-websocket-key"), VIEW("dGhlIHNhbXBsZSBub25jZQ=="));
}

static inline void step_visit(struct world *world, const char *args) {
    struct view rest = view_from_cstr(args), method;
    struct arena arena;
    struct headers headers;
    char host[128];
    arena_init(&arena, 65536);
    headers_init(&headers, &arena);
    view_split(&rest, ' ', &method);
    snprintf(host, sizeof(host), "%s.localhost:8080", world->tunnel);
    headers_add(&headers, VIEW("host"), view_from_cstr(host));
    headers_add(&headers, VIEW("x-tunnel-epoch"), VIEW("9"));
    request_fields(args, &headers);
    struct forward_event event = {.method = method,
                                  .target = VIEW("/a?b=%2F"),
                                  .version = VIEW("HTTP/1.1"),
                                  .headers = &headers,
                                  .client = VIEW("192.0.2.1"),
                                  .scheme = VIEW("http")};
    struct body_source source = {world, on_grant};
    struct answer_sink sink = {world, on_head, on_data, on_end, on_abort};
    world->exchange = core_forward(world->core, &event, &source, &sink, 64);
    assert_non_null(world->exchange);
    arena_done(&arena);
}

/* Another gateway sends what its visitor has asked, and means the agent of now, the last, or the next. */
static inline void step_peer(struct world *world, const char *args) {
    struct view rest = view_from_cstr(args), method;
    struct headers none = {0};
    int epoch_off = strstr(args, "old") ? -1 : strstr(args, "next") ? 1 : 0;
    view_split(&rest, ' ', &method);
    struct dispatch_event event = {.tunnel_id = view_from_cstr(world->tunnel),
                                   .epoch = world->epoch + (uint64_t)epoch_off,
                                   .gateway = VIEW(""),
                                   .method = method,
                                   .host = VIEW("a.localhost"),
                                   .target = VIEW("/a?b=%2F"),
                                   .headers = &none,
                                   .has_body = strstr(args, "chunked") != NULL};
    struct body_source source = {world, on_grant};
    struct answer_sink sink = {world, on_head, on_data, on_end, on_abort};
    world->exchange = core_dispatch(world->core, &event, &source, &sink, 64);
    assert_non_null(world->exchange);
}

static inline void step_body(struct world *world, const char *args) {
    size_t len = strtoul(args, NULL, 10);
    char *bytes = malloc(len);
    for (size_t i = 0; i < len; i++) bytes[i] = pattern(world->handed + i);
    world->handed += len;
    exchange_body(world->exchange, view_of(bytes, len));
    free(bytes);
}

static inline void step_fin(struct world *world, const char *args) {
    (void)args;
    exchange_body_end(world->exchange);
}

static inline void step_drain(struct world *world, const char *args) {
    exchange_drained(world->exchange, strtoul(args, NULL, 10));
}

static inline void step_cancel(struct world *world, const char *args) {
    (void)args;
    exchange_cancel(world->exchange);
    world->exchange = NULL;
}

static inline void step_expire(struct world *world, const char *args) {
    (void)args;
    exchange_expire(world->exchange);
}

static inline void step_pass(struct world *world, const char *args) {
    world->now_ms += strtoul(args, NULL, 10);
    record(world, "~");
}

static const struct {
    const char *name;
    void (*run)(struct world *world, const char *args);
} steps[] = {
    {"come", step_come},     {"old", step_old},
    {"able", step_able},     {"connect", step_connect},
    {"ready", agent_ready},  {"leave", step_leave},
    {"sent", step_sent},     {"informational", step_informational},
    {"head", step_head},     {"data", step_data},
    {"end", step_end},       {"lost", step_lost},
    {"refuse", step_refuse}, {"visit", step_visit},
    {"peer", step_peer},     {"body", step_body},
    {"fin", step_fin},       {"drain", step_drain},
    {"cancel", step_cancel}, {"expire", step_expire},
    {"pass", step_pass},
};

static inline void run_step(struct world *world, const char *text) {
    size_t len = strcspn(text, " ");
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (strlen(steps[i].name) != len || strncmp(steps[i].name, text, len) != 0) continue;
        steps[i].run(world, text[len] ? text + len + 1 : "");
        settle(world);
        return;
    }
    fail_msg("no such step: %s", text);
}

/* Steps are parted by ", ". */
static inline void play(struct world *world, const char *script) {
    char text[512];
    assert_true(strlen(script) < sizeof(text));
    for (const char *at = script; *at;) {
        const char *comma = strstr(at, ", ");
        size_t len = comma ? (size_t)(comma - at) : strlen(at);
        memcpy(text, at, len);
        text[len] = '\0';
        run_step(world, text);
        at += len + (comma ? 2 : 0);
    }
}

#endif
