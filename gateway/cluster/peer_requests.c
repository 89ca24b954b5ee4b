/* See peer_requests.h. A request lives until both its stream and its exchange have ended. Its body waits in
 * the stream's window until the core has granted it: the bytes are held here, and counted as consumed when
 * they are handed on. */
#include "cluster/peer_requests.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "agents/peer_protocol.h"
#include "base/log.h"
#include "handler/access.h"

#define WINDOW_BYTES ((size_t)256 * 1024)
#define WAITING_MAX ((size_t)9 * 1024 * 1024) /* more than a stream's largest window */
#define ARENA_MAX ((size_t)512 * 1024)

struct peer_requests {
    struct core *core;
    struct tasks *tasks;
    const struct timers *clock;
    const char *gateway;
    size_t count;
};

struct peer_request {
    struct peer_requests *side;
    struct link_stream *stream; /* NULL: ended */
    struct exchange *exchange;  /* likewise */
    struct access access;
    struct task pump;        /* what was granted is handed on, outside the core's call */
    struct buf waiting;      /* of the body: come, and not granted yet */
    size_t credit;           /* granted, and not come yet */
    bool has_ended, is_told; /* the body; and the core of that */
    bool expects_continue, is_error;
    uint64_t body_left; /* of an offer to switch, behind which the stream goes on: not yet handed on */
    bool is_broken;     /* the answer cannot be passed on: to be ended outside the core's call */
    struct arena arena;
};

/* ---- the end ---- */

static uint64_t now_ms(const struct peer_requests *side) {
    return side->clock->now_ms(side->clock->ctx);
}

/* `is_whole`: the asking gateway has had all of the answer. */
static void settle(struct peer_request *request, bool is_whole) {
    if (request->stream || request->exchange) return;
    access_end(&request->access, is_whole, now_ms(request->side));
    request->side->count--;
    task_cancel(&request->pump);
    buf_done(&request->waiting);
    arena_done(&request->arena);
    free(request);
}

static void drop_body(struct peer_request *request) {
    size_t len = request->waiting.len;
    buf_done(&request->waiting);
    if (request->stream && len) link_stream_consumed(request->stream, len);
}

/* ---- the body, to the core ---- */

/* The end of the body of an offer to switch is where its length says. */
static void note_body(struct peer_request *request, size_t len) {
    if (!request->body_left) return;
    request->body_left -= len < request->body_left ? len : request->body_left;
    if (!request->body_left) exchange_body_end(request->exchange);
}

static void pump(struct peer_request *request) {
    size_t len = request->waiting.len < request->credit ? request->waiting.len : request->credit;
    if (!request->exchange) {
        drop_body(request);
        return;
    }
    if (len) {
        request->credit -= len;
        access_received(&request->access, len);
        exchange_body(request->exchange, view_slice(buf_view(&request->waiting), 0, len));
        buf_consume(&request->waiting, len);
        if (request->stream) link_stream_consumed(request->stream, len);
        note_body(request, len);
    }
    if (!request->has_ended || request->is_told || request->waiting.len) return;
    request->is_told = true;
    exchange_body_end(request->exchange);
}

/* The stream has ended: nobody waits for the answer any more. */
static void let_go(struct peer_request *request, bool is_whole) {
    request->stream = NULL;
    if (request->exchange) exchange_cancel(request->exchange);
    request->exchange = NULL;
    settle(request, is_whole);
}

static void give_up(struct peer_request *request) {
    if (request->stream) link_stream_reset(request->stream, false);
    let_go(request, false);
}

static void on_pump(struct task *task) {
    struct peer_request *request = LIST_ENTRY(task, struct peer_request, pump);
    if (request->is_broken)
        give_up(request);
    else
        pump(request);
}

/* It comes from within the core. */
static void on_grant(void *ctx, size_t bytes) {
    struct peer_request *request = ctx;
    request->credit += bytes;
    if (request->expects_continue && request->stream) link_stream_informational(request->stream, 100);
    request->expects_continue = false;
    if (request->waiting.len || request->has_ended) tasks_post(request->side->tasks, &request->pump);
}

/* ---- the answer, from the core ---- */

