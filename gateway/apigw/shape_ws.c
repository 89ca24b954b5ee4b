/* See shape.h: the routes of a WebSocket API, and the schedule. */
#include <stdio.h>
#include <time.h>

#include "apigw/shape.h"
#include "base/ids.h"

#define ARENA_BYTES ((size_t)256 * 1024)

static void set(json_t *object, const char *name, json_t *value) {
    json_object_set_new(object, name, value);
}

static json_t *context(const struct shape_api *api, const struct shape_connection *connection, const char *id,
                       uint64_t now_ms, const char *route, const char *type) {
    json_t *object = json_object();
    set(object, "routeKey", json_string(route));
    set(object, "eventType", json_string(type));
    set(object, "extendedRequestId", json_string(id));
    set(object, "requestTime", shape_clf_time(now_ms));
    set(object, "messageDirection", json_string("IN"));
    set(object, "stage", json_string(api->stage));
    set(object, "connectedAt", json_integer((json_int_t)connection->connected_ms));
    set(object, "requestTimeEpoch", json_integer((json_int_t)now_ms));
    json_t *identity = json_object();
    set(identity, "sourceIp", shape_text(connection->client));
    if (connection->user_agent.len > 0) set(identity, "userAgent", shape_text(connection->user_agent));
    set(object, "identity", identity);
    set(object, "requestId", json_string(id));
    set(object, "domainName", json_string(api->domain));
    set(object, "connectionId", json_string(connection->id));
    set(object, "apiId", json_string(api->id));
    return object;
}

/* A WebSocket API shows names as clients write them, and they write them so: "Sec-WebSocket-Key". */
static void title(struct view name, char *out) {
    bool first = true;
    for (size_t i = 0; i < name.len; i++) {
        out[i] =
            first && name.ptr[i] >= 'a' && name.ptr[i] <= 'z' ? (char)(name.ptr[i] & ~0x20) : name.ptr[i];
        first = name.ptr[i] == '-';
    }
    out[name.len] = '\0';
    if (view_starts_with(name, VIEW("sec-websocket-"))) out[7] = 'S';
}

static void set_headers(json_t *event, const struct headers *headers) {
    json_t *last = json_object(), *all = json_object();
    for (size_t i = 0; i < headers->count; i++) {
        char name[256];
        if (headers->fields[i].name.len >= sizeof(name)) continue;
        title(headers->fields[i].name, name);
        shape_add(last, name, shape_text(headers->fields[i].value), REPEATS_LAST);
        shape_add(all, name, shape_text(headers->fields[i].value), REPEATS_LIST);
    }
    set(event, "headers", last);
    set(event, "multiValueHeaders", all);
}

json_t *shape_connect(const struct shape_api *api, const struct shape_connection *connection,
                      const struct shape_request *request) {
    struct arena arena;
    struct headers headers;
    json_t *event = json_object();
    struct view query = view_skip(request->target, view_find(request->target, '?') + 1);
    arena_init(&arena, ARENA_BYTES);
    headers_init(&headers, &arena);
    if (headers_copy(&headers, request->headers) && shape_forwarded(&headers, api, request)) {
        headers_remove(&headers, VIEW("connection"));
        headers_remove(&headers, VIEW("upgrade"));
        set_headers(event, &headers);
    }
    arena_done(&arena);
    if (query.len > 0) {
        set(event, "queryStringParameters", shape_query(query, REPEATS_FIRST));
        set(event, "multiValueQueryStringParameters", shape_query(query, REPEATS_LIST));
    }
    set(event, "requestContext",
        context(api, connection, request->id, request->now_ms, "$connect", "CONNECT"));
    set(event, "isBase64Encoded", json_false());
    return event;
}

json_t *shape_message(const struct shape_api *api, const struct shape_connection *connection, const char *id,
                      uint64_t now_ms, struct view text) {
    char message_id[SHAPE_ID_MAX];
    json_t *event = json_object(), *about = context(api, connection, id, now_ms, "$default", "MESSAGE");
    shape_id(message_id);
    set(about, "messageId", json_string(message_id));
    set(event, "requestContext", about);
    set(event, "body", shape_text(text));
    set(event, "isBase64Encoded", json_false());
    return event;
}

json_t *shape_disconnect(const struct shape_api *api, const struct shape_connection *connection,
                         const char *id, uint64_t now_ms, int code, const char *reason) {
    struct arena arena;
    struct headers headers;
    json_t *event = json_object();
    json_t *about = context(api, connection, id, now_ms, "$disconnect", "DISCONNECT");
    arena_init(&arena, 8192);
    headers_init(&headers, &arena);
    headers_add(&headers, VIEW("host"), view_from_cstr(api->domain));
    headers_add(&headers, VIEW("x-forwarded-for"), VIEW(""));
    set_headers(event, &headers);
    arena_done(&arena);
    static const char *const bare[] = {"x-api-key", "x-restapi"}; /* so they are written in the example */
    for (size_t i = 0; i < 2; i++) {
        shape_add(json_object_get(event, "headers"), bare[i], json_string(""), REPEATS_LAST);
        shape_add(json_object_get(event, "multiValueHeaders"), bare[i], json_string(""), REPEATS_LIST);
    }
    set(about, "disconnectStatusCode", json_integer(code));
    set(about, "disconnectReason", shape_text(view_from_cstr(reason)));
    set(event, "requestContext", about);
    set(event, "isBase64Encoded", json_false());
    return event;
}

json_t *shape_schedule(uint64_t now_ms) {
    char id[UUID_LEN + 1], text[40];
    time_t now = (time_t)(now_ms / 1000);
    struct tm utc;
    ids_uuid4(id);
    gmtime_r(&now, &utc);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:[s], s:{}}", "version", "0", "id", id,
                     "detail-type", "Scheduled Event", "source", "aws.events", "account", "123456789012",
                     "time", text, "region", "us-east-1", "resources",
                     "arn:aws:events:us-east-1:123456789012:rule/cleanup", "detail");
}
