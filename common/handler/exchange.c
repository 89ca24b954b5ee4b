/* One visitor's request and its answer: birth, answer, end. Whoever ends an exchange is the only one who
 * frees it; what comes later for it finds its ticket gone. */
#include <inttypes.h>
#include <stdlib.h>

#include "handler/core_state.h"
#include "http/hop.h"

enum { EXCHANGE_ARENA_MAX = 512 * 1024, SLOTS_GROWTH = 256 };

/* ---- tickets ---- */

static bool slots_grow(struct core *core) {
    size_t count = core->slot_count + SLOTS_GROWTH;
    struct exchange **slots = realloc(core->slots, count * sizeof *slots);
    if (!slots) return false;
    core->slots = slots;
    uint32_t *free_slots = realloc(core->free_slots, count * sizeof *free_slots);
    if (!free_slots) return false;
    core->free_slots = free_slots;
    for (size_t i = core->slot_count; i < count; i++) {
        slots[i] = NULL;
        free_slots[core->free_count++] = (uint32_t)i;
    }
    core->slot_count = count;
    return true;
}

static bool slot_take(struct core *core, struct exchange *exchange) {
    if (core->free_count == 0 && !slots_grow(core)) return false;
    uint32_t slot = core->free_slots[--core->free_count];
    core->slots[slot] = exchange;
    exchange->ticket = (uint64_t)++core->generation << 32 | slot;
    return true;
}

static void slot_release(struct exchange *exchange) {
    uint32_t slot = (uint32_t)exchange->ticket;
    exchange->core->slots[slot] = NULL;
    exchange->core->free_slots[exchange->core->free_count++] = slot;
}

struct exchange *exchange_find(struct core *core, uint64_t ticket) {
    uint32_t slot = (uint32_t)ticket;
    struct exchange *exchange = slot < core->slot_count ? core->slots[slot] : NULL;
    return exchange && exchange->ticket == ticket ? exchange : NULL;
}

/* ---- birth and end ---- */

void exchange_stop_waiting(struct exchange *exchange) {
    list_remove(&exchange->tunnel_node);
    timer_stop(exchange->core->ports.clock.timers, &exchange->timer);
}

static void exchange_free(struct exchange *exchange) {
    struct core *core = exchange->core;
    mailbox_delivery_stop(exchange);
    stream_delivery_stop(exchange);
    tunnel_leave(exchange);
    timer_stop(core->ports.clock.timers, &exchange->timer);
    timer_stop(core->ports.clock.timers, &exchange->recheck);
    task_cancel(&exchange->task);
    slot_release(exchange);
    core->exchange_count--;
    buf_done(&exchange->body);
    arena_done(&exchange->arena);
    free(exchange);
}

static void on_timer(struct timer *timer) {
    struct exchange *exchange = LIST_ENTRY(timer, struct exchange, timer);
    switch (exchange->state) {
    case EXCHANGE_LOOKUP:
    case EXCHANGE_WAITING:
        exchange_fail(exchange, exchange->was_sent ? HTTP_ERROR_AGENT_LOST : HTTP_ERROR_AGENT_OFFLINE);
        break;
    case EXCHANGE_READING: exchange_fail(exchange, HTTP_ERROR_REQUEST_TIMEOUT); break;
    default: exchange_fail(exchange, HTTP_ERROR_TIMEOUT); break;
    }
}

static void on_recheck(struct timer *timer) {
    dispatch_recheck(LIST_ENTRY(timer, struct exchange, recheck));
}

/* What a host's call asked for and must not happen inside it. */
static void on_task(struct task *task) {
    struct exchange *exchange = LIST_ENTRY(task, struct exchange, task);
    switch (exchange->state) {
    case EXCHANGE_FAILING: exchange_fail(exchange, exchange->error); break;
    case EXCHANGE_READING: mailbox_delivery_start(exchange); break;
    case EXCHANGE_ANSWERING: mailbox_delivery_push(exchange); break;
    default: break;
    }
}