/* The head's own fields and those that a head for a host has elsewhere, without copies. */
static bool make_headers(struct peer_request *request, const struct answer_head *head, struct headers *out) {
    const struct headers *from = head->headers;
    struct header *fields = arena_alloc(&request->arena, (from->count + 3) * sizeof(*fields));
    if (!fields) return false;
    if (from->count) memcpy(fields, from->fields, from->count * sizeof(*fields));
    *out = (struct headers){.fields = fields, .count = from->count, .bytes = from->bytes};
    if (head->upgrade.ptr) {
        fields[out->count++] = (struct header){VIEW(STREAM_UPGRADED_FIELD), VIEW("1")};
        fields[out->count++] = (struct header){VIEW(STREAM_UPGRADE_FIELD), head->upgrade};
    }
    if (head->content_length == LENGTH_UNKNOWN || head->error) return true;
    struct view length = arena_printf(&request->arena, "%" PRIu64, head->content_length);
    fields[out->count++] = (struct header){VIEW("content-length"), length};
    return length.ptr != NULL;
}

/* Of an error of ours its code is enough: the gateway that asked makes the page for the visitor. */
static void on_head(void *ctx, const struct answer_head *head) {
    struct peer_request *request = ctx;
    struct headers headers;
    struct stream_head out = {.status = head->upgrade.ptr ? 200 : head->status, .headers = &headers};
    access_head(&request->access, request->exchange, head, &request->arena, now_ms(request->side));
    request->is_error = head->error != HTTP_ERROR_NONE;
    if (!request->stream) return;
    if (head->upgrade.ptr) {
        link_stream_switched(request->stream);
        request->body_left = 0; /* what is left of the body is no end of the direction, which goes on */
    }
    bool answered =
        make_headers(request, head, &headers) &&
        link_stream_answer(request->stream, &out, head->has_body && !request->is_error) == STATUS_OK;
    if (answered) return;
    request->is_broken = true;
    tasks_post(request->side->tasks, &request->pump);
}

/* Where it cannot be written the stream's last event follows. */
static void on_data(void *ctx, struct view data) {
    struct peer_request *request = ctx;
    if (request->stream && !request->is_error) link_stream_write(request->stream, data);
}

static void on_end(void *ctx, const struct headers *trailers) {
    struct peer_request *request = ctx;
    request->exchange = NULL;
    if (request->stream) link_stream_end(request->stream, trailers);
    drop_body(request);
    settle(request, false);
}

static void on_abort(void *ctx) {
    struct peer_request *request = ctx;
    request->exchange = NULL;
    if (request->stream) link_stream_reset(request->stream, false);
    request->stream = NULL;
    settle(request, false);
}

/* ---- the stream ---- */

static void on_body(void *ctx, struct view data) {
    struct peer_request *request = ctx;
    if (!request->exchange)
        link_stream_consumed(request->stream, data.len);
    else if (buf_append_view(&request->waiting, data))
        pump(request);
    else
        give_up(request);
}

static void on_body_end(void *ctx, const struct headers *trailers) {
    struct peer_request *request = ctx;
    (void)trailers; /* of a request: dropped */
    request->has_ended = true;
    pump(request);
}

static void on_sent(void *ctx, size_t bytes) {
    struct peer_request *request = ctx;
    access_passed(&request->access, bytes);
    if (request->exchange) exchange_drained(request->exchange, bytes);
}

static void on_done(void *ctx) {
    struct peer_request *request = ctx;
    let_go(request, !request->exchange);
}

static void on_lost(void *ctx, enum stream_end why) {
    (void)why;
    let_go(ctx, false);
}

static const struct stream_events stream_events = {
    .data = on_body, .end = on_body_end, .sent = on_sent, .done = on_done, .lost = on_lost};

/* ---- the beginning ---- */

static struct peer_request *request_new(struct peer_requests *side, struct link_stream *stream) {
    struct peer_request *request = calloc(1, sizeof(*request));
    if (!request) return NULL;
    request->side = side;
    request->stream = stream;
    access_begin(&request->access, now_ms(side));
    request->access.from_peer = true;
    buf_init(&request->waiting, WAITING_MAX);
    arena_init(&request->arena, ARENA_MAX);
    task_init(&request->pump, on_pump);
    side->count++;
    return request;
}

