/* How a gateway stops without anybody noticing: not ready, a moment for balancers, accept nobody, tell the
 * agents to move, let requests finish, close the agents, quit (docs/ARCHITECTURE.md, Going down). */
#ifndef GATEWAY_DRAIN_H
#define GATEWAY_DRAIN_H

#include "admin/admin.h"
#include "agents/agent_accept.h"
#include "backend.h"
#include "cluster/peering.h"
#include "entrance.h"
#include "handover.h"
#include "public/visitor.h"

/* What is stopped; borrowed until the loop has quit. */
struct drain_parts {
    struct loop *loop;
    struct admin *admin;
    struct visitors *visitors;
    struct agent_ws *agents;
    struct agent_accept *accept;
    struct core *core;
    struct backend *backend;
    struct peering *peering;                            /* NULL: no other gateways */
    struct entrance *visitor_entrance, *agent_entrance; /* closed on the way */
    struct listener **admin_port;                       /* likewise, and set to NULL */
    struct handover *handover;                          /* to whoever takes over; NULL: nobody does */
    uint64_t delay_ms;                                  /* for balancers, where one asks */
    uint64_t timeout_ms;                                /* for requests under way */
};

enum drain_phase {
    DRAIN_NO,
    DRAIN_DELAY,     /* balancers notice */
    DRAIN_TURNING,   /* handshakes under way are finished */
    DRAIN_FINISHING, /* what runs */
    DRAIN_CLOSING,   /* agents */
};

struct drain {
    struct drain_parts parts;
    enum drain_phase phase;
    uint64_t deadline_ms; /* of the phase */
    bool hurry;           /* asked twice */
    struct timer timer;
};

void drain_init(struct drain *drain);
/* Begins to go down; it ends with loop_quit(). */
void drain_start(struct drain *drain, const struct drain_parts *parts);
/* Asked again: no phase waits any longer, but agents are still told. */
void drain_hurry(struct drain *drain);
/* Stops its timer; also where it was never started. */
void drain_stop(struct drain *drain, struct loop *loop);

#endif
