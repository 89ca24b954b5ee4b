/* One visitor's connection, and the one request that it carries at a time: the state machine behind
 * visitor.h.
 *
 * The socket is polled, and read and written directly: a request costs one recv and one send, and no
 * epoll_ctl, because readability stays armed while an answer is awaited (what comes then is held, up to a
 * bound). The core's callbacks only note what happened; the connection goes on at the end of the turn. */
#ifndef GATEWAY_VISIT_H
#define GATEWAY_VISIT_H

#include "handler/access.h"
#include "http/request_reader.h"
#include "net/turns.h"
#include "public/h2_conn.h"
#include "public/visit_pace.h"
#include "public/visitor.h"

#define VISIT_MAGIC 0x56495354u /* "VIST" */
#define VISIT_WINDOW_BYTES (256 * 1024)
/* More than a delivery has under way at once (handler/answer.h): an agent of v2 sends on until the window of
 * its stream, 8 MiB at most, is used up, whatever the visitor has drained. Memory is taken for what is there
 * only.
 */
#define VISIT_OUT_BYTES ((size_t)9 * 1024 * 1024)
#define VISIT_BLOCK_BYTES ((size_t)64 * 1024)
/* What came beyond what the core has granted, or behind the request: reading rests when it is so much. */
#define VISIT_HELD_BYTES ((size_t)16 * 1024)
/* Of an answer: its head and what frames its chunks. */
#define VISIT_LEAD_BYTES ((size_t)256 * 1024)

/* What the connection is about:
 *
 *   NEW ─▶ HEAD ─▶ ASKED ─▶ IDLE ─▶ HEAD …   kept alive
 *                    ├────▶ UPGRADED          the service has switched protocols
 *                    └────▶ LINGER            what comes still has to be read
 *
 * and from each of them to CLOSED. A head that cannot be read goes to ASKED, too: it has an answer of ours.
 */
enum visit_phase {
    VISIT_NEW,      /* nothing has come yet on this connection */
    VISIT_IDLE,     /* between two requests */
    VISIT_HEAD,     /* a part of a request's head is there */
    VISIT_ASKED,    /* the core has the request; body and answer come and go */
    VISIT_UPGRADED, /* 101 was sent: bytes both ways */
    VISIT_LINGER,   /* answered and half closed; what still comes is thrown away, because closing with bytes
                       unread would take the answer back (RST) */
    VISIT_CLOSED,   /* only the close callback is awaited */
};

/* How the request's body, or the visitor's direction of an upgraded connection, comes in. */
enum visit_body {
    VISIT_BODY_FLOWS,   /* as far as the core has granted */
    VISIT_BODY_EXPECTS, /* the visitor waits for a 100, which the first grant brings, and has sent nothing */
    VISIT_BODY_ENDED,   /* of an upgraded connection: the core knows that it is closed */
};

/* How far the answer is. Each goes to the next one only; the last three are left with the request. */
enum visit_answer {
    VISIT_ANSWER_NONE, /* there is none */
    VISIT_ANSWER_HEAD, /* the head has come; it waits for the end of the turn, which settles its framing */
    VISIT_ANSWER_BODY, /* the head is written to its end; pieces of the body follow as they come */
    VISIT_ANSWER_LAST, /* what ends the body is written; with the last byte sent the request is over */
};

enum visit_framing {
    FRAMED_LATER, /* there is a body; more of it decides */
    FRAMED_EMPTY, /* there is none */
    FRAMED_BY_LENGTH,
    FRAMED_BY_CHUNKS,
    FRAMED_BY_CLOSE,
    FRAMED_SWITCHED, /* 101: bytes until one side closes */
};

struct visitors {
    struct loop *loop;
    struct core *core;
    struct visitor_settings settings;
    struct clients *proxied;
    struct loop_hook hook;
    struct list all;     /* struct visit.node */
    struct list changed; /* struct visit.changed: go on at the end of the turn */
    struct list late;    /* likewise, behind those: their tunnel takes much, or has had its turn */
    struct list unread;  /* struct visit.unread: likewise; something has come, and is read then */
    uint32_t turn;       /* of the loop, in which `late` was looked at */
    struct turns turns;
    struct list leaving; /* struct visit.leaving: have closed their direction, oldest first */
    /* Who can be spared, those that have waited for longest first; both struct visit.waiting. */
    struct list waiting; /* have no request under way */
    struct list stalled; /* have one, and nothing has come of what they owe */
    struct h2_side h2;
    struct timer sweep; /* deadlines */
    struct timer leave;
    struct timer pass_again; /* some are still to be passed on, as the other process has room */
    time_t date_s;           /* what `date` says */
    char date[32];
    visitors_pass_fn *pass; /* who is between two requests goes this way; NULL: nobody */
    void *pass_ctx;
    char block[VISIT_BLOCK_BYTES]; /* what was just read, by whomever */
    bool draining, stopped;
};

