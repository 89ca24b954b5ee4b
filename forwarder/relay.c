#include "relay.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "http/gate.h"
#include "http/hop.h"
#include "rewrite_wish.h"
#include "seen_ids.h"

struct relay {
    struct loop *loop;
    struct relay_settings settings;
    struct relay_host host;
    struct local_client *client;
    struct list exchanges;
    size_t count, held_bytes;
    struct seen_ids seen;
    size_t paused_count;
    struct task report_idle;
};

/* One request, from its message to its answer. */
struct exchange {
    struct list node;
    struct relay *relay;
    struct v1_message *message;
    struct local_request *local; /* NULL once it has ended */
    struct timer deadline;
    struct task failing; /* carries `failure` out of the call it happened in */
    const struct failure *failure;
    uint64_t began_ms;
    struct gate_verdict verdict;
    struct visitor visitor;
    struct view target; /* as the service got it */
    const char *detail; /* of the failure that is told now */

    int status;
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

static bool is_among_oldest(const struct exchange *exchange) {
    const struct list *node = exchange->relay->exchanges.next;
    for (unsigned i = 0; i < RELAY_ALWAYS_FLOW && node != &exchange->relay->exchanges; i++, node = node->next)
        if (node == &exchange->node) return true;
    return false;
}

static bool may_flow(const struct exchange *exchange) {
    const struct relay *relay = exchange->relay;
    if (relay->host.waiting_bytes(relay->host.ctx) > RELAY_QUEUE_SOFT) return false;
    return relay->held_bytes < RELAY_HELD_SOFT || is_among_oldest(exchange);
}

static void set_paused(struct exchange *exchange, bool paused) {
    if (exchange->paused == paused) return;
    exchange->paused = paused;
    exchange->relay->paused_count += paused ? 1 : (size_t)-1;
    if (exchange->local) local_request_pause(exchange->local, paused);
}

void relay_flow(struct relay *relay) {
    struct list *node = relay->exchanges.next;
    for (; relay->paused_count && node != &relay->exchanges; node = node->next) {
        struct exchange *exchange = LIST_ENTRY(node, struct exchange, node);
        if (exchange->paused && may_flow(exchange)) set_paused(exchange, false);
    }
}

/* ---- the end ---- */

static void on_report_idle(struct task *task) {
    struct relay *relay = LIST_ENTRY(task, struct relay, report_idle);
    if (relay->count == 0) relay->host.idle(relay->host.ctx);
}

static void exchange_free(struct exchange *exchange) {
    struct relay *relay = exchange->relay;
    set_paused(exchange, false);
    if (exchange->local) local_request_cancel(exchange->local);
    timer_stop(&relay->loop->timers, &exchange->deadline);
    task_cancel(&exchange->failing);
    list_remove(&exchange->node);
    relay->count--;
    relay->held_bytes -= exchange->body.len + exchange->message->body.len;
    if (relay->count == 0) tasks_post(&relay->loop->tasks, &relay->report_idle);
    buf_done(&exchange->body);
    arena_done(&exchange->arena);
    v1_message_free(exchange->message);
    free(exchange);
    relay_flow(relay);
}

static void show(const struct exchange *exchange, int status, const char *code, uint64_t bytes) {
    struct console_request line = {
        .method = exchange->message->method,
        .target = exchange->message->uri,
        .status = status,
        .code = code,
        .detail = exchange->detail,
        .took_ms = loop_now(exchange->relay->loop) - exchange->began_ms,
        .bytes = bytes,
        .bytes_in = exchange->message->body.len,
    };
    console_request(exchange->relay->settings.console, &line);
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

static void fail_now(struct exchange *exchange, const struct failure *failure) {
    send_error(exchange->relay, exchange->message->request_id, failure, exchange->detail);
    show(exchange, failure->status, failure->reason ? failure->reason : failure->code, 0);
    exchange_free(exchange);
}

static void on_failing(struct task *task) {
    struct exchange *exchange = LIST_ENTRY(task, struct exchange, failing);
    fail_now(exchange, exchange->failure);
}

/* From within an event of the local request: stops it at once, tells from a safe point. */
static void fail_soon(struct exchange *exchange, const struct failure *failure) {
    if (exchange->failure) return;
    exchange->failure = failure;
    set_paused(exchange, false);
    if (exchange->local) local_request_cancel(exchange->local);
    exchange->local = NULL;
    tasks_post(&exchange->relay->loop->tasks, &exchange->failing);
}

static void on_deadline(struct timer *timer) {
    struct exchange *exchange = LIST_ENTRY(timer, struct exchange, deadline);
    fail_now(exchange, exchange->failure ? exchange->failure : &timed_out);
}

/* ---- the answer ---- */

/* Where there is no body (HEAD, 304), Content-Length says what a GET would get; any other is the body's,
 * which the gateway counts itself. */
static bool tidy_answer(struct exchange *exchange) {
    hop_strip(&exchange->headers);
    hop_strip_ours(&exchange->headers, VIEW("x-tunnel-rewrite"));
    if (http_answer_has_body(exchange->message->method, exchange->status))
        headers_remove(&exchange->headers, VIEW("content-length"));
    struct http_limits v1 = http_limits_v1_answer(&limits);
    exchange->detail = gate_response_fault(exchange->status, &exchange->headers, &v1);
    return !exchange->detail && rewrite_wish_say(exchange->relay->settings.rewrite, &exchange->headers) &&
           host_field_return(exchange->relay->settings.host_field, &exchange->visitor, &exchange->headers);
}

static bool announces_too_much(const struct exchange *exchange, const struct headers *headers) {
    uint64_t length;
    return http_answer_has_body(exchange->message->method, exchange->status) &&
           view_parse_u64(headers_get(headers, VIEW("content-length")), &length) && length > RELAY_BODY_MAX;
}

static void on_head(void *ctx, int status, const struct headers *headers) {
    struct exchange *exchange = ctx;
    exchange->status = status;
    if (announces_too_much(exchange, headers))
        fail_soon(exchange, &too_large);
    else if (!headers_copy(&exchange->headers, headers))
        fail_soon(exchange, &malformed);
    else if (!tidy_answer(exchange))
        fail_soon(exchange, &malformed);
}

static void on_data(void *ctx, struct view data) {
    struct exchange *exchange = ctx;
    struct relay *relay = exchange->relay;
    hints_on_data(relay->settings.hints, exchange->status, exchange->body.len, data);
    if (exchange->body.len + data.len > RELAY_BODY_MAX)
        fail_soon(exchange, &too_large);
    else if (relay->held_bytes + data.len > RELAY_HELD_MAX)
        fail_soon(exchange, &overloaded);
    else if (!buf_append_view(&exchange->body, data))
        fail_soon(exchange, &no_memory);
    else
        relay->held_bytes += data.len;
    if (exchange->local && !may_flow(exchange)) set_paused(exchange, true);
}

static void answer(struct exchange *exchange) {
    struct relay *relay = exchange->relay;
    struct v1_response response = {
        .request_id = exchange->message->request_id,
        .status = exchange->status,
        .headers = &exchange->headers,
        .body = buf_view(&exchange->body),
        .processing_time_ms = loop_now(relay->loop) - exchange->began_ms,
    };
    struct buf message;
    if (relay->host.begin(relay->host.ctx, &message)) v1_encode_response(&message, &response);
    if (!relay->host.send(relay->host.ctx, response.request_id, &message)) {
        fail_now(exchange, &overloaded);
        return;
    }
    show(exchange, response.status, NULL, response.body.len);
    exchange_free(exchange);
}

static void take_hint(struct exchange *exchange) {
    struct relay *relay = exchange->relay;
    struct hints_request request = {.target = exchange->target, .headers = &exchange->message->headers};
    if (exchange->status >= 400 && view_eq(exchange->message->method, VIEW("GET")) &&
        !exchange->message->body.len)
        hints_on_refusal(relay->settings.hints, relay->client, &request, exchange->status);
}

static void on_end(void *ctx, enum local_error error, const char *detail) {
    struct exchange *exchange = ctx;
    exchange->local = NULL;
    if (error != LOCAL_OK) log_debug("local", "%.*s: %s", VIEW_ARG(exchange->message->request_id), detail);
    if (error == LOCAL_OK)
        take_hint(exchange);
    else
        hints_on_failure(exchange->relay->settings.hints, exchange->relay->client, detail);
    exchange->detail = error == LOCAL_OK ? NULL : detail;
    switch (error) {
    case LOCAL_OK: answer(exchange); break;
    case LOCAL_UNAVAILABLE: fail_now(exchange, &unavailable); break;
    case LOCAL_BROKEN: fail_now(exchange, &broken); break;
    case LOCAL_INVALID: fail_now(exchange, &invalid_request); break;
    case LOCAL_NO_MEMORY: fail_now(exchange, &no_memory); break;
    }
}

/* ---- the request ---- */

/* Gateways of others may leave Host out. Expect is between visitor and gateway (v1 sends the body in any
 * case). */
static bool check_request(struct exchange *exchange) {
    struct v1_message *message = exchange->message;
    headers_remove(&message->headers, VIEW("expect"));
    if (!headers_count(&message->headers, VIEW("host")) &&
        !headers_add(&message->headers, VIEW("host"),
                     view_from_cstr(exchange->relay->settings.host_field->authority)))
        return false;
    struct gate_request request = {
        .method = message->method,
        .raw_target = message->uri,
        .version = VIEW("HTTP/1.1"),
        .headers = &message->headers,
    };
    enum http_error error = gate_check_request(&request, &limits, &exchange->arena, &exchange->verdict);
    if (error) log_debug("relay", "refused a request: %.*s", VIEW_ARG(http_error_code(error)));
    return !error && exchange->verdict.target.form != TARGET_AUTHORITY;
}

static int64_t body_bytes(const struct exchange *exchange) {
    const struct v1_message *message = exchange->message;
    if (message->body.len || exchange->verdict.framing != BODY_NONE) return (int64_t)message->body.len;
    /* Without a length some services answer these with 411. */
    bool expected = view_eq(message->method, VIEW("POST")) || view_eq(message->method, VIEW("PUT")) ||
                    view_eq(message->method, VIEW("PATCH"));
    return expected ? 0 : LOCAL_BODY_NONE;
}

static bool send_request(struct exchange *exchange) {
    struct v1_message *message = exchange->message;
    struct local_head head = {
        .method = message->method,
        .target = exchange->verdict.target.form == TARGET_ASTERISK
                      ? VIEW("*")
                      : target_origin(&exchange->verdict.target, &exchange->arena),
        .headers = &message->headers,
        .body_bytes = body_bytes(exchange),
    };
    exchange->target = head.target;
    hop_strip(&message->headers);
    hop_strip_ours(&message->headers, (struct view){0});
    headers_remove(&message->headers, VIEW("content-length"));
    if (!head.target.ptr || !host_field_apply(exchange->relay->settings.host_field, &message->headers,
                                              (struct view){0}, &exchange->visitor))
        return false;
    static const struct local_events events = {.on_head = on_head, .on_data = on_data, .on_end = on_end};
    exchange->local = local_request_start(exchange->relay->client, &head, &events, exchange);
    if (!exchange->local) return false;
    if (head.body_bytes >= 0) {
        if (!local_request_body(exchange->local, message->body)) return false;
        local_request_body_end(exchange->local);
    }
    return true;
}

static struct exchange *exchange_new(struct relay *relay, struct v1_message *message) {
    struct exchange *exchange = calloc(1, sizeof(*exchange));
    if (!exchange) return NULL;
    exchange->relay = relay;
    exchange->message = message;
    exchange->began_ms = loop_now(relay->loop);
    list_append(&relay->exchanges, &exchange->node);
    timer_init(&exchange->deadline, on_deadline);
    task_init(&exchange->failing, on_failing);
    arena_init(&exchange->arena, 512 * 1024);
    headers_init(&exchange->headers, &exchange->arena);
    buf_init(&exchange->body, RELAY_BODY_MAX);
    relay->count++;
    relay->held_bytes += message->body.len;
    return exchange;
}

void relay_take(struct relay *relay, struct v1_message *request) {
    if (!seen_ids_add(&relay->seen, request->request_id)) {
        log_debug("relay", "request %.*s came twice", VIEW_ARG(request->request_id));
        v1_message_free(request);
        return;
    }
    bool full = relay->count >= RELAY_REQUESTS_MAX || relay->held_bytes > RELAY_HELD_MAX;
    struct exchange *exchange = full ? NULL : exchange_new(relay, request);
    if (!exchange) {
        send_error(relay, request->request_id, full ? &overloaded : &no_memory, NULL);
        v1_message_free(request);
        return;
    }
    if (request->body_too_large)
        fail_soon(exchange, &request_too_large);
    else if (!check_request(exchange))
        fail_soon(exchange, &invalid_request);
    else if (!timer_start(&relay->loop->timers, &exchange->deadline, relay->settings.request_timeout_ms))
        fail_soon(exchange, &no_memory);
    else if (!send_request(exchange))
        fail_soon(exchange, &no_memory);
}

/* ---- life ---- */

struct relay *relay_new(struct loop *loop, const struct relay_settings *settings, struct local_client *client,
                        const struct relay_host *host) {
    struct relay *relay = calloc(1, sizeof(*relay));
    if (!relay) return NULL;
    relay->loop = loop;
    relay->settings = *settings;
    relay->host = *host;
    list_init(&relay->exchanges);
    seen_ids_init(&relay->seen);
    task_init(&relay->report_idle, on_report_idle);
    relay->client = client;
    return relay;
}

void relay_cancel_all(struct relay *relay) {
    struct list *node;
    while ((node = relay->exchanges.next) != &relay->exchanges) {
        struct exchange *exchange = LIST_ENTRY(node, struct exchange, node);
        show(exchange, 0, "connection lost", 0);
        exchange_free(exchange);
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
