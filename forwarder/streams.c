/* See streams.h. One `inbound` is a stream of the link and the local request that answers it; it ends when
 * both have. */
#include "streams.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/quick.h"
#include "http/chars.h"
#include "http/error.h"
#include "http/gate.h"
#include "http/hop.h"
#include "link/link.h"

enum {
    TICK_MS = 1000,
    UNSENT_PAUSE = 128 * 1024, /* of an answer: written to the link and not yet gone */
    UNSENT_RESUME = 64 * 1024, /* below it the service is read again */
    ARENA_MAX = 1024 * 1024,
    DETAIL_MAX = 200
};

struct streams {
    struct loop *loop;
    const struct call_settings *settings;
    struct streams_host host;
    struct link_budget budget;
    struct link_session *session; /* NULL: no link */
    struct list inbounds;
    size_t count;
    struct timer tick;
};

struct inbound {
    struct list node;
    struct streams *streams;
    struct link_stream *stream; /* NULL once it has ended */
    struct call call;           /* the request to the service, which answers it */
    struct timer deadline;      /* the first byte of the answer */
    struct arena arena;
    struct headers trailers;
    bool is_answered; /* the head is out */
    bool is_paused;
    size_t unsent;
    uint64_t body_left; /* of an offer to switch, behind whose body the stream goes on */
};

/* ---- the end ---- */

static void inbound_free(struct inbound *inbound) {
    struct streams *streams = inbound->streams;
    call_cancel(&inbound->call);
    call_done(&inbound->call);
    timer_stop(&streams->loop->timers, &inbound->deadline);
    list_remove(&inbound->node);
    arena_done(&inbound->arena);
    quick_free(inbound);
    if (--streams->count == 0) streams->host.idle(streams->host.ctx);
}

static void settle(struct inbound *inbound) {
    if (!inbound->stream && !inbound->call.local) inbound_free(inbound);
}

/* Too late for an answer of ours: the stream is cut, and the visitor with it. */
static void cut(struct inbound *inbound, bool refused) {
    if (inbound->stream) link_stream_reset(inbound->stream, refused);
    inbound->stream = NULL;
    call_cancel(&inbound->call);
    settle(inbound);
}

/* Why an answer was refused goes along, for the gateway's log. */
static bool add_error(struct inbound *inbound, struct headers *headers, enum http_error error) {
    if (!headers_add(headers, VIEW("x-tunnel-error"), http_error_code(error))) return false;
    if (error != HTTP_ERROR_BAD_RESPONSE || !inbound->call.detail) return true;
    struct view detail = view_trim(view_slice(view_from_cstr(inbound->call.detail), 0, DETAIL_MAX));
    return !http_is_field_value(detail) || headers_add(headers, VIEW(STREAM_DETAIL_FIELD), detail);
}

/* An error of ours is an answer with its code; the gateway makes a page of it. */
static void fail(struct inbound *inbound, enum http_error error) {
    call_cancel(&inbound->call);
    timer_stop(&inbound->streams->loop->timers, &inbound->deadline);
    inbound->call.code = http_error_code(error).ptr;
    if (!inbound->is_answered) inbound->call.status = http_error_status(error);
    call_show(&inbound->call);
    struct headers headers;
    headers_init(&headers, &inbound->arena);
    struct stream_head head = {.status = http_error_status(error), .headers = &headers};
    if (inbound->is_answered || !add_error(inbound, &headers, error) ||
        link_stream_answer(inbound->stream, &head, false) != STATUS_OK) {
        cut(inbound, false);
        return;
    }
    inbound->is_answered = true;
    settle(inbound);
}

static void on_deadline(struct timer *timer) {
    fail(LIST_ENTRY(timer, struct inbound, deadline), HTTP_ERROR_TIMEOUT);
}

/* ---- the local service answers ---- */

static void on_informational(void *ctx, int status) {
    struct inbound *inbound = ctx;
    if (inbound->stream) link_stream_informational(inbound->stream, status);
}

static bool send_head(struct inbound *inbound, int status, struct headers *headers, bool body_follows) {
    struct stream_head head = {.status = status, .headers = headers};
    inbound->is_answered = true;
    timer_stop(&inbound->streams->loop->timers, &inbound->deadline);
    return link_stream_answer(inbound->stream, &head, body_follows) == STATUS_OK;
}

