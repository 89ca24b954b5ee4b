/* An open uplink: frames in and out. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "uplink_state.h"

#define GOODBYE_MS 1000
#define CODE_PROTOCOL_ERROR 1002 /* RFC 6455 7.4.1 */
#define CODE_TOO_LARGE 1009
#define MESSAGE_KEPT ((size_t)256 * 1024) /* room for a message that is not given back */

/* ---- sending ---- */

static void write_control(struct uplink *uplink, enum ws_opcode opcode, struct view payload) {
    char room[WS_HEAD_MAX + WS_CONTROL_MAX];
    if (payload.len) memcpy(room + WS_HEAD_MAX, payload.ptr, payload.len);
    wire_write(uplink->wire, ws_frame(room + WS_HEAD_MAX, payload.len, opcode, true));
}

void uplink_write_close(struct uplink *uplink, int code) {
    char bytes[2] = {(char)(code >> 8), (char)code};
    write_control(uplink, WS_CLOSE, view_of(bytes, sizeof(bytes)));
}

/* One frame of the first message. The room in front of a later frame is what was sent before it. */
static void write_frame(struct uplink *uplink) {
    struct outgoing *outgoing = LIST_ENTRY(uplink->queue.next, struct outgoing, node);
    struct buf *message = &outgoing->message;
    size_t left = message->len - WS_HEAD_MAX - outgoing->sent;
    size_t len = left < UPLINK_FRAME_MAX ? left : UPLINK_FRAME_MAX;
    char *at = message->ptr + message->start + WS_HEAD_MAX + outgoing->sent;
    wire_write(uplink->wire, ws_frame(at, len, outgoing->sent ? WS_CONTINUATION : WS_TEXT, len == left));
    outgoing->sent += len;
    if (len < left) return;
    list_remove(&outgoing->node);
    uplink->queued_bytes -= message->len;
    buf_done(message);
    free(outgoing);
    uplink->events.on_sent(uplink->ctx);
}

/* One binary message of what the streams have ready. */
static void write_streams(struct uplink *uplink) {
    static const char headroom[WS_HEAD_MAX];
    struct buf *out = &uplink->filling;
    uplink->fill_wanted = false;
    buf_clear(out);
    if (!buf_append(out, headroom, WS_HEAD_MAX) || !uplink->events.fill(uplink->ctx, out)) {
        uplink_say_goodbye(uplink, CODE_PROTOCOL_ERROR, "the gateway broke the protocol", GOODBYE_MS);
        return;
    }
    size_t len = out->len - WS_HEAD_MAX;
    if (len) wire_write(uplink->wire, ws_frame(out->ptr + out->start + WS_HEAD_MAX, len, WS_BINARY, true));
}

void uplink_on_push(struct task *task) {
    struct uplink *uplink = LIST_ENTRY(task, struct uplink, push);
    while (uplink->phase == PHASE_OPEN && !wire_is_full(uplink->wire)) {
        if (uplink->ping_wanted) {
            uplink->ping_wanted = false;
            write_control(uplink, WS_PING, (struct view){0});
        } else if (!list_empty(&uplink->queue)) {
            write_frame(uplink);
        } else if (uplink->fill_wanted) {
            write_streams(uplink);
        } else {
            break;
        }
    }
}

/* ---- receiving ---- */

static void on_text(struct uplink *uplink, const struct ws_piece *piece) {
    struct buf *whole = &uplink->incoming;
    if (piece->is_first && piece->is_last) {
        uplink->events.on_message(uplink->ctx, piece->payload);
        return;
    }
    if (!buf_append_view(whole, piece->payload)) {
        uplink_say_goodbye(uplink, CODE_TOO_LARGE, "the gateway sent a message that is too large",
                           GOODBYE_MS);
        return;
    }
    if (!piece->is_last) return;
    uplink->events.on_message(uplink->ctx, buf_view(whole));
    if (whole->cap > MESSAGE_KEPT)
        buf_done(whole);
    else
        buf_clear(whole);
}

static void on_data(struct uplink *uplink, const struct ws_piece *piece) {
    if (uplink->is_v2 != (piece->opcode == WS_BINARY)) {
        if (piece->is_first) log_debug("uplink", "a message of the other kind is ignored");
    } else if (!uplink->is_v2) {
        on_text(uplink, piece);
    } else if (!uplink->events.on_bytes(uplink->ctx, piece->payload) && uplink->phase == PHASE_OPEN) {
        uplink_say_goodbye(uplink, CODE_PROTOCOL_ERROR, "the gateway broke the protocol", GOODBYE_MS);
    }
}

/* `payload`: two bytes of code, then text (RFC 6455 5.5.1). The end is told; the gateway closes the socket.
 */
static void on_close(struct uplink *uplink, struct view payload) {
    char reason[320];
    if (uplink->phase == PHASE_CLOSING) { /* the answer to ours */
        uplink_finish(uplink, UPLINK_CLOSED, NULL);
        return;
    }
    if (payload.len >= 2)
        uplink->end.close_code = (unsigned char)payload.ptr[0] << 8 | (unsigned char)payload.ptr[1];
    uplink_keep_reason(uplink, view_skip(payload, 2));
    const char *text = uplink->end.reason, *gap = text[0] ? " " : "";
    if (uplink->end.close_code)
        snprintf(reason, sizeof(reason), "closed by the gateway: %d%s%.200s", uplink->end.close_code, gap,
                 text);
    else
        snprintf(reason, sizeof(reason), "closed by the gateway");
    uplink_write_close(uplink, uplink->end.close_code ? uplink->end.close_code : 1000);
    uplink_finish(uplink, UPLINK_CLOSED, reason);
}

static void on_piece(struct uplink *uplink, const struct ws_piece *piece) {
    switch (piece->opcode) {
    case WS_CLOSE: on_close(uplink, piece->payload); break;
    case WS_PING:
        if (!wire_is_full(uplink->wire)) write_control(uplink, WS_PONG, piece->payload);
        break;
    case WS_PONG: break;
    default:
        if (uplink->phase == PHASE_OPEN) on_data(uplink, piece);
    }
}

void uplink_on_frames(struct uplink *uplink, struct view bytes) {
    const struct wire *wire = uplink->wire;
    struct ws_piece piece;
    enum ws_step step = WS_MORE;
    uplink->heard_ms = loop_now(uplink->loop);
    while (uplink->wire == wire && (step = ws_decode(&uplink->decoder, &bytes, &piece)) == WS_PIECE)
        on_piece(uplink, &piece);
    if (uplink->wire != wire || step != WS_BAD || uplink->phase != PHASE_OPEN) return;
    log_warn("uplink", "the gateway sent %s", uplink->decoder.detail);
    uplink_say_goodbye(uplink, CODE_PROTOCOL_ERROR, "the gateway broke the protocol", GOODBYE_MS);
}

void uplink_on_open(struct uplink *uplink, struct view rest) {
    struct wire *wire = uplink->wire;
    struct buf handshake = uplink->incoming; /* `rest` is in it */
    buf_init(&uplink->incoming, UPLINK_MESSAGE_MAX);
    timer_stop(&uplink->loop->timers, &uplink->deadline);
    uplink->phase = PHASE_OPEN;
    uplink->end = (struct uplink_end){0};
    uplink->decoder = (struct ws_decoder){0};
    uplink->heard_ms = loop_now(uplink->loop);
    uplink->events.on_open(uplink->ctx);
    if (uplink->wire == wire && rest.len) uplink_on_frames(uplink, rest);
    buf_done(&handshake);
}