struct visit {
    unsigned magic;
    enum visit_phase phase;
    struct visitors *side;
    struct client *client;
    uv_poll_t poll;
    struct conn conn;
    int events; /* that the poll is armed for */
    struct list node, changed, unread, leaving, waiting;
    uint64_t deadline_ms;           /* 0: none */
    uint64_t leave_ms, leave_bytes; /* when it counts as left, unless more was sent by then */
    uint64_t acked_bytes;           /* by the visitor's TCP, when last looked at */
    unsigned share;                 /* of the turns: that of the tunnel last asked for (turns.h) */
    bool is_eof;                    /* the visitor has closed his direction */
    bool is_blocked;                /* the socket takes no more for now */
    bool moved;                     /* bytes went, either way, since the deadline was set */
    struct visit_pace pace;
    struct buf in;      /* read, and not used yet */
    struct arena arena; /* of the request */
    struct request_reader reader;

    /* the request */
    struct access access;      /* its record; of no meaning between requests */
    struct client *behind;     /* whose it is, when a trusted proxy says that; NULL: the client's */
    struct exchange *exchange; /* NULL: not begun, or ended */
    size_t credit;             /* bytes of the body that the core still takes */
    enum visit_body body;
    bool is_old;     /* HTTP/1.0 */
    bool must_close; /* the connection ends with this request */

    /* the answer; it has ended when the exchange has */
    enum visit_answer answer;
    enum visit_framing framing;
    bool is_broken; /* nothing whole can follow */
    bool may_idle;  /* hours may pass between its bytes */
    uint64_t content_length;
    struct headers trailers;
    struct buf lead;    /* goes out before the piece */
    struct buf out;     /* of the body */
    struct buf tail;    /* goes out behind the piece */
    size_t piece_bytes; /* of `out`, from its begin, between lead and tail */
};

/* visit.c: the life of a connection and of a request. `conn` and `client` move. NULL without memory:
 * both are gone then. */
struct visit *visit_new(struct visitors *side, const struct conn *conn, struct client *client);
/* Something has changed: go on at the end of this turn. */
void visit_wake(struct visit *visit);
/* Something has come: takes it, if its tunnel may have more of this turn. */
void visit_hear(struct visit *visit);
/* Uses what has come and writes what there is; called for those who were woken, at the end of the turn. */
void visit_go_on(struct visit *visit);
/* Gives the connection to another process, and closes it here, when nothing of a request is here and somebody
 * takes it. */
void visit_pass_on(struct visit *visit);
/* The visitor is gone, or has to go: cuts what runs and closes. */
void visit_cut(struct visit *visit);
/* The visitor closed his direction a while ago: cuts, unless an answer is on its way to him. */
void visit_leave(struct visit *visit);
/* Is it past its deadline? */
void visit_tick(struct visit *visit, uint64_t now_ms);

/* visit_pace.c: with each sweep. False: its visitor has given too little for too long. */
bool visit_look(struct visit *visit, uint64_t now_ms);

/* visit_request.c: from the socket to the core */
/* How much it would read now; 0: reading rests. */
size_t visit_reads(const struct visit *visit);
/* False when the connection was closed. */
bool visit_receive(struct visit *visit);
/* Uses what was received and is held. False when the connection was closed. */
bool visit_take_held(struct visit *visit);
/* Answers by itself, in place of the core: the request cannot be read. */
bool visit_refuse(struct visit *visit, enum http_error error);

/* visit_answer.c: from the core's sink to the socket */
struct answer_sink visit_sink(struct visit *visit);
/* Writes what can be written. False when the visitor is gone, or the answer is broken. */
bool visit_flush(struct visit *visit);
/* Is all of the answer in the hands of the kernel? */
bool visit_is_answered(const struct visit *visit);
/* What `date` says now; good for this turn. */
struct view visitors_date(struct visitors *side);
/* Gives an answer that tells this error, without asking the core. */
void visit_answer_error(struct visit *visit, enum http_error error);

/* visit_upgrade.c: what is different after `101 Switching Protocols` */
/* Appends to the head of the 101 the fields that name the protocol. */
void visit_upgrade_fields(struct visit *visit, struct view token);
void visit_upgrade_take(struct visit *visit, struct view *bytes);

#endif
