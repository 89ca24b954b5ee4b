/* Whose turn it is: what the visitors of one tunnel may take of one turn of the loop, so that a tunnel of
 * which as much is taken as there is makes those of others wait for one such turn and no longer.
 *
 * Deficit round robin (Shreedhar and Varghese, 1995): each tunnel has the same quantum a turn of the loop,
 * each way; who has taken more has so much less of the next. What is over waits: a socket that was not read
 * stays readable, and what is to be written waits in a queue of the owner's, who calls loop_again(). Tunnels
 * are told apart by a hash (stochastic fairness queueing, McKenney 1990): two of them have one share between
 * them once in 1024 times, and nobody can choose with whom.
 *
 * Who takes little is visited by somebody who notices each wait: while there are such, they come first in
 * each turn of the loop (as new flows do in fq_codel, RFC 8290 4.1), and the quantum is a quarter. None of
 * them can make the others wait for long, because who takes more is not one of them any more. */
#ifndef NET_TURNS_H
#define NET_TURNS_H

#include "base/rivals.h"
#include "net/loop.h"

#define TURN_SHARES 1024
#define TURN_BYTES ((uint32_t)256 * 1024)             /* the quantum; a fifth of a millisecond */
#define TURN_FEW_BYTES (TURN_BYTES / RIVALS_QUARTERS) /* beside one who takes less than that */
#define TURN_ALONE (RIVALS_ALONE / RIVALS_QUARTERS)   /* quanta, for one that has had no rivals lately */
#define TURN_HEAVY_MS 10
#define TURN_STEP_BYTES ((uint32_t)16 * 1024) /* what a request or an answer counts beside its bytes */

enum turn_way { TURN_IN, TURN_OUT }; /* of what visitors send, of what they are sent */

struct turn_share {
    uint32_t turn; /* of the loop, in which it was looked at last */
    uint32_t spent[2];
    uint64_t heavy_until_ms; /* it has taken much */
};

/* A part of its owner's struct; all zero but for `loop`. */
struct turns {
    const struct loop *loop;
    struct rivals rivals;
    uint32_t quantum; /* as of when one was looked at last */
    struct turn_share shares[TURN_SHARES];
};

/* One that takes turns. */
struct turn_taker {
    struct turns *turns;
    unsigned share; /* 0: it is alone, and has no bound */
};

/* The share of the tunnel with this key (exchange_tunnel_key()); 0: nobody's, which has no bound. */
unsigned turns_share(uint64_t tunnel_key);
/* May more be done for it, in this turn of the loop? */
bool turns_may(struct turns *turns, unsigned share, enum turn_way way);
/* It has taken much lately, and there are others, who take little: they come first in each turn. */
bool turns_is_behind(const struct turns *turns, unsigned share);
/* Something was: one step, with so many bytes. */
void turns_spend(struct turns *turns, unsigned share, enum turn_way way, size_t bytes);

/* The same for a taker, at no cost to one that is alone. */
static inline bool turn_taker_may(const struct turn_taker *taker, enum turn_way way) {
    return taker->share == 0 || turns_may(taker->turns, taker->share, way);
}

static inline bool turn_taker_is_behind(const struct turn_taker *taker) {
    return taker->share && turns_is_behind(taker->turns, taker->share);
}

static inline void turn_taker_spend(const struct turn_taker *taker, enum turn_way way, size_t bytes) {
    if (taker->share) turns_spend(taker->turns, taker->share, way, bytes);
}

#endif
