/* See ws_api.h. */
#include <stdlib.h>
#include <unistd.h>

#include "apigw/ws_state.h"
#include "base/log.h"

#define MANAGE_BODY_MAX ((size_t)10 * 1024 * 1024) /* API Gateway's own bound */

/* ---- our ends of the connections ---- */

static struct ws_connection *connection_of(struct ws_end *end) {
    return LIST_ENTRY(end, struct ws_connection, end);
}

static void on_receive(struct ws_end *end, const struct ws_piece *piece) {
    ws_connection_receive(connection_of(end), piece);
}

static void on_write(struct ws_end *end) {
    ws_connection_write(connection_of(end));
}

static void on_bad(struct ws_end *end, unsigned code, const char *why) {
    ws_connection_refuse(connection_of(end), code, why);
}

static void on_client_close(struct ws_end *end, struct view payload) {
    const unsigned char *bytes = (const unsigned char *)payload.ptr;
    struct ws_connection *connection = connection_of(end);
    if (end->closing_ms) return;
    if (payload.len >= 2)
        ws_connection_note_close(connection, bytes[0] << 8 | bytes[1], view_skip(payload, 2));
    else
        ws_connection_note_close(connection, 1005, VIEW("Client-side close frame status not set"));
}

static void on_gone(struct ws_end *end) {
    ws_connection_free(connection_of(end));
}

static const struct ws_server_events events = {.receive = on_receive,
                                               .write = on_write,
                                               .bad = on_bad,
                                               .client_close = on_client_close,
                                               .gone = on_gone};

/* ---- connections ---- */

static void on_tick(struct timer *timer) {
    struct ws_api *api = LIST_ENTRY(timer, struct ws_api, tick);
    uint64_t now = loop_now(api->loop), wait = api->settings.idle_ms / 4;
    for (struct list *node = api->all.next, *next; node != &api->all; node = next) {
        next = node->next;
        ws_connection_tick(LIST_ENTRY(node, struct ws_connection, all), now);
    }
    if (!list_empty(&api->all)) timer_start(&api->loop->timers, &api->tick, wait > 1000 ? 1000 : wait + 1);
}

void ws_api_admit(struct ws_api *api, const struct ws_admission *admission) {
    struct buf fields;
    buf_init(&fields, HANDSHAKE_BYTES_MAX);
    if (admission->subprotocol.ptr)
        buf_printf(&fields, "Sec-WebSocket-Protocol: %.*s\r\n", VIEW_ARG(admission->subprotocol));
    struct ws_connection *connection = fields.failed ? NULL : ws_connection_new(api, admission);
    if (!connection) {
        buf_done(&fields);
        close(admission->socket.conn.fd);
        client_release(admission->socket.client);
        return;
    }
    if (!timer_armed(&api->tick)) timer_start(&api->loop->timers, &api->tick, 1);
    ws_server_adopt(api->server, &connection->end, &admission->socket, buf_view(&fields));
    buf_done(&fields);
}

static void on_told(void *ctx, enum lambda_outcome outcome, struct view answer) {
    (void)ctx, (void)outcome, (void)answer; /* the pool has logged what went wrong */
}

void ws_api_tell(struct ws_api *api, enum usage_source source, json_t *event) {
    char *text = event && !api->is_stopped ? json_dumps(event, JSON_COMPACT) : NULL;
    if (text) lambda_pool_invoke(api->pool, source, view_from_cstr(text), on_told, NULL);
    free(text);
    json_decref(event);
}

size_t ws_api_count(const struct ws_api *api) {
    return api->connections.count;
}

void ws_api_close_all(struct ws_api *api) {
    for (struct list *node = api->all.next; node != &api->all; node = node->next)
        ws_connection_close(LIST_ENTRY(node, struct ws_connection, all), 1001, "Going away");
}

/* ---- the module ---- */

static void to_management(void *ctx, int fd, struct client *client, const struct sockaddr *address,
                          socklen_t len) {
    struct ws_api *api = ctx;
    web_accept(api->manage, fd, client, address, len, 0);
}

void ws_api_accept(void *ctx, int fd, struct client *client, const struct sockaddr *address, socklen_t len) {
    struct ws_api *api = ctx;
    const struct conn conn = conn_plain(fd);
    ws_candidates_accept(&api->candidates, &conn, client, address, len);
}

struct ws_api *ws_api_new(struct loop *loop, const struct ws_api_settings *settings, struct lambda_pool *pool,
                          struct usage *usage) {
    struct ws_api *api = calloc(1, sizeof(*api));
    if (!api) return NULL;
    api->loop = loop;
    api->settings = *settings;
    api->pool = pool;
    api->usage = usage;
    list_init(&api->all);
    table_init(&api->connections);
    timer_init(&api->tick, on_tick);
    throttle_init(&api->connects, settings->connect_rate, settings->connect_rate);
    const struct web_settings web = {.body_max = MANAGE_BODY_MAX,
                                     .connections_max = 1024,
                                     .idle_ms = settings->manage_idle_ms,
                                     .idle_cuts = &usage->idle_cuts,
                                     .handle = ws_manage,
                                     .ctx = api};
    const struct ws_candidates_settings candidates = {.loop = loop,
                                                      .name = "ws-api",
                                                      .head_timeout_ms = settings->head_timeout_ms,
                                                      .ready = ws_accept_ready,
                                                      .is_foreign = ws_manage_is_meant,
                                                      .foreign = to_management,
                                                      .ctx = api};
    ws_candidates_init(&api->candidates, &candidates);
    api->manage = web_new(loop, &web);
    api->server = ws_server_new(loop, &events, WS_API_FRAME_MAX);
    return api->manage && api->server ? api : NULL;
}

void ws_api_stop(struct ws_api *api) {
    if (!api) return;
    api->is_stopped = true;
    timer_stop(&api->loop->timers, &api->tick);
    ws_candidates_stop(&api->candidates);
    web_stop(api->manage);
    ws_server_stop(api->server);
}

void ws_api_free(struct ws_api *api) {
    if (!api) return;
    ws_candidates_done(&api->candidates);
    ws_server_free(api->server);
    web_free(api->manage);
    table_done(&api->connections);
    free(api);
}
