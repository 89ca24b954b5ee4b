/* What Lambda invokes us with, read from JSON: HTTP requests (API Gateway payloads 1.0 and 2.0, and those of
 * an Application Load Balancer), the routes of a WebSocket API, DynamoDB Streams, the schedule. docs/AWS.md
 * has the table. Anything else is refused. */
#ifndef AWS_ADAPTER_LAMBDA_EVENT_H
#define AWS_ADAPTER_LAMBDA_EVENT_H

#include <jansson.h>

#include "base/buf.h"
#include "http/headers.h"

enum lambda_kind {
    LAMBDA_HTTP_1,    /* payload 1.0: `httpMethod` */
    LAMBDA_HTTP_2,    /* payload 2.0: `requestContext.http` */
    LAMBDA_ALB,       /* a load balancer's: `requestContext.elb`; one value a header */
    LAMBDA_ALB_MULTI, /* the same where its target group has multi-value headers */
    LAMBDA_CONNECT,
    LAMBDA_DISCONNECT,
    LAMBDA_MESSAGE,
    LAMBDA_STREAM,
    LAMBDA_CLEANUP,
};

/* Views live as long as it. Which members count depends on the kind; the others are empty. */
struct lambda_event {
    enum lambda_kind kind;
    struct arena arena;
    json_t *document;
    struct view request_id; /* of API Gateway */

    /* HTTP, and `target` and `headers` of CONNECT */
    struct view method;
    struct view
        target; /* as a request target: the stage taken off, bytes that are not legal in one encoded */
    struct headers headers;
    struct view client; /* address */
    struct view scheme; /* "https", or as the load balancer says */

    struct view connection_id; /* CONNECT, DISCONNECT, MESSAGE */
    struct view body;          /* HTTP and MESSAGE, decoded */
    const json_t *records;     /* STREAM: a non-empty array */
};

/* NULL, and why, for anything malformed (also without memory). */
struct lambda_event *lambda_event_parse(struct view text, const char **ret_why);
void lambda_event_free(struct lambda_event *event);

/* ---- lambda_http.c ---- */

/* Fills method, target, headers and peer from either payload, or says why not. */
const char *lambda_http_read(struct lambda_event *event);
/* Fills target and headers of a WebSocket API's $connect. */
const char *lambda_connect_read(struct lambda_event *event);

#endif
