/* Tells that this machine's addresses or routes have changed (another network, a VPN, back from sleep): a
 * link may be dead then without a word. Where the kernel tells nobody, nothing
 * is told here, and the heartbeat finds out. */
#ifndef FORWARDER_ROUTE_WATCH_H
#define FORWARDER_ROUTE_WATCH_H

#include "net/loop.h"

#define ROUTE_SETTLE_MS 300u /* changes come in bursts: one is told */

struct route_watch;

/* NULL: the kernel tells nobody, or there is no memory. */
struct route_watch *route_watch_new(struct loop *loop, void (*changed)(void *ctx), void *ctx);
/* Memory goes when the loop has run the close callback. NULL is fine. */
void route_watch_stop(struct route_watch *watch);

#endif
