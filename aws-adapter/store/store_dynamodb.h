/* Registry and mailbox on two tables of DynamoDB (docs/AWS.md says what stands in them). What it promises is
 * what tests/conformance says of every store.
 *
 * Claims are records "tunnel#<id>" among the connections, read with one consistent read. Where there is none,
 * the index over `tunnelId` is asked for tunnels that an earlier version of the handler connected: these have
 * a connection record and no claim.
 *
 * Requests put here are polled until they are completed (50 ms, doubling to 500 ms), because who completes
 * them is another process. */
#ifndef AWS_ADAPTER_STORE_DYNAMODB_H
#define AWS_ADAPTER_STORE_DYNAMODB_H

#include "aws/dynamodb.h"
#include "handler/core.h"

struct store_dynamodb;

struct store_dynamodb_settings {
    const char *connections_table, *requests_table;
    const struct core_settings *core; /* for the URLs in a connection's record, and the largest answer */
};

/* What the settings point to, and `dynamodb`, outlive it. NULL without memory. */
struct store_dynamodb *store_dynamodb_new(struct dynamodb *dynamodb,
                                          const struct store_dynamodb_settings *settings);
/* Completions that are still owed are dropped. */
void store_dynamodb_free(struct store_dynamodb *store);

struct registry store_dynamodb_registry(struct store_dynamodb *store);
struct mailbox store_dynamodb_mailbox(struct store_dynamodb *store);
/* Who hears of changes made, and of completions seen, by this process. */
void store_dynamodb_listen(struct store_dynamodb *store, struct store_events events);

/* ---- for the mailbox in front of it (mailbox_direct.h) ---- */

/* Requests that are put from now on name this waiter, to be woken by the stream's handler; absent: none.
 * Copied. */
void store_dynamodb_set_waiter(struct store_dynamodb *store, struct view connection_id);
/* Somebody says that this request of ours has been completed: reads it at once, not with the next poll. */
void store_dynamodb_wake(struct store_dynamodb *store, struct view request_id);

/* Polls for the record of this request from now on, as if it had been put here. */
void store_dynamodb_watch(struct store_dynamodb *store, struct view request_id);
/* Deletes its record and the parts that this speaks of, whatever is known of them here; it is not polled for
 * any more. */
void store_dynamodb_discard(struct store_dynamodb *store, struct view request_id);
/* Puts the record of a completed request, where there is none; `answer` moves. STATUS_NOT_FOUND: there is
 * one. */
void store_dynamodb_deposit(struct store_dynamodb *store, struct view request_id, struct view connection_id,
                            uint64_t expires_ms, struct v1_message *answer, mailbox_done_fn *done,
                            void *target, uint64_t ticket);
/* As the port's complete_part, making the record where there is none. `done` may be NULL. */
void store_dynamodb_deposit_part(struct store_dynamodb *store, struct view request_id,
                                 struct view connection_id, uint64_t expires_ms, const struct v1_chunk *chunk,
                                 mailbox_done_fn *done, void *target, uint64_t ticket);
/* An answer as it is stored: one that is too large as the error that it is. */
bool store_dynamodb_encode_answer(const struct v1_message *answer, struct buf *out);

/* `apiGatewayRequestId` of the requests that are put from now on. Copied, cut to 128 bytes. */
void store_dynamodb_set_request(struct store_dynamodb *store, struct view api_gateway_request_id);

/* Is anything under way that somebody should wait for? Polls of requests that are still open are. */
bool store_dynamodb_busy(const struct store_dynamodb *store);
/* What the last sweep removed, by table. */
void store_dynamodb_swept(const struct store_dynamodb *store, size_t *ret_connections, size_t *ret_requests);

#endif
