/* What other gateways ask for: each stream of a peer link becomes a request to an agent that is held here,
 * past ingress, which has been theirs. */
#ifndef CLUSTER_PEER_REQUESTS_H
#define CLUSTER_PEER_REQUESTS_H

#include "handler/core.h"
#include "link/link.h"

struct peer_requests;

/* `gateway` is our own peer URL; it, `core`, `tasks` and `clock` outlive the requests. NULL without memory.
 */
struct peer_requests *peer_requests_new(struct core *core, const char *gateway, struct tasks *tasks,
                                        const struct timers *clock);
/* Call it when all links have ended. NULL is fine. */
void peer_requests_free(struct peer_requests *requests);

/* link_events.request of a peer link; ctx is the peer_requests. */
void peer_requests_take(void *ctx, struct link_stream *stream, const struct stream_head *head, bool has_body);

/* How many requests are under way. */
size_t peer_requests_count(const struct peer_requests *requests);

#endif
