/* One character of UTF-8 (RFC 3629) after the other. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many of the `len` bytes (at least 1) are the character that begins there; 0: none is, or it is not
 * whole. No surrogates, nothing written longer than need be, nothing above U+10FFFF. */
size_t utf8_next(const unsigned char *bytes, size_t len, uint32_t *ret_code);

/* Whether what comes in pieces is UTF-8. Zeroed to begin with. */
struct utf8_check {
    unsigned left;             /* bytes that the character under way still has */
    unsigned char least, most; /* what its next one may be */
};

/* False, as soon as it cannot be any more. */
bool utf8_check(struct utf8_check *check, const char *bytes, size_t len);
/* At its end: no character is cut. */
static inline bool utf8_is_whole(const struct utf8_check *check) {
    return check->left == 0;
}

#endif