/* What the gateway takes, where it says so. */
static struct http_limits limits_of(const struct streams *streams) {
    struct http_limits limits = HTTP_LIMITS_DEFAULT;
    size_t most = link_head_most(streams->session);
    if (most > HTTP_HEAD_SLACK) limits.answer_bytes = most - HTTP_HEAD_SLACK;
    return limits;
}

static void on_head(void *ctx, int status, const struct headers *received) {
    struct inbound *inbound = ctx;
    const struct http_limits limits = limits_of(inbound->streams);
    struct headers headers;
    if (!call_take_head(&inbound->call, status, received, false, &limits, &headers))
        fail(inbound, HTTP_ERROR_BAD_RESPONSE);
    else if (!send_head(inbound, status, &headers, true))
        cut(inbound, false);
}

/* The Content-Length of a 101 says nothing: it has no body. */
static void on_switched(void *ctx, const struct headers *received) {
    struct inbound *inbound = ctx;
    const struct http_limits limits = limits_of(inbound->streams);
    struct headers headers;
    if (!call_take_head(&inbound->call, 101, received, true, &limits, &headers)) {
        fail(inbound, HTTP_ERROR_BAD_RESPONSE);
        return;
    }
    headers_add(&headers, VIEW(STREAM_UPGRADED_FIELD), VIEW("1"));
    headers_add(&headers, VIEW(STREAM_UPGRADE_FIELD), headers_get(received, VIEW("upgrade")));
    link_stream_switched(inbound->stream);
    if (!send_head(inbound, 200, &headers, true)) cut(inbound, false);
}

static void on_data(void *ctx, struct view data) {
    struct inbound *inbound = ctx;
    call_take_data(&inbound->call, data);
    if (link_stream_write(inbound->stream, data) != STATUS_OK) return; /* its last event follows */
    inbound->unsent += data.len;
    if (inbound->unsent < UNSENT_PAUSE || inbound->is_paused) return;
    inbound->is_paused = true;
    local_request_pause(inbound->call.local, true);
}

/* The service has taken so much of the request's body: the visitor may send as much more. */
static void on_taken(void *ctx, size_t bytes) {
    struct inbound *inbound = ctx;
    if (inbound->stream) link_stream_consumed(inbound->stream, bytes);
}

static void on_trailers(void *ctx, const struct headers *trailers) {
    struct inbound *inbound = ctx;
    headers_copy(&inbound->trailers, trailers);
    hop_strip(&inbound->trailers); /* HTTP/2 knows none, and would lose the answer with them */
    hop_strip_ours(&inbound->trailers, (struct view){0});
    headers_remove(&inbound->trailers, VIEW("content-length"));
}

static enum http_error error_of(enum local_error error) {
    switch (error) {
    case LOCAL_UNAVAILABLE: return HTTP_ERROR_LOCAL_SERVICE_UNAVAILABLE;
    case LOCAL_INVALID: return HTTP_ERROR_BAD_REQUEST;
    default: return HTTP_ERROR_BAD_RESPONSE;
    }
}

static void on_local_end(void *ctx, enum local_error error, const char *detail) {
    struct inbound *inbound = ctx;
    call_take_end(&inbound->call, error, detail);
    if (!inbound->stream) {
        settle(inbound);
    } else if (error != LOCAL_OK) {
        fail(inbound, error_of(error));
    } else {
        link_stream_end(inbound->stream, &inbound->trailers);
        call_show(&inbound->call);
    }
}

static const struct local_events local_events = {.on_informational = on_informational,
                                                 .on_head = on_head,
                                                 .on_switched = on_switched,
                                                 .on_data = on_data,
                                                 .on_sent = on_taken,
                                                 .on_trailers = on_trailers,
                                                 .on_end = on_local_end};

/* ---- the gateway asks ---- */

/* The body of an offer to switch ends where its length says: the answer is next. */
static void note_body(struct inbound *inbound, size_t len) {
    inbound->body_left -= len < inbound->body_left ? len : inbound->body_left;
    if (inbound->body_left || inbound->is_answered) return;
    timer_start(&inbound->streams->loop->timers, &inbound->deadline,
                inbound->streams->settings->request_timeout_ms);
}

static void on_request_data(void *ctx, struct view data) {
    struct inbound *inbound = ctx;
    inbound->call.bytes_in += data.len;
    if (!inbound->call.local)
        link_stream_consumed(inbound->stream, data.len); /* thrown away: the answer is out */
    else if (!call_send_body(&inbound->call, data))
        fail(inbound, HTTP_ERROR_BAD_REQUEST);
    else if (inbound->body_left)
        note_body(inbound, data.len);
}

