/* Series for each tunnel, of which there may be any number: off unless a bound is set, and then the counts of
 * those that were used last. What is forgotten is added up under the tunnel `_other`, which no tunnel can be
 * called. */
#ifndef METRICS_METRICS_TUNNELS_H
#define METRICS_METRICS_TUNNELS_H

#include "metrics/metrics_text.h"

#define METRICS_TUNNELS_MAX 2000

/* 0: none. Once, before the first request. */
void metrics_tunnels_limit(size_t most);
void metrics_tunnels_done(void);
/* A request that an agent of this tunnel had has ended. Costs a look into a table; memory is taken for a new
 * tunnel only. */
void metrics_tunnels_count(struct view tunnel, int status, uint64_t bytes_in, uint64_t bytes_out);
void metrics_tunnels_put(struct buf *out, enum metrics_format format);

#endif
