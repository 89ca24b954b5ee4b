/* Whose turn it is among a tunnel's answers that pass a chain (rewrite/chain.h): little may become very much,
 * so each makes so much of a turn of the loop, all of one tunnel so much of a millisecond, and who has not
 * ended by then waits behind those who wait already. */
#ifndef HANDLER_CHAIN_TURNS_H
#define HANDLER_CHAIN_TURNS_H

#include "base/list.h"
#include "base/timers.h"

#define CHAIN_TURN_STEPS 64u                       /* of one answer */
#define CHAIN_TUNNEL_STEPS (4u * CHAIN_TURN_STEPS) /* of its tunnel, in a millisecond */

/* A part of struct tunnel_use. */
struct chain_turns {
    struct list waiting; /* answer.turn_node: the first is the next */
    struct timer timer;
    uint64_t at_ms;      /* the millisecond of which */
    unsigned steps_left; /* are left */
};

struct exchange;

void chain_turns_init(struct chain_turns *turns);

/* So many steps may be made for it now; those that were are told. */
unsigned chain_turns_may(const struct exchange *exchange);
void chain_turns_made(const struct exchange *exchange, unsigned steps);

/* answer_go_on() is called when it is its turn; once. */
void chain_turns_wait(struct exchange *exchange);
/* Is that still to come? */
bool chain_turns_is_waiting(const struct exchange *exchange);

#endif
