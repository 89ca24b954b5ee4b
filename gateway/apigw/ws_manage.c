/* "@connections" ("Use @connections commands in your backend service", API Gateway Developer Guide): whoever
 * has the function's own credentials may post to connections, ask about them, and close them. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "apigw/signature.h"
#include "apigw/ws_state.h"
#include "base/ids.h"
#include "http/uri.h"

#define MANAGE VIEW("/@connections/")
#define MANAGE_ESCAPED VIEW("/%40connections/")
#define ARENA_BYTES ((size_t)256 * 1024)

static void answer(struct web_exchange *exchange, int status, const char *error, json_t *body) {
    struct arena arena;
    struct headers headers;
    char id[UUID_LEN + 1];
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    ids_uuid4(id);
    arena_init(&arena, 4096);
    headers_init(&headers, &arena);
    headers_add(&headers, VIEW("x-amzn-requestid"), view_from_cstr(id));
    if (error) headers_add(&headers, VIEW("x-amzn-errortype"), view_from_cstr(error));
    if (text) headers_add(&headers, VIEW("content-type"), VIEW("application/json"));
    web_answer(exchange, status, &headers, view_from_cstr(text ? text : ""));
    arena_done(&arena);
    free(text);
    json_decref(body);
}

static void fail(struct web_exchange *exchange, int status, const char *error, struct view message) {
    answer(exchange, status, error, json_pack("{s:o}", "message", shape_text(message)));
}

/* Of a connection, which the client may know under no other name. */
static void fail_connection(struct web_exchange *exchange, int status, const char *error,
                            const char *message) {
    answer(exchange, status, error,
           json_pack("{s:s, s:n, s:n}", "message", message, "connectionId", "requestId"));
}

/* The first bytes of a request line may name any stage before it. */
bool ws_manage_is_meant(struct view line) {
    struct view rest = view_slice(line, 0, view_find(line, '?'));
    for (; rest.len > 0; rest = view_skip(rest, 1))
        if (view_starts_with(rest, MANAGE) || view_starts_with(rest, MANAGE_ESCAPED)) return true;
    return false;
}

/* The connection's id in "/stage/@connections/R0oXAdfD0kwCH6w%3D", decoded; absent where it is none of ours.
 */
static struct view id_of(const struct ws_api *api, struct view path, struct arena *arena) {
    struct view rest = shape_behind_stage(&api->settings.api, path);
    struct view prefix = view_starts_with(rest, MANAGE) ? MANAGE : MANAGE_ESCAPED;
    if (!view_starts_with(rest, prefix)) return (struct view){0};
    return uri_decode(view_skip(rest, prefix.len), arena);
}

static struct signature_verdict check(const struct ws_api *api, const struct web_request *request,
                                      struct arena *arena) {
    const struct aws_environment *aws = api->settings.aws;
    const struct signature_rules rules = {
        .credentials = aws->credentials, .region = aws->region, .service = VIEW("execute-api")};
    size_t query = view_find(request->target, '?');
    const struct sigv4_request signed_request = {.method = request->method,
                                                 .path = view_slice(request->target, 0, query),
                                                 .query = view_skip(request->target, query + 1),
                                                 .body = request->body};
    return signature_check(&rules, &signed_request, request->headers, loop_wall_ms(NULL) / 1000, arena);
}

static void post(struct ws_connection *connection, struct web_exchange *exchange,
                 const struct web_request *request) {
    if (request->body.len > WS_API_MESSAGE_MAX)
        fail_connection(exchange, 413, "PayloadTooLargeException", "Payload Too Large");
    else if (ws_connection_send(connection, request->body) == STATUS_OK)
        answer(exchange, 200, NULL, NULL);
    else
        fail_connection(exchange, 429, "LimitExceededException", "Too Many Requests");
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
                              shape_text(view_from_cstr(connection->client->text)), "userAgent",
                              shape_text(view_from_cstr(connection->user_agent)), "lastActiveAt", active);
    answer(exchange, about ? 200 : 500, NULL, about);
}

static void serve(struct ws_connection *connection, struct web_exchange *exchange,
                  const struct web_request *request) {
    if (view_eq(request->method, VIEW("POST")))
        post(connection, exchange, request);
    else if (view_eq(request->method, VIEW("GET")))
        get(connection, exchange);
    else {
        ws_connection_close(connection, 1000, "Connection Closed Normally");
        answer(exchange, 204, NULL, NULL);
    }
}

static bool is_method(struct view method) {
    return view_eq(method, VIEW("POST")) || view_eq(method, VIEW("GET")) || view_eq(method, VIEW("DELETE"));
}

void ws_manage(void *ctx, struct web_exchange *exchange, const struct web_request *request) {
    struct ws_api *api = ctx;
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    struct view id = id_of(api, view_slice(request->target, 0, view_find(request->target, '?')), &arena);
    struct ws_connection *connection = id.ptr ? ws_connection_find(api, id) : NULL;
    struct signature_verdict verdict;
    if (!id.ptr)
        fail(exchange, 403, "ForbiddenException", VIEW("Forbidden"));
    else if (!is_method(request->method))
        fail(exchange, 403, "MissingAuthenticationTokenException", VIEW("Missing Authentication Token"));
    else if (request->is_body_too_large) /* for a signature, too */
        fail(exchange, 413, "RequestEntityTooLargeException", VIEW("Request Entity Too Large"));
    else if ((verdict = check(api, request, &arena)).type)
        fail(exchange, 403, verdict.type, verdict.message);
    else if (!throttle_take(api->settings.throttle, loop_now(api->loop)))
        fail_connection(exchange, 429, "LimitExceededException", "Too Many Requests");
    else if (!connection || connection->end.closing_ms)
        fail_connection(exchange, 410, "GoneException", "Gone");
    else
        serve(connection, exchange, request);
    arena_done(&arena);
}
