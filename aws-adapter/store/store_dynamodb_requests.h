/* What the two files of the mailbox on DynamoDB share: the requests, and the parts of large answers. */
#ifndef AWS_ADAPTER_STORE_DYNAMODB_REQUESTS_H
#define AWS_ADAPTER_STORE_DYNAMODB_REQUESTS_H

#include "store/store_dynamodb_state.h"

enum {
    POLL_FIRST_MS = 50,
    POLL_WOKEN_MS = 300, /* where somebody is to wake us */
    POLL_MAX_MS = 500,
    ITEM_TEXT_MAX = 350 * 1024, /* an item holds 400 KB, names and all */
    REQUEST_BODY_MAX = 16 * 1024,
};

struct waiting {
    struct table_node node;
    struct store_dynamodb *store;
    char request_id[V1_REQUEST_ID_MAX + 1];
    struct timer poll;
    uint64_t interval_ms;
    struct v1_message *answer; /* seen by a poll, not yet taken */
    bool parts;                /* the record is known to have some */
    bool told;
    bool recordless; /* of direct mode: nobody has seen a record of it yet */
};

struct waiting *waiting_find(struct store_dynamodb *store, struct view request_id);

/* Only the agent that was asked, once, in time; or nobody yet, for a deposit, whose UpdateExpression sets
 * REQUEST_DEPOSIT too. Leaves the braces of ExpressionAttributeValues open. */
bool put_owner_condition(struct buf *out, const struct store_op *op, const char *further);
#define REQUEST_DEPOSIT                                                                                      \
    ", connectionId = :connection, createdAt = :created, expiresMs = :expires, #ttl = :ttl"
/* Tells, and ends the op with STATUS_OK. */
void request_completed(struct store_op *op);
/* Ends the op with that status, later. */
void request_refuse(struct store_op *op, enum status status);

/* Is the record completed by parts? op->total and op->connection_id then are theirs. */
bool parts_completed(struct store_op *op, const json_t *record);
/* Joins the parts of op->request_id and op->connection_id, op->total of them. STATUS_INVALID: they join to no
 * answer to this request. Otherwise, without an answer: they are not to be had now. `answer` moves. */
typedef void parts_fn(struct store_op *op, enum status status, struct v1_message *answer);
void parts_read(struct store_op *op, parts_fn *then);
/* The request, completed by those op->total parts, is pending again, and they are never looked at again.
 * STATUS_CONFLICT: it is not, or no more, completed by them. */
void parts_reopen(struct store_op *op, dynamodb_fn *then);
/* Writes op->text as parts, then completes the request with them. */
void parts_write(struct store_op *op);
/* Notes which parts the record speaks of, for parts_delete(); false: of none. */
bool parts_of_record(struct store_op *op, const json_t *record);
/* Deletes them, and frees the op. */
void parts_delete(struct store_op *op);

void complete_part(void *ctx, struct view request_id, struct view connection_id, const struct v1_chunk *chunk,
                   mailbox_done_fn *done, void *target, uint64_t ticket);

#endif
