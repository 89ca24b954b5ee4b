/* Reads the head of an HTTP/1.x message: its first line and its header fields, from bytes that may come in
 * pieces. Stricter than RFC 9112 asks: lines end in CRLF, no obs-fold (in requests), no white space before
 * the colon, no control bytes. No I/O of its own; used where no library parses for us (handshakes at
 * the agent port, and answers of the local service). */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include "http/headers.h"

enum head_result { HEAD_INCOMPLETE, HEAD_COMPLETE, HEAD_MALFORMED, HEAD_TOO_LARGE };

struct request_head {
    struct view method, target;
    int minor_version; /* HTTP/1.x */
    struct headers headers;
};

struct response_head {
    int status;
    struct view reason;
    int minor_version;
    struct headers headers;
    const char *fault; /* of one that is HEAD_MALFORMED: what the service sent */
};

/* `bytes` is all that has come so far. HEAD_COMPLETE: *ret_len is the length of the head, empty line
 * included; what the head's views refer to was copied into the arena, except method, target and reason, which
 * point into `bytes`. `max_bytes` bounds the head. Nothing is allocated before the head is complete. */
enum head_result request_head_parse(struct view bytes, size_t max_bytes, struct arena *arena,
                                    struct request_head *ret_head, size_t *ret_len);
/* As above. Lines may also end in a bare LF here, and go on in the next one (obs-fold, which becomes spaces:
 * RFC 9112 5.2): local services do that, and no proxy stands behind us. */
enum head_result response_head_parse(struct view bytes, size_t max_bytes, struct arena *arena,
                                     struct response_head *ret_head, size_t *ret_len);

#endif
