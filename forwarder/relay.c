#include "relay.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "http/gate.h"
#include "http/hop.h"
#include "seen_ids.h"

struct relay {
    struct loop *loop;
    const struct call_settings *settings;
    struct relay_host host;
    struct list requests;
    size_t count, held_bytes;
    struct seen_ids seen;
    size_t paused_count;
    struct task report_idle;
};

/* One request, from its message to its answer. */
struct relayed {
    struct list node;
    struct relay *relay;
    struct v1_message *message;
    struct call call;
    struct timer deadline;
    struct task failing; /* carries `failure` out of the call it happened in */
    const struct failure *failure;
    struct gate_verdict verdict;

    struct arena arena;
    struct headers headers;
    struct buf body;
    bool paused;
};

/* What can go wrong, and what the gateway makes of it. */
struct failure {
    const char *code, *message, *reason;
    int status; /* that the visitor gets */
};

static const struct failure
    invalid_request = {V1_CODE_INVALID_REQUEST, "the request is malformed", NULL, 400},
    request_too_large = {V1_CODE_INVALID_REQUEST, "the request's body is larger than 2 MiB", NULL, 400},
    timed_out = {V1_CODE_TIMEOUT, "the local service took too long to answer", NULL, 504},
    unavailable = {V1_CODE_LOCAL_SERVICE_UNAVAILABLE, "the local service cannot be reached", NULL, 503},
    overloaded = {V1_CODE_LOCAL_SERVICE_UNAVAILABLE, "too many requests at once", NULL, 503},
    broken = {V1_CODE_INTERNAL_ERROR, "the local service did not give a whole answer", NULL, 502},
    malformed = {V1_CODE_INTERNAL_ERROR, "the local service's answer is malformed", NULL, 502},
    too_large = {V1_CODE_INTERNAL_ERROR, "the local service's answer is larger than 2 MiB",
                 V1_REASON_RESPONSE_TOO_LARGE, 502},
    no_memory = {V1_CODE_INTERNAL_ERROR, "out of memory", NULL, 502};

static const struct http_limits limits = HTTP_LIMITS_DEFAULT;

/* ---- flow: a gateway or visitor that reads slowly slows the service, and memory stays bounded ---- */

static bool is_among_oldest(const struct relayed *relayed) {
    const struct list *node = relayed->relay->requests.next;
    for (unsigned i = 0; i < RELAY_ALWAYS_FLOW && node != &relayed->relay->requests; i++, node = node->next)
        if (node == &relayed->node) return true;
    return false;
}

static bool may_flow(const struct relayed *relayed) {
    const struct relay *relay = relayed->relay;
    if (relay->host.waiting_bytes(relay->host.ctx) > RELAY_QUEUE_SOFT) return false;
    return relay->held_bytes < RELAY_HELD_SOFT || is_among_oldest(relayed);
}

static void set_paused(struct relayed *relayed, bool paused) {
    if (relayed->paused == paused) return;
    relayed->paused = paused;
    relayed->relay->paused_count += paused ? 1 : (size_t)-1;
    if (relayed->call.local) local_request_pause(relayed->call.local, paused);
}

void relay_flow(struct relay *relay) {
    struct list *node = relay->requests.next;
    for (; relay->paused_count && node != &relay->requests; node = node->next) {
        struct relayed *relayed = LIST_ENTRY(node, struct relayed, node);
        if (relayed->paused && may_flow(relayed)) set_paused(relayed, false);
    }
}

/* ---- the end ---- */

static void on_report_idle(struct task *task) {
    struct relay *relay = LIST_ENTRY(task, struct relay, report_idle);
    if (relay->count == 0) relay->host.idle(relay->host.ctx);
}

static void relayed_free(struct relayed *relayed) {
    struct relay *relay = relayed->relay;
    set_paused(relayed, false);
    call_cancel(&relayed->call);
    call_done(&relayed->call);
    timer_stop(&relay->loop->timers, &relayed->deadline);
    task_cancel(&relayed->failing);
    list_remove(&relayed->node);
    relay->count--;
    relay->held_bytes -= relayed->body.len + relayed->message->body.len;
    if (relay->count == 0) tasks_post(&relay->loop->tasks, &relay->report_idle);
    buf_done(&relayed->body);
    arena_done(&relayed->arena);
    v1_message_free(relayed->message);
    free(relayed);
    relay_flow(relay);
}

static void show(struct relayed *relayed, int status, const char *code) {
    relayed->call.status = status;
    relayed->call.code = code;
    relayed->call.bytes = code ? 0 : relayed->body.len;
    call_show(&relayed->call);
}

