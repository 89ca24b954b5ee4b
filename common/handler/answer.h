/* The answer on its way to the visitor. The only caller of the host's sink: what a service (or the gateway
 * itself) has to say passes here, head, body and end, and here sits what changes it: a chain of filters,
 * chosen once from the head (path_mode.h). Most answers have none.
 *
 * Bytes are counted on both sides of that place. A delivery writes bytes of the service's; what becomes of
 * them goes to the sink, and when that has drained, the service's bytes are given back to the delivery as
 * credit: half of them when half has drained, all when all has, at once when nothing became of them.
 *
 * With a chain no more is made than the sink's window has room for; what the service has sent beyond waits,
 * and so does the answer's end. */
#ifndef HANDLER_ANSWER_H
#define HANDLER_ANSWER_H

#include "base/list.h"
#include "base/tasks.h"
#include "handler/event.h"
#include "rewrite/chain.h"

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
    struct chain *chain; /* NULL: bytes pass as they are */
    /* with a chain */
    struct task task;        /* more can be made, outside a host's call */
    struct list turn_node;   /* likewise, when others had theirs: chain_turns.h */
    bool is_ended;           /* the service has said all */
    struct headers trailers; /* what was behind it */
};

void answer_init(struct exchange *exchange, const struct answer_sink *sink, size_t window_bytes);

/* Nothing more comes of it. */
void answer_done(struct exchange *exchange);

/* The service's head, which the gate has let pass: what is not for the visitor is taken from `headers`.
 * `body_bytes`: how long the body will be, or LENGTH_UNKNOWN. False without memory: nothing was said yet. */
bool answer_begin(struct exchange *exchange, int status, struct headers *headers, uint64_t body_bytes);
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
/* With a chain: it is its turn again (chain_turns.h). From a safe point; the exchange may be gone then. */
void answer_go_on(struct exchange *exchange);

/* The last word is one of these. The exchange is still to be freed by its owner, except after an answer_end()
 * that is false: then exchange_ended() follows when all is out. */
bool answer_end(struct exchange *exchange, const struct headers *trailers); /* NULL: none */
/* All of an answer of our own that tells this error. */
void answer_error(struct exchange *exchange, enum http_error error);
/* All of another answer of our own. `headers` were made with the exchange's arena. */
struct answer_own {
    int status;
    struct headers headers;
    struct view body;      /* may be empty */
    enum http_error error; /* HTTP_ERROR_NONE: it tells of none */
};
/* Adds x-tunnel-error where it is not there, and what every 401 has: how one would come in (RFC 9110 11.6.1).
 */
bool answer_tell_error(const struct exchange *exchange, enum http_error error, struct headers *headers);
void answer_own(struct exchange *exchange, struct answer_own *own);
/* The answer cannot be completed: the visitor is cut. */
void answer_put_end(struct exchange *exchange); /* what was left behind answer_end() is out */
void answer_abort(struct exchange *exchange);

#endif
