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

/* `apiGatewayRequestId` of the requests that are put from now on. Copied, cut to 128 bytes. */
void store_dynamodb_set_request(struct store_dynamodb *store, struct view api_gateway_request_id);

/* Is anything under way that somebody should wait for? Polls of requests that are still open are. */
bool store_dynamodb_busy(const struct store_dynamodb *store);
/* What the last sweep removed, by table. */
void store_dynamodb_swept(const struct store_dynamodb *store, size_t *ret_connections, size_t *ret_requests);

#endif
