/* See ws_frame.h. */
#include "http/ws_frame.h"

#include "base/ids.h"

/* ---- out ---- */

/* Out of a pool: a system call for each frame would be felt. */
uint32_t ws_frame_key(void) {
    static uint32_t pool[256];
    static size_t left;
    if (left == 0) {
        ids_random(pool, sizeof(pool));
        left = sizeof(pool) / sizeof(pool[0]);
    }
    return pool[--left];
}

static void mask(char *bytes, size_t len, uint32_t key) {
    uint64_t wide = (uint64_t)key << 32 | key, word;
    size_t i = 0;
    for (; i + sizeof(word) <= len; i += sizeof(word)) {
        memcpy(&word, bytes + i, sizeof(word));
        word ^= wide;
        memcpy(bytes + i, &word, sizeof(word));
    }
    for (const char *k = (const char *)&key; i < len; i++) bytes[i] ^= k[i % sizeof(key)];
}

struct view ws_frame(char *payload, size_t len, enum ws_opcode opcode, bool is_final, uint32_t key) {
    char *at = payload - sizeof(key);
    size_t length_bytes = len < 126 ? 0 : len < 65536 ? 2 : 8;
    memcpy(at, &key, sizeof(key));
    for (size_t i = 0, rest = len; i < length_bytes; i++, rest >>= 8) *--at = (char)(rest & 0xff);
    *--at = (char)(0x80 | (length_bytes == 0 ? len : length_bytes == 2 ? 126 : 127));
    *--at = (char)((is_final ? 0x80 : 0) | (int)opcode);
    if (key) mask(payload, len, key);
    return view_of(at, (size_t)(payload - at) + len);
}

/* ---- in ---- */

static enum ws_step bad(struct ws_decoder *decoder, const char *why) {
    decoder->detail = why;
    return WS_BAD;
}

static bool is_control(enum ws_opcode opcode) {
    return opcode >= WS_CLOSE;
}

static size_t head_bytes(const struct ws_decoder *decoder) {
    if (decoder->head_len < 2) return 2;
    int length = decoder->head[1] & 0x7f;
    return length == 126 ? 4 : length == 127 ? 10 : 2;
}

/* The length in as few bytes as can hold it (RFC 6455 5.2). False: in more. */
static bool read_length(struct ws_decoder *decoder) {
    size_t bytes = decoder->head_len - 2;
    decoder->left = bytes ? 0 : decoder->head[1] & 0x7f;
    for (size_t i = 0; i < bytes; i++) decoder->left = decoder->left << 8 | decoder->head[2 + i];
    return bytes == 0 ||
           (bytes == 2 ? decoder->left >= 126 : decoder->left > 0xffff && decoder->left >> 63 == 0);
}

static const char *check_head(const struct ws_decoder *decoder) {
    unsigned opcode = decoder->head[0] & 0xf;
    if (decoder->head[0] & 0x70) return "reserved bits in a frame";
    if (decoder->head[1] & 0x80) return "a masked frame";
    if (opcode > WS_PONG || (opcode > WS_BINARY && opcode < WS_CLOSE)) return "a frame of an unknown kind";
    if (is_control(opcode) && (!decoder->is_final || decoder->left > WS_CONTROL_MAX))
        return "a control frame that is too long or fragmented";
    if (opcode == WS_CONTINUATION && decoder->message == WS_CONTINUATION) return "a continuation of nothing";
    if ((opcode == WS_TEXT || opcode == WS_BINARY) && decoder->message != WS_CONTINUATION)
        return "a message within another";
    return NULL;
}

static enum ws_step begin_payload(struct ws_decoder *decoder) {
    decoder->is_final = decoder->head[0] & 0x80;
    if (!read_length(decoder)) return bad(decoder, "a frame whose length is written in too many bytes");
    const char *wrong = check_head(decoder);
    if (wrong) return bad(decoder, wrong);
    decoder->opcode = (enum ws_opcode)(decoder->head[0] & 0xf);
    decoder->in_payload = true;
    decoder->head_len = decoder->control_len = 0;
    if (decoder->opcode == WS_TEXT || decoder->opcode == WS_BINARY) {
        decoder->message = decoder->opcode;
        decoder->is_first = true;
    }
    return WS_PIECE;
}

/* True: the head is whole. */
static bool collect_head(struct ws_decoder *decoder, struct view *bytes) {
    while (decoder->head_len < head_bytes(decoder)) {
        if (bytes->len == 0) return false;
        decoder->head[decoder->head_len++] = (unsigned char)bytes->ptr[0];
        *bytes = view_skip(*bytes, 1);
    }
    return true;
}

static struct view take(struct ws_decoder *decoder, struct view *bytes) {
    struct view part = view_slice(*bytes, 0, decoder->left < bytes->len ? (size_t)decoder->left : bytes->len);
    *bytes = view_skip(*bytes, part.len);
    decoder->left -= part.len;
    return part;
}

static enum ws_step control(struct ws_decoder *decoder, struct view *bytes, struct ws_piece *ret_piece) {
    struct view part = take(decoder, bytes);
    if (part.len) memcpy(decoder->control + decoder->control_len, part.ptr, part.len);
    decoder->control_len += part.len;
    if (decoder->left) return WS_MORE;
    decoder->in_payload = false;
    *ret_piece =
        (struct ws_piece){decoder->opcode, true, true, view_of(decoder->control, decoder->control_len)};
    return WS_PIECE;
}

static enum ws_step data(struct ws_decoder *decoder, struct view *bytes, struct ws_piece *ret_piece) {
    if (decoder->left && bytes->len == 0) return WS_MORE;
    struct view part = take(decoder, bytes);
    bool ends = decoder->left == 0 && decoder->is_final;
    *ret_piece = (struct ws_piece){decoder->message, decoder->is_first, ends, part};
    decoder->is_first = false;
    if (decoder->left == 0) decoder->in_payload = false;
    if (ends) decoder->message = WS_CONTINUATION;
    return WS_PIECE;
}

enum ws_step ws_decode(struct ws_decoder *decoder, struct view *bytes, struct ws_piece *ret_piece) {
    if (decoder->detail) return WS_BAD;
    if (!decoder->in_payload) {
        if (!collect_head(decoder, bytes)) return WS_MORE;
        if (begin_payload(decoder) == WS_BAD) return WS_BAD;
    }
    return is_control(decoder->opcode) ? control(decoder, bytes, ret_piece) : data(decoder, bytes, ret_piece);
}
