/* The agent port over API Gateway's "@connections". */
#ifndef AWS_ADAPTER_AGENTS_APIGW_H
#define AWS_ADAPTER_AGENTS_APIGW_H

#include "aws/connections.h"
#include "handler/ports.h"

struct agents_apigw {
    struct connections *connections;
    struct list sends; /* under way */
};

/* `connections` outlives it. */
void agents_apigw_init(struct agents_apigw *agents, struct connections *connections);
/* Drops what waits to be tried again. Call when nothing is under way at `connections`. */
void agents_apigw_done(struct agents_apigw *agents);

struct agents agents_apigw_port(struct agents_apigw *agents);
bool agents_apigw_busy(const struct agents_apigw *agents);

#endif
