/* Decodes the chunked transfer coding (RFC 9112 7.1) from bytes that may come in pieces. No I/O, no copy of
 * data. Strict: lines end in CRLF, sizes are 1-16 hexadecimal digits, extensions are skipped but bounded and
 * without control bytes, trailers are proper fields. */
#ifndef HTTP_CHUNKED_H
#define HTTP_CHUNKED_H

#include "base/buf.h"
#include "http/headers.h"

#define CHUNKED_EXTENSION_MAX 4096               /* bytes of one size line */
#define CHUNKED_TRAILERS_MAX ((size_t)16 * 1024) /* bytes of all trailer lines */
#define CHUNKED_TRAILERS_COUNT_MAX 64

enum chunked_result {
    CHUNKED_MORE,      /* all bytes are used up, or (without ret_data) data comes next */
    CHUNKED_DATA,      /* a piece of the body; call again */
    CHUNKED_END,       /* last chunk and trailers are over; what is left of the bytes is not ours */
    CHUNKED_MALFORMED, /* final, as is CHUNKED_TOO_LARGE */
    CHUNKED_TOO_LARGE, /* of an extension, of the trailers, or no memory for them */
};

struct chunked {
    int stage;
    uint64_t left; /* of this chunk's data */
    size_t line_bytes, trailer_bytes;
    struct buf line; /* the part of a trailer line that has come */
    struct headers *trailers;
};

/* `trailers` is borrowed until chunked_done(). Fields that decide framing or routing (content-length,
 * transfer-encoding, trailer, host) are checked and left out of it. Allocates nothing before a trailer is
 * cut. */
void chunked_init(struct chunked *chunked, struct headers *trailers);
void chunked_done(struct chunked *chunked);

/* Takes what it used off the front of *bytes. CHUNKED_DATA: *ret_data points into the bytes. With `ret_data`
 * NULL only framing is taken: it stops before the next byte of data. */
enum chunked_result chunked_next(struct chunked *chunked, struct view *bytes, struct view *ret_data);

#endif
