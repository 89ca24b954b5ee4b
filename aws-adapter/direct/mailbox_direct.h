/* The mailbox of WAIT_MODE=direct and stream, in front of the store's. While the waiter (waiter.h) is down
 * the store does everything.
 *
 * Stream: the pending record names the waiter, and whoever gets the table's stream wakes it when the record
 * is completed; polling begins later than without.
 *
 * Direct: no pending record is written. The request's id itself says where the answer goes, and whoever gets
 * the answer posts it there. If that fails, it puts the record after all, on the strength of the id, and the
 * invocation that waits looks for it once it has heard nothing for 300 ms. */
#ifndef AWS_ADAPTER_MAILBOX_DIRECT_H
#define AWS_ADAPTER_MAILBOX_DIRECT_H

#include "aws/connections.h"
#include "direct/waiter.h"
#include "store/store_dynamodb.h"

struct mailbox_direct;

struct mailbox_direct_settings {
    struct store_dynamodb *store;
    struct connections *connections;
    struct waiter *waiter; /* NULL: requests of ours are the store's; answers to those of others are posted */
    bool by_stream;        /* records are written, and the stream's handler wakes the waiter */
    const unsigned char *key; /* SECRET_LEN bytes */
    const struct core_settings *core;
};

/* What the settings point to outlives it. NULL without memory. */
struct mailbox_direct *mailbox_direct_new(const struct mailbox_direct_settings *settings);
void mailbox_direct_free(struct mailbox_direct *direct);

struct mailbox mailbox_direct_port(struct mailbox_direct *direct);
void mailbox_direct_listen(struct mailbox_direct *direct, struct store_events events);
bool mailbox_direct_busy(const struct mailbox_direct *direct);

#endif
