/* Trace ids as AWS makes them ("Tracing header", X-Ray Developer Guide). */
#ifndef GATEWAY_APIGW_TRACE_ID_H
#define GATEWAY_APIGW_TRACE_ID_H

#include <stdint.h>

#define TRACE_ID_MAX 80

/* "Root=1-5759e988-bd862e3fe1be46a994272793": of a visitor's or an agent's request. */
void trace_id_root(char out[TRACE_ID_MAX], uint64_t now_ms);
/* "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0": of an invocation. */
void trace_id_invocation(char out[TRACE_ID_MAX], uint64_t now_ms);

#endif
