/* libwebsockets' side of the uplink: what its callback tells, for 4.1 and 4.3 alike. */
#include <stdio.h>

#include "base/log.h"
#include "uplink_state.h"

#define GOODBYE_MS 1000
#define WRITE_CLOSE                                                                                          \
    ((enum lws_write_protocol)4) /* LWS_WRITE_CLOSE: the public header leaves room for it, no more */

/* What OpenSSL has against a certificate is told in no callback, only in libwebsockets' log ("SSL error:
 * <that> (preverify_ok=0;..."), and asking OpenSSL itself would make us link it. The log has no context, so
 * this is the process's. */
static char certificate_complaint[120];

static void keep_complaint(struct view line) {
    static const struct view before = {"SSL error: ", 11}, behind = {" (preverify_ok", 14};
    for (size_t i = 0; i + before.len <= line.len; i++) {
        struct view rest = view_skip(line, i);
        if (!view_starts_with(rest, before)) continue;
        rest = view_skip(rest, before.len);
        size_t len = 0;
        while (len < rest.len && !view_starts_with(view_skip(rest, len), behind)) len++;
        snprintf(certificate_complaint, sizeof(certificate_complaint), "%.*s",
                 VIEW_ARG(view_slice(rest, 0, len)));
        return;
    }
}

void uplink_on_lws_log(int level, const char *line) {
    (void)level;
    struct view text = view_from_cstr(line);
    while (text.len && (text.ptr[text.len - 1] == '\n' || text.ptr[text.len - 1] == '\r')) text.len--;
    keep_complaint(text);
    log_debug("lws", "%.*s", VIEW_ARG(text));
}

/* Whatever libwebsockets has still to say about this connection, it says to nobody. */
void uplink_let_go(struct uplink *uplink) {
    if (uplink->wsi) lws_set_opaque_user_data(uplink->wsi, NULL);
    uplink->wsi = NULL;
}

/* ---- handshake ---- */

static bool append_line(unsigned char **at, const unsigned char *end, const char *before, const char *value) {
    if (!value) return true;
    size_t room = (size_t)(end - *at);
    int len = snprintf((char *)*at, room, "%s%s\r\n", before, value);
    if (len < 0 || (size_t)len >= room) return false;
    *at += len;
    return true;
}

static int append_headers(struct uplink *uplink, unsigned char **at, size_t room) {
    const unsigned char *end = *at + room;
    bool ok = append_line(at, end, "Authorization: Bearer ", uplink->token) &&
              append_line(at, end, "x-tunnel-name: ", uplink->name) &&
              append_line(at, end, "x-tunnel-resume: ", uplink->resume) &&
              append_line(at, end, "User-Agent: ", "ttf/" TTF_VERSION);
    if (!ok) uplink_finish(uplink, UPLINK_BROKEN, "the token is too long");
    return ok ? 0 : -1;
}

/* The answer's head is there. If it is a refusal, its reason is the body, as far as it came along with the
 * head. */
static int on_answer(struct uplink *uplink, struct lws *wsi) {
    uplink->end.http_status = (int)lws_http_client_http_response(wsi);
    if (uplink->end.http_status == 101) return 0;
    char *bytes = NULL;
    int len = 0;
    if (lws_http_client_read(wsi, &bytes, &len) < 0) log_debug("uplink", "no body in the refusal");
    return 0;
}

/* Printable text only: it ends up on somebody's terminal. */
static void keep_refusal(struct uplink *uplink, struct view body) {
    size_t len = strlen(uplink->end.reason);
    for (size_t i = 0; i < body.len && len + 1 < sizeof(uplink->end.reason); i++) {
        char byte = body.ptr[i];
        if (byte == '\n' || byte == '\r' || byte == '\t') byte = ' ';
        if ((unsigned char)byte < 0x20 || (unsigned char)byte >= 0x7f) continue;
        uplink->end.reason[len++] = byte;
    }
    while (len && uplink->end.reason[len - 1] == ' ') len--;
    uplink->end.reason[len] = '\0';
}

