/* What uplink.c (connecting, the public calls) and uplink_ws.c (libwebsockets' callbacks) share. */
#ifndef FORWARDER_UPLINK_STATE_H
#define FORWARDER_UPLINK_STATE_H

#include <libwebsockets.h>

#include "resolver.h"
#include "uplink.h"

enum uplink_phase {
    PHASE_IDLE,
    PHASE_RESOLVING,
    PHASE_CONNECTING, /* TCP */
    PHASE_SHAKING,    /* TLS and HTTP */
    PHASE_PROBING,    /* no address took us: asking the system why */
    PHASE_OPEN,
    PHASE_CLOSING,
};

struct outgoing {
    struct list node;
    struct buf message; /* LWS_PRE bytes of room in front */
    size_t sent;        /* of what is behind that room */
};

struct uplinks {
    struct agent_loop *loop;
    const struct endpoint *endpoint;
    struct lws_context *context;
};

struct uplink {
    struct agent_loop *loop;
    const struct endpoint *endpoint;
    struct uplinks *uplinks;
    struct uplink_events events;
    void *ctx;

    struct lws *wsi; /* of the connection under way, whose opaque data is the uplink; NULL in one given up */
    struct lws *called; /* libwebsockets is in our callback with it: it is ended by the return value */
    bool dialing; /* inside lws_client_connect_via_info(), which calls back before it tells us the wsi */
    enum uplink_phase phase;
    char *token, *name, *resume;

    struct resolver_job *job;
    struct addresses addresses;
    size_t next_address;
    struct timer deadline; /* of the whole handshake, later of the close */
    struct timer attempt;  /* of one address, while there are others */
    struct task report;    /* carries an end out of the call that caused it */
    struct uplink_end end;
    bool ping_wanted, close_sent, fill_wanted;
    bool is_v2;
    struct task fill;   /* at the end of the turn */
    struct buf filling; /* a binary message, with LWS_PRE bytes of room in front */
    int close_code;     /* PHASE_CLOSING: what we say */

    struct buf incoming;
    struct list queue; /* of struct outgoing */
    size_t queued_bytes;
    uint64_t heard_ms;
};

/* libwebsockets' callback, the end of its interest in a connection, and its log. */
int uplink_on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len);
void uplink_let_go(struct uplink *uplink);
void uplink_on_lws_log(int level, const char *line);

/* One address did not work out before TCP was there: the next one, or the end. */
void uplink_address_failed(struct uplink *uplink);
/* The connection is over for that reason; tells the owner from a safe point. */
void uplink_finish(struct uplink *uplink, enum uplink_failure failure, const char *reason);
/* Says goodbye with `code`; the end, with `reason`, comes when the peer has answered or after `grace_ms`. */
void uplink_say_goodbye(struct uplink *uplink, int code, const char *reason, uint64_t grace_ms);
/* Writes a message of v2 at once where the socket takes it, or asks to be called when it does. */
void uplink_on_fill(struct task *task);

#endif
