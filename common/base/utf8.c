#include "base/utf8.h"

#include <string.h>

size_t utf8_next(const unsigned char *bytes, size_t len, uint32_t *ret_code) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = bytes[0];
    size_t size = first < 0x80   ? 1
                  : first < 0xc0 ? 0
                  : first < 0xe0 ? 2
                  : first < 0xf0 ? 3
                  : first < 0xf8 ? 4
                                 : 0;
    if (size == 0 || size > len) return 0;
    uint32_t code = size == 1 ? first : first & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((bytes[i] & 0xc0) != 0x80) return 0;
        code = code << 6 | (bytes[i] & 0x3fu);
    }
    if (code < least[size] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return 0;
    *ret_code = code;
    return size;
}

static bool begin(struct utf8_check *check, unsigned char first) {
    if (first < 0xc2 || first > 0xf4) return false;
    check->left = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    check->least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    check->most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    return true;
}

/* How many bytes are ASCII, eight at a time. */
static size_t skip_ascii(const char *bytes, size_t len) {
    uint64_t word;
    size_t i = 0;
    for (; i + sizeof(word) <= len; i += sizeof(word)) {
        memcpy(&word, bytes + i, sizeof(word));
        if (word & 0x8080808080808080u) break;
    }
    return i;
}

bool utf8_check(struct utf8_check *check, const char *bytes, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (check->left == 0) i += skip_ascii(bytes + i, len - i);
        if (i == len) break;
        unsigned char byte = (unsigned char)bytes[i];
        if (check->left == 0) {
            if (byte >= 0x80 && !begin(check, byte)) return false;
            continue;
        }
        if (byte < check->least || byte > check->most) return false;
        check->least = 0x80;
        check->most = 0xbf;
        check->left--;
    }
    return true;
}