static void finish_shaking(struct uplink *uplink, const char *text) {
    char reason[320];
    const char *where = uplink->endpoint->authority;
    if (uplink->end.http_status && uplink->end.http_status != 101) {
        uplink_finish(uplink, UPLINK_REFUSED, NULL);
    } else if (uplink->endpoint->tls && !uplink->end.http_status) {
        if (certificate_complaint[0])
            snprintf(reason, sizeof(reason), "the certificate of %s is not trusted: %s", where,
                     certificate_complaint);
        else
            snprintf(reason, sizeof(reason), "no TLS connection to %s: the handshake failed", where);
        uplink_finish(uplink, UPLINK_TLS, reason);
    } else {
        snprintf(reason, sizeof(reason), "%s does not speak WebSocket (%.120s)", where,
                 text ? text : "connection closed");
        uplink_finish(uplink, UPLINK_BROKEN, reason);
    }
}

static void on_connection_error(struct uplink *uplink, const char *text) {
    log_debug("uplink", "libwebsockets: %s", text ? text : "no reason");
    uplink_let_go(uplink);
    if (uplink->phase == PHASE_CONNECTING)
        uplink_address_failed(uplink);
    else
        finish_shaking(uplink, text);
}

/* A gateway that does not know v2 names no subprotocol in its answer. */
static bool chose_v2(struct lws *wsi) {
    char name[64];
    return lws_hdr_copy(wsi, name, sizeof(name), WSI_TOKEN_PROTOCOL) > 0 &&
           strcmp(name, UPLINK_SUBPROTOCOL_V2) == 0;
}

static void on_established(struct uplink *uplink) {
    timer_stop(&uplink->loop->timers, &uplink->deadline);
    timer_stop(&uplink->loop->timers, &uplink->attempt);
    uplink->phase = PHASE_OPEN;
    uplink->end = (struct uplink_end){0};
    uplink->heard_ms = agent_loop_now_ms(uplink->loop);
    uplink->events.on_open(uplink->ctx);
}

/* ---- receiving ---- */

static int on_v2_piece(struct uplink *uplink, struct lws *wsi, struct view piece) {
    if (!lws_frame_is_binary(wsi))
        log_debug("uplink", "a text message on a v2 link is ignored");
    else if (!uplink->events.on_bytes(uplink->ctx, piece))
        uplink_say_goodbye(uplink, LWS_CLOSE_STATUS_PROTOCOL_ERR, "the gateway broke the protocol",
                           GOODBYE_MS);
    return 0;
}

static int on_piece(struct uplink *uplink, struct lws *wsi, struct view piece) {
    uplink->heard_ms = agent_loop_now_ms(uplink->loop);
    if (uplink->phase != PHASE_OPEN) return 0;
    if (uplink->is_v2) return on_v2_piece(uplink, wsi, piece);
    bool first = lws_is_first_fragment(wsi),
         last = lws_is_final_fragment(wsi) && !lws_remaining_packet_payload(wsi);
    if (first) buf_clear(&uplink->incoming);
    if (!first || !last) {
        if (!buf_append_view(&uplink->incoming, piece)) {
            char reason[80];
            snprintf(reason, sizeof(reason), "the gateway sent a message of more than %u bytes",
                     UPLINK_MESSAGE_MAX);
            uplink_say_goodbye(uplink, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE, reason, GOODBYE_MS);
            return 0;
        }
        if (!last) return 0;
        piece = buf_view(&uplink->incoming);
    }
    if (lws_frame_is_binary(wsi))
        log_debug("uplink", "a binary message of %zu bytes is ignored", piece.len);
    else
        uplink->events.on_message(uplink->ctx, piece);
    if (uplink->incoming.cap > 256 * 1024) buf_done(&uplink->incoming);
    return 0;
}

/* `payload`: two bytes of code, then text (RFC 6455 5.5.1). */
static int on_peer_close(struct uplink *uplink, struct view payload) {
    if (uplink->phase == PHASE_CLOSING) return -1; /* the answer to ours */
    if (payload.len < 2) return 0;
    uplink->end.close_code = ((unsigned char)payload.ptr[0] << 8) | (unsigned char)payload.ptr[1];
    keep_refusal(uplink, view_skip(payload, 2));
    return 0;
}

