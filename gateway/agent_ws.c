/* See agent_ws.h. One libwebsockets context, one vhost without a listening socket, one protocol. */
#include "agent_link.h"

#include "agent_streams.h"
#include "base/log.h"
#include "cluster/peer_protocol.h"
#include "tcp.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SERVICE_BUFFER_BYTES (64 * 1024)
#define BUDGET_BYTES ((size_t)32 * 1024 * 1024)
#define UNSENT_BYTES (256 * 1024) /* in the kernel: what waits there, streams cannot overtake */
#define MESSAGE_BYTES_MAX                                                                                    \
    ((size_t)512 * 1024) /* of v2; a session makes at most 256 KiB, and a frame more                         \
                          */

static void on_tick(struct timer *timer);

/* ---- libwebsockets' callbacks ---- */

static struct agent_link *link_of(struct lws *wsi) {
    struct agent_link *link = lws_get_opaque_user_data(wsi);
    if (link && link->magic != AGENT_LINK_MAGIC) abort();
    return link;
}

static void on_adopted(struct lws *wsi) {
    struct lws_context *context = lws_get_context(wsi);
    struct agent_ws *ws = lws_context_user(context);
    lws_set_opaque_user_data(wsi, ws->adopting);
    if (!ws->adopting) return;
    ws->adopting->wsi = wsi;
    ws->adopting = NULL;
}

/* To the handshake's answer. */
static int add_headers(struct lws *wsi, struct lws_process_html_args *args) {
    const struct agent_link *link = link_of(wsi);
    if (!link || !link->is_peer) return 0;
    unsigned char *at = (unsigned char *)args->p, *end = at + args->max_len;
    if (lws_add_http_header_by_name(wsi, (const unsigned char *)PEER_REPLY ":",
                                    (const unsigned char *)link->peer_reply, PEER_REPLY_LEN, &at, end))
        return -1;
    args->p = (char *)at;
    return 0;
}

static void on_established(struct lws *wsi) {
    struct agent_link *link = link_of(wsi);
    if (!link) return;
    link->is_established = true;
    lws_callback_on_writable(wsi); /* something may wait already */
}

