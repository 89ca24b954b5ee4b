/* The event source mapping of a DynamoDB table's stream ("Using AWS Lambda with Amazon DynamoDB"): reads the
 * shards, filters records, invokes the function with batches in order, one at a time. A batch that fails is
 * cut in two and tried again, up to a bound; a record that fails alone is dropped then, so that it blocks its
 * shard no longer. What a function reports as `batchItemFailures` begins the next try. */
#ifndef GATEWAY_APIGW_MAPPING_H
#define GATEWAY_APIGW_MAPPING_H

#include "apigw/lambda.h"
#include "aws/aws_client.h"

#include <jansson.h>

struct mapping;

struct mapping_settings {
    const char *table;
    const char *endpoint; /* DynamoDB's, where the streams are too */
    const char *filter;   /* an event pattern, as JSON: objects, and lists of allowed texts */
    size_t batch, retries;
};

/* True where the record is let through by the pattern. */
bool mapping_filter_matches(const json_t *pattern, const json_t *record);

/* Texts, `aws`, `lambda` and `usage` outlive it. NULL, with *ret_why, when the filter is no JSON object, or
 * without memory. It begins behind what is in the stream now. */
struct mapping *mapping_new(struct loop *loop, const struct mapping_settings *settings,
                            struct aws_client *aws, struct lambda *lambda, struct usage *usage,
                            const char **ret_why);
/* Behind lambda_stop(). NULL is fine. */
void mapping_free(struct mapping *mapping);

#endif
