/* See invocations.h. At most one invocation runs at a time. Two deadlines stand before Lambda's own, at which
 * the process would be killed without an answer: at the first a visitor is answered 504, at the second every
 * call to AWS ends. */
#include "runtime/invocations.h"

#include <stdlib.h>

#include "base/log.h"
#include "handler/access.h"
#include "runtime/lambda_answer.h"
#include "runtime/lambda_event.h"
#include "runtime/log_json.h"
#include "runtime/runtime_client.h"

enum {
    ANSWER_MARGIN_MS = 700,
    CALLS_MARGIN_MS = 300,
    ANSWER_MAX = 6 * 1024 * 1024, /* what Lambda takes */
};

struct invocations {
    struct invocations_parts parts;
    struct runtime_client runtime;

    /* the one under way */
    char request_id[RUNTIME_REQUEST_ID_MAX + 1];
    struct lambda_event *event;
    bool answered; /* the runtime API has the answer, or the error */
    bool is_again; /* it is done anew, with keys that were not there */
    bool told_too_large;
    struct timer deadline;
    struct task settle;

    /* HTTP */
    struct exchange *exchange;
    struct task give_body, too_large;
    size_t granted;
    struct access access;
    struct arena arena;
    struct headers headers;
    struct buf body;
};

static struct view current_id(const struct invocations *invocations) {
    return view_from_cstr(invocations->request_id);
}

/* ---- the end of an invocation ---- */

static void ask_for_next(struct invocations *invocations) {
    lambda_event_free(invocations->event);
    invocations->event = NULL;
    invocations->request_id[0] = '\0';
    invocations->parts.aws->deadline_ms = 0;
    arena_done(&invocations->arena);
    buf_done(&invocations->body);
    if (invocations->parts.tells_metrics) log_json_metrics();
    log_json_request((struct view){0});
    runtime_next(&invocations->runtime);
}

/* An environment is frozen between invocations: nothing may be under way then. */
static void on_settle(struct task *task) {
    struct invocations *invocations = LIST_ENTRY(task, struct invocations, settle);
    const struct invocations_parts *parts = &invocations->parts;
    if (!invocations->request_id[0] || !invocations->answered) return;
    bool busy = parts->aws->active > 0 || agents_apigw_busy(parts->agents) ||
                store_dynamodb_busy(parts->store) || (parts->direct && mailbox_direct_busy(parts->direct));
    if (!busy) ask_for_next(invocations);
}

static void settle_later(void *ctx) {
    struct invocations *invocations = ctx;
    tasks_post(&invocations->parts.loop->tasks, &invocations->settle);
}

static void on_posted(void *ctx, enum status status) {
    struct invocations *invocations = ctx;
    if (status == STATUS_TOO_LARGE && !invocations->told_too_large) {
        invocations->told_too_large = true;
        runtime_fail(&invocations->runtime, current_id(invocations), "Handler.AnswerTooLarge",
                     "the answer is larger than Lambda takes");
        return;
    }
    invocations->answered = true;
    settle_later(invocations);
}

static void respond(struct invocations *invocations, struct buf *answer) {
    timer_stop(&invocations->parts.loop->timers, &invocations->deadline);
    if (answer->failed)
        runtime_fail(&invocations->runtime, current_id(invocations), "Handler.AnswerTooLarge",
                     "the answer is larger than Lambda takes");
    else
        runtime_respond(&invocations->runtime, current_id(invocations), buf_view(answer));
    buf_done(answer);
}

static void respond_status(struct invocations *invocations, int status, const char *reason) {
    struct buf answer;
    buf_init(&answer, 4096);
    lambda_answer_status(&answer, status, reason);
    respond(invocations, &answer);
}

static void fail(struct invocations *invocations, const char *type, const char *message) {
    timer_stop(&invocations->parts.loop->timers, &invocations->deadline);
    log_error("invocation", "%s: %s", type, message);
    runtime_fail(&invocations->runtime, current_id(invocations), type, message);
}

/* ---- keys of tokens ---- */

static void dispatch(struct invocations *invocations);

static void do_again(void *ctx) {
    dispatch(ctx);
}

/* What was refused for want of keys is done again when they are here, once; it has left no trace. */
static bool waits_for_keys(struct invocations *invocations) {
    struct jwks_url *keys = invocations->parts.keys;
    if (!keys || invocations->is_again) return false;
    return invocations->is_again = jwks_url_fetch(keys, do_again, invocations);
}

/* ---- HTTP: one visitor's request ---- */

static uint64_t now_ms(const struct invocations *invocations) {
    return loop_now(invocations->parts.loop);
}