static struct exchange *exchange_new(struct core *core) {
    struct exchange *exchange = calloc(1, sizeof *exchange);
    if (!exchange) return NULL;
    exchange->core = core;
    if (!slot_take(core, exchange)) {
        free(exchange);
        return NULL;
    }
    core->exchange_count++;
    arena_init(&exchange->arena, EXCHANGE_ARENA_MAX);
    headers_init(&exchange->headers, &exchange->arena);
    buf_init(&exchange->body, core->settings.v1_body_bytes);
    task_init(&exchange->task, on_task);
    timer_init(&exchange->timer, on_timer);
    timer_init(&exchange->recheck, on_recheck);
    list_init(&exchange->tunnel_node);
    list_init(&exchange->link_node);
    exchange->started_ms = core_now_ms(core);
    return exchange;
}

/* The error will be told at the next safe point. */
static void fail_later(struct exchange *exchange, enum http_error error) {
    exchange->state = EXCHANGE_FAILING;
    exchange->error = error;
    tasks_post(exchange->core->ports.clock.tasks, &exchange->task);
}

static enum http_error admit(struct exchange *exchange) {
    struct core *core = exchange->core;
    if (core->exchange_count > core->settings.exchanges_total) return HTTP_ERROR_OVERLOADED;
    if (!tunnel_join(exchange)) return HTTP_ERROR_OVERLOADED;
    if (exchange->verdict.is_upgrade) exchange_long_lived(exchange);
    const struct tunnel_use *tunnel = exchange->tunnel;
    bool fits = exchange->long_lived ? tunnel->long_lived_count <= core->settings.long_lived_per_tunnel
                                     : tunnel->exchange_count - tunnel->long_lived_count <=
                                           core->settings.exchanges_per_tunnel;
    return fits ? HTTP_ERROR_NONE : HTTP_ERROR_OVERLOADED;
}

void exchange_long_lived(struct exchange *exchange) {
    if (exchange->long_lived) return;
    exchange->long_lived = true;
    exchange->tunnel->long_lived_count++;
}

uint64_t exchange_request_timeout_ms(const struct exchange *exchange) {
    const struct core_settings *settings = &exchange->core->settings;
    uint64_t asked = exchange->claim.request_timeout_ms;
    if (asked == 0) return settings->request_timeout_ms;
    return asked < settings->request_timeout_max_ms ? asked : settings->request_timeout_max_ms;
}

static struct exchange *begin(struct core *core, const struct body_source *source,
                              const struct answer_sink *sink, size_t window_bytes) {
    struct exchange *exchange = exchange_new(core);
    if (!exchange) return NULL;
    exchange->source = *source;
    exchange->sink = *sink;
    exchange->window_bytes = window_bytes;
    return exchange;
}

static void go_on(struct exchange *exchange, enum http_error error) {
    if (error == HTTP_ERROR_NONE) error = admit(exchange);
    if (error == HTTP_ERROR_NONE)
        dispatch_start(exchange);
    else
        fail_later(exchange, error);
}

struct exchange *core_forward(struct core *core, const struct forward_event *event,
                              const struct body_source *source, const struct answer_sink *sink,
                              size_t window_bytes) {
    struct exchange *exchange = begin(core, source, sink, window_bytes);
    if (!exchange) return NULL;
    core->counters.requests++;
    go_on(exchange, ingress(exchange, event));
    return exchange;
}

struct exchange *core_dispatch(struct core *core, const struct dispatch_event *event,
                               const struct body_source *source, const struct answer_sink *sink,
                               size_t window_bytes) {
    struct exchange *exchange = begin(core, source, sink, window_bytes);
    if (!exchange) return NULL;
    core->counters.dispatched++;
    go_on(exchange, ingress_done(exchange, event));
    return exchange;
}

