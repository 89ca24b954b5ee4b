/* See aws_client.h. The waits between attempts are "full jitter": anything up to a bound that doubles. */
#include "aws/aws_client.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/heap.h"
#include "base/ids.h"
#include "base/log.h"

enum { WAIT_FIRST_MS = 25, WAIT_MAX_MS = 1000, HEADERS_MAX_BYTES = 16 * 1024 };

struct aws_call {
    struct aws_client *client;
    struct arena arena; /* what the request is made of */
    struct aws_request request;
    struct view body;
    unsigned attempts;
    bool repeated;
    uint64_t began_ms;
    struct http_call *http;
    struct timer wait;
    struct task give_up;
    enum status status; /* of give_up */
    aws_call_fn *done;
    void *ctx;
};

static uint64_t now_ms(const struct aws_client *client) {
    return client->timers->now_ms(client->timers->ctx);
}

static void call_free(struct aws_call *call) {
    call->client->active--;
    timer_stop(call->client->timers, &call->wait);
    task_cancel(&call->give_up);
    arena_done(&call->arena);
    free(call);
}

static void call_end(struct aws_call *call, enum status status, const struct aws_answer *answer) {
    struct aws_answer none = {.repeated = call->repeated};
    struct aws_client *client = call->client;
    call->done(call->ctx, status, answer ? answer : &none);
    call_free(call);
    if (client->active == 0 && client->on_idle) client->on_idle(client->idle_ctx);
}

/* ---- what an answer means ---- */

/* "com.amazonaws.dynamodb.v20120810#ThrottlingException:http://…" */
static struct view bare_name(struct view error) {
    size_t hash = view_find(error, '#');
    if (hash < error.len) error = view_skip(error, hash + 1);
    return view_slice(error, 0, view_find(error, ':'));
}

/* The name of the error, in the arena; the message goes to the log. */
static struct view read_error(struct aws_call *call, const struct http_answer *answer) {
    struct view error = headers_get(answer->headers, VIEW("x-amzn-errortype")), message = {0};
    json_t *root = json_loadb(answer->body.len ? answer->body.ptr : "", answer->body.len, 0, NULL);
    const char *type = json_string_value(json_object_get(root, "__type"));
    const char *text = json_string_value(json_object_get(root, "message"));
    if (!text) text = json_string_value(json_object_get(root, "Message"));
    if (type) error = view_from_cstr(type);
    message = view_slice(view_from_cstr(text), 0, 300);
    error = arena_copy(&call->arena, view_slice(bare_name(error), 0, 80));
    log_debug("aws", "%.*s answered %d %.*s: %.*s", VIEW_ARG(call->request.service), answer->status,
              VIEW_ARG(error), VIEW_ARG(message));
    json_decref(root);
    return error;
}

static bool is_among(struct view name, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (view_eq(name, view_from_cstr(names[i]))) return true;
    return false;
}

/* Refused before it was looked at, or undone whole: nothing was executed. What AWS's own clients try again
 * ("Retry behavior" of the SDK reference guide), and DynamoDB's conflicts of one item with a transaction. */
static bool is_throttled(const struct aws_answer *answer) {
    static const char *const names[] = {"ProvisionedThroughputExceededException",
                                        "ThrottlingException",
                                        "Throttling",
                                        "ThrottledException",
                                        "RequestThrottled",
                                        "RequestThrottledException",
                                        "RequestLimitExceeded",
                                        "TooManyRequestsException",
                                        "LimitExceededException",
                                        "BandwidthLimitExceeded",
                                        "PriorRequestNotComplete",
                                        "SlowDown",
                                        "EC2ThrottledException",
                                        "TransactionConflictException",
                                        "ReplicatedWriteConflictException"};
    return answer->http_status == 429 || is_among(answer->error, names, sizeof(names) / sizeof(names[0]));
}

/* Nobody knows whether it was executed. */
static bool is_unknown(const struct aws_answer *answer) {
    static const char *const names[] = {"TransactionInProgressException",
                                        "RequestTimeout",
                                        "RequestTimeoutException",
                                        "InternalServerError",
                                        "InternalFailure",
                                        "ServiceUnavailable"};
    return answer->http_status >= 500 || is_among(answer->error, names, sizeof(names) / sizeof(names[0]));
}

