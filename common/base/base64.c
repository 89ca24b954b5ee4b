/* Base64. The decoding tables hold value + 1, so that 0, which all other bytes have, becomes a value with
 * high bits set when 1 is taken off: one test finds any bad byte of a group. */
#include "base/base64.h"

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char urlsafe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* clang-format off */
#define COMMON_VALUES                                                                            \
    ['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6, ['G'] = 7, ['H'] = 8,        \
    ['I'] = 9, ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, \
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24, \
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, \
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, \
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, \
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56, \
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62
/* clang-format on */

static const uint8_t standard_values[256] = {COMMON_VALUES, ['+'] = 63, ['/'] = 64};
static const uint8_t urlsafe_values[256] = {COMMON_VALUES, ['-'] = 63, ['_'] = 64};

static uint32_t byte_at(const char *p, size_t i) {
    return (uint32_t)(unsigned char)p[i];
}

static size_t encode(struct view in, const char *alphabet, bool padded, char *out) {
    const char *p = in.ptr;
    char *o = out;
    size_t left = in.len;
    for (; left >= 3; left -= 3, p += 3, o += 4) {
        uint32_t group = byte_at(p, 0) << 16 | byte_at(p, 1) << 8 | byte_at(p, 2);
        o[0] = alphabet[group >> 18];
        o[1] = alphabet[group >> 12 & 63];
        o[2] = alphabet[group >> 6 & 63];
        o[3] = alphabet[group & 63];
    }
    if (left == 0) return (size_t)(o - out);
    uint32_t group = byte_at(p, 0) << 16 | (left == 2 ? byte_at(p, 1) << 8 : 0);
    *o++ = alphabet[group >> 18];
    *o++ = alphabet[group >> 12 & 63];
    if (left == 2) *o++ = alphabet[group >> 6 & 63];
    for (size_t i = left; padded && i < 3; i++) *o++ = '=';
    return (size_t)(o - out);
}

size_t base64_encode(struct view in, char *out) {
    return encode(in, standard, true, out);
}

size_t base64url_encode(struct view in, char *out) {
    return encode(in, urlsafe, false, out);
}

bool base64url_append(struct buf *out, struct view in) {
    char *room = buf_reserve(out, base64_encoded_len(in.len));
    if (!room) return false;
    buf_commit(out, base64url_encode(in, room));
    return true;
}

/* The last zero, two or three characters, without their padding. */
static bool decode_tail(struct view in, const uint8_t *values, char *out, size_t *ret_len) {
    uint32_t group = 0, seen = 0;
    for (size_t i = 0; i < 3; i++) {
        uint32_t value = i < in.len ? values[byte_at(in.ptr, i)] - 1u : 0;
        seen |= value;
        group = group << 6 | (value & 63);
    }
    *ret_len = in.len ? in.len - 1 : 0;
    if (in.len == 1 || seen > 63 || (group & (in.len == 2 ? 0x3ff : 0x3)) != 0) return false;
    if (in.len >= 2) out[0] = (char)(group >> 10);
    if (in.len == 3) out[1] = (char)(group >> 2 & 0xff);
    return true;
}

static bool decode(struct view in, const uint8_t *values, char *out, size_t *ret_len) {
    const char *p = in.ptr;
    char *o = out;
    size_t left = in.len, tail_len;
    for (; left >= 4; left -= 4, p += 4, o += 3) {
        uint32_t a = values[byte_at(p, 0)] - 1u, b = values[byte_at(p, 1)] - 1u;
        uint32_t c = values[byte_at(p, 2)] - 1u, d = values[byte_at(p, 3)] - 1u;
        if ((a | b | c | d) > 63) return false;
        uint32_t group = a << 18 | b << 12 | c << 6 | d;
        o[0] = (char)(group >> 16);
        o[1] = (char)(group >> 8 & 0xff);
        o[2] = (char)(group & 0xff);
    }
    if (!decode_tail(view_of(p, left), values, o, &tail_len)) return false;
    *ret_len = (size_t)(o - out) + tail_len;
    return true;
}

bool base64_decode(struct view in, char *out, size_t *ret_len) {
    if (in.len % 4 != 0) return false;
    size_t len = in.len;
    if (len && in.ptr[len - 1] == '=') len--;
    if (len < in.len && in.ptr[len - 1] == '=') len--;
    return decode(view_of(in.ptr, len), standard_values, out, ret_len);
}

bool base64url_decode(struct view in, char *out, size_t *ret_len) {
    return decode(in, urlsafe_values, out, ret_len);
}