static void send_error(struct relay *relay, struct view request_id, const struct failure *failure,
                       const char *detail) {
    struct buf message;
    if (relay->host.begin(relay->host.ctx, &message))
        v1_encode_error(&message, request_id, view_from_cstr(failure->code),
                        view_from_cstr(detail ? detail : failure->message), view_from_cstr(failure->reason));
    if (!relay->host.send(relay->host.ctx, request_id, &message))
        log_warn("relay", "an answer could not be sent");
}

static void fail_now(struct relayed *relayed, const struct failure *failure) {
    send_error(relayed->relay, relayed->message->request_id, failure, relayed->call.detail);
    show(relayed, failure->status, failure->reason ? failure->reason : failure->code);
    relayed_free(relayed);
}

static void on_failing(struct task *task) {
    struct relayed *relayed = LIST_ENTRY(task, struct relayed, failing);
    fail_now(relayed, relayed->failure);
}

/* From within an event of the local request: stops it at once, tells from a safe point. */
static void fail_soon(struct relayed *relayed, const struct failure *failure) {
    if (relayed->failure) return;
    relayed->failure = failure;
    set_paused(relayed, false);
    call_cancel(&relayed->call);
    tasks_post(&relayed->relay->loop->tasks, &relayed->failing);
}

static void on_deadline(struct timer *timer) {
    struct relayed *relayed = LIST_ENTRY(timer, struct relayed, deadline);
    fail_now(relayed, relayed->failure ? relayed->failure : &timed_out);
}

/* ---- the answer ---- */

static bool announces_too_much(const struct headers *headers) {
    uint64_t length;
    return http_content_length(headers_get(headers, VIEW("content-length")), &length) &&
           length > RELAY_BODY_MAX;
}

/* Where there is no body (HEAD, 304), Content-Length says what a GET would get; any other is the body's,
 * which the gateway counts itself. */
static void on_head(void *ctx, int status, const struct headers *headers) {
    struct relayed *relayed = ctx;
    struct http_limits v1 = http_limits_v1_answer(&limits);
    bool has_body = http_answer_has_body(relayed->call.method, status);
    if (has_body && announces_too_much(headers))
        fail_soon(relayed, &too_large);
    else if (!call_take_head(&relayed->call, status, headers, has_body, &v1, &relayed->headers))
        fail_soon(relayed, &malformed);
}

static void on_data(void *ctx, struct view data) {
    struct relayed *relayed = ctx;
    struct relay *relay = relayed->relay;
    call_take_data(&relayed->call, data);
    if (relayed->body.len + data.len > RELAY_BODY_MAX)
        fail_soon(relayed, &too_large);
    else if (relay->held_bytes + data.len > RELAY_HELD_MAX)
        fail_soon(relayed, &overloaded);
    else if (!buf_append_view(&relayed->body, data))
        fail_soon(relayed, &no_memory);
    else
        relay->held_bytes += data.len;
    if (relayed->call.local && !may_flow(relayed)) set_paused(relayed, true);
}

static void answer(struct relayed *relayed) {
    struct relay *relay = relayed->relay;
    struct v1_response response = {
        .request_id = relayed->message->request_id,
        .status = relayed->call.status,
        .headers = &relayed->headers,
        .body = buf_view(&relayed->body),
        .processing_time_ms = loop_now(relay->loop) - relayed->call.began_ms,
    };
    struct buf message;
    if (relay->host.begin(relay->host.ctx, &message)) v1_encode_response(&message, &response);
    if (!relay->host.send(relay->host.ctx, response.request_id, &message)) {
        fail_now(relayed, &overloaded);
        return;
    }
    show(relayed, response.status, NULL);
    relayed_free(relayed);
}

static void on_end(void *ctx, enum local_error error, const char *detail) {
    struct relayed *relayed = ctx;
    call_take_end(&relayed->call, error, detail);
    switch (error) {
    case LOCAL_OK: answer(relayed); break;
    case LOCAL_UNAVAILABLE: fail_now(relayed, &unavailable); break;
    case LOCAL_BROKEN: fail_now(relayed, &broken); break;
    case LOCAL_INVALID: fail_now(relayed, &invalid_request); break;
    case LOCAL_NO_MEMORY: fail_now(relayed, &no_memory); break;
    }
}

/* ---- the request ---- */

/* Gateways of others may leave Host out. Expect is between visitor and gateway (v1 sends the body in any
 * case). */