static void on_gone(struct lws *wsi) {
    struct agent_link *link = link_of(wsi);
    if (!link) return;
    lws_set_opaque_user_data(wsi, NULL);
    agent_link_free(link);
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len) {
    (void)user;
    struct agent_link *link;
    switch (reason) {
    case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED: on_adopted(wsi); return 0;
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return in && strcmp(in, "websocket") == 0 ? 0 : -1; /* no use of wsi here */
    case LWS_CALLBACK_ADD_HEADERS: return add_headers(wsi, in);
    case LWS_CALLBACK_ESTABLISHED: on_established(wsi); return 0;
    case LWS_CALLBACK_RECEIVE: return (link = link_of(wsi)) ? agent_link_receive(link, view_of(in, len)) : -1;
    case LWS_CALLBACK_RECEIVE_PONG:
        if ((link = link_of(wsi))) link->heard_ms = loop_now(link->ws->loop);
        return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE: return (link = link_of(wsi)) ? agent_link_write(link) : -1;
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        return (link = link_of(wsi)) && link->is_close_sent
                   ? -1
                   : 0; /* the answer to ours; otherwise lws answers */
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

static const struct lws_protocols protocols[] = {
    {.name = "agents", .callback = on_event}, /* v1 asks for none */
    {.name = AGENT_SUBPROTOCOL_V2, .callback = on_event},
    {.name = PEER_SUBPROTOCOL, .callback = on_event},
    {.name = NULL},
};

static void on_log(int level, const char *line) {
    if (strstr(line, "adopt_socket_readbuf")) return; /* at level error, and no error */
    int len = (int)strcspn(line, "\n");
    if (level & (LLL_ERR | LLL_WARN))
        log_warn("lws", "%.*s", len, line);
    else
        log_debug("lws", "%.*s", len, line);
}

/* ---- the port ---- */

struct agent_link *agent_link_find(const struct agent_ws *ws, struct view id) {
    struct table_node *node = table_get(&ws->links, id);
    return node ? TABLE_ENTRY(node, struct agent_link, node) : NULL;
}

/* A completion that is still to fire. */
struct sent {
    struct task task;
    agent_sent_fn *done;
    void *target;
    uint64_t ticket;
    enum status status;
};

static void on_sent(struct task *task) {
    struct sent *sent = LIST_ENTRY(task, struct sent, task);
    sent->done(sent->target, sent->ticket, sent->status);
    free(sent);
}

static void send_message(void *ctx, const struct link *to, struct view message, agent_sent_fn *done,
                         void *target, uint64_t ticket) {
    struct agent_ws *ws = ctx;
    struct agent_link *link = agent_link_find(ws, view_from_cstr(to->connection));
    enum status status = link ? agent_link_send(link, message) : STATUS_GONE;
    if (!done) return;
    struct sent *sent = malloc(sizeof(*sent));
    if (!sent) abort(); /* a completion cannot be lost */
    *sent = (struct sent){.done = done, .target = target, .ticket = ticket, .status = status};
    task_init(&sent->task, on_sent);
    tasks_post(&ws->loop->tasks, &sent->task);
}

static void close_link(void *ctx, const struct link *to) {
    struct agent_link *link = agent_link_find(ctx, view_from_cstr(to->connection));
    if (!link) return;
    if (link->is_replaced)
        link->is_leaving = true; /* there is no hurry: when its streams have ended (agent_link_tick) */
    else
        agent_link_close(link, 1000);
}

struct agents agent_ws_port(struct agent_ws *ws) {
    struct agents port = {.ctx = ws, .send = send_message, .close = close_link};
    agent_streams_port(&port);
    return port;
}

/* ---- the module ---- */

static bool start(struct agent_ws *ws) {
    void *loops[1] = {&ws->loop->uv};
    lws_set_log_level(LLL_ERR | LLL_WARN, on_log);
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .foreign_loops = loops,
        .options =
            LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_DISABLE_IPV6,
        .pt_serv_buf_size = SERVICE_BUFFER_BYTES,
        .user = ws,
        .pcontext = &ws->context, /* NULL once it is freed */
    };
    ws->context = lws_create_context(&info);
    if (!ws->context) return false;
    struct lws_context_creation_info vhost = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .vhost_name = "agents",
        .protocols = protocols,
        .options = info.options,
        .alpn = "http/1.1",
    };
    ws->vhost = lws_create_vhost(ws->context, &vhost);
    return ws->vhost != NULL;
}

struct agent_ws *agent_ws_new(struct loop *loop, uint64_t ping_interval_ms, uint32_t link_requests) {
    struct agent_ws *ws = calloc(1, sizeof(*ws));
    if (!ws) return NULL;
    ws->loop = loop;
    ws->ping_interval_ms = ping_interval_ms;
    ws->link_requests = link_requests;
    ws->budget.max_bytes = BUDGET_BYTES;
    buf_init(&ws->message, LWS_PRE + MESSAGE_BYTES_MAX);
    table_init(&ws->links);
    list_init(&ws->all);
    timer_init(&ws->tick, on_tick);
    if (start(ws)) return ws;
    log_error("agent",
              "libwebsockets does not start (is its libuv plug-in, libwebsockets-evlib-uv, installed?)");
    return NULL;
}

void agent_ws_serve_peers(struct agent_ws *ws,
                          void (*request)(void *ctx, struct link_stream *stream,
                                          const struct stream_head *head, bool has_body),
                          void *ctx) {
    ws->peer_request = request;
    ws->peer_ctx = ctx;
}

struct link_budget *agent_ws_budget(struct agent_ws *ws) {
    return &ws->budget;
}

void agent_ws_set_core(struct agent_ws *ws, struct core *core) {
    ws->core = core;
}

