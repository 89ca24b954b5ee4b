/* See waiter.h. It learns its connection's id by asking: {"type":"waiter","token":…} is answered with
 * {"type":"waiter_ready","connection_id":…}. */
#include "waiter.h"

#include <jansson.h>
#include <stdlib.h>

#include "aws/websocket.h"
#include "base/log.h"
#include "http/uri.h"
#include "protocol/json_text.h"

enum {
    OPEN_MS = 5000,       /* handshake, and until waiter_ready */
    TOKEN_MS = 60 * 1000, /* good for one opening */
    FRESH_MS = 60 * 1000, /* silence after which a socket may have died unseen while we were frozen */
    URL_MAX = 1024,
};

struct waiter {
    struct waiter_settings settings;
    struct waiter_events events;
    struct websocket *websocket;            /* NULL: none */
    char connection[CONNECTION_ID_MAX + 1]; /* "": not up */
    uint64_t began_ms, heard_ms; /* wall clock: the monotonic one may stand still while we are frozen */
};

static uint64_t now_ms(const struct waiter *waiter) {
    return waiter->settings.wall_ms(NULL);
}

static void drop(struct waiter *waiter) {
    bool was_up = waiter->connection[0];
    websocket_close(waiter->websocket);
    waiter->websocket = NULL;
    waiter->connection[0] = '\0';
    if (was_up) waiter->events.down(waiter->events.ctx);
}

static void on_open(void *ctx) {
    struct waiter *waiter = ctx;
    struct buf text;
    buf_init(&text, URL_MAX);
    buf_printf(&text, "{\"type\":\"waiter\",\"token\":\"");
    waiter_token_encode(&text, waiter->settings.key, now_ms(waiter) + TOKEN_MS);
    buf_printf(&text, "\"}");
    if (text.failed || !websocket_send(waiter->websocket, buf_view(&text))) drop(waiter);
    buf_done(&text);
}

static void on_ready(struct waiter *waiter, struct view text) {
    json_t *root = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
    const char *type = json_string_value(json_object_get(root, "type"));
    const char *id = json_string_value(json_object_get(root, "connection_id"));
    if (type && strcmp(type, "waiter_ready") == 0 && id)
        view_copy_to(view_from_cstr(id), waiter->connection, sizeof waiter->connection);
    log_debug("waiter", "%s", waiter->connection[0] ? "up" : "a message that makes no sense");
    json_decref(root);
}

static void on_message(void *ctx, struct view text) {
    struct waiter *waiter = ctx;
    waiter->heard_ms = now_ms(waiter);
    if (waiter->connection[0])
        waiter->events.message(waiter->events.ctx, text);
    else if (text.len > 0)
        on_ready(waiter, text);
}

static void on_end(void *ctx) {
    struct waiter *waiter = ctx;
    log_debug("waiter", "down");
    drop(waiter);
}

static void open_it(struct waiter *waiter) {
    static const struct websocket_events events = {on_open, on_message, on_end};
    struct buf url;
    buf_init(&url, URL_MAX);
    buf_printf(&url, "%s?waiter=", waiter->settings.websocket_endpoint);
    waiter_token_encode(&url, waiter->settings.key, now_ms(waiter) + TOKEN_MS);
    waiter->began_ms = waiter->heard_ms = now_ms(waiter);
    if (!url.failed)
        waiter->websocket = websocket_open(waiter->settings.http, buf_view(&url), OPEN_MS,
                                           waiter->settings.message_max, &events, waiter);
    buf_done(&url);
}

struct view waiter_connection(struct waiter *waiter) {
    if (waiter->websocket) websocket_look(waiter->websocket);
    uint64_t now = now_ms(waiter);
    bool stale = waiter->connection[0] ? now - waiter->heard_ms > FRESH_MS : now - waiter->began_ms > OPEN_MS;
    if (waiter->websocket && stale) drop(waiter);
    if (!waiter->websocket) open_it(waiter);
    return waiter->connection[0] ? view_from_cstr(waiter->connection) : (struct view){0};
}

void waiter_listen(struct waiter *waiter, const struct waiter_events *events) {
    waiter->events = *events;
}

struct waiter *waiter_new(const struct waiter_settings *settings) {
    struct waiter *waiter = calloc(1, sizeof *waiter);
    if (waiter) waiter->settings = *settings;
    return waiter;
}

void waiter_free(struct waiter *waiter) {
    if (!waiter) return;
    websocket_close(waiter->websocket);
    free(waiter);
}

/* ---- the other side ---- */

enum waiter_claim waiter_check_target(struct view target, const unsigned char key[SECRET_LEN], uint64_t now) {
    struct arena arena;
    struct target parsed;
    enum waiter_claim claim = WAITER_NONE;
    arena_init(&arena, 64 * 1024);
    if (target_parse(target, &parsed) && parsed.query.ptr) {
        struct view token = query_get(parsed.query, VIEW("waiter"), &arena);
        if (token.ptr) claim = waiter_token_check(token, key, now) ? WAITER_GOOD : WAITER_REFUSED;
    }
    arena_done(&arena);
    return claim;
}

enum waiter_claim waiter_check_message(struct view text, const unsigned char key[SECRET_LEN], uint64_t now) {
    if (!view_starts_with(text, VIEW("{\"type\":\"waiter\","))) return WAITER_NONE;
    json_t *root = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
    struct view token = view_from_cstr(json_string_value(json_object_get(root, "token")));
    bool good = token.ptr && waiter_token_check(token, key, now);
    json_decref(root);
    return good ? WAITER_GOOD : WAITER_REFUSED;
}

bool waiter_encode_ready(struct buf *out, struct view connection_id) {
    return buf_printf(out, "{\"type\":\"waiter_ready\",\"connection_id\":") &&
           json_text_string(out, connection_id) && buf_append_byte(out, '}');
}

bool waiter_encode_wake(struct buf *out, struct view request_id) {
    return buf_printf(out, "{\"type\":\"wake\",\"request_id\":") && json_text_string(out, request_id) &&
           buf_append_byte(out, '}');
}

bool waiter_read_wake(struct view text, char ret_request_id[V1_REQUEST_ID_MAX + 1]) {
    json_t *root = text.len ? json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL) : NULL;
    const char *type = json_string_value(json_object_get(root, "type"));
    struct view id = view_from_cstr(json_string_value(json_object_get(root, "request_id")));
    bool ok = type && strcmp(type, "wake") == 0 && id.len > 0 &&
              view_copy_to(id, ret_request_id, V1_REQUEST_ID_MAX + 1);
    json_decref(root);
    return ok;
}
