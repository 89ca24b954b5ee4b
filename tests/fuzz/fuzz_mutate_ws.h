/* Mutations of WebSocket frames (RFC 6455 5.2): each keeps a length that is its own. */
#ifndef FUZZ_MUTATE_WS_H
#define FUZZ_MUTATE_WS_H

#include "fuzz_mutate.h"

static inline size_t ws_head_len(struct view rest) {
    const unsigned char *at = (const unsigned char *)rest.ptr;
    if (rest.len < 2) return rest.len;
    size_t length = at[1] & 0x7f, len = 2 + (length == 126 ? 2u : length == 127 ? 8u : 0u);
    if (at[1] & 0x80) len += 4;
    return len < rest.len ? len : rest.len;
}

static inline size_t ws_frame_len(struct view rest) {
    const unsigned char *at = (const unsigned char *)rest.ptr;
    size_t head = ws_head_len(rest), length = rest.len < 2 ? 0 : at[1] & 0x7f;
    if (length == 126 && rest.len >= 4) length = (size_t)at[2] << 8 | at[3];
    if (length == 127 && rest.len >= 10) length = (size_t)at[8] << 8 | at[9]; /* they are never longer here */
    return head + length < rest.len ? head + length : rest.len;
}

static inline void ws_put(unsigned first, bool is_masked, struct view payload, struct buf *out) {
    unsigned mask = is_masked ? 0x80 : 0;
    buf_append_byte(out, (char)first);
    if (payload.len < 126) {
        buf_append_byte(out, (char)(mask | (unsigned)payload.len));
    } else {
        char length[3] = {(char)(mask | 126), (char)(payload.len >> 8), (char)payload.len};
        buf_append(out, length, sizeof(length));
    }
    if (is_masked) buf_append(out, "\x11\x22\x33\x44", 4); /* what it makes of the bytes is no matter */
    buf_append_view(out, payload);
}

static inline void ws_change(struct dice *dice, struct view piece, struct buf *out) {
    if (piece.len < 2) {
        mutate_bytes(piece, out);
        return;
    }
    unsigned first = (unsigned char)piece.ptr[0];
    bool is_masked = piece.ptr[1] & 0x80;
    struct view payload = view_skip(piece, ws_head_len(piece));
    struct buf changed;
    buf_init(&changed, 65536);
    switch (roll(dice, 5)) {
    case 0: ws_put(first ^ 0x80, is_masked, payload, out); break;
    case 1: ws_put((first & 0xf0) | roll(dice, 11), is_masked, payload, out); break;
    case 2: ws_put(first, !is_masked, payload, out); break;
    default: mutate_bytes(payload, &changed); ws_put(first, is_masked, buf_view(&changed), out);
    }
    buf_done(&changed);
}

static inline void ws_fresh(struct dice *dice, struct buf *out) {
    static const struct {
        unsigned first;
        struct view payload;
    } frames[] = {
        {0x81, {"text", 4}},
        {0x82, {"bytes", 5}},
        {0x01, {"be", 2}},
        {0x00, {"tween", 5}},
        {0x80, {"end", 3}},
        {0x89, {"ping", 4}},
        {0x8a, {"", 0}},
        {0x88, {"", 0}},
        {0x88, {"\3\350bye", 5}},
        {0x88, {"\x03\xed", 2}},
        {0x88, {"x", 1}},
        {0x01, {"\xf0\x9f", 2}},
        {0x80, {"\x98\x80", 2}},
        {0x81, {"\xed\xa0\x80", 3}},
        {0x88, {"\x03\xe8\xff", 3}},
    };
    size_t which = roll(dice, sizeof(frames) / sizeof(frames[0]));
    ws_put(frames[which].first, roll(dice, 2), frames[which].payload, out);
}

#endif
