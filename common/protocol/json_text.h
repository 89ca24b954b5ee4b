/* Writes JSON string literals into a buffer, in ASCII: other characters become \uXXXX (RFC 8259 7). Bodies of
 * megabytes pass through here, which is why they do not take the way through a document tree. */
#ifndef PROTOCOL_JSON_TEXT_H
#define PROTOCOL_JSON_TEXT_H

#include "base/buf.h"

/* The literal with its quotes. Bytes that are not UTF-8 are read as Latin-1, all of the string then. */
bool json_text_string(struct buf *out, struct view v);

/* `v` as base64 (RFC 4648 4) with quotes. */
bool json_text_base64(struct buf *out, struct view v);

#endif
