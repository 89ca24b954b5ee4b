/* Reads v1 messages. jansson decides what is JSON (strictly: no duplicate keys, no NUL in strings, UTF-8
 * only); what stands here decides what is a message. Views point into jansson's own strings, which live as
 * long as the message. */
#include "protocol/v1.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "protocol/json_scan.h"

/* Header fields are bounded by the gate later; this bounds what a hostile message may make us copy. */
enum { HEADERS_BYTES_MAX = 512 * 1024 };
/* Shorter ones are not looked at before they are parsed; longer ones have a body, and besides it no more than
 * this. */
enum { SHORT_BYTES_MAX = 4096, REST_BYTES_MAX = 768 * 1024 };

static bool read_string(const json_t *object, const char *key, bool required, struct view *ret) {
    const json_t *value = json_object_get(object, key);
    if (!value || json_is_null(value)) return !required;
    if (!json_is_string(value)) return false;
    *ret = view_of(json_string_value(value), json_string_length(value));
    return true;
}

static bool read_unsigned(const json_t *object, const char *key, uint64_t *ret) {
    const json_t *value = json_object_get(object, key);
    if (!value) return true;
    if (!json_is_integer(value) || json_integer_value(value) < 0) return false;
    *ret = (uint64_t)json_integer_value(value);
    return true;
}

static bool read_request_id(struct v1_message *message, bool required) {
    if (!read_string(message->document, "request_id", required, &message->request_id)) return false;
    return message->request_id.len <= V1_REQUEST_ID_MAX && (!required || message->request_id.len > 0);
}

static bool read_headers(struct v1_message *message) {
    const json_t *map = json_object_get(message->document, "headers");
    if (!map) return true;
    if (!json_is_object(map)) return false;
    void *iter = json_object_iter((json_t *)(uintptr_t)map);
    for (; iter; iter = json_object_iter_next((json_t *)(uintptr_t)map, iter)) {
        struct view name = view_from_cstr(json_object_iter_key(iter));
        const json_t *values = json_object_iter_value(iter);
        if (!json_is_array(values)) return false;
        size_t index;
        json_t *value;
        json_array_foreach(values, index, value) {
            if (!json_is_string(value)) return false;
            struct view text = view_of(json_string_value(value), json_string_length(value));
            if (!headers_add(&message->headers, name, text)) return false;
        }
    }
    return true;
}

static bool read_body(struct v1_message *message, size_t body_max) {
    struct view text = message->long_body;
    if (!text.len && !read_string(message->document, "body", false, &text)) return false;
    if (text.len == 0) return true;
    if (text.len / 4 * 3 > body_max + 2) {
        message->body_too_large = true;
        return true;
    }
    char *bytes = arena_alloc(&message->arena, base64_decoded_max(text.len));
    size_t len = 0;
    if (!bytes || !base64_decode(text, bytes, &len)) return false;
    message->body_too_large = len > body_max;
    if (!message->body_too_large) message->body = view_of(bytes, len);
    return true;
}

static bool read_capabilities(struct v1_message *message) {
    const json_t *list = json_object_get(message->document, "capabilities");
    if (!list) return true;
    if (!json_is_array(list)) return false;
    size_t index;
    json_t *item;
    json_array_foreach(list, index, item) {
        if (!json_is_string(item)) return false;
        struct view name = view_of(json_string_value(item), json_string_length(item));
        if (view_eq(name, VIEW("chunks"))) message->capabilities |= V1_CAP_CHUNKS;
        if (view_eq(name, VIEW("resume"))) message->capabilities |= V1_CAP_RESUME;
        if (view_eq(name, VIEW("upgrades"))) message->capabilities |= V1_CAP_UPGRADES;
        if (view_eq(name, VIEW("policy"))) message->capabilities |= V1_CAP_POLICY;
        if (view_eq(name, VIEW("index"))) message->capabilities |= V1_CAP_INDEX;
        if (view_eq(name, VIEW("domains"))) message->capabilities |= V1_CAP_DOMAINS;
    }
    return true;
}

static bool read_nothing(struct v1_message *message, size_t body_max) {
    (void)message;
    (void)body_max;
    return true;
}

static bool read_ready(struct v1_message *message, size_t body_max) {
    (void)body_max;
    return read_capabilities(message) &&
           read_unsigned(message->document, "request_timeout_ms", &message->request_timeout_ms);
}

static bool read_http_request(struct v1_message *message, size_t body_max) {
    const json_t *object = message->document;
    return read_request_id(message, true) && read_string(object, "method", true, &message->method) &&
           read_string(object, "uri", true, &message->uri) &&
           read_unsigned(object, "timestamp", &message->timestamp_ms) && read_headers(message) &&
           read_body(message, body_max);
}

static bool read_http_response(struct v1_message *message, size_t body_max) {
    const json_t *status = json_object_get(message->document, "status_code");
    if (!json_is_integer(status)) return false;
    json_int_t code = json_integer_value(status);
    message->status = code >= 0 && code <= 999 ? (int)code : 0;
    return read_request_id(message, true) &&
           read_unsigned(message->document, "processing_time_ms", &message->processing_time_ms) &&
           read_headers(message) && read_body(message, body_max);
}

static bool read_error(struct v1_message *message, size_t body_max) {
    (void)body_max;
    const json_t *object = message->document;
    return read_request_id(message, false) && read_string(object, "code", true, &message->code) &&
           read_string(object, "message", false, &message->message) &&
           read_string(object, "reason", false, &message->reason);
}

