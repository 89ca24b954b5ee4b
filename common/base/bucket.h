/* How often a second: a bucket of tokens, as many as may be taken in a second, kept as the moment at which it
 * is full again. One that is full needs no memory: 0 is such a moment. */
#ifndef BASE_BUCKET_H
#define BASE_BUCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUCKET_NS_PER_S 1000000000ull

/* Takes a token of a bucket that has so many and fills within `period_ns`; false when there is none. `now_ns`
 * of a monotonic clock. */
static inline bool bucket_take_within(uint64_t *full_ns, uint64_t now_ns, uint64_t period_ns, size_t tokens) {
    uint64_t token_ns = period_ns / tokens, full = *full_ns > now_ns ? *full_ns : now_ns;
    if (full + token_ns > now_ns + period_ns) return false;
    *full_ns = full + token_ns;
    return true;
}

static inline bool bucket_take(uint64_t *full_ns, uint64_t now_ns, size_t per_second) {
    return bucket_take_within(full_ns, now_ns, BUCKET_NS_PER_S, per_second);
}

#endif
