/* See http_api.h. A call lives from the request to the function's outcome, even when the visitor has been
 * answered (after 30 s) or has gone: API Gateway does not take an invocation back. */
#include "apigw/http_api.h"

#include <stdlib.h>

#include "apigw/web.h"
#include "base/log.h"
#include "http/gate.h"

#define ANSWER_ARENA_BYTES ((size_t)1024 * 1024)

struct http_api {
    struct loop *loop;
    struct http_api_settings settings;
    struct lambda_pool *pool;
    struct usage *usage;
    struct web *web;
    size_t busy;
};

/* One request of a visitor, as a call of the function. */
struct call {
    struct http_api *api;
    struct web_exchange *exchange; /* NULL: answered */
    struct timer timeout;
    char id[SHAPE_ID_MAX];
    uint64_t begun_ms;
};

/* ---- answers ---- */

static void refuse(struct web_exchange *exchange, int status, const char *message) {
    char json[128];
    int len = snprintf(json, sizeof(json), "{\"message\":\"%s\"}", message);
    web_answer_json(exchange, status, view_of(json, (size_t)len));
}

static void log_call(const struct call *call, const struct shape_answer *answer) {
    char line[128];
    int len = snprintf(line, sizeof(line), "%s %d %llums %zuB", call->id, answer->status,
                       (unsigned long long)(loop_now(call->api->loop) - call->begun_ms), answer->body.len);
    log_line(LOG_LEVEL_INFO, LOG_ACCESS, view_of(line, len > 0 ? (size_t)len : 0));
}

static void pass_on(struct call *call, struct view text) {
    struct arena arena;
    struct shape_answer answer;
    arena_init(&arena, ANSWER_ARENA_BYTES);
    if (shape_answer_read(text, call->api->settings.api.is_payload_1, &arena, &answer)) {
        headers_add(&answer.headers, VIEW("apigw-requestid"), view_from_cstr(call->id));
        web_answer(call->exchange, answer.status, &answer.headers, answer.body);
        log_call(call, &answer);
        shape_answer_done(&answer);
    } else {
        log_warn("http-api", "%s: the function's answer makes no sense", call->id);
        refuse(call->exchange, 500, "Internal Server Error");
    }
    arena_done(&arena);
}

static void on_outcome(void *ctx, enum lambda_outcome outcome, struct view answer) {
    struct call *call = ctx;
    struct http_api *api = call->api;
    timer_stop(&api->loop->timers, &call->timeout);
    if (call->exchange) {
        switch (outcome) {
        case LAMBDA_OK: pass_on(call, answer); break;
        case LAMBDA_ERROR: refuse(call->exchange, 500, "Internal Server Error"); break;
        case LAMBDA_TIMEOUT:
        case LAMBDA_THROTTLED: refuse(call->exchange, 503, "Service Unavailable"); break;
        case LAMBDA_TOO_LARGE: refuse(call->exchange, 413, "Request Entity Too Large"); break;
        }
    }
    api->busy--;
    free(call);
}

/* The function may go on; nobody hears of it. */
static void on_timeout(struct timer *timer) {
    struct call *call = LIST_ENTRY(timer, struct call, timeout);
    refuse(call->exchange, 503, "Service Unavailable");
    call->exchange = NULL;
}

/* ---- requests ---- */

/* "Total combined size of request line and header values" (Quotas for HTTP APIs): without the names. */
static size_t head_bytes(const struct web_request *request) {
    size_t bytes = request->method.len + request->target.len + request->version.len + 4;
    for (size_t i = 0; i < request->headers->count; i++) bytes += request->headers->fields[i].value.len;
    return bytes;
}

