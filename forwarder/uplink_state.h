/* What uplink.c (connecting, the public calls, the end), uplink_handshake.c and uplink_ws.c (frames) share.
 */
#ifndef FORWARDER_UPLINK_STATE_H
#define FORWARDER_UPLINK_STATE_H

#include "auth/websocket.h"
#include "http/ws_frame.h"
#include "net/wire.h"
#include "resolver.h"
#include "uplink.h"

enum uplink_phase {
    PHASE_IDLE,
    PHASE_RESOLVING,
    PHASE_CONNECTING, /* TCP */
    PHASE_SHAKING,    /* TLS and HTTP */
    PHASE_OPEN,
    PHASE_CLOSING,
};

struct outgoing {
    struct list node;
    struct buf message; /* WS_HEAD_MAX bytes of room in front */
    size_t sent;        /* of what is behind that room */
};

struct uplinks {
    struct loop *loop;
    const struct endpoint *endpoint;
    struct wire_tls *tls; /* NULL: ws:// */
};

struct uplink {
    struct uplinks *uplinks;
    struct loop *loop;
    const struct endpoint *endpoint;
    struct uplink_events events;
    void *ctx;

    struct wire *wire; /* of the connection under way */
    enum uplink_phase phase;
    char *token, *name, *resume;

    struct resolver_job *job;
    struct addresses addresses;
    size_t next_address;
    struct timer deadline; /* of the whole handshake, later of the close */
    struct timer attempt;  /* of one address, while there are others */
    struct task report;    /* carries an end out of the call that caused it */
    struct uplink_end end;

    bool is_v2;
    char accept[WEBSOCKET_ACCEPT_LEN + 1]; /* what must come back */
    struct ws_decoder decoder;
    struct buf incoming; /* the head of the answer; later a text message that came in pieces */

    bool ping_wanted, fill_wanted;
    struct task push;   /* sends, at the end of the turn */
    struct buf filling; /* a binary message, with WS_HEAD_MAX bytes of room in front */
    struct list queue;  /* of struct outgoing */
    size_t queued_bytes;
    uint64_t heard_ms;
};

/* ---- uplink.c ---- */

/* The connection is over for that reason; tells the owner from a safe point. */
void uplink_finish(struct uplink *uplink, enum uplink_failure failure, const char *reason);
/* Says goodbye with `code`; the end, with `reason`, comes when the peer has answered or after `grace_ms`. */
void uplink_say_goodbye(struct uplink *uplink, int code, const char *reason, uint64_t grace_ms);

/* ---- uplink_handshake.c ---- */

/* Asks for the WebSocket. */
void uplink_ask(struct uplink *uplink);
/* Bytes of the answer. */
void uplink_on_answer(struct uplink *uplink, struct view bytes);
/* The gateway closed before its answer was whole. */
void uplink_on_answer_end(struct uplink *uplink);
/* Printable text only, as it ends up on somebody's terminal; appended to the reason of the end. */
void uplink_keep_reason(struct uplink *uplink, struct view text);

/* ---- uplink_ws.c ---- */

/* The handshake is done; `rest` came behind it. */
void uplink_on_open(struct uplink *uplink, struct view rest);
/* Bytes of frames. */
void uplink_on_frames(struct uplink *uplink, struct view bytes);
/* Sends what is ready, as far as the socket takes it. */
void uplink_on_push(struct task *task);
void uplink_write_close(struct uplink *uplink, int code);

#endif
