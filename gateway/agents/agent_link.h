/* One agent's WebSocket: what agent_ws.c and agent_link.c share. */
#ifndef GATEWAY_AGENT_LINK_H
#define GATEWAY_AGENT_LINK_H

#include "agents/agent_ws.h"
#include "agents/vigil.h"
#include "agents/ws_server.h"
#include "base/buf.h"
#include "link/link.h"
#include "net/pieces.h"

struct agent_ws {
    struct loop *loop;
    struct core *core;
    struct ws_server *server;
    uint64_t ping_interval_ms;
    uint32_t link_requests;
    size_t answer_bytes;
    struct table links; /* by connection id */
    struct list all;
    struct timer tick;
    size_t count, peer_count; /* of agents, of other gateways */
    size_t v1_count;          /* of agents */
    uint64_t last_number;     /* of a card */
    struct rivals rivals;     /* links on which something comes */
    size_t turn_count;      /* of them: not read, because they have had more than their turn (agent_turn.h) */
    size_t held_bytes;      /* of messages of v1 that are not complete */
    struct list unfinished; /* agent_link.unfinished: have such a message, the oldest first */
    struct list asks;       /* struct agent_asks.node: all, also of links that are gone */
    struct link_budget budget; /* of all links of v2 */
    void (*peer_request)(void *ctx, struct link_stream *stream, const struct stream_head *head,
                         bool has_body);
    void *peer_ctx;
    struct buf message; /* being made for one of them */
};

/* Messages of v1 that the core has not done with: they may wait for a store. It outlives its link, as they
 * do. */
struct agent_asks {
    struct list node;        /* of ws->asks */
    struct agent_link *link; /* NULL: it is gone */
    size_t count;
    bool are_full; /* the link is not read until there are fewer (agent_turn.c) */
};

struct agent_link {
    struct ws_end end;
    struct agent_ws *ws;
    struct client *client, *behind; /* the second NULL: it came through no trusted proxy */
    struct table_node node;         /* of ws->links */
    struct list all;
    char id[CONNECTION_ID_MAX + 1];
    struct agent_card card;       /* of an agent */
    struct link_session *session; /* v2 (agent_streams.h); NULL: v1 */
    struct buf message;           /* fragments of one that is not complete */
    size_t fragments, held_bytes; /* the second: of it, as counted in ws->held_bytes */
    struct list unfinished;
    struct timer turn;       /* v1: until it is read again */
    struct agent_asks *asks; /* v1; NULL: it has said nothing yet */
    struct pieces pieces;    /* of what has come, how much is taken at once (agent_turn.h) */
    uint64_t work; /* beside that of `session`: a frame of the WebSocket 1, a message of v1 LINK_HEAD_WORK */
    struct timer end_of_token;
    uint64_t until_ms; /* wall clock, of that timer; 0: never */
    struct vigil vigil;
    bool has_sent; /* v1: a message, and nothing was heard since */
    bool ping_due;
    bool is_resting; /* it has been silent, and the memory for what it sends was given back */
    bool is_replaced,
        is_leaving; /* v2: another is asked for; and has come: closed when its streams have ended */
    bool is_peer;   /* another gateway, which asks; otherwise an agent, which is asked */
};

struct agent_link *agent_link_new(struct agent_ws *ws, const struct agent_socket *socket);
/* Frees it, and tells the core that it has ended. */
void agent_link_free(struct agent_link *link);
struct agent_link *agent_link_find(const struct agent_ws *ws, struct view id);
/* As ws_server_events has them. */
void agent_link_receive(struct agent_link *link, const struct ws_piece *piece);
/* A frame has come on the link, or a part of one: its agent lives. */
void agent_link_heard(struct agent_link *link);
void agent_link_refuse(struct agent_link *link, unsigned code, const char *why);
void agent_link_write(struct agent_link *link);
enum status agent_link_send(struct agent_link *link, struct view message);
/* That it should connect again, and goes on to be served here until it has. */
void agent_link_tell_draining(struct agent_link *link);
/* Tells its agent why, and closes it. */
void agent_link_kick(struct agent_link *link, const char *why);
/* Pings, ends what has gone silent, and has a link replaced that has carried enough. */
void agent_link_tick(struct agent_link *link, uint64_t now_ms);

#endif