static void on_closed(struct uplink *uplink) {
    uplink_let_go(uplink);
    char reason[320];
    if (uplink->phase == PHASE_CLOSING)
        snprintf(reason, sizeof(reason), "%s", uplink->end.reason);
    else if (uplink->end.close_code && uplink->end.reason[0])
        snprintf(reason, sizeof(reason), "closed by the gateway: %d %.200s", uplink->end.close_code,
                 uplink->end.reason);
    else if (uplink->end.close_code)
        snprintf(reason, sizeof(reason), "closed by the gateway: %d", uplink->end.close_code);
    else
        snprintf(reason, sizeof(reason), "the connection was cut");
    uplink_finish(uplink, UPLINK_CLOSED, reason);
}

/* ---- sending ---- */

static int write_ping(struct uplink *uplink, struct lws *wsi) {
    unsigned char room[LWS_PRE + 1];
    uplink->ping_wanted = false;
    return lws_write(wsi, room + LWS_PRE, 0, LWS_WRITE_PING) < 0 ? -1 : 0;
}

/* Not by lws_close_reason(): Debian's libwebsockets is built with _DEBUG, where on libuv each close is done
 * twice, and the second one kills the connection before the close frame is out (lib/core-net/service.c, "uv
 * repeat test"). */
static int write_close(struct uplink *uplink, struct lws *wsi) {
    unsigned char room[LWS_PRE + 2];
    room[LWS_PRE] = (unsigned char)(uplink->close_code >> 8);
    room[LWS_PRE + 1] = (unsigned char)uplink->close_code;
    uplink->close_sent = true;
    return lws_write(wsi, room + LWS_PRE, 2, WRITE_CLOSE) < 0 ? -1 : 0;
}

/* One frame of the first message. The room in front of a later frame is what was sent before it. */
static int write_frame(struct uplink *uplink, struct lws *wsi) {
    struct outgoing *outgoing = LIST_ENTRY(uplink->queue.next, struct outgoing, node);
    struct view message = buf_view(&outgoing->message);
    size_t left = message.len - LWS_PRE - outgoing->sent;
    size_t len = left < UPLINK_FRAME_MAX ? left : UPLINK_FRAME_MAX;
    int kind = outgoing->sent ? LWS_WRITE_CONTINUATION : LWS_WRITE_TEXT;
    if (len < left) kind |= LWS_WRITE_NO_FIN;
    unsigned char *at =
        (unsigned char *)outgoing->message.ptr + outgoing->message.start + LWS_PRE + outgoing->sent;
    if (lws_write(wsi, at, len, (enum lws_write_protocol)kind) < 0) return -1;
    outgoing->sent += len;
    if (len < left) return 0;
    list_remove(&outgoing->node);
    uplink->queued_bytes -= message.len;
    buf_done(&outgoing->message);
    free(outgoing);
    uplink->events.on_sent(uplink->ctx);
    return 0;
}

/* One binary message of what the streams have ready. */
static int write_streams(struct uplink *uplink, struct lws *wsi) {
    static const char headroom[LWS_PRE];
    struct buf *out = &uplink->filling;
    uplink->fill_wanted = false;
    buf_clear(out);
    if (!buf_append(out, headroom, LWS_PRE) || !uplink->events.fill(uplink->ctx, out)) {
        uplink_say_goodbye(uplink, LWS_CLOSE_STATUS_PROTOCOL_ERR, "the gateway broke the protocol",
                           GOODBYE_MS);
        return 0;
    }
    size_t len = out->len - LWS_PRE;
    if (len == 0) return 0;
    return lws_write(wsi, (unsigned char *)out->ptr + out->start + LWS_PRE, len, LWS_WRITE_BINARY) < 0 ? -1
                                                                                                       : 0;
}

