/* See agent_ws.h. */
#include <stdlib.h>
#include <unistd.h>

#include "agents/agent_link.h"
#include "agents/agent_streams.h"
#include "agents/agent_turn.h"
#include "agents/peer_protocol.h"
#include "auth/peer.h"
#include "base/heap.h"
#include "base/log.h"

#define FRAME_BYTES ((size_t)64 * 1024)
#define BUDGET_BYTES ((size_t)32 * 1024 * 1024)
#define MESSAGE_BYTES_MAX                                                                                    \
    ((size_t)512 * 1024) /* of v2; a session makes at most 256 KiB, and a frame more                         \
                          */

static void on_tick(struct timer *timer);

/* ---- their ends ---- */

static struct agent_link *link_of(struct ws_end *end) {
    return LIST_ENTRY(end, struct agent_link, end);
}

static void on_receive(struct ws_end *end, const struct ws_piece *piece) {
    agent_link_receive(link_of(end), piece);
}

static size_t on_takes(struct ws_end *end) {
    return agent_turn_takes(link_of(end));
}

static bool on_has_had(struct ws_end *end) {
    return agent_turn_has_had(link_of(end));
}

static void on_write(struct ws_end *end) {
    agent_link_write(link_of(end));
}

static void on_control(struct ws_end *end) {
    agent_link_heard(link_of(end));
}

static void on_bad(struct ws_end *end, unsigned code, const char *why) {
    agent_link_refuse(link_of(end), code, why);
}

static void on_gone(struct ws_end *end) {
    agent_link_free(link_of(end));
}

static const struct ws_server_events events = {.takes = on_takes,
                                               .has_had = on_has_had,
                                               .receive = on_receive,
                                               .write = on_write,
                                               .control = on_control,
                                               .bad = on_bad,
                                               .gone = on_gone};

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
    if (status == STATUS_OK) link->card.requests++; /* whose sender waits to hear is a request */
    struct sent *sent = heap_alloc_owed(sizeof(*sent));
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
        ws_end_close(&link->end, 1000);
}

struct agents agent_ws_port(struct agent_ws *ws) {
    struct agents port = {.ctx = ws, .send = send_message, .close = close_link};
    agent_streams_port(&port);
    return port;
}

/* ---- the module ---- */

struct agent_ws *agent_ws_new(struct loop *loop, uint64_t ping_interval_ms, uint32_t link_requests,
                              size_t answer_bytes) {
    struct agent_ws *ws = calloc(1, sizeof(*ws));
    if (!ws) return NULL;
    ws->loop = loop;
    ws->ping_interval_ms = ping_interval_ms;
    ws->link_requests = link_requests;
    ws->answer_bytes = answer_bytes;
    ws->budget.max_bytes = BUDGET_BYTES;
    buf_init(&ws->message, WS_HEAD_MAX + MESSAGE_BYTES_MAX);
    table_init(&ws->links);
    list_init(&ws->all);
    list_init(&ws->unfinished);
    list_init(&ws->asks);
    timer_init(&ws->tick, on_tick);
    ws->server = ws_server_new(loop, &events, FRAME_BYTES);
    if (ws->server) return ws;
    free(ws);
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
    return ms < 20 ? 20 : ms > 500 ? 500 : ms;
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

/* What stands in the answer to its handshake. An agent of v1 asks for no protocol. */
static bool print_fields(const struct agent_socket *socket, struct buf *out) {
    if (socket->peer_reply.ptr)
        return buf_printf(out, "Sec-WebSocket-Protocol: " PEER_SUBPROTOCOL "\r\n" PEER_REPLY ": %.*s\r\n",
                          VIEW_ARG(socket->peer_reply));
    return socket->protocol != LINK_V2 ||
           buf_printf(out, "Sec-WebSocket-Protocol: " AGENT_SUBPROTOCOL_V2 "\r\n");
}

static void refuse(struct agent_ws *ws, const struct agent_socket *socket) {
    if (!socket->peer_reply.ptr) core_disconnect(ws->core, socket->connection_id, NULL, NULL);
    struct conn conn = socket->socket.conn;
    conn_close(&conn);
    client_release(socket->socket.client);
    if (socket->behind) client_release(socket->behind);
}

void agent_ws_adopt(struct agent_ws *ws, const struct agent_socket *socket) {
    struct buf fields;
    buf_init(&fields, 512);
    struct agent_link *link = print_fields(socket, &fields) ? agent_link_new(ws, socket) : NULL;
    if (link) {
        if (!timer_armed(&ws->tick)) timer_start(&ws->loop->timers, &ws->tick, tick_ms(ws));
        ws_server_adopt(ws->server, &link->end, &socket->socket, buf_view(&fields));
    } else {
        refuse(ws, socket);
    }
    buf_done(&fields);
}

size_t agent_ws_count(const struct agent_ws *ws) {
    return ws->count;
}

size_t agent_ws_v1_count(const struct agent_ws *ws) {
    return ws->v1_count;
}

size_t agent_ws_peers(const struct agent_ws *ws) {
    return ws->peer_count;
}

void agent_ws_each(const struct agent_ws *ws, uint64_t after,
                   bool (*each)(void *ctx, const struct agent_card *card), void *ctx) {
    for (struct list *node = ws->all.next; node != &ws->all; node = node->next) {
        struct agent_link *link = LIST_ENTRY(node, struct agent_link, all);
        if (link->is_peer || link->card.number <= after) continue;
        link->card.is_leaving = link->is_leaving || link->is_replaced || link->end.closing_ms;
        if (!each(ctx, &link->card)) return;
    }
}

size_t agent_ws_kick(struct agent_ws *ws, const char *(*why)(void *ctx, const struct agent_card *card),
                     void *ctx) {
    size_t count = 0;
    for (struct list *node = ws->all.next; node != &ws->all; node = node->next) {
        struct agent_link *link = LIST_ENTRY(node, struct agent_link, all);
        const char *reason = link->is_peer || link->end.closing_ms ? NULL : why(ctx, &link->card);
        if (!reason) continue;
        agent_link_kick(link, reason);
        count++;
    }
    return count;
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
        ws_end_close(&link->end, 1001);
    }
}

void agent_ws_stop(struct agent_ws *ws) {
    if (!ws) return;
    timer_stop(&ws->loop->timers, &ws->tick);
    ws_server_stop(ws->server);
}

void agent_ws_free(struct agent_ws *ws) {
    if (!ws) return;
    ws_server_free(ws->server);
    agent_turn_forget(ws);
    table_done(&ws->links);
    buf_done(&ws->message);
    free(ws);
}
