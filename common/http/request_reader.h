/* Reads one HTTP/1.x request after another out of bytes that come in pieces: the head, the body as far as
 * there is room for it, the end. No I/O, no copy of data; what it does not use stays with the caller, who
 * shows it again with what comes behind it. However the bytes are cut, the steps are the same. */
#ifndef HTTP_REQUEST_READER_H
#define HTTP_REQUEST_READER_H

#include "http/chunked.h"
#include "http/error.h"
#include "http/gate.h"
#include "http/head.h"

enum request_step {
    REQUEST_MORE,    /* nothing can be done without more bytes, or more room for the body */
    REQUEST_HEAD,    /* reader->head; its method and target point into the bytes */
    REQUEST_DATA,    /* a piece of the body */
    REQUEST_END,     /* the request is whole; request_reader_begin() is next */
    REQUEST_REFUSED, /* final: reader->error says why */
};

struct request_reader {
    int stage;
    size_t head_max_bytes;
    size_t scanned_bytes; /* of a head that is not whole: they hold no end of a line that was not looked at */
    struct request_head head;
    enum body_framing framing;
    uint64_t left_bytes; /* of a body of known length */
    struct chunked chunked;
    struct headers trailers; /* dropped */
    enum http_error error;
};

void request_reader_init(struct request_reader *reader, size_t head_max_bytes);
/* Between two requests, or to give one up; whatever the arena held may go after it. */
void request_reader_begin(struct request_reader *reader);

/* Takes what it used off the front of *bytes; of a head nothing before it is whole, but for empty lines in
 * front of it (RFC 9112 2.2). REQUEST_DATA: *ret_data points into the bytes and has at most `room` bytes. The
 * head, and trailers, are copied into the arena. A head whose framing is in doubt is followed by REQUEST_MORE
 * for ever: the gate refuses it, and what stands behind it has no meaning. */
enum request_step request_reader_next(struct request_reader *reader, struct view *bytes, size_t room,
                                      struct arena *arena, struct view *ret_data);

/* Is the request whole? */
bool request_reader_is_at_end(const struct request_reader *reader);
/* Would more bytes of the visitor bring it further (given room)? */
bool request_reader_wants_body(const struct request_reader *reader);

#endif
