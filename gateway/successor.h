/* The gateway that takes over from another one, which has started it: the other half of handover.h. */
#ifndef GATEWAY_SUCCESSOR_H
#define GATEWAY_SUCCESSOR_H

#include "config/config.h"
#include "net/loop.h"

/* Was this process started for that? Reads the environment, also for sockets/inherited.h; call it first. */
void successor_init(void);
bool successor_waits(void);
/* How many gateways have stood in this place before this one; 0: none. */
unsigned successor_life(void);
/* While both run the one must be known from the other: adds the life to the peer URL ("ws://host:8081/?2").
 * False when there is no room. */
bool successor_url(char *url, size_t size);

struct successor_events {
    void *ctx;
    /* The ports are ours. `claims` (store/claims_file.h) is borrowed, and empty where the other one has gone
     * without a word. */
    void (*go)(void *ctx, struct view claims);
    /* A visitor's connection between two requests; it moves. */
    void (*visitor)(void *ctx, int fd);
};

/* All is ready here; what follows comes from the loop. */
void successor_ready(struct loop *loop, const struct successor_events *events);
void successor_stop(void);

#endif
