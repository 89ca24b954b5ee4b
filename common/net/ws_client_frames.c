/* An open WebSocket: frames in and out. */
#include <stdlib.h>

#include "base/log.h"
#include "net/ws_client_state.h"

#define MESSAGE_KEPT ((size_t)256 * 1024) /* room for a message that is not given back */
#define FILLS_A_TURN 16

/* ---- out ---- */

static uint32_t key_for(const struct ws_client *client) {
    return client->zero_keys ? 0 : ws_frame_key();
}

static void write_control(struct ws_client *client, enum ws_opcode opcode, struct view payload) {
    char room[WS_HEAD_MAX + WS_CONTROL_MAX];
    if (payload.len) memcpy(room + WS_HEAD_MAX, payload.ptr, payload.len);
    wire_write(client->wire, ws_frame_masked(room + WS_HEAD_MAX, payload.len, opcode, true, key_for(client)));
}

void ws_client_write_close(struct ws_client *client, unsigned code) {
    char bytes[2] = {(char)(code >> 8), (char)code};
    write_control(client, WS_CLOSE, view_of(bytes, code ? sizeof(bytes) : 0));
}

/* One frame of the first message. The room in front of a later frame is what was sent before it. */
static void write_frame(struct ws_client *client) {
    struct ws_outgoing *outgoing = LIST_ENTRY(client->queue.next, struct ws_outgoing, node);
    struct buf *message = &outgoing->message;
    size_t left = message->len - WS_HEAD_MAX - outgoing->sent, max = client->settings.frame_max;
    size_t len = max && left > max ? max : left;
    char *at = message->ptr + message->start + WS_HEAD_MAX + outgoing->sent;
    enum ws_opcode opcode = outgoing->sent ? WS_CONTINUATION : WS_TEXT;
    wire_write(client->wire, ws_frame_masked(at, len, opcode, len == left, key_for(client)));
    outgoing->sent += len;
    if (len < left) return;
    list_remove(&outgoing->node);
    client->queued_bytes -= message->len;
    buf_done(message);
    free(outgoing);
    if (client->events.on_sent) client->events.on_sent(client->ctx);
}

/* One binary message of what the owner has ready. */
static void write_filled(struct ws_client *client) {
    static const char headroom[WS_HEAD_MAX];
    struct buf *out = &client->filling;
    client->fill_wanted = false;
    buf_clear(out);
    if (!buf_append(out, headroom, WS_HEAD_MAX) || !client->events.fill(client->ctx, out)) {
        ws_client_close(client, WS_CODE_PROTOCOL_ERROR, "the server broke the protocol", WS_GOODBYE_MS);
        return;
    }
    size_t len = out->len - WS_HEAD_MAX;
    if (len && client->phase == WS_PHASE_OPEN)
        wire_write(client->wire, ws_frame_masked(out->ptr + out->start + WS_HEAD_MAX, len, WS_BINARY, true,
                                                 key_for(client)));
}

static bool may_send(const struct ws_client *client) {
    return client->phase == WS_PHASE_OPEN && !wire_is_full(client->wire);
}

void ws_client_push(struct ws_client *client) {
    unsigned fills = 0;
    client->is_pushing = true;
    while (may_send(client)) {
        if (client->ping_wanted) {
            client->ping_wanted = false;
            write_control(client, WS_PING, (struct view){0});
        } else if (!list_empty(&client->queue)) {
            write_frame(client);
        } else if (client->fill_wanted && fills++ < FILLS_A_TURN) {
            write_filled(client);
        } else {
            break;
        }
    }
    client->is_pushing = false;
    if (client->fill_wanted && may_send(client)) tasks_post(&client->settings.loop->tasks, &client->push);
}

/* ---- in ---- */

static void on_text(struct ws_client *client, const struct ws_piece *piece) {
    struct buf *whole = &client->incoming;
    if (piece->is_first && piece->is_last && piece->payload.len <= client->settings.message_max) {
        client->events.on_text(client->ctx, piece->payload);
        return;
    }
    if (!buf_append_view(whole, piece->payload)) {
        ws_client_close(client, WS_CODE_TOO_LARGE, "the server sent a message that is too large",
                        WS_GOODBYE_MS);
        return;
    }
    if (!piece->is_last) return;
    client->events.on_text(client->ctx, buf_view(whole));
    if (whole->cap > MESSAGE_KEPT)
        buf_done(whole);
    else
        buf_clear(whole);
}

static void on_data(struct ws_client *client, const struct ws_piece *piece) {
    if (piece->opcode == WS_TEXT)
        on_text(client, piece);
    else if (!client->events.on_bytes(client->ctx, piece->payload))
        ws_client_close(client, WS_CODE_PROTOCOL_ERROR, "the server broke the protocol", WS_GOODBYE_MS);
}

/* `payload`: two bytes of code, then text (RFC 6455 5.5.1). It is answered, and the end is told; the server
 * closes the socket. */
static void on_close(struct ws_client *client, struct view payload) {
    struct ws_client_end end = {.failure = WS_CLIENT_CLOSED, .said = view_skip(payload, 2)};
    if (payload.len >= 2) end.close_code = (unsigned char)payload.ptr[0] << 8 | (unsigned char)payload.ptr[1];
    if (client->phase == WS_PHASE_CLOSING) /* the answer to ours */
        end = (struct ws_client_end){.failure = WS_CLIENT_CLOSED, .why = client->closing_why};
    else
        ws_client_write_close(client, ws_close_answer(payload));
    ws_client_end(client, &end);
}

static void on_piece(struct ws_client *client, const struct ws_piece *piece) {
    switch (piece->opcode) {
    case WS_CLOSE: on_close(client, piece->payload); break;
    case WS_PING:
        if (!wire_is_full(client->wire)) write_control(client, WS_PONG, piece->payload);
        break;
    case WS_PONG: break;
    default:
        if (client->phase == WS_PHASE_OPEN) on_data(client, piece);
    }
}

void ws_client_on_frames(struct ws_client *client, struct view bytes) {
    struct ws_piece piece;
    enum ws_step step = WS_MORE;
    client->heard_ms = loop_now(client->settings.loop);
    while (client->phase != WS_PHASE_OVER && (step = ws_decode(&client->decoder, &bytes, &piece)) == WS_PIECE)
        on_piece(client, &piece);
    if (step != WS_BAD || client->phase != WS_PHASE_OPEN) return;
    log_warn("websocket", "the server sent %s", client->decoder.detail);
    ws_client_close(client, (int)client->decoder.code, "the server broke the protocol", WS_GOODBYE_MS);
}