static void let_go(struct invocations *invocations) {
    invocations->exchange = NULL;
    task_cancel(&invocations->give_body);
    task_cancel(&invocations->too_large);
}

static void end_exchange(struct invocations *invocations, bool is_whole) {
    let_go(invocations);
    access_end(&invocations->access, is_whole, now_ms(invocations));
}

static void on_head(void *ctx, const struct answer_head *head) {
    struct invocations *invocations = ctx;
    access_head(&invocations->access, invocations->exchange, head, &invocations->arena, now_ms(invocations));
    headers_copy(&invocations->headers, head->headers);
    if (!head->has_body && head->content_length != LENGTH_UNKNOWN) {
        struct view length =
            arena_printf(&invocations->arena, "%llu", (unsigned long long)head->content_length);
        if (length.ptr) headers_add(&invocations->headers, VIEW("content-length"), length);
    }
    log_json_tunnel(invocations->access.tunnel);
}

static void on_data(void *ctx, struct view data) {
    struct invocations *invocations = ctx;
    access_passed(&invocations->access, data.len);
    if (!buf_append_view(&invocations->body, data))
        tasks_post(&invocations->parts.loop->tasks, &invocations->too_large);
}

/* In path mode little may become very much, which nobody need wait for. */
static void on_too_large(struct task *task) {
    struct invocations *invocations = LIST_ENTRY(task, struct invocations, too_large);
    struct buf none = {.failed = true};
    exchange_cancel(invocations->exchange);
    end_exchange(invocations, false);
    respond(invocations, &none);
}

static void on_end(void *ctx, const struct headers *trailers) {
    (void)trailers;
    struct invocations *invocations = ctx;
    struct buf answer;
    if (invocations->access.error == HTTP_ERROR_TOKEN_REQUIRED && waits_for_keys(invocations)) {
        let_go(invocations);
        return;
    }
    access_passed(&invocations->access, 0);
    end_exchange(invocations, true);
    buf_init(&answer, ANSWER_MAX);
    answer.failed = invocations->body.failed;
    lambda_answer_http(&answer, invocations->event->kind, invocations->access.status, &invocations->headers,
                       buf_view(&invocations->body));
    respond(invocations, &answer);
}

static void on_abort(void *ctx) {
    struct invocations *invocations = ctx;
    end_exchange(invocations, false);
    fail(invocations, "Handler.AnswerCut", "the answer ended before its end");
}

static void on_give_body(struct task *task) {
    struct invocations *invocations = LIST_ENTRY(task, struct invocations, give_body);
    struct view body = view_slice(invocations->event->body, 0, invocations->granted);
    if (!invocations->exchange) return;
    access_received(&invocations->access, body.len);
    exchange_body(invocations->exchange, body);
    if (body.len == invocations->event->body.len) exchange_body_end(invocations->exchange);
}

/* Not inside the call: the core has more to do in it. */
static void on_grant(void *ctx, size_t bytes) {
    struct invocations *invocations = ctx;
    invocations->granted = bytes;
    tasks_post(&invocations->parts.loop->tasks, &invocations->give_body);
}

static void on_deadline(struct timer *timer) {
    struct invocations *invocations = LIST_ENTRY(timer, struct invocations, deadline);
    if (invocations->exchange) exchange_expire(invocations->exchange);
}

static void forward(struct invocations *invocations) {
    const struct lambda_event *event = invocations->event;
    struct forward_event request = {.method = event->method,
                                    .target = event->target,
                                    .version = VIEW("HTTP/1.1"),
                                    .headers = &event->headers,
                                    .client = event->client,
                                    .scheme = event->scheme};
    struct body_source source = {.ctx = invocations, .grant = on_grant};
    struct answer_sink sink = {
        .ctx = invocations, .head = on_head, .data = on_data, .end = on_end, .abort = on_abort};
    headers_init(&invocations->headers, &invocations->arena);
    buf_clear(&invocations->body);
    access_begin(&invocations->access, now_ms(invocations));
    invocations->access.client = event->client;
    invocations->access.method = event->method;
    invocations->access.target = event->target;
    invocations->access.version = VIEW("HTTP/1.1");
    store_dynamodb_set_request(invocations->parts.store, event->request_id);
    invocations->exchange = core_forward(invocations->parts.core, &request, &source, &sink, SIZE_MAX / 2);
    if (!invocations->exchange) fail(invocations, "Handler.OutOfMemory", "out of memory");
}

/* ---- agents ---- */

