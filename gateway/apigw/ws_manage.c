/* "@connections" ("Use @connections commands in your backend service", API Gateway Developer Guide). A
 * signature is not checked, only whose it is. */
#include "apigw/ws_state.h"

#include "base/log.h"
#include "http/uri.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MANAGE VIEW("/@connections/")
#define ALGORITHM "AWS4-HMAC-SHA256 Credential="

static void fail(struct web_exchange *exchange, int status, const char *type, const char *message) {
    struct arena arena;
    struct headers headers;
    char json[160];
    int len = snprintf(json, sizeof(json), "{\"message\":\"%s\",\"connectionId\":null,\"requestId\":null}",
                       message);
    arena_init(&arena, 4096);
    headers_init(&headers, &arena);
    headers_add(&headers, VIEW("content-type"), VIEW("application/json"));
    headers_add(&headers, VIEW("x-amzn-errortype"), view_from_cstr(type));
    web_answer(exchange, status, &headers, view_of(json, (size_t)len));
    arena_done(&arena);
}

/* The connection's id in "/stage/@connections/R0oXAdfD0kwCH6w%3D", decoded; absent where it is none of ours.
 */
static struct view id_of(const struct ws_api *api, struct view target, struct arena *arena) {
    struct view rest = view_slice(target, 0, view_find(target, '?')),
                stage = view_from_cstr(api->settings.api.stage);
    struct view path = view_skip(rest, 1);
    if (!api->settings.api.has_custom_domain && view_starts_with(path, stage))
        rest = view_skip(path, stage.len);
    if (!view_starts_with(rest, MANAGE)) return (struct view){0};
    return uri_decode(view_skip(rest, MANAGE.len), arena);
}

static bool is_signed(const struct ws_api *api, const struct headers *headers) {
    struct view value = headers_get(headers, VIEW("authorization")),
                key = view_from_cstr(api->settings.access_key);
    if (!view_starts_with(value, VIEW(ALGORITHM))) return false;
    value = view_skip(value, sizeof(ALGORITHM) - 1);
    return view_starts_with(value, key) && value.len > key.len && value.ptr[key.len] == '/';
}

static void post(struct ws_connection *connection, struct web_exchange *exchange,
                 const struct web_request *request) {
    if (request->is_body_too_large || request->body.len > WS_API_MESSAGE_MAX)
        fail(exchange, 413, "PayloadTooLargeException", "Payload Too Large");
    else if (ws_connection_send(connection, request->body) == STATUS_OK)
        web_answer(exchange, 200, NULL, VIEW(""));
    else
        fail(exchange, 429, "LimitExceededException", "Too Many Requests");
}

static void iso_time(uint64_t ms, char out[40]) {
    time_t now = (time_t)(ms / 1000);
    struct tm utc;
    char text[32];
    gmtime_r(&now, &utc);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(out, 40, "%s.%03uZ", text, (unsigned)(ms % 1000));
}

static void get(struct ws_connection *connection, struct web_exchange *exchange) {
    char connected[40], active[40];
    iso_time(connection->connected_ms, connected);
    iso_time(connection->active_ms, active);
    json_t *about = json_pack("{s:s, s:{s:o, s:o}, s:s}", "connectedAt", connected, "identity", "sourceIp",
                              shape_text(view_from_cstr(connection->peer->text)), "userAgent",
                              shape_text(view_from_cstr(connection->user_agent)), "lastActiveAt", active);
    char *text = about ? json_dumps(about, JSON_COMPACT) : NULL;
    web_answer_json(exchange, text ? 200 : 500, view_from_cstr(text ? text : "{}"));
    free(text);
    json_decref(about);
}

void ws_manage(void *ctx, struct web_exchange *exchange, const struct web_request *request) {
    struct ws_api *api = ctx;
    struct arena arena;
    arena_init(&arena, 4096);
    struct view id = id_of(api, request->target, &arena);
    struct ws_connection *connection = id.ptr ? ws_connection_find(api, id) : NULL;
    if (!id.ptr || !is_signed(api, request->headers))
        fail(exchange, 403, "ForbiddenException", "Forbidden");
    else if (!connection || connection->end.closing_ms)
        fail(exchange, 410, "GoneException", "Gone");
    else if (view_eq(request->method, VIEW("POST")))
        post(connection, exchange, request);
    else if (view_eq(request->method, VIEW("GET")))
        get(connection, exchange);
    else if (view_eq(request->method, VIEW("DELETE"))) {
        ws_connection_close(connection, 1000, "Connection Closed Normally");
        web_answer(exchange, 204, NULL, VIEW(""));
    } else
        fail(exchange, 403, "MissingAuthenticationTokenException", "Missing Authentication Token");
    arena_done(&arena);
}
