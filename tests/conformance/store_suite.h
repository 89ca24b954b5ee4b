/* What every store promises: run against memory, Redis and DynamoDB alike. An adapter's test makes a fixture
 * and runs store_suite over it; the suite knows nothing of how the store works. */
#ifndef CONFORMANCE_STORE_SUITE_H
#define CONFORMANCE_STORE_SUITE_H

#include "handler/ports.h"

struct planted {
    bool of_name, of_member;
};

struct store_fixture {
    void *ctx;
    struct registry registry;
    struct mailbox mailbox;
    /* Another client of the same store; for a store of one process the same again. */
    struct registry other_registry;
    struct mailbox other_mailbox;
    /* Nobody tells it what others change: it is not told of claims, and sees completed requests by polling.
     */
    bool polls;
    bool knows_requests; /* what it does not know is lost: it answers STATUS_GONE */
    /* Its loop's, for a core in front of it. */
    struct timers *timers;
    struct tasks *tasks;
    /* As a later version does: adds a field to what the claim's record says of the name, and one to what it
     * says of the member. And which of them stand there. NULL where no other version can write. */
    void (*plant)(void *ctx, const char *tunnel_id);
    struct planted (*planted)(void *ctx, const char *tunnel_id);
    /* Lets the store work until nothing is owed any more. */
    void (*settle)(void *ctx);
    uint64_t (*wall_ms)(void *ctx);
    /* Moves the store's idea of the wall clock. */
    void (*advance)(void *ctx, uint64_t ms);
};

/* `open` makes an empty store whose events (of the first client) go to `events`; `close` ends it. Returns the
 * number of failed tests. */
int store_suite_run(const char *name, struct store_fixture *(*open)(struct store_events events),
                    void (*close)(struct store_fixture *fixture));

#endif
