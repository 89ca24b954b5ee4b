/* What passed through each tunnel, as numbers: for the agent's API, and for /metrics (METRIC_AGENT_LIST).
 * What is sent again from the page did not come through a tunnel and is not among it. */
#ifndef FORWARDER_INSPECT_TRAFFIC_H
#define FORWARDER_INSPECT_TRAFFIC_H

#include "base/list.h"
#include "inspect/meter.h"
#include "inspect/watch.h"

#define TRAFFIC_TUNNELS_MAX 512 /* the one that was used least lately is forgotten */

struct traffic_tunnel {
    struct list node;
    char label[64];     /* empty: the only one, which has none */
    uint64_t open;      /* requests under way */
    struct meter conns; /* all of them */
    struct meter http;  /* without offers to switch protocols */
};

struct traffic {
    struct list tunnels; /* struct traffic_tunnel.node; the one used last is the first */
    size_t count;
};

void traffic_init(struct traffic *traffic);
void traffic_done(struct traffic *traffic);

void traffic_begin(struct traffic *traffic, const struct watch_request *request, uint64_t now_ms);
void traffic_end(struct traffic *traffic, const struct watch_end *end);
/* NULL: nothing has come through it. `label` may be NULL. */
struct traffic_tunnel *traffic_find(const struct traffic *traffic, const char *label);

#endif