static void on_request_end(void *ctx, const struct headers *trailers) {
    (void)trailers;
    struct inbound *inbound = ctx;
    if (inbound->call.local) local_request_body_end(inbound->call.local);
    if (inbound->is_answered) return;
    timer_start(&inbound->streams->loop->timers, &inbound->deadline,
                inbound->streams->settings->request_timeout_ms);
}

static void on_answer_sent(void *ctx, size_t bytes) {
    struct inbound *inbound = ctx;
    inbound->unsent -= bytes < inbound->unsent ? bytes : inbound->unsent;
    if (!inbound->is_paused || inbound->unsent > UNSENT_RESUME || !inbound->call.local) return;
    inbound->is_paused = false;
    local_request_pause(inbound->call.local, false);
}

static void on_done(void *ctx) {
    struct inbound *inbound = ctx;
    inbound->stream = NULL;
    settle(inbound);
}

/* The visitor has left, or the link has ended: so does the local request. */
static void on_lost(void *ctx, enum stream_end why) {
    struct inbound *inbound = ctx;
    inbound->stream = NULL;
    inbound->call.visitor_left = why == STREAM_RESET;
    inbound->call.code = why == STREAM_RESET ? "visitor left" : "connection lost";
    call_show(&inbound->call);
    call_cancel(&inbound->call);
    settle(inbound);
}

static const struct stream_events stream_events = {
    .data = on_request_data, .end = on_request_end, .sent = on_answer_sent, .done = on_done, .lost = on_lost};

static struct inbound *inbound_new(struct streams *streams, struct link_stream *stream) {
    struct inbound *inbound = quick_calloc(sizeof(*inbound));
    if (!inbound) return NULL;
    inbound->streams = streams;
    inbound->stream = stream;
    arena_init(&inbound->arena, ARENA_MAX);
    headers_init(&inbound->trailers, &inbound->arena);
    timer_init(&inbound->deadline, on_deadline);
    list_append(&streams->inbounds, &inbound->node);
    streams->count++;
    return inbound;
}

/* How the body is framed toward the service: as the visitor framed it. */
static int64_t body_bytes(const struct inbound *inbound, struct view declared, bool has_body) {
    uint64_t length;
    if (http_content_length(declared, &length) && length <= INT64_MAX) return (int64_t)length;
    return call_body_bytes(&inbound->call, has_body ? LOCAL_BODY_UNKNOWN : LOCAL_BODY_NONE);
}

/* An offer to switch comes as an extended CONNECT, or as the request that it is with fields of ours. */
static void read_body(struct inbound *inbound, const struct stream_head *request, bool has_body,
                      struct local_head *head) {
    struct view offer = headers_get(request->headers, VIEW(STREAM_UPGRADE_FIELD)), length;
    bool is_connect = request->protocol.ptr != NULL, is_offer = !is_connect && offer.ptr != NULL;
    length = headers_get(request->headers, is_offer ? VIEW(STREAM_LENGTH_FIELD) : VIEW("content-length"));
    head->upgrade = is_offer ? offer : request->protocol;
    head->body_bytes = is_connect ? LOCAL_BODY_NONE : body_bytes(inbound, length, has_body && !is_offer);
    inbound->body_left = is_offer && head->body_bytes > 0 ? (uint64_t)head->body_bytes : 0;
}

static bool start_local(struct inbound *inbound, const struct stream_head *request, bool has_body) {
    struct headers headers;
    struct view method = request->protocol.ptr ? VIEW("GET") : arena_copy(&inbound->arena, request->method);
    struct view target = arena_copy(&inbound->arena, request->path);
    headers_init(&headers, &inbound->arena);
    call_init(&inbound->call, inbound->streams->settings, &inbound->arena, method, target);
    if (!method.ptr || !target.ptr || !headers_copy(&headers, request->headers)) return false;
    struct local_head head = {.method = method,
                              .target = target,
                              .expects_continue = headers_remove(&headers, VIEW("expect")) > 0 && has_body};
    read_body(inbound, request, has_body, &head);
    return call_start(&inbound->call, &head, &headers, request->authority, &local_events, inbound);
}

