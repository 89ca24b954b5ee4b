/* See agent_link.h. */
#include "agent_link.h"

#include "agent_streams.h"
#include "base/log.h"
#include "protocol/v1.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define OUTGOING_MAX_BYTES ((size_t)16 * 1024 * 1024)
#define FRAME_BYTES ((size_t)64 * 1024)
#define FRAGMENTS_MAX 65536
#define WRITES_A_TURN 16
#define CLOSE_WAIT_MS 5000
#define WRITE_CLOSE                                                                                          \
    ((enum lws_write_protocol)4) /* between HTTP and PING, in no public header of libwebsockets */

struct agent_link *agent_link_new(struct agent_ws *ws, const struct agent_socket *socket) {
    struct agent_link *link = calloc(1, sizeof(*link));
    if (!link) return NULL;
    link->magic = AGENT_LINK_MAGIC;
    link->ws = ws;
    link->fd = socket->fd;
    link->is_peer = view_copy_to(socket->peer_reply, link->peer_reply, sizeof(link->peer_reply)) &&
                    socket->peer_reply.len > 0;
    link->heard_ms = link->pinged_ms = loop_now(ws->loop);
    buf_init(&link->message, core_message_max(ws->core));
    list_init(&link->outgoing);
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
    link->peer = socket->peer;
    list_append(&ws->all, &link->all);
    ++*(link->is_peer ? &ws->peer_count : &ws->count);
    return link;
}

static void drop_outgoing(struct agent_link *link) {
    struct list *node;
    while ((node = list_pop(&link->outgoing))) free(LIST_ENTRY(node, struct outgoing, node));
    link->outgoing_bytes = 0;
}

void agent_link_free(struct agent_link *link) {
    struct agent_ws *ws = link->ws;
    table_remove(&ws->links, &link->node);
    list_remove(&link->all);
    --*(link->is_peer ? &ws->peer_count : &ws->count);
    agent_streams_stop(link);
    if (!link->is_peer) core_disconnect(ws->core, view_from_cstr(link->id), NULL, NULL);
    drop_outgoing(link);
    buf_done(&link->message);
    peer_release(link->peer);
    link->magic = 0;
    free(link);
}

/* ---- in ---- */

static int refuse(struct agent_link *link, unsigned code, const char *why) {
    log_warn("agent", "%s: closed with %u: %s", link->id, code, why);
    buf_done(&link->message);
    agent_link_close(link, code);
    drop_outgoing(link);
    return 0;
}

static int receive_streams(struct agent_link *link, struct view piece) {
    if (!lws_frame_is_binary(link->wsi)) return refuse(link, 1003, "a text frame on a v2 link");
    if (agent_streams_receive(link, piece) != STATUS_OK) return refuse(link, 1002, link_error(link->session));
    return 0;
}