static void on_connected(void *ctx, const struct connect_outcome *outcome) {
    struct invocations *invocations = ctx;
    if (outcome->status == 503 && waits_for_keys(invocations)) return;
    log_json_tunnel(outcome->tunnel_id);
    log_from(LOG_LEVEL_INFO, "agents", invocations->event->connection_id, "%d %s", outcome->status,
             outcome->reason);
    respond_status(invocations, outcome->status, outcome->reason);
}

static enum waiter_claim claims_waiter(const struct invocations *invocations) {
    const struct lambda_event *event = invocations->event;
    const unsigned char *key = invocations->parts.waiter_key;
    if (!key) return WAITER_NONE;
    return event->kind == LAMBDA_CONNECT ? waiter_check_target(event->target, key, loop_wall_ms(NULL))
                                         : waiter_check_message(event->body, key, loop_wall_ms(NULL));
}

static void on_waiter_told(void *ctx, enum status status) {
    (void)status; /* it asks again, or opens anew */
    respond_status(ctx, 200, NULL);
}

static void tell_waiter(struct invocations *invocations) {
    struct view connection = invocations->event->connection_id;
    struct buf text;
    buf_init(&text, 1024);
    waiter_encode_ready(&text, connection);
    connections_post(invocations->parts.connections, connection, buf_view(&text), 2, on_waiter_told,
                     invocations);
    buf_done(&text);
}

static void connect_agent(struct invocations *invocations) {
    const struct lambda_event *event = invocations->event;
    enum waiter_claim waiter = claims_waiter(invocations);
    if (waiter != WAITER_NONE) {
        respond_status(invocations, waiter == WAITER_GOOD ? 200 : 401, NULL);
        return;
    }
    struct connect_event connect = {.connection_id = event->connection_id,
                                    .target = event->target,
                                    .headers = &event->headers,
                                    .client = event->client,
                                    .protocol = LINK_V1};
    core_connect(invocations->parts.core, &connect, on_connected, invocations);
}

/* What an agent sent and we dropped is no error of the function: only what could not be done is, so that
 * Lambda's own counters show it. */
static void on_handled(void *ctx, enum status status) {
    struct invocations *invocations = ctx;
    bool failed = status == STATUS_UNAVAILABLE || status == STATUS_OVERLOADED || status == STATUS_TIMEOUT ||
                  status == STATUS_DENIED || status == STATUS_NO_MEMORY;
    if (failed)
        fail(invocations, "Handler.StoreFailed", status_text(status));
    else
        respond_status(invocations, 200, NULL);
}

static void hear_agent(struct invocations *invocations) {
    const struct lambda_event *event = invocations->event;
    enum waiter_claim waiter = claims_waiter(invocations);
    if (waiter == WAITER_GOOD)
        tell_waiter(invocations);
    else if (waiter == WAITER_REFUSED)
        respond_status(invocations, 401, NULL);
    else
        core_message(invocations->parts.core, event->connection_id, event->body, on_handled, invocations);
}

/* ---- stream and schedule ---- */

static void on_woken(void *ctx, enum status status) {
    (void)ctx;
    (void)status; /* a waiter that is gone polls */
}

/* The invocations that wait for what this batch tells. */
static void wake_waiters(struct invocations *invocations) {
    size_t index;
    json_t *record;
    json_array_foreach(invocations->event->records, index, record) {
        const json_t *image = json_object_get(json_object_get(record, "dynamodb"), "NewImage");
        struct view waiter = item_string(image, "waiterConnection");
        bool completed = view_eq(item_string(image, "status"), VIEW("completed"));
        if (!completed || waiter.len == 0 || waiter.len > CONNECTION_ID_MAX) continue;
        struct buf text;
        buf_init(&text, 2048);
        if (waiter_encode_wake(&text, item_string(image, "requestId")))
            connections_post(invocations->parts.connections, waiter, buf_view(&text), 1, on_woken, NULL);
        buf_done(&text);
    }
}

static void on_published(void *ctx, json_t *failures) {
    struct buf answer;
    char *text = json_dumps(failures, JSON_COMPACT);
    buf_init(&answer, ANSWER_MAX);
    buf_printf(&answer, "{\"statusCode\":200,\"batchItemFailures\":%s}", text ? text : "[]");
    free(text);
    respond(ctx, &answer);
}

static void take_records(struct invocations *invocations) {
    wake_waiters(invocations);
    publisher_publish(invocations->parts.publisher, invocations->event->records, on_published, invocations);
}