/* False: the call was begun, and has been answered already. */
static bool may_start(struct inbound *inbound, const struct stream_head *request) {
    if (!service_state_refuses(inbound->streams->settings->service)) return true; /* as nearly always */
    struct view method = request->protocol.ptr ? VIEW("GET") : arena_copy(&inbound->arena, request->method);
    call_init(&inbound->call, inbound->streams->settings, &inbound->arena, method,
              arena_copy(&inbound->arena, request->path));
    call_is_refused(&inbound->call);
    fail(inbound, HTTP_ERROR_LOCAL_SERVICE_UNAVAILABLE);
    return false;
}

static void on_request(void *ctx, struct link_stream *stream, const struct stream_head *head, bool has_body) {
    struct streams *streams = ctx;
    struct inbound *inbound = inbound_new(streams, stream);
    if (!inbound) return; /* unattached: refused */
    link_stream_attach(stream, &stream_events, inbound);
    if (!may_start(inbound, head)) return;
    if (!start_local(inbound, head, has_body)) {
        cut(inbound, true);
        return;
    }
    /* while a body comes in, the gateway watches that it does */
    bool switches = head->protocol.ptr || headers_get(head->headers, VIEW(STREAM_UPGRADE_FIELD)).ptr;
    if (switches ? inbound->body_left > 0 : has_body) return;
    timer_start(&streams->loop->timers, &inbound->deadline, streams->settings->request_timeout_ms);
}

/* ---- the link ---- */

static void on_control(void *ctx, struct view line) {
    struct streams *streams = ctx;
    streams->host.control(streams->host.ctx, line);
}

static void on_writable(void *ctx) {
    struct streams *streams = ctx;
    streams->host.writable(streams->host.ctx);
}

static void on_pong(void *ctx) {
    struct streams *streams = ctx;
    streams->host.pong(streams->host.ctx);
}

static void on_tick(struct timer *timer) {
    struct streams *streams = LIST_ENTRY(timer, struct streams, tick);
    link_tick(streams->session, loop_now(streams->loop));
    timer_start(&streams->loop->timers, &streams->tick, TICK_MS);
}

struct streams *streams_new(const struct call_settings *settings, const struct streams_host *host) {
    struct streams *streams = calloc(1, sizeof(*streams));
    if (!streams) return NULL;
    streams->loop = settings->loop;
    streams->settings = settings;
    streams->host = *host;
    streams->budget.max_bytes = 32 * 1024 * 1024;
    list_init(&streams->inbounds);
    timer_init(&streams->tick, on_tick);
    return streams;
}

bool streams_start(struct streams *streams) {
    struct link_limits link_limits = LINK_LIMITS_DEFAULT;
    link_limits.headers_bytes =
        HTTP_HEAD_MOST + HTTP_HEAD_SLACK; /* what is too large, the gateway has refused */
    struct link_events events = {.ctx = streams,
                                 .request = on_request,
                                 .control = on_control,
                                 .writable = on_writable,
                                 .pong = on_pong};
    streams->session = link_new(LINK_ANSWERS, &link_limits, &streams->budget, &events);
    return streams->session && timer_start(&streams->loop->timers, &streams->tick, TICK_MS);
}

void streams_stop(struct streams *streams) {
    timer_stop(&streams->loop->timers, &streams->tick);
    struct link_session *session = streams->session;
    streams->session = NULL;
    link_free(session);
}

void streams_free(struct streams *streams) {
    if (!streams) return;
    streams_stop(streams);
    free(streams);
}

enum status streams_receive(struct streams *streams, struct view bytes, const char **ret_reason) {
    if (!streams->session) return STATUS_GONE;
    enum status status = link_receive(streams->session, bytes);
    if (status != STATUS_OK) *ret_reason = link_error(streams->session);
    return status;
}

bool streams_want_send(const struct streams *streams) {
    return streams->session && link_wants_send(streams->session);
}

enum status streams_send(struct streams *streams, struct buf *out) {
    return streams->session ? link_send(streams->session, out) : STATUS_GONE;
}

enum status streams_control(struct streams *streams, struct view line) {
    return streams->session ? link_control(streams->session, line) : STATUS_GONE;
}

void streams_ping(struct streams *streams) {
    if (streams->session) link_ping(streams->session);
}

void streams_drain(struct streams *streams) {
    if (streams->session) link_drain(streams->session);
}

uint64_t streams_work(const struct streams *streams) {
    return streams->session ? link_work(streams->session) : 0;
}

size_t streams_count(const struct streams *streams) {
    return streams->count;
}
