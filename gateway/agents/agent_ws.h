/* Agents' WebSockets, and peers', and the core's `agents` port over them. */
#ifndef GATEWAY_AGENT_WS_H
#define GATEWAY_AGENT_WS_H

#include "agents/agent_card.h"
#include "agents/ws_candidate.h"
#include "handler/core.h"
#include "link/link.h"

struct agent_ws;

/* Answers' heads of agents of v2 have at most `answer_bytes`. After `link_requests` requests an agent of v2
 * is asked for a fresh link (link.h, requests_max). NULL without memory. */
struct agent_ws *agent_ws_new(struct loop *loop, uint64_t ping_interval_ms, uint32_t link_requests,
                              size_t answer_bytes);
/* The core's port. A core is made with it and then given back here, before the first agent. */
struct agents agent_ws_port(struct agent_ws *ws);
void agent_ws_set_core(struct agent_ws *ws, struct core *core);

/* Where the requests of peers go (link_events.request); before the first peer. */
void agent_ws_serve_peers(struct agent_ws *ws,
                          void (*request)(void *ctx, struct link_stream *stream,
                                          const struct stream_head *head, bool has_body),
                          void *ctx);
/* Of all links of v2 in this process. */
struct link_budget *agent_ws_budget(struct agent_ws *ws);

struct agent_socket {
    struct ws_socket socket; /* moved */
    struct client *behind;   /* moved; who came through a trusted proxy, or NULL */
    struct view connection_id;
    uint64_t until_ms; /* as connect_outcome has it */
    enum link_protocol protocol;
    struct agent_card card; /* of an agent: what is said of it; borrowed views, no number */
    struct view peer_reply; /* another gateway's: the proof it gets in return; absent: an agent's */
};
/* Takes over a socket: of an agent, whose connection the core has accepted, and then hears of the end of,
 * whatever happens; or of a peer. */
void agent_ws_adopt(struct agent_ws *ws, const struct agent_socket *socket);

/* How many agents are connected, and how many of them speak v1. */
size_t agent_ws_count(const struct agent_ws *ws);
size_t agent_ws_v1_count(const struct agent_ws *ws);
size_t agent_ws_peers(const struct agent_ws *ws);
/* The agents, in the order in which they came, behind the one of that number (0: all), until `each` says
 * false. */
void agent_ws_each(const struct agent_ws *ws, uint64_t after,
                   bool (*each)(void *ctx, const struct agent_card *card), void *ctx);
/* Closes those for whom there is a `why`, which they are told (a short text); how many. Their requests end as
 * those of any agent do that goes. */
size_t agent_ws_kick(struct agent_ws *ws, const char *(*why)(void *ctx, const struct agent_card *card),
                     void *ctx);
/* Tells all agents to connect again, elsewhere; they go on serving here meanwhile. */
void agent_ws_tell_draining(struct agent_ws *ws);
/* Closes all agents and peers with 1001; those of v2 get a GOAWAY first. */
void agent_ws_close_all(struct agent_ws *ws);
/* All are gone; the loop must run on (loop_done does) until their handles are closed. */
void agent_ws_stop(struct agent_ws *ws);
/* After agent_ws_stop(), when the loop has run out. NULL is fine for both. */
void agent_ws_free(struct agent_ws *ws);

#endif
