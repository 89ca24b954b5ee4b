/* WebSocket frames (RFC 6455 5) as a client writes and reads them: what it sends is masked, what it receives
 * is not. Without I/O; the handshake is not here. Used where libwebsockets, whose client goes through a
 * message byte by byte, would be the larger part of the work (docs/PERFORMANCE.md). */
#ifndef HTTP_WS_FRAME_H
#define HTTP_WS_FRAME_H

#include "base/view.h"

enum ws_opcode {
    WS_CONTINUATION = 0,
    WS_TEXT = 1,
    WS_BINARY = 2,
    WS_CLOSE = 8,
    WS_PING = 9,
    WS_PONG = 10,
};

#define WS_HEAD_MAX 14
#define WS_CONTROL_MAX 125

/* A masking key that nobody can foresee (RFC 6455 5.3). */
uint32_t ws_frame_key(void);

/* Makes a frame of these bytes where they are: masks them with the key (0 leaves them as they are; see
 * ws_client_allow_zero_keys()), and writes the head into the room in front of them, which is WS_HEAD_MAX
 * bytes at least. Returns the frame, head and payload. */
struct view ws_frame(char *payload, size_t len, enum ws_opcode opcode, bool is_final, uint32_t key);

/* A piece of a message (text or binary), or a whole control frame. */
struct ws_piece {
    enum ws_opcode opcode;
    bool is_first, is_last; /* of its message */
    struct view payload;    /* in the bytes given, or, of a control frame, in the decoder */
};

enum ws_step {
    WS_MORE, /* all bytes are used up */
    WS_PIECE,
    WS_BAD, /* `detail` says why; final */
};

/* Zeroed to begin with. */
struct ws_decoder {
    unsigned char head[10]; /* the part of one that has come */
    size_t head_len;
    enum ws_opcode opcode;  /* of the frame */
    enum ws_opcode message; /* of the message under way; WS_CONTINUATION: none is */
    bool in_payload, is_final, is_first;
    uint64_t left; /* of the payload */
    char control[WS_CONTROL_MAX];
    size_t control_len;
    const char *detail;
};

/* Takes what it used off the front of *bytes. An empty message is one empty piece. */
enum ws_step ws_decode(struct ws_decoder *decoder, struct view *bytes, struct ws_piece *ret_piece);

#endif
