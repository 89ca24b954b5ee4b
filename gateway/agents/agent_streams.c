/* See agent_streams.h. */
#include "agents/agent_streams.h"

#include "agents/peer_protocol.h"
#include "base/log.h"
#include "http/limits.h"

/* ---- what the session tells ---- */

/* Peers say nothing there yet. */
static void on_control(void *ctx, struct view line) {
    struct agent_link *link = ctx;
    if (link->is_peer) return;
    core_message(link->ws->core, view_from_cstr(link->id), line, NULL, NULL);
}

static void on_writable(void *ctx) {
    struct agent_link *link = ctx;
    ws_end_ask_writable(&link->end);
}

static void on_draining(void *ctx) {
    struct agent_link *link = ctx;
    log_from(LOG_LEVEL_INFO, "agent", view_from_cstr(link->id), "takes no new requests");
}

/* Only peers ask, and only where they are served. */
static void on_request(void *ctx, struct link_stream *stream, const struct stream_head *head, bool has_body) {
    const struct agent_link *link = ctx;
    const struct agent_ws *ws = link->ws;
    if (ws->peer_request) ws->peer_request(ws->peer_ctx, stream, head, has_body);
}

bool agent_streams_start(struct agent_link *link) {
    struct link_events events = {
        .ctx = link,
        .request = on_request,
        .control = on_control,
        .writable = on_writable,
        .draining = on_draining,
    };
    struct link_limits limits = LINK_LIMITS_DEFAULT, peer_limits = PEER_LINK_LIMITS;
    limits.requests_max = link->ws->link_requests;
    limits.headers_bytes = link->ws->answer_bytes + HTTP_HEAD_SLACK; /* the gate says what is wrong */
    link->session = link->is_peer ? link_new(LINK_ANSWERS, &peer_limits, &link->ws->budget, &events)
                                  : link_new(LINK_OPENS, &limits, &link->ws->budget, &events);
    return link->session != NULL;
}

void agent_streams_stop(struct agent_link *link) {
    struct link_session *session = link->session;
    link->session = NULL;
    if (!session) return;
    link_free(session);
}

enum status agent_streams_receive(struct agent_link *link, struct view bytes) {
    enum status status = link_receive(link->session, bytes);
    if (status != STATUS_OK)
        log_from(LOG_LEVEL_WARN, "agent", view_from_cstr(link->id), "%s", link_error(link->session));
    return status;
}

bool agent_streams_write(struct agent_link *link) {
    static const char headroom[WS_HEAD_MAX];
    struct buf *out = &link->ws->message;
    buf_clear(out);
    bool is_sound = buf_append(out, headroom, WS_HEAD_MAX) && link_send(link->session, out) == STATUS_OK;
    link->card.request_bytes += out->len > WS_HEAD_MAX ? out->len - WS_HEAD_MAX : 0;
    if (out->len > WS_HEAD_MAX)
        ws_end_write_binary(&link->end, out->ptr + out->start + WS_HEAD_MAX, out->len - WS_HEAD_MAX);
    return is_sound;
}

/* ---- the port ---- */

/* The port's opaque stream is the link's own. */
static struct link_stream *stream_of(struct agent_stream *stream) {
    return (struct link_stream *)stream;
}

static struct agent_stream *open_stream(void *ctx, const struct claim *claim, const struct stream_head *head,
                                        bool body_follows, const struct stream_events *events, void *target,
                                        enum status *ret_status) {
    struct agent_link *link = agent_link_find(ctx, view_from_cstr(claim->member.link.connection));
    *ret_status = STATUS_GONE;
    if (!link || !link->session || link->end.closing_ms) return NULL;
    struct link_stream *stream = link_open(link->session, head, body_follows, events, target, ret_status);
    if (stream) link->card.requests++;
    if (*ret_status == STATUS_GONE) ws_end_close(&link->end, 1001); /* it did not take the hint: replace() */
    return (struct agent_stream *)stream;
}

static void write_stream(struct agent_stream *stream, struct view data) {
    link_stream_write(stream_of(stream), data);
}

static void end_stream(struct agent_stream *stream) {
    link_stream_end(stream_of(stream), NULL);
}

static void consumed(struct agent_stream *stream, size_t bytes) {
    link_stream_consumed(stream_of(stream), bytes);
}

static void reset_stream(struct agent_stream *stream) {
    link_stream_reset(stream_of(stream), false);
}

void agent_streams_port(struct agents *port) {
    port->open = open_stream;
    port->write = write_stream;
    port->end = end_stream;
    port->consumed = consumed;
    port->reset = reset_stream;
}