static uint64_t tick_ms(const struct agent_ws *ws) {
    uint64_t ms = ws->ping_interval_ms / 8;
    return ms < 20 ? 20 : ms > 1000 ? 1000 : ms;
}

static void on_tick(struct timer *timer) {
    struct agent_ws *ws = LIST_ENTRY(timer, struct agent_ws, tick);
    uint64_t now = loop_now(ws->loop);
    for (struct list *node = ws->all.next, *next; node != &ws->all; node = next) {
        next = node->next;
        agent_link_tick(LIST_ENTRY(node, struct agent_link, all), now);
    }
    if (!list_empty(&ws->all)) timer_start(&ws->loop->timers, &ws->tick, tick_ms(ws));
}

static const char *subprotocol_of(const struct agent_socket *socket) {
    if (socket->peer_reply.ptr) return "Sec-WebSocket-Protocol: " PEER_SUBPROTOCOL "\r\n";
    return socket->protocol == LINK_V2 ? "Sec-WebSocket-Protocol: " AGENT_SUBPROTOCOL_V2 "\r\n" : "";
}

static bool print_handshake(const struct agent_socket *socket, struct buf *out) {
    buf_printf(out,
               "GET / HTTP/1.1\r\nHost: agents\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %.*s\r\n%s\r\n",
               VIEW_ARG(socket->key), subprotocol_of(socket));
    buf_append_view(out, socket->early);
    return !out->failed;
}

static void refuse(struct agent_ws *ws, const struct agent_socket *socket) {
    if (!socket->peer_reply.ptr) core_disconnect(ws->core, socket->connection_id, NULL, NULL);
    close(socket->fd);
    peer_release(socket->peer);
}

void agent_ws_adopt(struct agent_ws *ws, const struct agent_socket *socket) {
    struct buf handshake;
    buf_init(&handshake, 64 * 1024);
    struct agent_link *link = print_handshake(socket, &handshake) ? agent_link_new(ws, socket) : NULL;
    if (!link) {
        refuse(ws, socket);
        buf_done(&handshake);
        return;
    }
    if (!timer_armed(&ws->tick)) timer_start(&ws->loop->timers, &ws->tick, tick_ms(ws));
    ws->adopting = link;
    tcp_limit_unsent(socket->fd, UNSENT_BYTES);
    /* It calls back at once, for the handshake as a whole; on failure WSI_DESTROY has ended the link. */
    lws_adopt_socket_vhost_readbuf(ws->vhost, socket->fd, buf_view(&handshake).ptr, handshake.len);
    if (ws->adopting) agent_link_free(ws->adopting); /* it never came as far as a callback */
    ws->adopting = NULL;
    buf_done(&handshake);
}

size_t agent_ws_count(const struct agent_ws *ws) {
    return ws->count;
}

size_t agent_ws_peers(const struct agent_ws *ws) {
    return ws->peer_count;
}

void agent_ws_tell_draining(struct agent_ws *ws) {
    for (struct list *node = ws->all.next; node != &ws->all; node = node->next) {
        struct agent_link *link = LIST_ENTRY(node, struct agent_link, all);
        if (!link->is_peer) agent_link_tell_draining(link);
    }
}

void agent_ws_close_all(struct agent_ws *ws) {
    for (struct list *node = ws->all.next; node != &ws->all; node = node->next) {
        struct agent_link *link = LIST_ENTRY(node, struct agent_link, all);
        if (link->session) link_drain(link->session);
        agent_link_close(link, 1001);
    }
}

void agent_ws_stop(struct agent_ws *ws) {
    if (!ws) return;
    timer_stop(&ws->loop->timers, &ws->tick);
    lws_context_destroy(ws->context);
}

void agent_ws_free(struct agent_ws *ws) {
    if (!ws) return;
    lws_context_destroy(
        ws->context); /* on a foreign loop the second call, after the handles have closed, frees */
    table_done(&ws->links);
    buf_done(&ws->message);
    free(ws);
}
