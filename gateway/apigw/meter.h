/* A proxy between the function and DynamoDB that counts what AWS would bill: it asks for the consumed
 * capacity with each call and adds it up. It may also make each call take as long as in a data centre. */
#ifndef GATEWAY_APIGW_METER_H
#define GATEWAY_APIGW_METER_H

#include <stdint.h>

#include "apigw/usage.h"
#include "fetch/http_client.h"
#include "net/loop.h"

struct meter;

struct meter_settings {
    const char *endpoint; /* "http://127.0.0.1:8000", outlives it */
    uint64_t least_ms;    /* no call takes less */
    uint64_t idle_ms;     /* of the function's connections, see web.h */
};

/* `http` and `usage` outlive it. NULL, with *ret_why, on failure. */
struct meter *meter_new(struct loop *loop, struct http_client *http, const struct meter_settings *settings,
                        struct usage *usage, const char **ret_why);
/* Where it listens, on loopback. */
uint16_t meter_port(const struct meter *meter);
/* Memory goes in meter_free(), after the loop has run the close callbacks. NULL is fine for both. */
void meter_stop(struct meter *meter);
void meter_free(struct meter *meter);

#endif
