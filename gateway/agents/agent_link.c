/* See agent_link.h. */
#include "agents/agent_link.h"

#include "agents/agent_streams.h"
#include "base/log.h"
#include "protocol/v1.h"
#include "sockets/tcp.h"

#include <stdlib.h>

#define OUTGOING_MAX_BYTES ((size_t)16 * 1024 * 1024)
#define KEPT_BYTES ((size_t)64 * 1024) /* of a message's buffer */
#define FRAGMENTS_MAX 65536
/* While a request waits: asked after so long a silence, and given up so long after that; 5 s with our own
 * ticks. */
#define WAITS_ASK_MS 1500
#define WAITS_LOST_MS 2500
#define TAKES_BYTES 16384
#define REST_MS 2000

struct agent_link *agent_link_new(struct agent_ws *ws, const struct agent_socket *socket) {
    struct agent_link *link = calloc(1, sizeof(*link));
    if (!link) return NULL;
    ws_end_init(&link->end, ws->server, socket->socket.fd);
    link->ws = ws;
    link->is_peer = socket->peer_reply.ptr != NULL;
    link->heard_ms = link->pinged_ms = loop_now(ws->loop);
    buf_init(&link->message, core_message_max(ws->core));
    if (!view_copy_to(socket->connection_id, link->id, sizeof(link->id)) ||
        !table_put(&ws->links, &link->node, view_from_cstr(link->id))) {
        free(link);
        return NULL;
    }
    if (socket->protocol == LINK_V2 && !agent_streams_start(link)) {
        table_remove(&ws->links, &link->node);
        free(link);
        return NULL;
    }
    link->client = socket->socket.client;
    list_append(&ws->all, &link->all);
    ++*(link->is_peer ? &ws->peer_count : &ws->count);
    return link;
}

void agent_link_free(struct agent_link *link) {
    struct agent_ws *ws = link->ws;
    table_remove(&ws->links, &link->node);
    list_remove(&link->all);
    --*(link->is_peer ? &ws->peer_count : &ws->count);
    agent_streams_stop(link);
    if (!link->is_peer) core_disconnect(ws->core, view_from_cstr(link->id), NULL, NULL);
    ws_end_done(&link->end);
    buf_done(&link->message);
    client_release(link->client);
    free(link);
}

/* ---- in ---- */

static int refuse(struct agent_link *link, unsigned code, const char *why) {
    log_from(LOG_LEVEL_WARN, "agent", view_from_cstr(link->id), "closed with %u: %s", code, why);
    buf_done(&link->message);
    ws_end_close(&link->end, code);
    ws_end_drop(&link->end);
    return 0;
}

static int receive_streams(struct agent_link *link, struct view piece) {
    if (!lws_frame_is_binary(link->end.wsi)) return refuse(link, 1003, "a text frame on a v2 link");
    if (agent_streams_receive(link, piece) != STATUS_OK) return refuse(link, 1002, link_error(link->session));
    return 0;
}

int agent_link_receive(struct agent_link *link, struct view piece) {
    struct agent_ws *ws = link->ws;
    link->heard_ms = loop_now(ws->loop);
    link->has_sent = false;
    link->is_resting = false;
    if (link->end.closing_ms) return 0;
    if (link->session) return receive_streams(link, piece);
    if (lws_frame_is_binary(link->end.wsi)) return refuse(link, 1003, "a binary frame on a v1 link");
    bool is_last = lws_is_final_fragment(link->end.wsi) && lws_remaining_packet_payload(link->end.wsi) == 0;
    if (lws_is_first_fragment(link->end.wsi)) {
        buf_clear(&link->message);
        link->fragments = 0;
        if (is_last && piece.len <= link->message.max) {
            core_message(ws->core, view_from_cstr(link->id), piece, NULL, NULL);
            return 0;
        }
    }
    if (++link->fragments > FRAGMENTS_MAX) return refuse(link, 1008, "a message in too many pieces");
    if (!buf_append_view(&link->message, piece)) return refuse(link, 1009, "a message that is too large");
    if (!is_last) return 0;
    core_message(ws->core, view_from_cstr(link->id), buf_view(&link->message), NULL, NULL);
    if (link->message.cap > KEPT_BYTES)
        buf_done(&link->message);
    else
        buf_clear(&link->message);
    return 0;
}

/* ---- out ---- */

