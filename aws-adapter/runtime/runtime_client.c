#include "runtime/runtime_client.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/log.h"
#include "protocol/json_text.h"

enum { EVENT_MAX = 8 * 1024 * 1024, POST_MS = 10000, URL_MAX = 512, ERROR_MAX = 4096 };

static void gone(struct runtime_client *client, const char *why) {
    log_error("runtime", "%s", why);
    client->on_gone(client->ctx);
}

static void on_next(void *ctx, enum status status, const struct http_answer *answer) {
    struct runtime_client *client = ctx;
    uint64_t deadline = 0;
    if (status != STATUS_OK) {
        gone(client, "the runtime API cannot be reached");
        return;
    }
    struct view id = headers_get(answer->headers, VIEW("lambda-runtime-aws-request-id"));
    view_parse_u64(headers_get(answer->headers, VIEW("lambda-runtime-deadline-ms")), &deadline);
    if (answer->status == 200 && id.len > 0 && id.len <= RUNTIME_REQUEST_ID_MAX)
        client->on_event(client->ctx, id, deadline, answer->body);
    else
        gone(client, "the runtime API gives no events");
}

void runtime_next(struct runtime_client *client) {
    char url[URL_MAX];
    int len = snprintf(url, sizeof(url), "http://%s/2018-06-01/runtime/invocation/next", client->api);
    struct http_call_request request = {
        .method = VIEW("GET"), .url = view_of(url, (size_t)len), .answer_max = EVENT_MAX};
    if (!http_client_start(client->http, &request, on_next, client)) gone(client, "out of memory");
}

static void on_posted(void *ctx, enum status status, const struct http_answer *answer) {
    struct runtime_client *client = ctx;
    if (status == STATUS_OK && answer->status == 413)
        status = STATUS_TOO_LARGE;
    else if (status == STATUS_OK && (answer->status < 200 || answer->status >= 300))
        status = STATUS_INVALID;
    if (status != STATUS_OK) log_warn("runtime", "an answer was not taken: %s", status_text(status));
    client->on_posted(client->ctx, status);
}

static void post(struct runtime_client *client, struct view path, struct view body, const char *error_type) {
    char url[URL_MAX];
    struct arena arena;
    struct headers headers;
    arena_init(&arena, 4096);
    headers_init(&headers, &arena);
    headers_add(&headers, VIEW("content-type"), VIEW("application/json"));
    if (error_type)
        headers_add(&headers, VIEW("lambda-runtime-function-error-type"), view_from_cstr(error_type));
    int len = snprintf(url, sizeof(url), "http://%s/2018-06-01/runtime/%.*s", client->api, VIEW_ARG(path));
    struct http_call_request request = {.method = VIEW("POST"),
                                        .url = view_of(url, (size_t)len),
                                        .headers = &headers,
                                        .body = body,
                                        .timeout_ms = POST_MS,
                                        .answer_max = 64 * 1024};
    if (!http_client_start(client->http, &request, on_posted, client)) gone(client, "out of memory");
    arena_done(&arena);
}

void runtime_respond(struct runtime_client *client, struct view request_id, struct view answer) {
    char path[RUNTIME_REQUEST_ID_MAX + 32];
    int len = snprintf(path, sizeof(path), "invocation/%.*s/response", VIEW_ARG(request_id));
    post(client, view_of(path, (size_t)len), answer, NULL);
}

static void post_error(struct runtime_client *client, struct view path, const char *type,
                       const char *message) {
    struct buf body;
    buf_init(&body, ERROR_MAX);
    buf_printf(&body, "{\"errorType\":\"%s\",\"errorMessage\":", type);
    json_text_string(&body, view_from_cstr(message));
    buf_printf(&body, ",\"stackTrace\":[]}");
    post(client, path, buf_view(&body), type);
    buf_done(&body);
}

void runtime_fail(struct runtime_client *client, struct view request_id, const char *type,
                  const char *message) {
    char path[RUNTIME_REQUEST_ID_MAX + 32];
    int len = snprintf(path, sizeof(path), "invocation/%.*s/error", VIEW_ARG(request_id));
    post_error(client, view_of(path, (size_t)len), type, message);
}

void runtime_fail_init(struct runtime_client *client, const char *type, const char *message) {
    post_error(client, VIEW("init/error"), type, message);
}
