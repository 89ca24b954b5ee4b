/* A visitor's connection that speaks HTTP/2 (RFC 9113), which ALPN has chosen: common/link's session over a
 * conn. Each of its streams is a request of the core (h2_visit.h).
 *
 * What a connection may cost: so many streams, a window for all that its requests have sent and nobody has
 * taken, a bound for each answer that is not read; and each stream counts, for its address, as one that came
 * behind a proxy does. What floods (resets, settings, pings, empty frames) ends the connection. */
#ifndef GATEWAY_H2_CONN_H
#define GATEWAY_H2_CONN_H

#include "link/link.h"
#include "public/visitor.h"

#define H2_PROTOCOL VIEW("h2")
#define H2_STREAMS_MAX 200
#define H2_STREAM_WINDOW (256 * 1024)
#define H2_CONNECTION_WINDOW (1024 * 1024)

struct visitors;

/* What all of them share; a part of struct visitors. */
struct h2_side {
    struct list all;     /* struct h2_conn.node */
    struct list changed; /* struct h2_conn.changed: go on at the end of the turn */
    struct list late;    /* likewise, behind those: their tunnel takes much, or has had its turn (turns.h) */
    struct list unread;  /* struct h2_conn.unread: likewise; something has come, and is read then */
    struct list idle;    /* struct h2_conn.waiting: carry no request, longest first */
    struct link_budget budget;
};

struct h2_conn {
    unsigned magic;
    struct visitors *side;
    struct client *client;
    struct sockaddr_storage address;
    struct conn conn;
    uv_poll_t poll;
    int events; /* that the poll is armed for */
    struct list node, changed, unread, waiting;
    struct link_session *session; /* NULL: over; what comes is thrown away */
    struct buf out;               /* made by the session, and not taken by the socket */
    struct list visits;           /* struct h2_visit.node */
    size_t count;                 /* of them */
    uint64_t deadline_ms;         /* without any request; 0: there are some */
    unsigned share;               /* of the turns: that of the tunnel last asked for (turns.h) */
    bool is_blocked;              /* the socket takes no more for now */
    uint32_t asked;               /* requests that have come */
    bool is_dense;                /* many of them in what was read last */
    bool is_over;                 /* no session, or none for long */
    bool is_ending;               /* to be closed when all is out and answered */
};

void h2_side_init(struct h2_side *side);
/* A door_fn's part: `conn` and `client` move. */
void h2_accept(struct visitors *side, const struct conn *conn, struct client *client,
               const struct sockaddr *address, socklen_t len);
/* At the end of the turn: what has changed goes on, that of tunnels that take much behind the others; in the
 * first look of a turn of the loop also what was too late in the last one. */
void h2_turn(struct visitors *side, bool is_first);
/* With each sweep. */
void h2_sweep(struct visitors *side, uint64_t now_ms);
/* As the functions of visitor.h. */
bool h2_spare(struct visitors *side);
/* Ends one whose requests have all stalled for so long. */
bool h2_spare_stalled(struct visitors *side, uint64_t least_ms);
void h2_drain(struct visitors *side);
size_t h2_busy(const struct visitors *side);
void h2_stop(struct visitors *side);
/* Who has most of its answers unread; NULL when nobody has any. *ret_bytes: how much. */
struct h2_conn *h2_fullest(const struct visitors *side, size_t *ret_bytes);

/* ---- of one ---- */

void h2_wake(struct h2_conn *conn);
void h2_cut(struct h2_conn *conn);
/* Requests begin and end. */
void h2_count(struct h2_conn *conn, int more);

#endif