/* 0: it may pass. */
static int check(struct http_api *api, const struct web_request *request, struct arena *arena,
                 const char **ret_message, struct gate_verdict *verdict) {
    struct http_limits limits = HTTP_LIMITS_DEFAULT;
    const struct gate_request gate = {.method = request->method,
                                      .raw_target = request->target,
                                      .version = request->version,
                                      .headers = request->headers};
    limits.target_bytes = HTTP_API_HEAD_MAX;
    limits.header_value_bytes = HTTP_API_HEAD_MAX;
    *ret_message = "Bad Request";
    if (head_bytes(request) > HTTP_API_HEAD_MAX) {
        *ret_message = "Request Header Fields Too Large";
        return 431;
    }
    enum http_error error = gate_check_request(&gate, &limits, arena, verdict);
    if (error || !request->is_strict || verdict->target.form == TARGET_ASTERISK) return 400;
    if (!throttle_take(api->settings.throttle, loop_now(api->loop))) {
        *ret_message = "Too Many Requests";
        return 429;
    }
    *ret_message = "Request Entity Too Large";
    return request->is_body_too_large ? 413 : 0;
}

static bool is_in_stage(const struct shape_api *api, struct view target) {
    return shape_behind_stage(api, view_slice(target, 0, view_find(target, '?'))).ptr != NULL;
}

static void invoke(struct http_api *api, struct web_exchange *exchange, const struct web_request *request,
                   const struct gate_verdict *verdict, struct view target) {
    struct call *call = calloc(1, sizeof(*call));
    if (!call) {
        refuse(exchange, 500, "Internal Server Error");
        return;
    }
    *call = (struct call){.api = api, .exchange = exchange, .begun_ms = loop_now(api->loop)};
    shape_id(call->id);
    timer_init(&call->timeout, on_timeout);
    const struct shape_request shaped = {.method = request->method,
                                         .target = target,
                                         .version = request->version,
                                         .headers = request->headers,
                                         .host = verdict->host_field,
                                         .body = request->body,
                                         .client = request->client,
                                         .id = call->id,
                                         .now_ms = loop_wall_ms(NULL)};
    json_t *event = shape_http(&api->settings.api, &shaped);
    char *text = event ? json_dumps(event, JSON_COMPACT) : NULL;
    json_decref(event);
    if (!text || !timer_start(&api->loop->timers, &call->timeout, api->settings.timeout_ms)) {
        refuse(exchange, 500, "Internal Server Error");
        free(call);
    } else {
        api->busy++;
        lambda_pool_invoke(api->pool, SOURCE_HTTP, view_from_cstr(text), on_outcome, call);
    }
    free(text);
}

static void on_request(void *ctx, struct web_exchange *exchange, const struct web_request *request) {
    struct http_api *api = ctx;
    struct arena arena;
    struct gate_verdict verdict;
    const char *message;
    arena_init(&arena, 64 * 1024);
    api->usage->requests++;
    int status = check(api, request, &arena, &message, &verdict);
    struct view target = status ? (struct view){0} : target_origin(&verdict.target, &arena);
    if (status)
        refuse(exchange, status, message);
    else if (!target.ptr || !is_in_stage(&api->settings.api, target))
        refuse(exchange, 404, "Not Found");
    else
        invoke(api, exchange, request, &verdict, target);
    arena_done(&arena);
}

/* ---- the module ---- */

struct http_api *http_api_new(struct loop *loop, const struct http_api_settings *settings,
                              struct lambda_pool *pool, struct usage *usage) {
    struct http_api *api = calloc(1, sizeof(*api));
    if (!api) return NULL;
    api->loop = loop;
    api->settings = *settings;
    api->pool = pool;
    api->usage = usage;
    const struct web_settings web = {.body_max = HTTP_API_BODY_MAX,
                                     .connections_max = settings->connections_max,
                                     .handle = on_request,
                                     .ctx = api};
    api->web = web_new(loop, &web);
    if (api->web) return api;
    free(api);
    return NULL;
}

void http_api_accept(void *ctx, int fd, struct client *client, const struct sockaddr *address,
                     socklen_t len) {
    struct http_api *api = ctx;
    web_accept(api->web, fd, client, address, len, 0);
}

size_t http_api_busy(const struct http_api *api) {
    return api->busy;
}

void http_api_stop(struct http_api *api) {
    if (api) web_stop(api->web);
}

void http_api_free(struct http_api *api) {
    if (!api) return;
    web_free(api->web);
    free(api);
}
