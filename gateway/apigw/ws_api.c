/* See ws_api.h. One libwebsockets context on the gateway's loop, as agent_ws.c has it for the gateway's own.
 */
#include "apigw/ws_state.h"

#include "base/log.h"
#include "tcp.h"

#include <stdlib.h>
#include <unistd.h>

#define SERVICE_BUFFER_BYTES (64 * 1024)
#define UNSENT_BYTES (256 * 1024)

/* ---- libwebsockets' callbacks ---- */

static struct ws_connection *connection_of(struct lws *wsi) {
    struct ws_connection *connection = lws_get_opaque_user_data(wsi);
    if (connection && connection->magic != WS_CONNECTION_MAGIC) abort();
    return connection;
}

static void on_adopted(struct lws *wsi) {
    struct ws_api *api = lws_context_user(lws_get_context(wsi));
    lws_set_opaque_user_data(wsi, api->adopting);
    if (!api->adopting) return;
    api->adopting->wsi = wsi;
    api->adopting = NULL;
}

static void on_established(struct lws *wsi) {
    struct ws_connection *connection = connection_of(wsi);
    if (!connection) return;
    connection->is_established = true;
    lws_callback_on_writable(wsi); /* something may wait already */
}

static void on_peer_close(struct ws_connection *connection, const unsigned char *bytes, size_t len) {
    if (connection->closing_ms) return;
    connection->close_code = len >= 2 ? bytes[0] << 8 | bytes[1] : 1005;
    connection->close_reason = len >= 2 ? "" : "Client-side close frame status not set";
}

static void on_gone(struct lws *wsi) {
    struct ws_connection *connection = connection_of(wsi);
    if (!connection) return;
    lws_set_opaque_user_data(wsi, NULL);
    ws_connection_free(connection);
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len) {
    (void)user;
    struct ws_connection *connection;
    switch (reason) {
    case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED: on_adopted(wsi); return 0;
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return in && strcmp(in, "websocket") == 0 ? 0 : -1; /* no use of wsi here */
    case LWS_CALLBACK_ESTABLISHED: on_established(wsi); return 0;
    case LWS_CALLBACK_RECEIVE:
        return (connection = connection_of(wsi)) ? ws_connection_receive(connection, view_of(in, len)) : -1;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return (connection = connection_of(wsi)) ? ws_connection_write(connection) : -1;
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        if (!(connection = connection_of(wsi))) return 0;
        on_peer_close(connection, in, len);
        return connection->is_close_sent ? -1 : 0; /* the answer to ours; otherwise lws answers */
    case LWS_CALLBACK_CLOSED:
    case LWS_CALLBACK_WSI_DESTROY: on_gone(wsi); return 0;
    case LWS_CALLBACK_HTTP:
    case LWS_CALLBACK_HTTP_BODY:
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
    case LWS_CALLBACK_RAW_RX:
    case LWS_CALLBACK_RAW_ADOPT:
    case LWS_CALLBACK_RAW_WRITEABLE: return -1;
    default: return 0;
    }
}

static const struct lws_protocols protocols[] = {{.name = "agents", .callback = on_event}, {.name = NULL}};

static void on_log(int level, const char *line) {
    if (strstr(line, "adopt_socket_readbuf")) return; /* at level error, and no error */
    int len = (int)strcspn(line, "\n");
    if (level & (LLL_ERR | LLL_WARN)) log_warn("lws", "%.*s", len, line);
}

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
    struct buf handshake;
    buf_init(&handshake, 64 * 1024);
    buf_printf(&handshake,
               "GET / HTTP/1.1\r\nHost: agents\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %.*s\r\n\r\n",
               VIEW_ARG(admission->key));
    buf_append_view(&handshake, admission->early);
    struct ws_connection *connection = handshake.failed ? NULL : ws_connection_new(api, admission);
    if (connection) {
        if (!timer_armed(&api->tick)) timer_start(&api->loop->timers, &api->tick, 1);
        api->adopting = connection;
        tcp_limit_unsent(admission->fd, UNSENT_BYTES);
        /* It calls back at once, for the handshake as a whole; on failure WSI_DESTROY has ended it. */
        lws_adopt_socket_vhost_readbuf(api->vhost, admission->fd, buf_view(&handshake).ptr, handshake.len);
        if (api->adopting) ws_connection_free(api->adopting); /* it never came as far as a callback */
        api->adopting = NULL;
    } else {
        close(admission->fd);
        peer_release(admission->peer);
    }
    buf_done(&handshake);
}

static void on_told(void *ctx, enum lambda_outcome outcome, struct view answer) {
    (void)ctx, (void)outcome, (void)answer; /* the pool has logged what went wrong */
}

void ws_api_tell(struct ws_api *api, enum usage_source source, json_t *event) {
    char *text = event && !api->is_stopped ? json_dumps(event, JSON_COMPACT) : NULL;
    if (text) lambda_invoke(api->lambda, source, view_from_cstr(text), on_told, NULL);
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

static bool start(struct ws_api *api) {
    void *loops[1] = {&api->loop->uv};
    lws_set_log_level(LLL_ERR | LLL_WARN, on_log);
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .foreign_loops = loops,
        .options =
            LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_DISABLE_IPV6,
        .pt_serv_buf_size = SERVICE_BUFFER_BYTES,
        .user = api,
        .pcontext = &api->context, /* NULL once it is freed */
    };
    api->context = lws_create_context(&info);
    if (!api->context) return false;
    struct lws_context_creation_info vhost = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .vhost_name = "agents",
        .protocols = protocols,
        .options = info.options,
        .alpn = "http/1.1",
    };
    api->vhost = lws_create_vhost(api->context, &vhost);
    return api->vhost != NULL;
}

struct ws_api *ws_api_new(struct loop *loop, const struct ws_api_settings *settings, struct lambda *lambda,
                          struct usage *usage) {
    struct ws_api *api = calloc(1, sizeof(*api));
    if (!api) return NULL;
    api->loop = loop;
    api->settings = *settings;
    api->lambda = lambda;
    api->usage = usage;
    list_init(&api->candidates);
    list_init(&api->all);
    table_init(&api->connections);
    timer_init(&api->tick, on_tick);
    throttle_init(&api->throttle, settings->connect_rate, settings->connect_rate);
    const struct web_settings web = {
        .body_max = WS_API_MESSAGE_MAX + 1, .connections_max = 1024, .handle = ws_manage, .ctx = api};
    api->manage = web_new(loop, &web);
    if (api->manage && start(api)) return api;
    log_error("ws-api",
              "libwebsockets does not start (is its libuv plug-in, libwebsockets-evlib-uv, installed?)");
    return NULL;
}

void ws_api_stop(struct ws_api *api) {
    if (!api) return;
    api->is_stopped = true;
    timer_stop(&api->loop->timers, &api->tick);
    ws_candidates_stop(api);
    web_stop(api->manage);
    lws_context_destroy(api->context);
}

void ws_api_free(struct ws_api *api) {
    if (!api) return;
    lws_context_destroy(api->context); /* on a foreign loop the second call frees */
    web_free(api->manage);
    table_done(&api->connections);
    free(api);
}