static void refuse(struct peer_request *request, const char *why) {
    struct header field = {VIEW("x-tunnel-error"), http_error_code(HTTP_ERROR_BAD_REQUEST)};
    struct headers headers = {.fields = &field, .count = 1};
    struct stream_head head = {.status = http_error_status(HTTP_ERROR_BAD_REQUEST), .headers = &headers};
    struct answer_head noted = {.status = head.status, .headers = &headers, .error = HTTP_ERROR_BAD_REQUEST};
    log_warn("peer", "a request was refused: %s", why);
    access_head(&request->access, NULL, &noted, &request->arena, now_ms(request->side));
    link_stream_answer(request->stream, &head, false);
}

/* NULL: it is one. */
static const char *read_event(const struct peer_requests *side, const struct stream_head *head, bool has_body,
                              struct dispatch_event *ret_event) {
    bool is_connect = head->protocol.ptr != NULL;
    struct view offer = headers_get(head->headers, VIEW(STREAM_UPGRADE_FIELD));
    *ret_event = (struct dispatch_event){
        .tunnel_id = headers_get(head->headers, VIEW(PEER_TUNNEL)),
        .gateway = view_from_cstr(side->gateway),
        .method = is_connect ? VIEW("GET") : head->method,
        .upgrade = is_connect ? head->protocol : offer,
        .host = head->authority,
        .target = head->path,
        .headers = head->headers,
        .has_body = has_body,
        .is_let_in = view_eq(headers_get(head->headers, VIEW(PEER_LET_IN)), VIEW("1"))};
    if (!view_eq(headers_get(head->headers, VIEW(PEER_HOP)), VIEW("1"))) return "not its first hop";
    if (!view_parse_u64(headers_get(head->headers, VIEW(PEER_VISITOR)), &ret_event->visitor))
        ret_event->visitor = 0;
    if (!view_parse_u64(headers_get(head->headers, VIEW(PEER_EPOCH)), &ret_event->epoch)) return "no epoch";
    return NULL;
}

static void begin_body(struct peer_request *request, const struct dispatch_event *event) {
    if (!event->upgrade.ptr) return;
    http_content_length(headers_get(event->headers, VIEW(STREAM_LENGTH_FIELD)), &request->body_left);
    if (!request->body_left) exchange_body_end(request->exchange);
}

void peer_requests_take(void *ctx, struct link_stream *stream, const struct stream_head *head,
                        bool has_body) {
    struct peer_requests *side = ctx;
    struct peer_request *request = request_new(side, stream);
    struct dispatch_event event;
    if (!request) return; /* unattached: refused */
    link_stream_attach(stream, &stream_events, request);
    const char *wrong = read_event(side, head, has_body, &event);
    request->access.method = arena_copy(&request->arena, event.method);
    request->access.target = arena_copy(&request->arena, event.target);
    if (wrong) {
        refuse(request, wrong);
        return;
    }
    struct body_source source = {.ctx = request, .grant = on_grant};
    struct answer_sink sink = {
        .ctx = request, .head = on_head, .data = on_data, .end = on_end, .abort = on_abort};
    request->expects_continue = has_body && headers_count(head->headers, VIEW("expect")) > 0;
    request->exchange = core_dispatch(side->core, &event, &source, &sink, WINDOW_BYTES);
    if (request->exchange) {
        begin_body(request, &event);
        return;
    }
    link_stream_reset(stream, true);
    request->stream = NULL;
    settle(request, false);
}

struct peer_requests *peer_requests_new(struct core *core, const char *gateway, struct tasks *tasks,
                                        const struct timers *clock) {
    struct peer_requests *side = calloc(1, sizeof(*side));
    if (side)
        *side = (struct peer_requests){.core = core, .gateway = gateway, .tasks = tasks, .clock = clock};
    return side;
}

void peer_requests_free(struct peer_requests *side) {
    free(side);
}

size_t peer_requests_count(const struct peer_requests *side) {
    return side->count;
}
