/* What AWS would bill: counted by the parts of the stand-in as they work, shown on the admin port. */
#ifndef GATEWAY_APIGW_USAGE_H
#define GATEWAY_APIGW_USAGE_H

#include "base/buf.h"

#define USAGE_MESSAGE_BYTES (32 * 1024) /* WebSocket messages are billed in steps of it */

enum usage_source {
    SOURCE_HTTP,
    SOURCE_CONNECT,
    SOURCE_MESSAGE,
    SOURCE_DISCONNECT,
    SOURCE_STREAM,
    SOURCE_SCHEDULE,
    SOURCE_COUNT
};

/* Counts since the start; a reader takes differences. */
struct usage {
    uint64_t requests;                  /* of visitors, that became events or were refused */
    uint64_t invocations[SOURCE_COUNT]; /* begun */
    uint64_t errors, timeouts, throttled;
    uint64_t cold_starts, billed_ms;
    uint64_t environments;              /* there now */
    uint64_t messages_in, messages_out; /* in steps of 32 KB */
    uint64_t connections;               /* there now */
    uint64_t connection_ms;             /* of those that have ended */
    uint64_t calls[4];                  /* at DynamoDB: reads, writes, others, failed */
    double read_units, write_units;
    uint64_t idle_cuts; /* connections of the function that had been idle for too long */
    uint64_t stream_reads, stream_records, stream_dropped;
    size_t memory_mib; /* of the function */
};

static inline uint64_t usage_messages(size_t bytes) {
    return bytes ? (bytes + USAGE_MESSAGE_BYTES - 1) / USAGE_MESSAGE_BYTES : 1;
}

/* As one JSON object. */
bool usage_print(const struct usage *usage, struct buf *out);

#endif
