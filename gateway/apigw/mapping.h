/* The event source mapping of a DynamoDB table's stream ("Using AWS Lambda with Amazon DynamoDB"): reads the
 * shards, filters records, invokes the function with batches in order, one at a time. A batch that fails is
 * tried again up to a bound (MaximumRetryAttempts) and dropped then, so that it blocks its shard no longer;
 * so is a record that has become too old (MaximumRecordAgeInSeconds). What else Lambda does only where the
 * mapping says so: it cuts a batch in two before it tries again (BisectBatchOnFunctionError), and begins the
 * next try at the first record that the function reports as `batchItemFailures` (ReportBatchItemFailures). */
#ifndef GATEWAY_APIGW_MAPPING_H
#define GATEWAY_APIGW_MAPPING_H

#include "apigw/lambda_pool.h"
#include "aws/aws_client.h"

struct mapping;

struct mapping_settings {
    const char *table;
    const char *endpoint; /* DynamoDB's, where the streams are too */
    struct view region;   /* that records are said to be of */
    const char *filter;   /* a pattern, as JSON (mapping_filter.h) */
    size_t batch, retries;
    uint64_t max_age_ms;
    bool bisects, reports_failures;
};

/* Texts, `aws`, `pool` and `usage` outlive it. NULL, with *ret_why (static), when the filter is none, or
 * without memory. It begins behind what is in the stream now. */
struct mapping *mapping_new(struct loop *loop, const struct mapping_settings *settings,
                            struct aws_client *aws, struct lambda_pool *pool, struct usage *usage,
                            const char **ret_why);
/* Behind lambda_pool_stop(). NULL is fine. */
void mapping_free(struct mapping *mapping);

#endif
