/* /metrics on the admin port: the process's metrics (common/metrics), and what is asked of the parts of the
 * gateway when the page is made. */
#ifndef GATEWAY_METRICS_PAGE_H
#define GATEWAY_METRICS_PAGE_H

#include "admin/admin.h"
#include "agents/agent_ws.h"
#include "cluster/peering.h"
#include "metrics/metrics.h"
#include "pressure.h"

struct metrics_page {
    struct loop *loop;
    const struct clients *ports[METRIC_PORT_COUNT]; /* borrowed, by enum metric_port */
    /* NULL: not there yet, or never */
    struct agent_ws *agents;
    const struct peering *peering;
    const struct core *core;
    const struct pressure *pressure;

    struct timer lag;
    uint64_t due_us; /* when `lag` is to fire */
};

/* Looks from now on how late the loop is, and counts for so many tunnels each by itself (metrics_tunnels.h).
 * The parts above are for the caller to set. */
void metrics_page_start(struct metrics_page *page, struct loop *loop, size_t tunnels);
void metrics_page_stop(struct metrics_page *page);
/* An admin_page_fn. */
const char *metrics_page_print(void *ctx, struct view accept, struct buf *out);

#endif
