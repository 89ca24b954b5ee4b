/* One visitor's connection, and the one request that it carries at a time: the state machine behind
 * visitor.h.
 *
 * The socket is polled, and read and written directly: a request costs one recv and one send, and no
 * epoll_ctl, because readability stays armed while an answer is awaited (what comes then is held, up to a
 * bound). The core's callbacks only note what happened; the connection goes on at the end of the turn. */
#ifndef GATEWAY_VISIT_H
#define GATEWAY_VISIT_H

#include "public/visitor.h"

#include "handler/access.h"
#include "http/request_reader.h"

#define VISIT_MAGIC 0x56495354u /* "VIST" */
#define VISIT_WINDOW_BYTES (256 * 1024)
#define VISIT_OUT_BYTES                                                                                      \
    ((size_t)9 * 1024 * 1024) /* what a v2 stream's largest window (8 MiB) may bring, and more */
#define VISIT_BLOCK_BYTES ((size_t)64 * 1024)
/* More than the gate takes (64 KiB of fields and target), so that it is the gate that says what is too
 * large. */
#define VISIT_HEAD_BYTES ((size_t)80 * 1024)
/* What came beyond what the core has granted, or behind the request: reading rests when it is so much. */
#define VISIT_HELD_BYTES ((size_t)16 * 1024)
/* Of an answer: its head and what frames its chunks. */
#define VISIT_LEAD_BYTES ((size_t)256 * 1024)

enum visit_phase {
    VISIT_NEW,      /* nothing has come yet on this connection */
    VISIT_IDLE,     /* between two requests */
    VISIT_HEAD,     /* a part of its head is there */
    VISIT_ASKED,    /* the core has it; body and answer come and go */
    VISIT_UPGRADED, /* 101 was sent: bytes both ways */
    VISIT_LINGER,   /* answered and half closed; what still comes is thrown away, because closing with bytes
                       unread would take the answer back (RST) */
    VISIT_CLOSED,   /* only the close callback is awaited */
};

enum answer_framing { ANSWER_NO_BODY, ANSWER_LENGTH, ANSWER_CHUNKED, ANSWER_UNTIL_CLOSE };

struct visitors {
    struct loop *loop;
    struct core *core;
    struct visitor_settings settings;
    struct clients *proxied;
    struct loop_hook hook;
    struct list all;     /* struct visit.node */
    struct list changed; /* struct visit.changed: go on at the end of the turn */
    struct list leaving; /* struct visit.leaving: have closed their direction, oldest first */
    struct timer sweep;  /* deadlines */
    struct timer leave;
    time_t date_s; /* what `date` says */
    char date[32];
    char block[VISIT_BLOCK_BYTES]; /* what was just read, by whomever */
    bool draining, stopped;
};

struct visit {
    unsigned magic;
    enum visit_phase phase;
    struct visitors *side;
    struct client *client;
    uv_poll_t poll;
    int fd;
    int events; /* that the poll is armed for */
    struct list node, changed, leaving;
    uint64_t deadline_ms;           /* 0: none */
    uint64_t leave_ms, leave_bytes; /* when it counts as left, unless more was sent by then */
    uint64_t acked_bytes;           /* by the visitor's TCP, when last looked at */
    bool is_eof;                    /* the visitor has closed his direction */
    bool is_blocked;                /* the socket takes no more for now */
    bool moved;                     /* bytes went, either way, since the deadline was set */
    struct buf in;                  /* read, and not used yet */
    struct arena arena;             /* of the request */
    struct request_reader reader;

    /* the request */
    struct access access;      /* its record; of no meaning between requests */
    struct client *behind;     /* whose it is, when a trusted proxy says that; NULL: the client's */
    struct exchange *exchange; /* NULL: not begun, or ended */
    size_t credit;             /* bytes of the body that the core still takes */
    bool keeps_alive;          /* the visitor would */
    bool is_old;               /* HTTP/1.0 */
    bool waits_for_100;        /* and has sent nothing of the body yet */
    bool has_said_end;         /* to the core, of an upgraded connection's direction */

    /* the answer */
    bool has_head, is_ended, is_broken; /* broken: nothing whole can follow */
    bool has_body, must_close;
    bool is_begun;       /* the end of its head was written: how it is framed is settled */
    bool is_closed_body; /* and that of its body */
    bool is_upgrade;
    enum answer_framing framing;
    uint64_t content_length;
    struct headers trailers;
    struct buf lead;    /* goes out before the piece */
    struct buf out;     /* of the body */
    struct buf tail;    /* goes out behind the piece */
    size_t piece_bytes; /* of `out`, from its begin, between lead and tail */
};

/* visit.c: the life of a connection and of a request. NULL without memory: the socket is then closed and the
 * client released. */
struct visit *visit_new(struct visitors *side, int fd, struct client *client);
/* Something has changed: go on at the end of this turn. */
void visit_wake(struct visit *visit);
/* That end of the turn. */
void visit_go_on(struct visit *visit);
/* The visitor is gone, or has to go: cuts what runs and closes. */
void visit_cut(struct visit *visit);
/* It closed its direction a while ago. */
void visit_leave(struct visit *visit);
/* Is it past its deadline? */
void visit_tick(struct visit *visit, uint64_t now_ms);

/* visit_request.c: from the socket to the core */
/* How much it would read now; 0: reading rests. */
size_t visit_reads(const struct visit *visit);
/* False when the connection was closed. */
bool visit_receive(struct visit *visit);
/* Uses what is held. */
bool visit_take_held(struct visit *visit);
/* Answers by itself, in place of the core: the request cannot be read. */
bool visit_refuse(struct visit *visit, enum http_error error);

/* visit_answer.c: from the core's sink to the socket */
struct answer_sink visit_sink(struct visit *visit);
/* Writes what can be written. False when the visitor is gone, or the answer is broken. */
bool visit_flush(struct visit *visit);
/* Is all of the answer in the hands of the kernel? */
bool visit_is_answered(const struct visit *visit);
/* An answer of ours without a core. */
void visit_answer_error(struct visit *visit, enum http_error error);

/* visit_upgrade.c: what is different after `101 Switching Protocols` */
/* The fields of that head. */
void visit_upgrade_fields(struct visit *visit, struct view token);
void visit_upgrade_take(struct visit *visit, struct view *bytes);

#endif
