/* What an owner has in this process, over all his tunnels. */
#ifndef HANDLER_OWNERS_H
#define HANDLER_OWNERS_H

#include "base/table.h"
#include "handler/claim.h"

struct core;

struct owner_use {
    struct table_node node; /* core.owners, by `name` */
    char name[OWNER_MAX + 1];
    size_t use_count;      /* who points here: exchanges, tunnels in use, connections of agents */
    size_t tunnel_count;   /* of them: connections, each of another tunnel */
    size_t exchange_count; /* of them: exchanges that have been sent to an agent */
    /* When its buckets are full again, by the monotonic clock: of requests, and of bytes. */
    uint64_t full_ns, bytes_full_ns;
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

/* No exchange and no tunnel in use may be left. */
void owners_done(struct core *core);

#endif
