/* Base64 as RFC 4648: section 4 (standard, padded) for bodies, section 5 (url-safe, no padding) for tokens.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/buf.h"

/* Padded length of `len` bytes. */
static inline size_t base64_encoded_len(size_t len) {
    return (len + 2) / 3 * 4;
}
/* `out` has room for base64_encoded_len(in.len) bytes. Returns the bytes written. */
size_t base64_encode(struct view in, char *out);
size_t base64url_encode(struct view in, char *out);
bool base64url_append(struct buf *out, struct view in);

/* Upper bound of the decoded length. */
static inline size_t base64_decoded_max(size_t len) {
    return len / 4 * 3 + 3;
}
/* `out` has room for base64_decoded_max(in.len). Strict: no white space, padding only at the end and right
 * (section 4 only; section 5 takes none), and the unused bits of the last character are zero. */
bool base64_decode(struct view in, char *out, size_t *ret_len);
bool base64url_decode(struct view in, char *out, size_t *ret_len);

#endif
