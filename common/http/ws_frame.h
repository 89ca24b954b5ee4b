/* WebSocket frames (RFC 6455 5), of both sides: what a client sends is masked, what a server sends is not.
 * Without I/O; the handshake is not here. */
#ifndef HTTP_WS_FRAME_H
#define HTTP_WS_FRAME_H

#include "base/utf8.h"
#include "base/view.h"

enum ws_opcode {
    WS_CONTINUATION = 0,
    WS_TEXT = 1,
    WS_BINARY = 2,
    WS_CLOSE = 8,
    WS_PING = 9,
    WS_PONG = 10,
};

/* RFC 6455 7.4.1 */
enum ws_code {
    WS_CODE_NORMAL = 1000,
    WS_CODE_AWAY = 1001,
    WS_CODE_PROTOCOL_ERROR = 1002,
    WS_CODE_UNSUPPORTED = 1003,
    WS_CODE_BAD_TEXT = 1007,
    WS_CODE_POLICY = 1008,
    WS_CODE_TOO_LARGE = 1009,
};

#define WS_HEAD_MAX 14
#define WS_CONTROL_MAX 125

/* A masking key that nobody can foresee (RFC 6455 5.3). */
uint32_t ws_frame_key(void);

/* Makes a client's frame of these bytes where they are: masks them with the key (0 leaves them as they are;
 * see ws_client_allow_zero_keys()), and writes the head into the room in front of them, which is WS_HEAD_MAX
 * bytes at least. Returns the frame, head and payload. */
struct view ws_frame_masked(char *payload, size_t len, enum ws_opcode opcode, bool is_final, uint32_t key);

/* The same as a server's: unmasked. */
struct view ws_frame_plain(char *payload, size_t len, enum ws_opcode opcode, bool is_final);

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

/* Zeroed to begin with, but for `reads_client`. */
struct ws_decoder {
    bool reads_client; /* frames of a client: masked, or they are wrong; of a server: unmasked */
    unsigned char head[WS_HEAD_MAX]; /* the part of one that has come */
    size_t head_len;
    enum ws_opcode opcode;  /* of the frame */
    enum ws_opcode message; /* of the message under way; WS_CONTINUATION: none is */
    bool in_payload, is_final, is_first;
    uint64_t left;   /* of the payload */
    unsigned masked; /* of the key's bytes: where the next byte of the payload stands */
    unsigned char key[4];
    struct utf8_check text;
    char control[WS_CONTROL_MAX];
    size_t control_len;
    const char *detail;
    enum ws_code code; /* to close with: 1002, or 1007 for text that is not UTF-8 */
};

/* Text is checked to be UTF-8, as soon as it comes. The bytes of a client are unmasked where they are: they
 * must be writable. Takes what it used off the front of *bytes. An empty message is one empty piece. */
enum ws_step ws_decode(struct ws_decoder *decoder, struct view *bytes, struct ws_piece *ret_piece);

/* What a close frame with this payload is to be answered with: its own code; 0, which stands for an empty
 * payload, where it says none; 1002 where that is a code that nobody may send, 1007 where its reason is not
 * UTF-8. */
unsigned ws_close_answer(struct view payload);

#endif
