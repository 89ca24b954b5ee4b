/* One character of UTF-8 (RFC 3629) after the other. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* How many of the `len` bytes (at least 1) are the character that begins there; 0: none is, or it is not
 * whole. No surrogates, nothing written longer than need be, nothing above U+10FFFF. */
size_t utf8_next(const unsigned char *bytes, size_t len, uint32_t *ret_code);

#endif