void exchange_body(struct exchange *exchange, struct view data) {
    if (exchange->state == EXCHANGE_FAILING) return;
    if (exchange->by_stream) {
        stream_delivery_body(exchange, data);
        return;
    }
    if (exchange->state == EXCHANGE_ANSWERING) return;
    if (!buf_append_view(&exchange->body, data)) {
        exchange_stop_waiting(exchange);
        fail_later(exchange, HTTP_ERROR_BODY_TOO_LARGE);
    } else if (exchange->state == EXCHANGE_READING) {
        timer_start(exchange->core->ports.clock.timers, &exchange->timer,
                    exchange->core->settings.body_idle_timeout_ms);
    }
}

void exchange_body_end(struct exchange *exchange) {
    /* a request to switch has no body of its own: its direction opens with the switch */
    if (exchange->verdict.is_upgrade && exchange->state != EXCHANGE_ANSWERING) return;
    exchange->body_complete = true;
    if (exchange->by_stream)
        stream_delivery_body_end(exchange);
    else if (exchange->state == EXCHANGE_READING)
        tasks_post(exchange->core->ports.clock.tasks, &exchange->task);
}

void exchange_drained(struct exchange *exchange, size_t bytes) {
    exchange->window_bytes += bytes;
    if (exchange->by_stream)
        stream_delivery_drained(exchange, bytes);
    else if (exchange->state == EXCHANGE_ANSWERING)
        tasks_post(exchange->core->ports.clock.tasks, &exchange->task);
}

void exchange_cancel(struct exchange *exchange) {
    exchange_free(exchange);
}

void exchange_expire(struct exchange *exchange) {
    exchange_fail(exchange, HTTP_ERROR_TIMEOUT);
}

struct view exchange_tunnel(const struct exchange *exchange) {
    return exchange->route.tunnel_id;
}

struct view exchange_id(const struct exchange *exchange) {
    return view_from_cstr(exchange->request_id);
}

/* ---- the answer ---- */

