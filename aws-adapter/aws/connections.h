/* API Gateway's "@connections": messages to the agents of a WebSocket API. */
#ifndef AWS_CONNECTIONS_H
#define AWS_CONNECTIONS_H

#include "aws/aws_client.h"

#define CONNECTIONS_MESSAGE_MAX (128u * 1024)

struct connections {
    struct aws_client *aws;
    char endpoint[AWS_ENDPOINT_MAX]; /* "https://abc.execute-api.eu-west-1.amazonaws.com/stage" */
};

/* From "wss://…/stage" (or ws, https, http). False when it is none of these, or too long. */
bool connections_set_endpoint(struct connections *connections, struct view websocket_url);

/* STATUS_GONE: there is no such connection (410). STATUS_TOO_LARGE, STATUS_OVERLOADED, STATUS_DENIED,
 * STATUS_TIMEOUT; STATUS_UNAVAILABLE: nobody knows whether it arrived. */
typedef void connections_fn(void *ctx, enum status status);

/* The message is copied. Tried again (at most `attempts_max` times in all) only where it certainly did not
 * arrive. */
void connections_post(struct connections *connections, struct view connection_id, struct view message,
                      unsigned attempts_max, connections_fn *done, void *ctx);
/* Ends the connection; tried once. */
void connections_delete(struct connections *connections, struct view connection_id, connections_fn *done,
                        void *ctx);

#endif
