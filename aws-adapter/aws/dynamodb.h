/* DynamoDB's low-level API (JSON 1.0): one operation a call. */
#ifndef AWS_DYNAMODB_H
#define AWS_DYNAMODB_H

#include <jansson.h>

#include "aws/aws_client.h"

struct dynamodb {
    struct aws_client *aws;
    char endpoint[AWS_ENDPOINT_MAX];
};

struct dynamodb_answer {
    const json_t *json; /* of STATUS_OK and STATUS_CONFLICT; borrowed until return */
    bool repeated;      /* an earlier attempt may have been executed */
};

/* STATUS_CONFLICT: a condition failed (for a transaction: of any of its parts; look at CancellationReasons).
 * STATUS_NOT_FOUND: no such table. Otherwise as in aws_client.h; an answer that makes no sense is
 * STATUS_INVALID. */
typedef void dynamodb_fn(void *ctx, enum status status, const struct dynamodb_answer *answer);

struct dynamodb_call;

/* `operation`: "GetItem". `body` is copied. Every operation is tried again when its fate is unknown: where a
 * condition then fails, `repeated` says that it may have been our own doing. */
typedef struct dynamodb_call *dynamodb_start_fn(struct dynamodb *dynamodb, const char *operation,
                                                struct view body, dynamodb_fn *done, void *ctx);
dynamodb_start_fn dynamodb_start;
/* Once, and for half a second at most: for what may as well not happen. */
dynamodb_start_fn dynamodb_try;
void dynamodb_cancel(struct dynamodb_call *call);

/* ---- attribute values ---- */

/* `"name":{"S":"value"}` and `"name":{"N":"value"}`, after a comma unless a brace opens before it. */
bool item_put_string(struct buf *out, const char *name, struct view value);
bool item_put_number(struct buf *out, const char *name, uint64_t value);

/* The absent view, or false, where the attribute is missing or of another type. */
struct view item_string(const json_t *item, const char *name);
bool item_number(const json_t *item, const char *name, uint64_t *ret_value);

#endif
