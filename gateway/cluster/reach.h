/* Ways to an agent, wherever it is: one that is held here by its socket, and by the mailbox in memory,
 * whatever the store, so that it costs the store nothing; one at another gateway by a peer link (v2) or
 * through the shared mailbox (v1). Ports over ports: the core asks as ever. */
#ifndef CLUSTER_REACH_H
#define CLUSTER_REACH_H

#include "cluster/claims_cache.h"
#include "cluster/peer_links.h"

struct reach_settings {
    const char *gateway; /* of claims whose link is here; outlives the reach */
    const struct claims_cache *claims;
    struct mailbox here, away;
    bool (*is_away)(struct view request_id); /* minted by `away` */
    struct agents agents;                    /* here */
    struct timers *timers;
    uint64_t retire_ms; /* so long a connection that is to be closed may finish what others asked of it */
    void *away_ctx;
    void (*send_away)(void *ctx, const struct link *link, struct view message, agent_sent_fn *done,
                      void *target, uint64_t ticket);
    struct peer_links *peers; /* v2 */
};

struct reach;

/* NULL without memory. */
struct reach *reach_new(const struct reach_settings *settings);
/* Stops its timers; call it before the loop ends. */
void reach_stop(struct reach *reach);
/* Frees it, when the loop has ended. NULL is fine for both. */
void reach_free(struct reach *reach);

struct mailbox reach_mailbox(struct reach *reach);
/* `open` and what goes with it are those of the agents here; `close` waits for what others asked of them. */
struct agents reach_agents(struct reach *reach);

/* What another gateway sends to an agent here: STATUS_GONE where the tunnel is not served by it any more. */
void reach_deliver(struct reach *reach, struct view connection_id, struct view message, agent_sent_fn *done,
                   void *target, uint64_t ticket);

/* Requests of other gateways' visitors that agents here have not answered yet. */
size_t reach_busy(struct reach *reach);

#endif
