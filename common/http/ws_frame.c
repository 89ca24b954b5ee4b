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

/* In front of `at`; returns where it begins. */
static char *write_head(char *at, size_t len, enum ws_opcode opcode, bool is_final, bool is_masked) {
    size_t length_bytes = len < 126 ? 0 : len < 65536 ? 2 : 8, rest = len;
    for (size_t i = 0; i < length_bytes; i++, rest >>= 8) *--at = (char)(rest & 0xff);
    size_t first = length_bytes == 0 ? len : length_bytes == 2 ? 126 : 127;
    *--at = (char)((is_masked ? 0x80 : 0) | (int)first);
    *--at = (char)((is_final ? 0x80 : 0) | (int)opcode);
    return at;
}

struct view ws_frame_masked(char *payload, size_t len, enum ws_opcode opcode, bool is_final, uint32_t key) {
    memcpy(payload - sizeof(key), &key, sizeof(key));
    char *at = write_head(payload - sizeof(key), len, opcode, is_final, true);
    if (key) mask(payload, len, key);
    return view_of(at, (size_t)(payload - at) + len);
}

struct view ws_frame_plain(char *payload, size_t len, enum ws_opcode opcode, bool is_final) {
    char *at = write_head(payload, len, opcode, is_final, false);
    return view_of(at, (size_t)(payload - at) + len);
}

/* ---- in ---- */

static enum ws_step bad(struct ws_decoder *decoder, const char *why) {
    decoder->detail = why;
    decoder->code = WS_CODE_PROTOCOL_ERROR;
    return WS_BAD;
}

static enum ws_step bad_text(struct ws_decoder *decoder) {
    decoder->detail = "text that is not UTF-8";
    decoder->code = WS_CODE_BAD_TEXT;
    return WS_BAD;
}

static bool is_control(enum ws_opcode opcode) {
    return opcode >= WS_CLOSE;
}

static size_t length_bytes(const struct ws_decoder *decoder) {
    int length = decoder->head[1] & 0x7f;
    return length == 126 ? 2 : length == 127 ? 8 : 0;
}

static size_t head_bytes(const struct ws_decoder *decoder) {
    if (decoder->head_len < 2) return 2;
    size_t key_bytes = decoder->head[1] & 0x80 ? sizeof(decoder->key) : 0;
    return 2 + length_bytes(decoder) + key_bytes;
}

/* The length in as few bytes as can hold it (RFC 6455 5.2). False: in more. */
static bool read_length(struct ws_decoder *decoder) {
    size_t bytes = length_bytes(decoder);
    decoder->left = bytes ? 0 : decoder->head[1] & 0x7f;
    for (size_t i = 0; i < bytes; i++) decoder->left = decoder->left << 8 | decoder->head[2 + i];
    return bytes == 0 ||
           (bytes == 2 ? decoder->left >= 126 : decoder->left > 0xffff && decoder->left >> 63 == 0);
}

static const char *check_head(const struct ws_decoder *decoder) {
    unsigned opcode = decoder->head[0] & 0xf;
    if (decoder->head[0] & 0x70) return "reserved bits in a frame";
    bool is_masked = decoder->head[1] & 0x80;
    if (is_masked != decoder->reads_client) return is_masked ? "a masked frame" : "an unmasked frame";
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
    decoder->masked = 0;
    if (decoder->reads_client) memcpy(decoder->key, decoder->head + decoder->head_len - 4, 4);
    decoder->head_len = decoder->control_len = 0;
    if (decoder->opcode == WS_TEXT || decoder->opcode == WS_BINARY) {
        decoder->message = decoder->opcode;
        decoder->is_first = true;
        decoder->text = (struct utf8_check){0};
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

/* With the key turned to where the payload stands. */
static void unmask(struct ws_decoder *decoder, struct view part) {
    unsigned char turned[4];
    uint32_t key;
    for (unsigned i = 0; i < 4; i++) turned[i] = decoder->key[(decoder->masked + i) % 4];
    memcpy(&key, turned, sizeof(key));
    if (key) mask((char *)(uintptr_t)part.ptr, part.len, key);
    decoder->masked = (decoder->masked + (unsigned)(part.len % 4)) % 4;
}

static struct view take(struct ws_decoder *decoder, struct view *bytes) {
    struct view part = view_slice(*bytes, 0, decoder->left < bytes->len ? (size_t)decoder->left : bytes->len);
    *bytes = view_skip(*bytes, part.len);
    decoder->left -= part.len;
    if (decoder->reads_client && part.len) unmask(decoder, part);
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
    bool is_text = decoder->message == WS_TEXT;
    if (is_text && !utf8_check(&decoder->text, part.ptr, part.len)) return bad_text(decoder);
    if (is_text && ends && !utf8_is_whole(&decoder->text)) return bad_text(decoder);
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

/* RFC 6455 7.4, and what IANA has registered since: 1012 to 1014. */
static bool is_sendable(unsigned code) {
    bool is_defined = code >= 1000 && code <= 1014 && (code < 1004 || code > 1006);
    return is_defined || (code >= 3000 && code < 5000);
}

unsigned ws_close_answer(struct view payload) {
    const unsigned char *bytes = (const unsigned char *)payload.ptr;
    struct utf8_check check = {0};
    if (payload.len == 0) return 0;
    if (payload.len == 1) return WS_CODE_PROTOCOL_ERROR;
    unsigned code = (unsigned)bytes[0] << 8 | bytes[1];
    if (!is_sendable(code)) return WS_CODE_PROTOCOL_ERROR;
    bool is_text = utf8_check(&check, payload.ptr + 2, payload.len - 2) && utf8_is_whole(&check);
    return is_text ? code : WS_CODE_BAD_TEXT;
}
