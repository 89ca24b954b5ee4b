/* What ws_client.c (dialing, the public calls, the end), ws_client_shake.c (the handshake) and
 * ws_client_frames.c share. */
#ifndef NET_WS_CLIENT_STATE_H
#define NET_WS_CLIENT_STATE_H

#include "auth/websocket.h"
#include "http/ws_frame.h"
#include "net/ws_client.h"

#define WS_GOODBYE_MS 1000

enum ws_client_phase {
    WS_PHASE_DIALING,
    WS_PHASE_SHAKING, /* TLS and HTTP */
    WS_PHASE_OPEN,
    WS_PHASE_CLOSING,
    WS_PHASE_OVER,
};

struct ws_outgoing {
    struct list node;
    struct buf message; /* WS_HEAD_MAX bytes of room in front */
    size_t sent;        /* of what is behind that room */
};

struct ws_client {
    struct ws_client_settings settings;
    struct ws_client_events events;
    void *ctx;
    enum ws_client_phase phase;
    unsigned inside; /* events that we are in; who is freed there goes when the last has returned */
    bool is_freed;

    struct addresses addresses;
    size_t next_address;
    struct wire *wire;
    struct timer attempt;  /* of one address, while there are others */
    struct timer deadline; /* of the handshake, later of the close */
    const char *closing_why;

    struct buf request;
    char accept[WEBSOCKET_ACCEPT_LEN + 1]; /* what must come back */
    char protocol[64];                     /* that is offered; "": none */
    int refused;                           /* the status, while the body is waited for */
    struct ws_decoder decoder;
    struct buf incoming; /* the head of the answer; later a text message that came in pieces */

    bool ping_wanted, fill_wanted, is_pushing;
    bool zero_keys;     /* frames are not masked: ws_client_allow_zero_keys() */
    struct task push;   /* sends, at the end of the turn */
    struct buf filling; /* a binary message, with WS_HEAD_MAX bytes of room in front */
    struct list queue;  /* of struct ws_outgoing */
    size_t queued_bytes;
    uint64_t heard_ms;
};

/* ---- ws_client.c ---- */

/* Tells the end, from within an event. */
void ws_client_end(struct ws_client *client, const struct ws_client_end *end);

/* ---- ws_client_shake.c ---- */

/* False: it does not fit. */
bool ws_client_print_request(struct ws_client *client, const struct ws_client_request *request);
/* Bytes of the answer. */
void ws_client_on_answer(struct ws_client *client, struct view bytes);

/* ---- ws_client_frames.c ---- */

void ws_client_on_frames(struct ws_client *client, struct view bytes);
/* Sends what is ready, as far as the socket takes it. */
void ws_client_push(struct ws_client *client);
/* `code` 0: it says none. */
void ws_client_write_close(struct ws_client *client, unsigned code);

#endif
