/* What an owner has in this process, over all his tunnels. */
#ifndef HANDLER_OWNERS_H
#define HANDLER_OWNERS_H

#include "base/list.h"
#include "base/table.h"
#include "handler/ports.h"

struct core;

struct owner_use {
    struct table_node node; /* core.owners, by `name` */
    char name[OWNER_MAX + 1];
    size_t use_count;      /* who points here: exchanges, tunnels in use, connections of agents */
    size_t tunnel_count;   /* of them: connections, each of another tunnel */
    size_t exchange_count; /* of them: exchanges that have been sent to an agent */
    /* When its buckets are full again, by the monotonic clock: of requests, and of bytes. */
    uint64_t full_ns, bytes_full_ns;
    size_t rate;             /* of his last request; 0: any */
    uint64_t bandwidth;      /* likewise */
    struct spending untold;  /* to other processes */
    struct list untold_node; /* of core.spenders, while there is some */
};

/* Made if need be, with a use more; NULL without memory. */
struct owner_use *owner_use_get(struct core *core, const char *name);
void owner_use_end(struct core *core, struct owner_use *owner);

/* Counts the connection of this claim among its owner's tunnels, once. False: he has `most` already (0: any
 * number), and this one `replaces` none of them; or there is no memory. Who has shown no token has one
 * tunnel, and is not counted. */
bool owner_hold(struct core *core, const struct claim *claim, size_t most, bool replaces);
/* It counts no more, whether or not it did. */
void owner_let_go(struct core *core, struct view connection);

/* spending.c: he has used so much here, which others are told of. */
void spending_note(struct core *core, struct owner_use *owner, size_t requests, size_t bytes);
/* Likewise elsewhere. */
void spending_heard(struct core *core, struct view name, const struct spending *spent);
void spending_on_timer(struct timer *timer); /* of core.spend_timer */

/* No exchange and no tunnel in use may be left. */
void owners_done(struct core *core);

#endif
