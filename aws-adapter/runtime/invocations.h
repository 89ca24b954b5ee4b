/* One invocation after the other: takes an event from the runtime API, gives it to the handler core, answers,
 * waits for what is still under way, asks for the next. */
#ifndef AWS_ADAPTER_INVOCATIONS_H
#define AWS_ADAPTER_INVOCATIONS_H

#include "direct/mailbox_direct.h"
#include "handler/core.h"
#include "issuer/jwks_url.h"
#include "net/loop.h"
#include "runtime/agents_apigw.h"
#include "runtime/publisher.h"
#include "store/store_dynamodb.h"

struct invocations_parts {
    struct loop *loop;
    struct http_client *http;
    struct aws_client *aws;
    struct core *core;
    struct jwks_url *keys; /* of tokens, asked for by need; NULL: they are there from the start */
    struct store_dynamodb *store;
    struct mailbox_direct *direct;   /* NULL: no secret */
    const unsigned char *waiter_key; /* NULL: no secret */
    struct connections *connections;
    struct agents_apigw *agents;
    struct publisher *publisher;
    const char *runtime_api;
    bool tells_metrics; /* in the log, at the end of each invocation */
};

struct invocations;

/* What `parts` points to outlives it. NULL without memory. */
struct invocations *invocations_new(const struct invocations_parts *parts);
void invocations_free(struct invocations *invocations);

/* Asks for the first event; ends the loop when there is no runtime API any more. */
void invocations_start(struct invocations *invocations);

#endif
