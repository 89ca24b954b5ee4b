/* What the files of the DynamoDB store share. */
#ifndef AWS_ADAPTER_STORE_DYNAMODB_STATE_H
#define AWS_ADAPTER_STORE_DYNAMODB_STATE_H

#include "aws/actions.h"
#include "base/ids.h"
#include "base/list.h"
#include "base/table.h"
#include "protocol/chunks.h"
#include "store/store_dynamodb.h"

#define CLAIM_KEY_PREFIX "tunnel#"
#define CLAIM_KEY_MAX (TUNNEL_NAME_MAX + sizeof(CLAIM_KEY_PREFIX))
#define SWEEP_KEY_MAX 1024
#define RATE_ENTRIES 32 /* tunnels whose requests an environment counts */
#define PARTS_MAX 100   /* of one answer: what BatchGetItem gives at once */

/* The requests of one tunnel. */
struct rate_entry {
    char tunnel_id[TUNNEL_NAME_MAX + 1];
    bool has_record;          /* there is a claim to add to */
    uint64_t since_ms, count; /* what stood there; since_ms 0: no period yet */
    uint64_t seen_ms;         /* when it was read */
    size_t untold;            /* counted here and not yet added */
    uint64_t counted_ms, told_ms;
};

struct store_dynamodb {
    struct dynamodb *dynamodb;
    struct store_dynamodb_settings settings;
    struct store_events events;
    struct list operations; /* struct store_op */
    size_t operation_count;
    struct table waiting; /* struct waiting by request id: put here, not yet taken */
    struct claim seen;    /* the last one looked up */
    char api_gateway_request_id[129];
    char waiter[CONNECTION_ID_MAX + 1]; /* "": none */
    size_t swept_connections, swept_requests;
    char sweep_from[2]
                   [SWEEP_KEY_MAX]; /* connections, requests: where the next page begins; "": at the begin */
    bool sweep_place_kept;          /* there is an item that says so */
    struct rate_entry rates[RATE_ENTRIES];
    bool rate_adding;   /* one at a time */
    bool update_denied; /* the role may not change items of the table of connections */
};

/* One call of a port, from its first request to its completion. */
struct store_op {
    struct list node;
    struct store_dynamodb *store;
    struct dynamodb_call *call; /* NULL: none under way */
    struct task task;           /* what is known at once and must wait */
    dynamodb_fn *then;
    union store_completion fn;
    void *target;
    uint64_t ticket;

    struct claim claim; /* registry: what is written, and over what */
    char *options;      /* NULL: none */
    bool says_options;  /* otherwise those that stand there stay */
    uint64_t expected_epoch;
    unsigned expected_states;
    bool changes; /* by UpdateItem */

    char request_id[V1_REQUEST_ID_MAX + 1]; /* mailbox */
    char connection_id[CONNECTION_ID_MAX + 1];
    struct v1_message *answer;                  /* mailbox: take */
    struct buf text;                            /* mailbox: the answer as JSON */
    struct reading *reading;                    /* mailbox: of parts */
    size_t total, next;                         /* mailbox: parts; registry: sweep's deletions under way */
    size_t own_total;                           /* mailbox: of a piece, while another set is looked at */
    size_t bytes;                               /* mailbox: of one part */
    size_t sets[CHUNK_SETS_MAX + 1], set_count; /* mailbox: totals of parts to be deleted */
    unsigned rounds;
    uint64_t expires_ms;
    bool put_here; /* mailbox: the part was not there before */
    bool deposit;  /* mailbox: makes the record where there is none */
    enum status status;
};

/* Aborts without memory: a completion would be owed and could not be paid. */
struct store_op *store_op_new(struct store_dynamodb *store, void *target, uint64_t ticket);
void store_op_free(struct store_op *op);
/* Sends `body`, and frees it. `then` gets the op, and STATUS_NO_MEMORY for a body that is marked failed. */
void store_op_send(struct store_op *op, enum aws_action action, struct buf *body, dynamodb_fn *then);
/* The same, but once and briefly: for what may as well not happen. */
void store_op_try(struct store_op *op, enum aws_action action, struct buf *body, dynamodb_fn *then);
/* Calls fn.done, if any, and frees. */
void store_op_done(struct store_op *op, enum status status);

static inline uint64_t store_wall_ms(const struct store_dynamodb *store) {
    const struct aws_client *aws = store->dynamodb->aws;
    return aws->wall_ms(aws->wall_ctx);
}

/* `{"TableName":"…"` and, with a key, `,"Key":{"<name>":{"S":"<value>"}}`. */
bool body_begin(struct buf *out, const char *table);
bool body_key(struct buf *out, const char *name, struct view value);

/* What a port sees of a failed call: no such table, an answer that makes no sense, nobody knows what: the
 * store cannot be reached. */
enum status port_status(enum status status);

/* The role lacks dynamodb:UpdateItem: says so, once. */
void store_update_denied(struct store_dynamodb *store);

/* store_dynamodb_claims.c */
void claims_port(struct store_dynamodb *store, struct registry *ret_registry);
/* "tunnel#<id>", into `out`. */
struct view claim_key(struct view tunnel_id, char out[CLAIM_KEY_MAX]);
/* store_dynamodb_rate.c: the tunnel's claim was read; NULL: it has no record. */
void rate_seen(struct store_dynamodb *store, struct view tunnel_id, const json_t *item);
/* The port's `admit`. */
bool rate_admit(void *ctx, struct view tunnel_id, size_t per_second);
/* store_dynamodb_sweep.c */
void dynamodb_sweep(void *ctx, registry_swept_fn *done, void *target, uint64_t ticket);
/* store_dynamodb_parts.c */
void reading_free(struct reading *reading);
/* store_dynamodb_requests.c */
void requests_port(struct store_dynamodb *store, struct mailbox *ret_mailbox);
void waiting_free_all(struct store_dynamodb *store);

#endif
