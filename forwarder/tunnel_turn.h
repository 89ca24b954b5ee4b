/* What one tunnel of several has of a turn of the loop that they share: one of which as much is taken as
 * there is lets the others wait for its part of a turn and no longer (net/turns.h, net/pieces.h). */
#ifndef FORWARDER_TUNNEL_TURN_H
#define FORWARDER_TUNNEL_TURN_H

#include "net/pieces.h"
#include "net/turns.h"

/* Of the process. */
struct tunnel_turns {
    struct turns turns;  /* IN: what services answer; OUT: what is sent to the gateway of that */
    struct rivals links; /* on which requests come */
};

/* Of a tunnel. A share of 0 says that there is no other one, and no turns. */
struct tunnel_turn {
    struct turn_taker taker;
    struct rivals *links;
};

#endif
