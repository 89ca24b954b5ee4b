/* One connection to another gateway's agent port, as the side that asks: TCP (or TLS), a WebSocket, and in
 * its messages HTTP/2 (common/link). Streams may be opened before it is up; they leave when it is. */
#ifndef CLUSTER_PEER_LINK_H
#define CLUSTER_PEER_LINK_H

#include "auth/secret.h"
#include "link/link.h"
#include "net/loop.h"
#include "net/wire.h"
#include "net/ws_url.h"

struct peer_link;

enum peer_link_end {
    PEER_LINK_UNREACHED, /* nobody answers there */
    PEER_LINK_REFUSED,   /* or somebody who is no peer, or takes us for none */
    PEER_LINK_BROKEN,    /* it was up */
};

/* What the links of a process share; outlives them. */
struct peer_link_world {
    struct loop *loop;
    const char *from; /* our own peer URL */
    unsigned char key[SECRET_LEN];
    struct link_budget *budget;
};

/* None comes from within a call to the link but peer_link_close(). */
struct peer_link_events {
    void *ctx;
    void (*up)(void *ctx, struct peer_link *link);
    /* It takes no new streams. */
    void (*draining)(void *ctx, struct peer_link *link);
    /* The last one: let go of the link. Then its streams are told: STREAM_UNREACHED where it never was up,
     * otherwise STREAM_SEVERED. `why` is borrowed. */
    void (*ended)(void *ctx, struct peer_link *link, enum peer_link_end how, const char *why);
};

/* Dials after `delay_ms`. `to` (a peer URL's text), `url` and `tls` (NULL: none) outlive the link. NULL
 * without memory. */
struct peer_link *peer_link_new(struct peer_link_world *world, const char *to, const struct ws_url *url,
                                struct wire_tls *tls, uint64_t delay_ms,
                                const struct peer_link_events *events);
/* For streams to be opened, counted and drained. */
struct link_session *peer_link_session(const struct peer_link *link);
/* Once a second: pings, and ends what has gone silent. */
void peer_link_tick(struct peer_link *link, uint64_t now_ms);
void peer_link_close(struct peer_link *link);

#endif
