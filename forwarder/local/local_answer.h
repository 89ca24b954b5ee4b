/* Reads one answer of the local service, after its 1xx, from bytes that come in pieces: head, framing (RFC
 * 9112 6.3), body, trailers, or what follows a switch of protocols. No I/O: who reads pulls one step after
 * the other and may stop between any two. */
#ifndef FORWARDER_LOCAL_ANSWER_H
#define FORWARDER_LOCAL_ANSWER_H

#include "http/chunked.h"
#include "http/head.h"

#define ANSWER_FIELDS_MAX 256
#define ANSWER_INTERIMS_MAX 64 /* 1xx heads before the final one */

enum answer_step {
    ANSWER_MORE,     /* all bytes are used up, or (without ret_data) data comes next */
    ANSWER_INTERIM,  /* a 1xx came: head.status */
    ANSWER_HEAD,     /* the final head is in `head` */
    ANSWER_SWITCHED, /* 101 as it was asked for; from now on all bytes are data */
    ANSWER_DATA,
    ANSWER_END, /* `trailers` are whole; what is left of the bytes is not of this answer */
    ANSWER_BAD, /* `detail` says why; final */
};

/* What of the request decides how its answer is read. Views are borrowed as long as the answer is read. */
struct answer_to {
    bool is_head;
    struct view upgrade; /* the protocols offered; absent: a 101 is malformed */
    struct view accept;  /* the Sec-WebSocket-Accept that must come with a 101 to websocket; absent: any */
};

struct local_answer {
    int stage;
    struct answer_to to;
    struct response_head head; /* in the arena */
    struct headers trailers;   /* likewise */
    struct arena arena;
    size_t head_max;
    struct buf held; /* the part of a head that has come */
    size_t lines, interims;
    uint64_t left; /* of a body with a length */
    struct chunked chunked;
    bool began;      /* any byte has come */
    bool keep_alive; /* the service lets the connection live; of use after ANSWER_HEAD */
    const char *detail;
    bool not_http; /* bad from its first bytes on */
};

void local_answer_init(struct local_answer *answer, size_t head_max);
void local_answer_done(struct local_answer *answer);
/* Ready for the answer to another request; keeps memory that will be of use again. */
void local_answer_begin(struct local_answer *answer, const struct answer_to *to);

/* Takes what it used off the front of *bytes. ANSWER_DATA: *ret_data points into the bytes. With `ret_data`
 * NULL no data is taken, but what needs none (head, framing, end) is. */
enum answer_step local_answer_next(struct local_answer *answer, struct view *bytes, struct view *ret_data);
/* The service has closed its side: ANSWER_END where that ends the answer, else ANSWER_BAD. */
enum answer_step local_answer_eof(struct local_answer *answer);

#endif
