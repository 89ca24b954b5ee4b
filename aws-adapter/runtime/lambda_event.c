/* See lambda_event.h: which kind is it, and what all kinds have. */
#include "runtime/lambda_event.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"

enum { ARENA_MAX = 16 * 1024 * 1024 };

static struct view text_of(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_string(value) ? view_of(json_string_value(value), json_string_length(value))
                                 : (struct view){0};
}

static const char *read_body(struct lambda_event *event) {
    const json_t *body = json_object_get(event->document, "body");
    const json_t *is_base64 = json_object_get(event->document, "isBase64Encoded");
    if (!body || json_is_null(body)) return NULL;
    if (!json_is_string(body)) return "its body is not a string";
    if (is_base64 && !json_is_boolean(is_base64)) return "isBase64Encoded is not a boolean";
    event->body = view_of(json_string_value(body), json_string_length(body));
    if (!json_is_true(is_base64) || event->body.len == 0) return NULL;
    size_t len = 0;
    char *bytes = arena_alloc(&event->arena, base64_decoded_max(event->body.len));
    if (!bytes || !base64_decode(event->body, bytes, &len)) return "its body is not base64";
    event->body = view_of(bytes, len);
    return NULL;
}

static const char *read_http(struct lambda_event *event, enum lambda_kind kind) {
    event->kind = kind;
    const char *why = read_body(event);
    return why ? why : lambda_http_read(event);
}

static const char *read_websocket(struct lambda_event *event, struct view route) {
    event->connection_id = text_of(json_object_get(event->document, "requestContext"), "connectionId");
    if (event->connection_id.len == 0 || event->connection_id.len > 128) return "it has no connectionId";
    if (view_eq(route, VIEW("$connect"))) {
        event->kind = LAMBDA_CONNECT;
        return lambda_connect_read(event);
    }
    event->kind = view_eq(route, VIEW("$disconnect")) ? LAMBDA_DISCONNECT : LAMBDA_MESSAGE;
    return event->kind == LAMBDA_MESSAGE ? read_body(event) : NULL;
}

static bool is_websocket_route(struct view route) {
    return view_eq(route, VIEW("$connect")) || view_eq(route, VIEW("$disconnect")) ||
           view_eq(route, VIEW("$default"));
}

/* ---- NUL ---- */

/* The string that begins behind `at`, up to its closing quote. */
static size_t string_end(struct view text, size_t at) {
    while (at < text.len && text.ptr[at] != '"') at += text.ptr[at] == '\\' ? 2 : 1;
    return at < text.len ? at : text.len;
}

static bool is_key(struct view text, size_t end) {
    size_t at = end + 1;
    while (at < text.len && strchr(" \t\r\n", text.ptr[at]) && text.ptr[at]) at++;
    return at < text.len && text.ptr[at] == ':';
}

static void replace_nul(char *bytes, size_t from, size_t end) {
    for (size_t at = from; at + 6 <= end; at += bytes[at] == '\\' ? 2 : 1)
        if (memcmp(bytes + at, "\\u0000", 6) == 0) memcpy(bytes + at + 2, "fffd", 4);
}

/* jansson takes NUL in values (the path, the query, a text), never in names, where payload 1.0 has those of
 * parameters: there it becomes U+FFFD. `bytes` is changed. */
static void replace_nul_in_names(char *bytes, size_t len) {
    struct view text = view_of(bytes, len);
    for (size_t at = view_find(text, '"'); at < len; at++) {
        if (bytes[at] != '"') continue;
        size_t end = string_end(text, at + 1);
        if (end < len && is_key(text, end)) replace_nul(bytes, at + 1, end);
        at = end;
    }
}

static json_t *load(struct view text) {
    const size_t flags = JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL;
    json_t *root = json_loadb(text.len ? text.ptr : "", text.len, flags, NULL);
    char *copy = root ? NULL : view_to_cstr(text);
    if (!copy) return root;
    replace_nul_in_names(copy, text.len);
    root = json_loadb(copy, text.len, flags, NULL);
    free(copy);
    return root;
}

static const char *read_event(struct lambda_event *event) {
    const json_t *root = event->document;
    const json_t *context = json_object_get(root, "requestContext");
    const json_t *records = json_object_get(root, "Records");
    struct view route = text_of(context, "routeKey");
    if (!json_is_object(root)) return "it is not a JSON object";
    if (view_eq(text_of(json_array_get(records, 0), "eventSource"), VIEW("aws:dynamodb"))) {
        event->kind = LAMBDA_STREAM;
        event->records = records;
        return NULL;
    }
    if (view_eq(text_of(root, "source"), VIEW("aws.events")) &&
        json_is_string(json_object_get(root, "detail-type"))) {
        event->kind = LAMBDA_CLEANUP;
        return NULL;
    }
    event->request_id = text_of(context, "requestId");
    if (json_is_object(json_object_get(context, "elb")))
        return read_http(event, json_is_object(json_object_get(root, "multiValueHeaders")) ? LAMBDA_ALB_MULTI
                                                                                           : LAMBDA_ALB);
    if (json_is_object(json_object_get(context, "http"))) return read_http(event, LAMBDA_HTTP_2);
    /* the HTTP routes "$default" of payload 1.0 have no connection */
    if (is_websocket_route(route) && json_object_get(context, "connectionId"))
        return read_websocket(event, route);
    if (json_object_get(root, "httpMethod")) return read_http(event, LAMBDA_HTTP_1);
    if (is_websocket_route(route)) return "it has no connectionId";
    return "no handler takes events of this kind";
}

struct lambda_event *lambda_event_parse(struct view text, const char **ret_why) {
    struct lambda_event *event = calloc(1, sizeof(*event));
    *ret_why = "out of memory";
    if (!event) return NULL;
    arena_init(&event->arena, ARENA_MAX);
    headers_init(&event->headers, &event->arena);
    event->document = load(text);
    *ret_why = event->document ? read_event(event) : "it is not JSON";
    if (!*ret_why) return event;
    lambda_event_free(event);
    return NULL;
}

void lambda_event_free(struct lambda_event *event) {
    if (!event) return;
    json_decref(event->document);
    arena_done(&event->arena);
    free(event);
}
