/* The files that say whose certificates agents may show (--agent-client-ca) and which of them are revoked
 * (--agent-client-crl): read at the start, and watched (config/file_watch.h). What is no good then is told in
 * the log, and those of before stay. Agents that are connected by a certificate which is not good any more
 * are told so, and closed. */
#ifndef GATEWAY_AGENT_TRUST_H
#define GATEWAY_AGENT_TRUST_H

#include "agents/agent_ws.h"
#include "config/config.h"
#include "config/file_watch.h"
#include "sockets/trust.h"

struct tls_server;

struct agent_trust {
    const struct config *config;
    struct trust *trust;     /* NULL: agents have no certificates */
    struct tls_server *port; /* where they are shown */
    struct agent_ws *agents; /* NULL: not watched */
    struct loop *loop;
    struct file_watch watch;
    struct timer turns;
    bool is_over;    /* the time of a list, which was told */
    uint64_t judged; /* the number of the last agent (agent_card) that was judged by `trust` */
    size_t turn;     /* how many more are in this turn */
    char text[120];  /* why somebody is kicked */
};

/* False after saying on standard error what is wrong. `config` and `port` outlive it. */
bool agent_trust_open(struct agent_trust *files, const struct config *config, struct tls_server *port);
void agent_trust_watch(struct agent_trust *files, struct loop *loop, struct agent_ws *agents);
/* Before the loop has ended, and after it. Also where there are no certificates. */
void agent_trust_stop(struct agent_trust *files);
void agent_trust_done(struct agent_trust *files);

#endif