int agent_link_receive(struct agent_link *link, struct view piece) {
    struct agent_ws *ws = link->ws;
    link->heard_ms = loop_now(ws->loop);
    if (link->closing_ms) return 0;
    if (link->session) return receive_streams(link, piece);
    if (lws_frame_is_binary(link->wsi)) return refuse(link, 1003, "a binary frame on a v1 link");
    bool is_last = lws_is_final_fragment(link->wsi) && lws_remaining_packet_payload(link->wsi) == 0;
    if (lws_is_first_fragment(link->wsi)) {
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
    if (link->message.cap > FRAME_BYTES)
        buf_done(&link->message);
    else
        buf_clear(&link->message);
    return 0;
}

/* ---- out ---- */

/* Once, until it comes: each call costs libuv two system calls. */
void agent_link_ask_writable(struct agent_link *link) {
    if (!link->is_established || link->is_writable_asked) return;
    link->is_writable_asked = true;
    lws_callback_on_writable(link->wsi);
}

enum status agent_link_send(struct agent_link *link, struct view message) {
    if (link->closing_ms) return STATUS_GONE;
    if (link->session) return link_control(link->session, message);
    size_t max = link->message.max * 2 > OUTGOING_MAX_BYTES ? link->message.max * 2 : OUTGOING_MAX_BYTES;
    if (message.len > max - link->outgoing_bytes) return STATUS_OVERLOADED;
    struct outgoing *out = malloc(sizeof(*out) + LWS_PRE + message.len);
    if (!out) return STATUS_NO_MEMORY;
    out->len = message.len;
    out->sent = 0;
    memcpy(out->bytes + LWS_PRE, message.ptr, message.len);
    list_init(&out->node);
    list_append(&link->outgoing, &out->node);
    link->outgoing_bytes += message.len;
    agent_link_ask_writable(link);
    return STATUS_OK;
}

/* One frame of the first message; a large one goes in several, so that libwebsockets need not keep a copy of
 * it. */
static int write_frame(struct agent_link *link) {
    struct outgoing *out = LIST_ENTRY(link->outgoing.next, struct outgoing, node);
    size_t left = out->len - out->sent, len = left < FRAME_BYTES ? left : FRAME_BYTES;
    int protocol = lws_write_ws_flags(LWS_WRITE_TEXT, out->sent == 0, len == left);
    if (lws_write(link->wsi, out->bytes + LWS_PRE + out->sent, len, (enum lws_write_protocol)protocol) < 0)
        return -1;
    out->sent += len;
    if (out->sent < out->len) return 0;
    link->outgoing_bytes -= out->len;
    list_remove(&out->node);
    free(out);
    return 0;
}

/* With a payload: libwebsockets 4.1 keeps the pong to an empty one to itself. */
static int write_ping(struct agent_link *link) {
    unsigned char bytes[LWS_PRE + 4];
    memcpy(bytes + LWS_PRE, "ping", 4);
    link->ping_due = false;
    return lws_write(link->wsi, bytes + LWS_PRE, 4, LWS_WRITE_PING) < 0 ? -1 : 0;
}

/* Not lws_close_reason: Debian's build of libwebsockets closes twice in a row where it should close (its "uv
 * repeat test"), and the second time cuts before the frame is sent. */
static int write_close(struct agent_link *link) {
    unsigned char bytes[LWS_PRE + 2];
    bytes[LWS_PRE] = (unsigned char)(link->close_code >> 8);
    bytes[LWS_PRE + 1] = (unsigned char)link->close_code;
    link->is_close_sent = true;
    return lws_write(link->wsi, bytes + LWS_PRE, 2, WRITE_CLOSE) < 0 ? -1 : 0;
}

static int write_messages(struct agent_link *link) {
    for (int i = 0; i < WRITES_A_TURN && !list_empty(&link->outgoing); i++) {
        if (lws_partial_buffered(link->wsi)) break;
        if (write_frame(link) < 0) return -1;
    }
    return 0;
}

static int write_streams(struct agent_link *link) {
    if (!lws_partial_buffered(link->wsi)) return agent_streams_write(link);
    agent_link_ask_writable(link);
    return 0;
}

int agent_link_write(struct agent_link *link) {
    link->is_writable_asked = false;
    if (link->is_close_sent) return 0; /* waiting for the other side's */
    if (link->ping_due) {
        if (write_ping(link) < 0) return -1;
    } else if (link->session ? write_streams(link) < 0 : write_messages(link) < 0) {
        return -1;
    }
    if (!list_empty(&link->outgoing) || agent_streams_want_write(link))
        agent_link_ask_writable(link);
    else if (link->closing_ms)
        return write_close(link);
    return 0;
}

void agent_link_close(struct agent_link *link, unsigned code) {
    if (link->closing_ms) return;
    link->closing_ms = loop_now(link->ws->loop);
    link->close_code = code;
    agent_link_ask_writable(link);
}

void agent_link_tell_draining(struct agent_link *link) {
    struct buf text;
    buf_init(&text, 64);
    if (v1_encode_draining(&text)) agent_link_send(link, buf_view(&text));
    buf_done(&text);
}

/* Long before its stream ids run out; what it carries ends on it. */
static void replace(struct agent_link *link) {
    if (link->is_leaving && link_stream_count(link->session) == 0) agent_link_close(link, 1000);
    if (link->is_replaced || link->is_peer || !link_exhausted(link->session)) return;
    log_info("agent", "%s: has carried its share of requests, and is to be replaced", link->id);
    link->is_replaced = true;
    agent_link_tell_draining(link);
}

/* libwebsockets sees the end of the socket and closes. */
static void kill_socket(struct agent_link *link, const char *why) {
    log_info("agent", "%s: cut, %s", link->id, why);
    shutdown(link->fd, SHUT_RDWR);
}

void agent_link_tick(struct agent_link *link, uint64_t now_ms) {
    uint64_t interval = link->ws->ping_interval_ms, silent = now_ms - link->heard_ms;
    if (link->session) {
        link_tick(link->session, now_ms);
        replace(link);
    }
    if (link->closing_ms) {
        if (now_ms - link->closing_ms > CLOSE_WAIT_MS) kill_socket(link, "it does not take its close");
    } else if (silent > 2 * interval) {
        kill_socket(link, "it has gone silent");
    } else if (link->is_established && silent >= interval && now_ms - link->pinged_ms >= interval) {
        link->pinged_ms = now_ms;
        if (link->session)
            link_ping(link->session);
        else
            link->ping_due = true;
        agent_link_ask_writable(link);
    }
}
