/* See hex.h. */
#include "base/hex.h"

int hex_value(char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    char lower = (char)(digit | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

int hex_byte(struct view text) {
    if (text.len < 2) return -1;
    int high = hex_value(text.ptr[0]), low = hex_value(text.ptr[1]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

bool hex_read(struct view text, void *out, size_t len) {
    unsigned char *at = out;
    if (text.len != 2 * len) return false;
    for (; len; len--, text = view_skip(text, 2)) {
        int byte = hex_byte(text);
        if (byte < 0) return false;
        *at++ = (unsigned char)byte;
    }
    return true;
}

char *hex_print(char *out, const void *bytes, size_t len) {
    static const char digits[] = "0123456789abcdef";
    const unsigned char *at = bytes;
    for (; len; len--, at++) {
        *out++ = digits[*at >> 4];
        *out++ = digits[*at & 15];
    }
    return out;
}