static bool read_established(struct v1_message *message, size_t body_max) {
    (void)body_max;
    const json_t *object = message->document;
    return read_string(object, "connection_id", false, &message->connection_id) &&
           read_string(object, "tunnel_id", true, &message->tunnel_id) &&
           read_string(object, "public_url", true, &message->public_url) &&
           read_string(object, "subdomain_url", false, &message->subdomain_url) &&
           read_string(object, "path_based_url", false, &message->path_based_url) &&
           read_string(object, "resume", false, &message->resume) &&
           read_unsigned(object, "heartbeat_seconds", &message->heartbeat_s) &&
           read_unsigned(object, "token_seconds", &message->token_s) && read_capabilities(message);
}

static bool read_chunk(struct v1_message *message, size_t body_max) {
    (void)body_max;
    const json_t *object = message->document;
    return read_request_id(message, true) && json_object_get(object, "seq") &&
           json_object_get(object, "total") && read_unsigned(object, "seq", &message->chunk.seq) &&
           read_unsigned(object, "total", &message->chunk.total) &&
           read_string(object, "data", true, &message->chunk.data);
}

static const struct {
    struct view name;
    enum v1_type type;
    bool (*read)(struct v1_message *message, size_t body_max);
} types[] = {
    {{"http_request", 12}, V1_HTTP_REQUEST, read_http_request},
    {{"http_response", 13}, V1_HTTP_RESPONSE, read_http_response},
    {{"ping", 4}, V1_PING, read_nothing},
    {{"pong", 4}, V1_PONG, read_nothing},
    {{"error", 5}, V1_ERROR, read_error},
    {{"ready", 5}, V1_READY, read_ready},
    {{"connection_established", 22}, V1_CONNECTION_ESTABLISHED, read_established},
    {{"draining", 8}, V1_DRAINING, read_nothing},
    {{"chunk", 5}, V1_CHUNK, read_chunk},
};

static bool read_message(struct v1_message *message, size_t body_max) {
    if (!json_is_object(message->document)) return false;
    struct view type = {0};
    if (!read_string(message->document, "type", false, &type)) return false;
    if (!type.ptr) { /* an older way to say ready */
        if (!read_string(message->document, "action", true, &type)) return false;
        if (!view_eq(type, VIEW("ready"))) return true;
    }
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (!view_eq(type, types[i].name)) continue;
        message->type = types[i].type;
        return types[i].read(message, body_max);
    }
    return true;
}

/* ---- long messages: nearly all of one is the body, which a parser of JSON reads byte by byte ---- */

struct parts {
    struct view rest, body; /* of which the first has "" where the other stood */
    char *storage;
};

static size_t without_slashes(char *out, struct view text) {
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] != '\\') out[len++] = text.ptr[i];
    return len;
}

static bool part(struct view text, struct view body, struct parts *parts) {
    size_t before = (size_t)(body.ptr - text.ptr), rest_len = text.len - body.len;
    bool is_escaped = view_find(body, '\\') < body.len;
    char *storage = malloc(rest_len + (is_escaped ? body.len : 0) + 1);
    if (!storage) return false;
    memcpy(storage, text.ptr, before);
    memcpy(storage + before, body.ptr + body.len, rest_len - before);
    if (is_escaped) body = view_of(storage + rest_len, without_slashes(storage + rest_len, body));
    *parts = (struct parts){.rest = view_of(storage, rest_len), .body = body, .storage = storage};
    return true;
}

/* False: there is too much of it beside a body. */
static bool part_long(struct view text, struct parts *parts) {
    struct view body;
    *parts = (struct parts){.rest = text};
    if (text.len <= SHORT_BYTES_MAX) return true;
    if (!json_scan(text, VIEW("body"), &body)) return false;
    if (body.len && !part(text, body, parts)) return false;
    return parts->rest.len <= REST_BYTES_MAX;
}

static bool read_text(struct v1_message *message, struct view text, size_t body_max) {
    struct parts parts;
    bool is_one = part_long(text, &parts);
    message->long_body = parts.body;
    if (is_one)
        message->document =
            json_loadb(parts.rest.len ? parts.rest.ptr : "", parts.rest.len, JSON_REJECT_DUPLICATES, NULL);
    is_one = message->document && read_message(message, body_max);
    message->long_body = (struct view){0};
    free(parts.storage);
    return is_one;
}

struct v1_message *v1_message_parse(struct view text, size_t body_max, enum status *ret_status) {
    *ret_status = STATUS_NO_MEMORY;
    struct v1_message *message = calloc(1, sizeof(*message));
    if (!message) return NULL;
    arena_init(&message->arena, body_max + HEADERS_BYTES_MAX + 4096);
    headers_init(&message->headers, &message->arena);
    if (read_text(message, text, body_max)) {
        *ret_status = STATUS_OK;
        return message;
    }
    *ret_status = STATUS_INVALID;
    v1_message_free(message);
    return NULL;
}

struct v1_message *v1_answer_parse(struct view text, struct view request_id, size_t body_max,
                                   enum status *ret_status) {
    struct v1_message *message = v1_message_parse(text, body_max, ret_status);
    bool is_answer = message && (message->type == V1_HTTP_RESPONSE || message->type == V1_ERROR) &&
                     view_eq(message->request_id, request_id);
    if (!message || is_answer) return message;
    v1_message_free(message);
    *ret_status = STATUS_INVALID;
    return NULL;
}

void v1_message_free(struct v1_message *message) {
    if (!message) return;
    json_decref(message->document);
    arena_done(&message->arena);
    free(message);
}

const char *v1_library(void) {
    static char text[48];
    snprintf(text, sizeof(text), "jansson %.20s", jansson_version_str());
    return text;
}