enum status agent_link_send(struct agent_link *link, struct view message) {
    if (link->session && !link->end.closing_ms) return link_control(link->session, message);
    link->has_sent = true;
    size_t max = link->message.max * 2 > OUTGOING_MAX_BYTES ? link->message.max * 2 : OUTGOING_MAX_BYTES;
    return ws_end_send(&link->end, message, max);
}

/* With a payload: libwebsockets 4.1 keeps the pong to an empty one to itself. */
static int write_ping(struct agent_link *link) {
    unsigned char bytes[LWS_PRE + 4];
    memcpy(bytes + LWS_PRE, "ping", 4);
    link->ping_due = false;
    return lws_write(link->end.wsi, bytes + LWS_PRE, 4, LWS_WRITE_PING) < 0 ? -1 : 0;
}

static int write_streams(struct agent_link *link) {
    if (!lws_partial_buffered(link->end.wsi)) return agent_streams_write(link);
    ws_end_ask_writable(&link->end);
    return 0;
}

int agent_link_write(struct agent_link *link) {
    if (link->ping_due) {
        if (write_ping(link) < 0) return -1;
    } else if (link->session ? write_streams(link) < 0 : ws_end_write_messages(&link->end) < 0) {
        return -1;
    }
    return ws_end_write_done(&link->end, agent_streams_want_write(link));
}

void agent_link_tell_draining(struct agent_link *link) {
    struct buf text;
    buf_init(&text, 64);
    if (v1_encode_draining(&text)) agent_link_send(link, buf_view(&text));
    buf_done(&text);
}

/* Long before its stream ids run out; what it carries ends on it. */
static void replace(struct agent_link *link) {
    if (link->is_leaving && link_stream_count(link->session) == 0) ws_end_close(&link->end, 1000);
    if (link->is_replaced || link->is_peer || !link_exhausted(link->session)) return;
    log_from(LOG_LEVEL_INFO, "agent", view_from_cstr(link->id),
             "has carried its share of requests, and is to be replaced");
    link->is_replaced = true;
    agent_link_tell_draining(link);
}

static void cut(struct agent_link *link, const char *why) {
    log_from(LOG_LEVEL_INFO, "agent", view_from_cstr(link->id), "cut, %s", why);
    ws_end_cut(&link->end);
}

static void rest(struct agent_link *link) {
    if (link->message.len == 0) buf_done(&link->message);
    ws_end_rest(&link->end);
    link->is_resting = true;
}

static bool is_waited_for(const struct agent_link *link) {
    if (link->is_peer) return false; /* it is its own side that waits */
    return link->session ? link_awaits(link->session) : link->has_sent;
}

/* Does it take what we send, and just has not come to our ping yet? */
static bool takes_much(const struct agent_link *link) {
    return tcp_acked_bytes(link->end.fd) - link->pinged_acked > TAKES_BYTES;
}

static void ping(struct agent_link *link, uint64_t now_ms) {
    link->pinged_ms = now_ms;
    link->pinged_acked = tcp_acked_bytes(link->end.fd);
    if (link->session)
        link_ping(link->session);
    else
        link->ping_due = true;
    ws_end_ask_writable(&link->end);
}

/* Asked sooner while a request waits for it, and given up sooner. */
static void watch(struct agent_link *link, uint64_t now_ms, uint64_t silent) {
    uint64_t interval = link->ws->ping_interval_ms;
    bool waits = silent >= WAITS_ASK_MS && is_waited_for(link);
    uint64_t patience = waits && WAITS_ASK_MS < interval ? WAITS_ASK_MS : interval;
    bool is_asked = link->pinged_ms > link->heard_ms, is_late = now_ms - link->pinged_ms >= WAITS_LOST_MS;
    if (silent > 2 * interval || (waits && is_asked && is_late && !takes_much(link)))
        cut(link, "it has gone silent");
    else if (link->end.is_established && silent >= patience &&
             !(is_asked && now_ms - link->pinged_ms < interval))
        ping(link, now_ms);
}

void agent_link_tick(struct agent_link *link, uint64_t now_ms) {
    uint64_t silent = now_ms - link->heard_ms;
    if (link->session) {
        link_tick(link->session, now_ms);
        replace(link);
    }
    if (!link->is_resting && link->end.is_established && silent >= REST_MS) rest(link);
    if (link->end.closing_ms) {
        if (ws_end_is_stuck(&link->end, now_ms)) cut(link, "it does not take its close");
    } else {
        watch(link, now_ms, silent);
    }
}
