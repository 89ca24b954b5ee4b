/* The agent port before it is a WebSocket: reads the handshake's request, asks the core whether this agent
 * may connect, and writes the refusal or hands the socket to agent_ws. */
#ifndef GATEWAY_AGENT_ACCEPT_H
#define GATEWAY_AGENT_ACCEPT_H

#include "agents/agent_ws.h"
#include "agents/peer_guard.h"

struct agent_accept;

/* `proxied` counts the agents that come through trusted proxies, by the address that these say; it outlives
 * the accept. Agents that offer v2 get it where it is spoken; those that do not are refused where v1 is not.
 * NULL without memory. `core` and `ws` outlive it. `gateway`: link.gateway of their claims; copied. */
struct agent_accept *agent_accept_new(struct loop *loop, struct core *core, struct agent_ws *ws,
                                      const char *gateway, bool speaks_v1, bool speaks_v2,
                                      uint64_t header_timeout_ms, struct clients *proxied);
/* Peers are let in, too, if this guard thinks so; it outlives the accept. */
void agent_accept_peers(struct agent_accept *accept, struct peer_guard *guard);
/* A porch_fn; ctx is the agent_accept. */
void agent_accept_take(void *ctx, const struct conn *conn, struct client *client,
                       const struct sockaddr *address, socklen_t len);
/* A clients_spare_fn; ctx is the agent_accept. Agents that are connected stay. */
bool agent_accept_spare(void *ctx);
/* Drops who has not got through yet. */
void agent_accept_stop(struct agent_accept *accept);
/* After the core was freed and the loop has run the close callbacks. NULL is fine for both. */
void agent_accept_free(struct agent_accept *accept);

#endif