/* A transaction that was undone for the sake of others: where a condition failed too, that is the answer. */
static bool is_cancelled_in_passing(const struct aws_answer *answer) {
    static const char *const names[] = {"TransactionConflict", "ThrottlingError",
                                        "ProvisionedThroughputExceeded"};
    if (!view_eq(answer->error, VIEW("TransactionCanceledException"))) return false;
    json_t *root = json_loadb(answer->body.len ? answer->body.ptr : "", answer->body.len, 0, NULL), *reason;
    bool passing = false, condition = false;
    size_t index;
    json_array_foreach(json_object_get(root, "CancellationReasons"), index, reason) {
        struct view code = view_from_cstr(json_string_value(json_object_get(reason, "Code")));
        passing = passing || is_among(code, names, sizeof(names) / sizeof(names[0]));
        condition = condition || view_eq(code, VIEW("ConditionalCheckFailed"));
    }
    json_decref(root);
    return passing && !condition;
}

static bool is_denied(const struct aws_answer *answer) {
    static const char *const names[] = {"AccessDeniedException",       "UnrecognizedClientException",
                                        "ExpiredTokenException",       "InvalidSignatureException",
                                        "MissingAuthenticationToken",  "MissingAuthenticationTokenException",
                                        "IncompleteSignatureException"};
    return answer->http_status == 401 || answer->http_status == 403 ||
           is_among(answer->error, names, sizeof(names) / sizeof(names[0]));
}

static enum status status_of_answer(const struct aws_answer *answer) {
    if (answer->http_status >= 200 && answer->http_status < 300) return STATUS_OK;
    if (is_throttled(answer) || is_cancelled_in_passing(answer)) return STATUS_OVERLOADED;
    if (is_unknown(answer)) return STATUS_GONE;
    return is_denied(answer) ? STATUS_DENIED : STATUS_INVALID;
}

/* ---- attempts ---- */

static void attempt(struct aws_call *call);

static void on_wait(struct timer *timer) {
    attempt(LIST_ENTRY(timer, struct aws_call, wait));
}

/* Tries again after a while; false when that is not safe, or there is no time left. */
static bool try_again(struct aws_call *call, enum status status) {
    struct aws_client *client = call->client;
    bool unsent = status == STATUS_UNAVAILABLE || status == STATUS_OVERLOADED;
    bool unknown = status == STATUS_GONE || status == STATUS_TIMEOUT;
    if (unknown) call->repeated = true;
    if (!(unsent || (unknown && call->request.idempotent))) return false;
    if (call->attempts >= call->request.attempts_max) return false;
    uint64_t bound = (uint64_t)WAIT_FIRST_MS << (call->attempts < 8 ? call->attempts : 8);
    if (bound > WAIT_MAX_MS) bound = WAIT_MAX_MS;
    uint32_t random;
    ids_random(&random, sizeof(random));
    uint64_t wait = random % bound;
    if (client->deadline_ms && now_ms(client) + wait >= client->deadline_ms) return false;
    client->repeats++;
    return timer_start(client->timers, &call->wait, wait);
}

static void on_answer(void *ctx, enum status status, const struct http_answer *http) {
    struct aws_call *call = ctx;
    struct aws_answer answer = {.repeated = call->repeated};
    call->http = NULL;
    if (http) {
        answer.http_status = http->status;
        answer.body = http->body;
        if (http->status >= 300) answer.error = read_error(call, http);
        status = status_of_answer(&answer);
    }
    if (status != STATUS_OK && try_again(call, status)) return;
    if (status != STATUS_OK && status != STATUS_INVALID)
        log_warn("aws", "%.*s: %s %.*s (%u attempts, %llu ms)", VIEW_ARG(call->request.service),
                 status_text(status), VIEW_ARG(answer.error), call->attempts,
                 (unsigned long long)(now_ms(call->client) - call->began_ms));
    call_end(call, status, &answer);
}

static void on_give_up(struct task *task) {
    struct aws_call *call = LIST_ENTRY(task, struct aws_call, give_up);
    call_end(call, call->status, NULL);
}

static void give_up(struct aws_call *call, enum status status) {
    call->status = status;
    tasks_post(call->client->tasks, &call->give_up);
}

struct target_url {
    struct view url, host, path;
};

