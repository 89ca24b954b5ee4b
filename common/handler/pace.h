/* Bytes a second: what passes is counted as it comes, and while a tunnel or its owner has had more than his
 * share, nobody is told to send on. So what has been sent already is never held, and a sender waits no longer
 * than the average needs. An exchange that has no such quota has no pace. */
#ifndef HANDLER_PACE_H
#define HANDLER_PACE_H

#include "base/bucket.h"

struct exchange;

#define PACE_BURST_NS BUCKET_NS_PER_S           /* so much may pass at once */
#define PACE_LATE_NS (2 * BUCKET_NS_PER_S)      /* beyond it; then nobody begins a request */
#define PACE_OWED_MAX_NS (60 * BUCKET_NS_PER_S) /* more is forgotten */

#define PACE_COUNTED_MAX ((uint64_t)1 << 33) /* bytes at once; more would overflow */

/* Takes so many bytes out of a bucket that fills by `bandwidth` a second, also more than there are. */
void pace_take(uint64_t *full_ns, uint64_t now_ns, uint64_t bandwidth, uint64_t bytes);

/* From now on its bytes count. 0: no quota of that kind. False without memory. */
bool pace_start(struct exchange *exchange, uint64_t tunnel_bandwidth, uint64_t owner_bandwidth);
/* Harmless without a pace. */
void pace_stop(struct exchange *exchange);

/* The same for what has a pace: bytes have come, in either direction; the agent may send so many more; the
 * visitor may. */
void pace_count(struct exchange *exchange, size_t bytes);
void pace_credit(struct exchange *exchange, size_t bytes);
void pace_grant(struct exchange *exchange, size_t bytes);

static inline bool pace_is_late(uint64_t full_ns, uint64_t now_ns) {
    return full_ns > now_ns + PACE_BURST_NS + PACE_LATE_NS;
}
/* Seconds until it is late no more, 1 at least. */
static inline unsigned pace_late_s(uint64_t full_ns, uint64_t now_ns) {
    uint64_t until = now_ns + PACE_BURST_NS + PACE_LATE_NS;
    return 1 + (full_ns > until ? (unsigned)((full_ns - until) / BUCKET_NS_PER_S) : 0);
}

#endif
