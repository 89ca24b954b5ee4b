/* The event source mapping of a DynamoDB table's stream ("Using AWS Lambda with Amazon DynamoDB"): reads the
 * shards, filters records, invokes the function with batches in order, one at a time. A batch that fails is
 * cut in two and tried again (BisectBatchOnFunctionError); what cannot be cut is tried again up to a bound
 * (MaximumRetryAttempts) and dropped then, so that it blocks its shard no longer. The first of the records
 * that a function reports as `batchItemFailures` begins the next try (ReportBatchItemFailures). */
#ifndef GATEWAY_APIGW_MAPPING_H
#define GATEWAY_APIGW_MAPPING_H

#include "apigw/lambda_pool.h"
#include "aws/aws_client.h"

struct mapping;

struct mapping_settings {
    const char *table;
    const char *endpoint; /* DynamoDB's, where the streams are too */
    const char *filter;   /* a pattern, as JSON (mapping_filter.h) */
    size_t batch, retries;
};

/* Texts, `aws`, `pool` and `usage` outlive it. NULL, with *ret_why (static), when the filter is none, or
 * without memory. It begins behind what is in the stream now. */
struct mapping *mapping_new(struct loop *loop, const struct mapping_settings *settings,
                            struct aws_client *aws, struct lambda_pool *pool, struct usage *usage,
                            const char **ret_why);
/* Behind lambda_pool_stop(). NULL is fine. */
void mapping_free(struct mapping *mapping);

#endif
