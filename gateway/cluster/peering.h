/* Several gateways as one, for agents of v2: the links to others, who is let in as one of them, and what they
 * ask. For main.c, which wires it. */
#ifndef CLUSTER_PEERING_H
#define CLUSTER_PEERING_H

#include "agents/agent_accept.h"
#include "agents/agent_ws.h"
#include "cluster/peer_links.h"

struct peering;

/* `url` is our own peer URL, copied. `ws` and the core outlive it. NULL without memory. */
struct peering *peering_new(struct loop *loop, const char *url, struct agent_ws *ws);
/* Derived from the secret, for PEER_KEY_LABEL; before the first use, and when there is another. */
void peering_set_key(struct peering *peering, const unsigned char key[SECRET_LEN]);
/* The links by which other gateways are asked. */
struct peer_links *peering_links(struct peering *peering);
/* Begins to take what other gateways ask for, to `core`. False without memory. */
bool peering_serve(struct peering *peering, struct core *core, struct agent_accept *accept);

/* How many of them are up. */
size_t peering_link_count(const struct peering *peering);
/* How many requests of other gateways are under way. */
size_t peering_busy(const struct peering *peering);

/* Closes the links to others; memory goes in peering_free, after the loop has run the close callbacks and all
 * who asked are gone. NULL is fine for all three. */
void peering_stop(struct peering *peering);
void peering_free(struct peering *peering);

#endif
