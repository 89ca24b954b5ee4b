/* See waiter.h. It learns its connection's id by asking: {"type":"waiter","token":…} is answered with
 * {"type":"waiter_ready","connection_id":…}. */
#include "direct/waiter.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/log.h"
#include "direct/resolver_ares.h"
#include "http/uri.h"
#include "net/ws_client.h"
#include "net/ws_url.h"
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
    struct ws_url url;
    struct resolver_ares *resolver;
    struct wire_tls *tls;                   /* made when it is wanted first */
    bool is_resolving;                      /* the endpoint's name */
    struct ws_client *socket;               /* NULL: none */
    char connection[CONNECTION_ID_MAX + 1]; /* "": not up */
    uint64_t began_ms, heard_ms; /* wall clock: the monotonic one may stand still while we are frozen */
};

static uint64_t now_ms(const struct waiter *waiter) {
    return waiter->settings.wall_ms(NULL);
}

static void drop(struct waiter *waiter) {
    bool was_up = waiter->connection[0];
    resolver_ares_cancel(waiter->resolver);
    waiter->is_resolving = false;
    ws_client_free(waiter->socket);
    waiter->socket = NULL;
    waiter->connection[0] = '\0';
    if (was_up) waiter->events.down(waiter->events.ctx);
}

static const char *on_open(void *ctx, const struct headers *fields) {
    struct waiter *waiter = ctx;
    struct buf text;
    (void)fields;
    ws_message_init(&text, URL_MAX);
    buf_printf(&text, "{\"type\":\"waiter\",\"token\":\"");
    waiter_token_encode(&text, waiter->settings.key, now_ms(waiter) + TOKEN_MS);
    buf_printf(&text, "\"}");
    return ws_client_send(waiter->socket, &text) ? NULL : "there is no memory for it";
}

static void on_ready(struct waiter *waiter, struct view text) {
    json_t *root = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
    const char *type = json_string_value(json_object_get(root, "type"));
    const char *id = json_string_value(json_object_get(root, "connection_id"));
    if (type && strcmp(type, "waiter_ready") == 0 && id)
        view_copy_to(view_from_cstr(id), waiter->connection, sizeof(waiter->connection));
    log_debug("waiter", "%s", waiter->connection[0] ? "up" : "a message that makes no sense");
    json_decref(root);
}

static void on_text(void *ctx, struct view text) {
    struct waiter *waiter = ctx;
    waiter->heard_ms = now_ms(waiter);
    if (waiter->connection[0])
        waiter->events.message(waiter->events.ctx, text);
    else if (text.len > 0)
        on_ready(waiter, text);
}

/* API Gateway sends none. */
static bool on_bytes(void *ctx, struct view bytes) {
    (void)ctx, (void)bytes;
    return false;
}

static void on_end(void *ctx, const struct ws_client_end *end) {
    log_debug("waiter", "down: %s (%d)", end->why ? end->why : "closed, refused or out of reach",
              end->http_status  ? end->http_status
              : end->close_code ? end->close_code
                                : end->error);
    drop(ctx);
}

/* ---- opening ---- */

static bool prepare_tls(struct waiter *waiter) {
    X509_STORE *store =
        waiter->url.tls && !waiter->tls ? authorities_store(waiter->settings.authorities) : NULL;
    if (store) waiter->tls = wire_tls_new_trusting(waiter->url.host, store);
    return waiter->tls || !waiter->url.tls;
}

static void on_addresses(void *ctx, int error, const struct addresses *addresses) {
    static const struct ws_client_events events = {
        .on_open = on_open, .on_text = on_text, .on_bytes = on_bytes, .on_end = on_end};
    struct waiter *waiter = ctx;
    waiter->is_resolving = false;
    if (error) log_debug("waiter", "%s: %s", waiter->url.host, uv_strerror(error));
    if (error || !prepare_tls(waiter)) return;
    struct ws_client_settings settings = {.loop = waiter->settings.loop,
                                          .tls = waiter->tls,
                                          .timeout_ms = OPEN_MS,
                                          .message_max = waiter->settings.message_max};
    struct buf target;
    buf_init(&target, URL_MAX);
    buf_printf(&target, "%s?waiter=", waiter->url.path);
    waiter_token_encode(&target, waiter->settings.key, now_ms(waiter) + TOKEN_MS);
    if (buf_append_byte(&target, '\0') && !target.failed) {
        struct ws_client_request request = {.target = buf_view(&target).ptr,
                                            .authority = waiter->url.authority};
        waiter->socket = ws_client_open(&settings, addresses, &request, &events, waiter);
    }
    buf_done(&target);
}

static void open_it(struct waiter *waiter) {
    waiter->began_ms = waiter->heard_ms = now_ms(waiter);
    waiter->is_resolving = true;
    resolver_ares_lookup(waiter->resolver, waiter->url.host, waiter->url.port, on_addresses, waiter);
}

struct view waiter_connection(struct waiter *waiter) {
    if (waiter->socket) ws_client_look(waiter->socket);
    uint64_t now = now_ms(waiter);
    bool stale = waiter->connection[0] ? now - waiter->heard_ms > FRESH_MS : now - waiter->began_ms > OPEN_MS;
    if ((waiter->socket || waiter->is_resolving) && stale) drop(waiter);
    if (!waiter->socket && !waiter->is_resolving) open_it(waiter);
    return waiter->connection[0] ? view_from_cstr(waiter->connection) : (struct view){0};
}

void waiter_listen(struct waiter *waiter, const struct waiter_events *events) {
    waiter->events = *events;
}

/* Messages are posted to the endpoint as https:// (connections.h); its name may be that. */
static bool read_endpoint(const char *text, struct ws_url *ret_url) {
    struct view rest = view_from_cstr(text);
    struct buf url;
    bool is_http = view_starts_with(rest, VIEW("http"));
    buf_init(&url, URL_MAX);
    buf_printf(&url, "%s%.*s", is_http ? "ws" : "", VIEW_ARG(view_skip(rest, is_http ? 4 : 0)));
    bool ok = !url.failed && !ws_url_parse(buf_view(&url), ret_url);
    buf_done(&url);
    return ok;
}

struct waiter *waiter_new(const struct waiter_settings *settings) {
    struct waiter *waiter = calloc(1, sizeof(*waiter));
    if (!waiter) return NULL;
    waiter->settings = *settings;
    waiter->resolver = resolver_ares_new(settings->loop);
    if (waiter->resolver && read_endpoint(settings->websocket_endpoint, &waiter->url)) return waiter;
    resolver_ares_free(waiter->resolver);
    free(waiter);
    return NULL;
}

void waiter_free(struct waiter *waiter) {
    if (!waiter) return;
    ws_client_free(waiter->socket);
    resolver_ares_free(waiter->resolver);
    wire_tls_free(waiter->tls);
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
