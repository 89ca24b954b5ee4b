#include "apigw/trace_id.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/ids.h"

static uint64_t random_64(void) {
    uint64_t number;
    ids_random(&number, sizeof(number));
    return number;
}

void trace_id_root(char out[TRACE_ID_MAX], uint64_t now_ms) {
    snprintf(out, TRACE_ID_MAX, "Root=1-%08" PRIx32 "-%016" PRIx64 "%08" PRIx32, (uint32_t)(now_ms / 1000),
             random_64(), (uint32_t)random_64());
}

void trace_id_invocation(char out[TRACE_ID_MAX], uint64_t now_ms) {
    char root[TRACE_ID_MAX];
    trace_id_root(root, now_ms);
    snprintf(out, TRACE_ID_MAX, "%.40s;Parent=%016" PRIx64 ";Sampled=0", root, random_64());
}
