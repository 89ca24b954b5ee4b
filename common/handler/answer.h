/* The answer on its way to the visitor. The only caller of the host's sink: what a service (or the gateway
 * itself) has to say passes here, head, body and end, and here is where something that changes it would sit.
 *
 * Bytes are counted on both sides of that place. A delivery writes bytes of the service's; what becomes of
 * them goes to the sink, and when that has drained, the service's bytes are given back to the delivery as
 * credit: half of them when half has drained, all when all has, at once when nothing became of them. */
#ifndef HANDLER_ANSWER_H
#define HANDLER_ANSWER_H

#include "handler/event.h"

struct exchange;

enum answer_kind {
    ANSWER_NONE,  /* its head is not out yet */
    ANSWER_EMPTY, /* a head without a body */
    ANSWER_BODY,
    ANSWER_EVENTS,  /* a body of events, between which hours may pass */
    ANSWER_SWITCHED /* bytes both ways; likewise */
};

struct answer {
    struct answer_sink sink;
    size_t window_bytes; /* so much the sink takes that it has not drained, where it is asked (answer_room) */
    size_t under_way;    /* given to the sink, and not yet drained */
    size_t owed;         /* bytes of the service's that became this, or nothing */
    enum answer_kind kind;
};

void answer_init(struct answer *answer, const struct answer_sink *sink, size_t window_bytes);

/* The service's head, which the gate has let pass: what is not for the visitor is taken from `headers`.
 * `body_bytes`: how long the body will be, or LENGTH_UNKNOWN. */
void answer_begin(struct exchange *exchange, int status, struct headers *headers, uint64_t body_bytes);
/* 101: the service has switched protocols; bytes both ways from now on. */
void answer_switch(struct exchange *exchange, struct headers *headers, struct view protocol);
/* Are hours of silence in order? */
bool answer_may_idle(const struct answer *answer);
/* Bytes of the service's, after a head. The sink copies them; an answer without a body has no use for them.
 */
void answer_write(struct exchange *exchange, struct view data);
/* So many bytes may be written before the sink has drained any. For deliveries that have all of an answer;
 * where the service sends on, the link's windows bound what is under way. */
size_t answer_room(const struct answer *answer);
/* The sink has drained so many bytes. */
void answer_drained(struct exchange *exchange, size_t bytes);

/* The last word is one of these. The exchange is still to be freed by its owner. */
void answer_end(struct exchange *exchange, const struct headers *trailers); /* NULL: none */
/* All of an answer of our own that tells this error. */
void answer_error(struct exchange *exchange, enum http_error error);
/* Nothing whole can follow. */
void answer_abort(struct exchange *exchange);

#endif
