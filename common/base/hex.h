/* Bytes as hexadecimal digits (RFC 4648 section 8), alone and behind a '%' (RFC 3986 2.1). */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include <stdbool.h>

#include "base/view.h"

/* Value of a digit of either case, or -1. */
int hex_value(char digit);
/* The byte whose two digits `text` begins with, or -1. */
int hex_byte(struct view text);
/* The byte that is percent-encoded where `text` begins, with three characters; -1: none is. */
static inline int percent_byte(struct view text) {
    return text.len && text.ptr[0] == '%' ? hex_byte(view_skip(text, 1)) : -1;
}

/* Two digits a byte, in either case, and nothing else. */
bool hex_read(struct view text, void *out, size_t len);
/* Two digits a byte, in lower case, without a NUL. Returns the place behind them. */
char *hex_print(char *out, const void *bytes, size_t len);

#endif