void uplink_on_fill(struct task *task) {
    struct uplink *uplink = LIST_ENTRY(task, struct uplink, fill);
    if (uplink->phase != PHASE_OPEN || !uplink->fill_wanted) return;
    struct lws *wsi = uplink->wsi;
    bool at_once = !uplink->ping_wanted && list_empty(&uplink->queue) && !lws_partial_buffered(wsi);
    if (at_once && write_streams(uplink, wsi) < 0)
        lws_set_timeout(wsi, PENDING_TIMEOUT_CLOSE_ACK, LWS_TO_KILL_ASYNC);
    else if (uplink->phase == PHASE_OPEN && uplink->fill_wanted)
        lws_callback_on_writable(wsi);
}

static int on_writeable(struct uplink *uplink, struct lws *wsi) {
    if (uplink->phase == PHASE_CLOSING && !uplink->close_sent) return write_close(uplink, wsi);
    if (uplink->phase != PHASE_OPEN) return 0;
    int result = 0;
    if (uplink->ping_wanted)
        result = write_ping(uplink, wsi);
    else if (!list_empty(&uplink->queue))
        result = write_frame(uplink, wsi);
    else if (uplink->fill_wanted && !lws_partial_buffered(wsi))
        result = write_streams(uplink, wsi);
    bool more = uplink->ping_wanted || uplink->fill_wanted || !list_empty(&uplink->queue);
    if (uplink->wsi == wsi && more) lws_callback_on_writable(wsi);
    return result;
}

/* ---- dispatch ---- */

static int on_event(struct uplink *uplink, struct lws *wsi, enum lws_callback_reasons reason, void *in,
                    size_t len) {
    switch (reason) {
    case LWS_CALLBACK_WSI_CREATE: /* TCP is there */
        if (uplink->phase == PHASE_CONNECTING) uplink->phase = PHASE_SHAKING;
        certificate_complaint[0] = '\0';
        timer_stop(&uplink->loop->timers, &uplink->attempt);
        return 0;
    case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER: return append_headers(uplink, in, len);
    case LWS_CALLBACK_ESTABLISHED_CLIENT_HTTP: return on_answer(uplink, wsi);
    case LWS_CALLBACK_RECEIVE_CLIENT_HTTP_READ: keep_refusal(uplink, view_of(in, len)); return 0;
    case LWS_CALLBACK_COMPLETED_CLIENT_HTTP: return -1;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR: on_connection_error(uplink, in); return 0;
    case LWS_CALLBACK_CLIENT_FILTER_PRE_ESTABLISH: uplink->is_v2 = chose_v2(wsi); return 0;
    case LWS_CALLBACK_CLIENT_ESTABLISHED: on_established(uplink); return 0;
    case LWS_CALLBACK_CLIENT_RECEIVE: return on_piece(uplink, wsi, view_of(in, len));
    case LWS_CALLBACK_CLIENT_RECEIVE_PONG: uplink->heard_ms = agent_loop_now_ms(uplink->loop); return 0;
    case LWS_CALLBACK_CLIENT_WRITEABLE: return on_writeable(uplink, wsi);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE: return on_peer_close(uplink, view_of(in, len));
    case LWS_CALLBACK_CLIENT_CLOSED: on_closed(uplink); return 0;
    case LWS_CALLBACK_WSI_DESTROY: /* without any of the above */
        if (uplink->phase == PHASE_SHAKING || uplink->phase == PHASE_CONNECTING)
            on_connection_error(uplink, NULL);
        else
            on_closed(uplink);
        return 0;
    default: return 0;
    }
}

int uplink_on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len) {
    (void)user;
    struct uplink *uplink = wsi ? lws_get_opaque_user_data(wsi) : NULL;
    bool traffic = reason == LWS_CALLBACK_CLIENT_RECEIVE || reason == LWS_CALLBACK_CLIENT_WRITEABLE ||
                   reason == LWS_CALLBACK_CLIENT_ESTABLISHED ||
                   reason == LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER;
    if (uplink && uplink->dialing && !uplink->wsi && reason != LWS_CALLBACK_WSI_DESTROY) uplink->wsi = wsi;
    if (!uplink || wsi != uplink->wsi) return traffic ? -1 : 0; /* one that was given up */
    struct lws *outer = uplink->called;
    uplink->called = wsi;
    int result = on_event(uplink, wsi, reason, in, len);
    uplink->called = outer;
    return uplink->wsi != wsi && traffic ? -1 : result;
}
