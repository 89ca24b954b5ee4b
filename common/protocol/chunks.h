/* v1.1 chunks (docs/PROTOCOL.md): a message that is too long for one frame of API Gateway travels as pieces
 * of its text, `{"type":"chunk","request_id":S,"seq":N,"total":N,"data":S}`, seq from 0. They may come in any
 * order and more than once. What they join to is a message like any other and is parsed as one. */
#ifndef PROTOCOL_CHUNKS_H
#define PROTOCOL_CHUNKS_H

#include "base/list.h"
#include "base/table.h"
#include "protocol/v1.h"

#define CHUNKS_TOTAL_MAX 100 /* pieces of one message */
#define CHUNK_SETS_MAX                                                                                       \
    3 /* totals named by pieces of one request, where the order that they come in is open */
#define CHUNKS_MESSAGE_MAX                                                                                   \
    (120u * 1024) /* a message over it is cut, and so long is a piece at most: API                           \
                     Gateway takes 128 KB */

/* ---- cutting ---- */

struct chunk_cutter {
    struct view request_id, rest;
    size_t data_max; /* bytes of a piece once they are escaped */
    size_t seq, total;
};

/* `text` is ASCII, as v1_encode_*() writes it; both views are borrowed. False when it would need more than
 * CHUNKS_TOTAL_MAX pieces, or `message_max` leaves no room for any. */
bool chunk_cutter_init(struct chunk_cutter *cutter, struct view request_id, struct view text,
                       size_t message_max);
/* Appends the next chunk message, or returns false: there is none any more, or `out` failed. */
bool chunk_cutter_next(struct chunk_cutter *cutter, struct buf *out);

/* ---- joining the pieces of one message ---- */

enum chunk_result {
    CHUNK_MORE,     /* pieces are missing yet */
    CHUNK_COMPLETE, /* that was the last one */
    CHUNK_REPEATED, /* it was there already */
    CHUNK_REFUSED   /* seq, total or the size make no sense, or no memory: nothing was kept */
};

struct chunk_joiner {
    struct view *pieces; /* malloc'ed, and each of them */
    size_t total, have, bytes, bytes_max;
};

void chunk_joiner_init(struct chunk_joiner *joiner, size_t bytes_max);
void chunk_joiner_done(struct chunk_joiner *joiner);
/* The first piece says how many there are. `data` is copied. */
enum chunk_result chunk_joiner_add(struct chunk_joiner *joiner, const struct v1_chunk *chunk);
/* Appends the text of a complete one. */
bool chunk_joiner_text(const struct chunk_joiner *joiner, struct buf *out);

/* ---- joining many at once, from senders that may be hostile ---- */

struct chunks_limits {
    size_t message_bytes; /* of one text */
    size_t sender_bytes;  /* held for one sender */
    size_t all_bytes;     /* held for all of them */
    size_t messages;      /* begun at once */
    uint64_t pending_ms;  /* a message that is not whole by then is forgotten */
};

struct chunks {
    struct chunks_limits limits;
    struct table by_key;
    struct list by_age;
    size_t bytes;
};

void chunks_init(struct chunks *chunks, const struct chunks_limits *limits);
void chunks_done(struct chunks *chunks);

/* CHUNK_COMPLETE: the text was appended to `ret_text`, and pieces of the same request are dropped (as
 * CHUNK_REPEATED) until pending_ms have passed. A piece of another total than those before it begins the
 * message anew; one that makes no sense, or is over a limit, is refused, and its message forgotten.
 * `now_ms` is monotonic. */
enum chunk_result chunks_add(struct chunks *chunks, struct view sender, struct view request_id,
                             const struct v1_chunk *chunk, uint64_t now_ms, struct buf *ret_text);
/* What they joined to makes no sense: pieces of that request may come anew. */
void chunks_reopen(struct chunks *chunks, struct view sender, struct view request_id);
/* The sender is gone. */
void chunks_forget(struct chunks *chunks, struct view sender);

#endif
