/* Keeps the link alive and notices when it is dead: asks when nothing was heard for a beat, and when nothing
 * at all was for two beats, nor was anything taken of what is being sent (a pong comes behind that), or for 5
 * s after it was asked because the network changed, or for 1 s because the machine slept, says so. */
#ifndef FORWARDER_HEARTBEAT_H
#define FORWARDER_HEARTBEAT_H

#include "net/loop.h"

#define HEARTBEAT_GATEWAY_MS 7000u /* so that a dead link is noticed within 15 s */
#define HEARTBEAT_MIN_S 5u         /* whatever the other side says */
#define HEARTBEAT_MAX_S 540u
#define HEARTBEAT_AWS_MS 300000u /* each message costs; API Gateway's idle limit is 600 s */

struct heartbeat_host {
    void *ctx;
    void (*ask)(void *ctx);                     /* send a ping */
    uint64_t (*heard_ms)(void *ctx);            /* when anything was last heard, by the loop's clock */
    uint64_t (*moved_ms)(void *ctx);            /* when much of what waits to be sent last went */
    void (*silent)(void *ctx, uint64_t for_ms); /* the heartbeat has stopped itself */
};

struct heartbeat {
    struct loop *loop;
    struct heartbeat_host host;
    uint64_t interval_ms;
    struct timer beat, watch;
    bool is_on;
    bool asks_always;          /* also where there is more to hear, so that what a ping takes is known */
    uint64_t asked_ms;         /* when there was reason to doubt, 0 otherwise */
    uint64_t patience_ms;      /* from then on */
    uint64_t (*boot_ms)(void); /* a clock that goes on while the machine sleeps */
    int64_t clock_offset_ms;   /* of that, minus the loop's: jumps when the machine slept */
};

void heartbeat_init(struct heartbeat *heartbeat, struct loop *loop, uint64_t interval_ms,
                    const struct heartbeat_host *host);
void heartbeat_start(struct heartbeat *heartbeat);
/* There is reason to doubt: asks at once, and wants to hear something within 5 s. Nothing happens when it is
 * stopped. */
void heartbeat_doubt(struct heartbeat *heartbeat);
/* It is known to be dead: `silent` comes in the next turn of the loop. */
void heartbeat_give_up(struct heartbeat *heartbeat);
void heartbeat_stop(struct heartbeat *heartbeat);

#endif
