/* Completed requests, as EventBridge events `HttpResponseReady` for others to consume. Nothing of ours waits
 * for them. */
#ifndef AWS_ADAPTER_PUBLISHER_H
#define AWS_ADAPTER_PUBLISHER_H

#include <jansson.h>

#include "aws/aws_client.h"

struct publisher {
    struct aws_client *aws;
    const char *bus; /* NULL: nothing is published */
    char endpoint[AWS_ENDPOINT_MAX];
};

/* Which records of a batch must come again (the answer's batchItemFailures): those that the bus did not take
 * for the moment. A record that makes no sense, or that the bus will never take, is logged and left. */
typedef void publisher_fn(void *ctx, json_t *failures);

/* `records` of a DynamoDB stream, borrowed until `done`, which fires later, once; it borrows `failures`. */
void publisher_publish(struct publisher *publisher, const json_t *records, publisher_fn *done, void *ctx);

#endif