/* Fields that would change what the head said have no place behind a body (RFC 9110 6.5.1). */
static bool is_no_trailer(void *ctx, const struct header *field) {
    (void)ctx;
    static const struct view names[] = {
        {"content-length", 14}, {"content-type", 12}, {"content-encoding", 16}, {"content-range", 13},
        {"set-cookie", 10},     {"host", 4},          {"location", 8},          {"authorization", 13}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (view_eq(field->name, names[i])) return true;
    return false;
}

/* The reader has gone when this returns: the sink's end was called. */
void exchange_end(struct exchange *exchange, const struct headers *trailers) {
    struct answer_sink sink = exchange->sink;
    struct headers passed;
    headers_init(&passed, &exchange->arena);
    if (trailers && trailers->count > 0 && headers_copy(&passed, trailers)) {
        headers_remove_if(&passed, is_no_trailer, NULL);
        hop_strip(&passed);
        hop_strip_ours(&passed, (struct view){0});
    }
    if (!exchange->from_peer) exchange->core->counters.answers++;
    sink.end(sink.ctx, &passed);
    exchange_free(exchange);
}

static struct view error_body(struct exchange *exchange, enum http_error error, bool html) {
    struct view text = http_error_text(error), code = http_error_code(error);
    if (!html) return arena_printf(&exchange->arena, "%.*s: %.*s\n", VIEW_ARG(code), VIEW_ARG(text));
    return arena_printf(
        &exchange->arena,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>%d %.*s</title>\n"
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem;"
        "color:#222}code{color:#888}@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}}"
        "</style></head>\n<body><h1>%d</h1><p>%.*s</p><p><code>%.*s</code></p></body></html>\n",
        http_error_status(error), VIEW_ARG(code), http_error_status(error), VIEW_ARG(text), VIEW_ARG(code));
}

static void error_headers(struct exchange *exchange, struct headers *headers, enum http_error error,
                          bool html) {
    headers_init(headers, &exchange->arena);
    headers_add(headers, VIEW("x-tunnel-error"), http_error_code(error));
    headers_add(headers, VIEW("content-type"),
                html ? VIEW("text/html; charset=utf-8") : VIEW("text/plain; charset=utf-8"));
    headers_add(headers, VIEW("cache-control"), VIEW("no-store"));
    if (error == HTTP_ERROR_RATE_LIMITED || error == HTTP_ERROR_OVERLOADED)
        headers_add(headers, VIEW("retry-after"), VIEW("1"));
}

void exchange_fail(struct exchange *exchange, enum http_error error) {
    struct answer_sink sink = exchange->sink;
    if (exchange->state ==
        EXCHANGE_ANSWERING) { /* too late for an error: never a short body that looks whole */
        sink.abort(sink.ctx);
        exchange_free(exchange);
        return;
    }
    exchange->state = EXCHANGE_ANSWERING;
    timer_stop(exchange->core->ports.clock.timers, &exchange->timer);
    bool html = http_wants_html(exchange->accept);
    struct view body = error_body(exchange, error, html);
    struct headers headers;
    error_headers(exchange, &headers, error, html);
    bool has_body = !view_eq(exchange->method, VIEW("HEAD")) && body.len > 0;
    bool unread = exchange->verdict.framing != BODY_NONE && !exchange->body_complete;
    struct answer_head head = {.status = http_error_status(error),
                               .headers = &headers,
                               .content_length = body.len,
                               .has_body = has_body,
                               .close = http_error_closes(error) || unread,
                               .error = error};
    sink.head(sink.ctx, &head);
    if (has_body) sink.data(sink.ctx, body);
    exchange_end(exchange, NULL);
}

/* What the service says the length is, where there is no body to count: HEAD and 304 (RFC 9110 8.6). */
static uint64_t declared_length(const struct headers *headers) {
    uint64_t length;
    struct view value = headers_get(headers, VIEW("content-length"));
    return value.ptr && view_parse_u64(view_trim(value), &length) ? length : LENGTH_UNKNOWN;
}

bool exchange_answer(struct exchange *exchange, int status, struct headers *headers, uint64_t body_bytes) {
    enum http_error error = gate_check_response(status, headers, &exchange->core->settings.limits);
    if (error != HTTP_ERROR_NONE) {
        exchange_fail(exchange, error);
        return false;
    }
    bool has_body = http_answer_has_body(exchange->method, status);
    uint64_t length = has_body ? body_bytes : declared_length(headers);
    /* an agent of v1 may answer HEAD with GET's body: not passed on, but that is its length */
    if (!has_body && length == LENGTH_UNKNOWN && body_bytes > 0 && view_eq(exchange->method, VIEW("HEAD")))
        length = body_bytes;
    hop_strip(headers);
    hop_strip_ours(headers, VIEW("x-tunnel-rewrite"));
    headers_remove(headers, VIEW("content-length"));
    headers_add(headers, VIEW("x-tunnel-routing-mode"),
                exchange->route.mode == ROUTE_SUBDOMAIN ? VIEW("subdomain") : VIEW("path"));
    exchange->state = EXCHANGE_ANSWERING;
    exchange->has_body = has_body;
    timer_stop(exchange->core->ports.clock.timers, &exchange->timer);
    if (exchange->by_stream) buf_done(&exchange->body);
    struct answer_head head = {.status = status,
                               .headers = headers,
                               .content_length = length,
                               .has_body = has_body,
                               .close = exchange->verdict.framing != BODY_NONE && !exchange->body_complete};
    exchange->sink.head(exchange->sink.ctx, &head);
    return true;
}

void exchange_switch(struct exchange *exchange, struct headers *headers) {
    hop_strip(headers);
    hop_strip_ours(headers, (struct view){0});
    headers_remove(headers, VIEW("content-length"));
    headers_remove(headers, VIEW("sec-websocket-accept"));
    exchange->state = EXCHANGE_ANSWERING;
    exchange->has_body = true;
    struct answer_head head = {.status = 101,
                               .headers = headers,
                               .content_length = LENGTH_UNKNOWN,
                               .has_body = true,
                               .close = true,
                               .upgrade = exchange->verdict.upgrade};
    exchange->sink.head(exchange->sink.ctx, &head);
}
