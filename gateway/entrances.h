/* The ways in for visitors and for agents, and the TLS of both: certificates, and the keys of tickets. */
#ifndef GATEWAY_ENTRANCES_H
#define GATEWAY_ENTRANCES_H

#include "agent_trust.h"
#include "config/tls_files.h"
#include "entrance.h"
#include "sockets/challenges.h"
#include "sockets/ticket_keys.h"

struct entrances {
    struct entrance visitors, agents;
    struct tls_files files;
    struct agent_trust agent_trust;
    struct ticket_keys tickets;
    struct challenges challenges;               /* of the authority, where certificates come by ACME */
    struct tls_server *visitor_tls, *agent_tls; /* NULL: that port has none */
};

/* Who stands behind the ways in. */
struct entrances_owner {
    struct clients *visitors, *agents;
    porch_fn *on_visitor, *on_agent;
    void *ctx;
};

/* Reads the certificates. False after saying why. `config` outlives it. */
bool entrances_load(struct entrances *entrances, const struct config *config);
/* Binds, and holds who connects. False after saying why. */
bool entrances_open(struct entrances *entrances, struct loop *loop, const struct entrances_owner *owner);
/* From now on connections pass, and changed certificates are heeded; `agents` have theirs. */
void entrances_admit(struct entrances *entrances, struct loop *loop, struct agent_ws *agents);
/* The lines that scripts wait for: all addresses. */
void entrances_print(const struct entrances *entrances, struct buf *lines);
void entrances_print_port(struct buf *lines, const char *what, const struct listener *port);
/* Before the loop has ended, and after it. */
void entrances_stop(struct entrances *entrances);
void entrances_done(struct entrances *entrances);

#endif