static void on_cleaned(void *ctx, enum status status) {
    struct invocations *invocations = ctx;
    struct buf answer;
    size_t connections, requests;
    if (status != STATUS_OK) {
        fail(invocations, "Handler.StoreFailed", status_text(status));
        return;
    }
    store_dynamodb_swept(invocations->parts.store, &connections, &requests);
    buf_init(&answer, 4096);
    buf_printf(&answer, "{\"connectionsDeleted\":%zu,\"requestsDeleted\":%zu,\"timestamp\":%llu}",
               connections, requests, (unsigned long long)(loop_wall_ms(NULL) / 1000));
    log_info("cleanup", "%zu connections and %zu requests had expired", connections, requests);
    respond(invocations, &answer);
}

/* ---- the begin of an invocation ---- */

static void dispatch(struct invocations *invocations) {
    struct lambda_event *event = invocations->event;
    struct core *core = invocations->parts.core;
    switch (event->kind) {
    case LAMBDA_HTTP_1:
    case LAMBDA_HTTP_2:
    case LAMBDA_ALB:
    case LAMBDA_ALB_MULTI: forward(invocations); break;
    case LAMBDA_CONNECT: connect_agent(invocations); break;
    case LAMBDA_DISCONNECT: core_disconnect(core, event->connection_id, on_handled, invocations); break;
    case LAMBDA_MESSAGE: hear_agent(invocations); break;
    case LAMBDA_STREAM: take_records(invocations); break;
    case LAMBDA_CLEANUP: core_cleanup(core, on_cleaned, invocations); break;
    }
}

static void set_deadlines(struct invocations *invocations, uint64_t deadline_ms) {
    struct loop *loop = invocations->parts.loop;
    uint64_t wall = loop_wall_ms(NULL), left = deadline_ms > wall ? deadline_ms - wall : 0;
    uv_update_time(&loop->uv);
    if (deadline_ms == 0) return;
    uint64_t answer = left > 2 * ANSWER_MARGIN_MS ? left - ANSWER_MARGIN_MS : left / 2;
    uint64_t calls = left > 2 * ANSWER_MARGIN_MS ? left - CALLS_MARGIN_MS : left * 3 / 4;
    invocations->parts.aws->deadline_ms = loop_now(loop) + calls + 1;
    timer_start(&loop->timers, &invocations->deadline, answer);
}

static void on_event(void *ctx, struct view request_id, uint64_t deadline_ms, struct view text) {
    struct invocations *invocations = ctx;
    const char *why = NULL;
    view_copy_to(request_id, invocations->request_id, sizeof(invocations->request_id));
    log_json_request(request_id);
    arena_init(&invocations->arena, ANSWER_MAX);
    buf_init(&invocations->body, ANSWER_MAX);
    invocations->answered = invocations->told_too_large = invocations->is_again = false;
    if (invocations->parts.keys) jwks_url_begin(invocations->parts.keys);
    set_deadlines(invocations, deadline_ms);
    invocations->event = lambda_event_parse(text, &why);
    if (invocations->event)
        dispatch(invocations);
    else
        fail(invocations, "Handler.BadEvent", why);
}

static void on_gone(void *ctx) {
    struct invocations *invocations = ctx;
    loop_quit(invocations->parts.loop);
}

struct invocations *invocations_new(const struct invocations_parts *parts) {
    struct invocations *invocations = calloc(1, sizeof(*invocations));
    if (!invocations) return NULL;
    invocations->parts = *parts;
    invocations->runtime = (struct runtime_client){.http = parts->http,
                                                   .api = parts->runtime_api,
                                                   .ctx = invocations,
                                                   .on_event = on_event,
                                                   .on_posted = on_posted,
                                                   .on_gone = on_gone};
    timer_init(&invocations->deadline, on_deadline);
    task_init(&invocations->settle, on_settle);
    task_init(&invocations->give_body, on_give_body);
    task_init(&invocations->too_large, on_too_large);
    arena_init(&invocations->arena, ANSWER_MAX);
    buf_init(&invocations->body, ANSWER_MAX);
    parts->aws->on_idle = settle_later;
    parts->aws->idle_ctx = invocations;
    return invocations;
}

void invocations_free(struct invocations *invocations) {
    if (!invocations) return;
    timer_stop(&invocations->parts.loop->timers, &invocations->deadline);
    task_cancel(&invocations->settle);
    task_cancel(&invocations->give_body);
    task_cancel(&invocations->too_large);
    invocations->parts.aws->on_idle = NULL;
    lambda_event_free(invocations->event);
    arena_done(&invocations->arena);
    buf_done(&invocations->body);
    free(invocations);
}

void invocations_start(struct invocations *invocations) {
    runtime_next(&invocations->runtime);
}