static bool check_request(struct relayed *relayed) {
    struct v1_message *message = relayed->message;
    headers_remove(&message->headers, VIEW("expect"));
    if (!headers_count(&message->headers, VIEW("host")) &&
        !headers_add(&message->headers, VIEW("host"),
                     view_from_cstr(relayed->relay->settings->host_field->authority)))
        return false;
    struct gate_request request = {
        .method = message->method,
        .raw_target = message->uri,
        .version = VIEW("HTTP/1.1"),
        .headers = &message->headers,
    };
    enum http_error error = gate_check_request(&request, &limits, &relayed->arena, &relayed->verdict);
    if (error) log_debug("relay", "refused a request: %.*s", VIEW_ARG(http_error_code(error)));
    return !error && relayed->verdict.target.form != TARGET_AUTHORITY;
}

static int64_t body_bytes(const struct relayed *relayed) {
    size_t len = relayed->message->body.len;
    bool has_body = len || relayed->verdict.framing != BODY_NONE;
    return call_body_bytes(&relayed->call, has_body ? (int64_t)len : LOCAL_BODY_NONE);
}

static bool send_request(struct relayed *relayed) {
    static const struct local_events events = {.on_head = on_head, .on_data = on_data, .on_end = on_end};
    struct v1_message *message = relayed->message;
    struct local_head head = {
        .method = message->method,
        .target = relayed->verdict.target.form == TARGET_ASTERISK
                      ? VIEW("*")
                      : target_origin(&relayed->verdict.target, &relayed->arena),
        .body_bytes = body_bytes(relayed),
    };
    hop_strip(&message->headers);
    if (!head.target.ptr ||
        !call_start(&relayed->call, &head, &message->headers, (struct view){0}, &events, relayed))
        return false;
    if (head.body_bytes >= 0) {
        if (!call_send_body(&relayed->call, message->body)) return false;
        local_request_body_end(relayed->call.local);
    }
    return true;
}

static struct relayed *relayed_new(struct relay *relay, struct v1_message *message) {
    struct relayed *relayed = calloc(1, sizeof(*relayed));
    if (!relayed) return NULL;
    relayed->relay = relay;
    relayed->message = message;
    list_append(&relay->requests, &relayed->node);
    timer_init(&relayed->deadline, on_deadline);
    task_init(&relayed->failing, on_failing);
    arena_init(&relayed->arena, 512 * 1024);
    call_init(&relayed->call, relay->settings, &relayed->arena, message->method, message->uri);
    relayed->call.bytes_in = message->body.len;
    buf_init(&relayed->body, RELAY_BODY_MAX);
    relay->count++;
    relay->held_bytes += message->body.len;
    return relayed;
}

void relay_take(struct relay *relay, struct v1_message *request) {
    if (!seen_ids_add(&relay->seen, request->request_id)) {
        log_debug("relay", "request %.*s came twice", VIEW_ARG(request->request_id));
        v1_message_free(request);
        return;
    }
    bool full = relay->count >= RELAY_REQUESTS_MAX || relay->held_bytes > RELAY_HELD_MAX;
    struct relayed *relayed = full ? NULL : relayed_new(relay, request);
    if (!relayed) {
        send_error(relay, request->request_id, full ? &overloaded : &no_memory, NULL);
        v1_message_free(request);
        return;
    }
    if (request->body_too_large)
        fail_soon(relayed, &request_too_large);
    else if (!check_request(relayed))
        fail_soon(relayed, &invalid_request);
    else if (call_is_refused(&relayed->call))
        fail_soon(relayed, &unavailable);
    else if (!timer_start(&relay->loop->timers, &relayed->deadline, relay->settings->request_timeout_ms))
        fail_soon(relayed, &no_memory);
    else if (!send_request(relayed))
        fail_soon(relayed, &no_memory);
}

/* ---- life ---- */

struct relay *relay_new(const struct call_settings *settings, const struct relay_host *host) {
    struct relay *relay = calloc(1, sizeof(*relay));
    if (!relay) return NULL;
    relay->loop = settings->loop;
    relay->settings = settings;
    relay->host = *host;
    list_init(&relay->requests);
    seen_ids_init(&relay->seen);
    task_init(&relay->report_idle, on_report_idle);
    return relay;
}

void relay_cancel_all(struct relay *relay) {
    struct list *node;
    while ((node = relay->requests.next) != &relay->requests) {
        struct relayed *relayed = LIST_ENTRY(node, struct relayed, node);
        show(relayed, 0, "connection lost");
        relayed_free(relayed);
    }
    /* What comes again over the next link is meant: a gateway repeats what is safe, or counts its requests
     * anew. */
    seen_ids_done(&relay->seen);
    seen_ids_init(&relay->seen);
}

size_t relay_count(const struct relay *relay) {
    return relay->count;
}

void relay_free(struct relay *relay) {
    if (!relay) return;
    relay_cancel_all(relay);
    task_cancel(&relay->report_idle);
    seen_ids_done(&relay->seen);
    free(relay);
}