/* The endpoint's own path, if it has one, belongs to what is signed. */
static bool make_url(struct arena *arena, const struct aws_request *request, struct target_url *ret) {
    size_t colon = view_find(request->endpoint, ':');
    struct view rest = view_skip(request->endpoint, colon + 3);
    size_t slash = view_find(rest, '/');
    bool tls = view_eq(view_slice(request->endpoint, 0, colon), VIEW("https"));
    ret->host = view_slice(rest, 0, slash);
    if (tls && view_ends_with(ret->host, VIEW(":443"))) ret->host.len -= 4;
    if (!tls && view_ends_with(ret->host, VIEW(":80"))) ret->host.len -= 3;
    ret->path = arena_printf(arena, "%.*s%.*s", VIEW_ARG(view_skip(rest, slash)), VIEW_ARG(request->path));
    ret->url = arena_printf(arena, "%.*s%.*s", VIEW_ARG(request->endpoint), VIEW_ARG(request->path));
    return ret->path.ptr && ret->url.ptr && ret->host.len > 0;
}

static bool add_headers(struct aws_call *call, const struct target_url *target, struct headers *headers) {
    const struct aws_request *request = &call->request;
    struct sigv4_request to_sign = {.method = request->method, .path = target->path, .body = call->body};
    struct sigv4_scope scope = {call->client->environment->region, request->service,
                                call->client->wall_ms(call->client->wall_ctx) / 1000};
    return headers_add(headers, VIEW("host"), target->host) &&
           (!request->content_type.ptr ||
            headers_add(headers, VIEW("content-type"), request->content_type)) &&
           (!request->target.ptr || headers_add(headers, VIEW("x-amz-target"), request->target)) &&
           sigv4_sign(&to_sign, &scope, &call->client->environment->credentials, headers);
}

static uint64_t time_left(const struct aws_call *call) {
    uint64_t now = now_ms(call->client), deadline = call->client->deadline_ms;
    if (!deadline) return call->request.attempt_ms;
    if (now >= deadline) return 0;
    return deadline - now < call->request.attempt_ms ? deadline - now : call->request.attempt_ms;
}

static void attempt(struct aws_call *call) {
    struct target_url target;
    struct headers headers;
    struct arena arena;
    call->attempts++;
    uint64_t timeout = time_left(call);
    if (timeout == 0) {
        give_up(call, STATUS_TIMEOUT);
        return;
    }
    arena_init(&arena, HEADERS_MAX_BYTES);
    headers_init(&headers, &arena);
    if (make_url(&arena, &call->request, &target) && add_headers(call, &target, &headers)) {
        struct http_call_request http = {.method = call->request.method,
                                         .url = target.url,
                                         .headers = &headers,
                                         .body = call->body,
                                         .timeout_ms = timeout,
                                         .answer_max = call->request.answer_max};
        call->http = http_client_start(call->client->http, &http, on_answer, call);
    }
    arena_done(&arena);
    if (!call->http) give_up(call, STATUS_NO_MEMORY);
}

static bool keep(struct aws_call *call, struct view *view) {
    if (!view->ptr) return true;
    *view = arena_copy(&call->arena, *view);
    return view->ptr != NULL;
}

static bool keep_request(struct aws_call *call, const struct aws_request *request) {
    call->request = *request;
    arena_init(&call->arena, request->body.len + HEADERS_MAX_BYTES);
    struct view body = request->body;
    bool ok = keep(call, &call->request.service) && keep(call, &call->request.endpoint) &&
              keep(call, &call->request.method) && keep(call, &call->request.path) &&
              keep(call, &call->request.content_type) && keep(call, &call->request.target) &&
              keep(call, &body);
    call->body = body;
    return ok;
}

struct aws_call *aws_call_start(struct aws_client *client, const struct aws_request *request,
                                aws_call_fn *done, void *ctx) {
    struct aws_call *call = heap_alloc_owed(sizeof(*call));
    call->client = client;
    call->done = done;
    call->ctx = ctx;
    call->began_ms = now_ms(client);
    timer_init(&call->wait, on_wait);
    task_init(&call->give_up, on_give_up);
    client->calls++;
    client->active++;
    if (keep_request(call, request))
        attempt(call);
    else
        give_up(call, STATUS_NO_MEMORY);
    return call;
}

void aws_call_cancel(struct aws_call *call) {
    if (call->http) http_call_cancel(call->http);
    call_free(call);
}
