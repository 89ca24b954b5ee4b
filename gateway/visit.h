/* One visitor's connection, and the one request that it carries at a time: the state machine behind
 * visitor.h. */
#ifndef GATEWAY_VISIT_H
#define GATEWAY_VISIT_H

#include "mhd_loop.h"
#include "visitor.h"

#define VISIT_MAGIC 0x56495354u /* "VIST" */
#define VISIT_WINDOW_BYTES (256 * 1024)
#define VISIT_OUT_BYTES                                                                                      \
    ((size_t)9 * 1024 * 1024) /* what a v2 stream's largest window (8 MiB) may bring, and more */
#define VISIT_BLOCK_BYTES (32 * 1024)
/* Most requests are answered before it pays to watch whether their visitors leave (two system calls). */
#define VISIT_WATCH_AFTER_MS 10
/* MHD's memory for the heads of a request and of its answer. 64 KiB of either and a small one of the other
 * fit; MHD zeroes all of it after each request of a connection that is kept (208 KiB cost 9 us, a third of
 * what a request costs in all). */
#define VISIT_POOL_BYTES ((size_t)128 * 1024)

enum visit_phase {
    VISIT_IDLE,     /* no request */
    VISIT_HEAD,     /* the request line is there, the fields are not */
    VISIT_ASKED,    /* forwarded; the body waits, and with it the 100 Continue, until the core wants it */
    VISIT_UPLOAD,   /* the body comes in */
    VISIT_WAITING,  /* the request is complete, the answer is not begun */
    VISIT_SENDING,  /* the answer is MHD's to send */
    VISIT_UPGRADED, /* 101: the socket is ours (visit_upgrade.h) */
    VISIT_DRAIN,    /* answered by hand in the middle of the body; what still comes is thrown away */
};

struct visitors {
    struct loop *loop;
    struct core *core;
    struct visitor_settings settings;
    struct mhd_loop mhd;
    struct loop_hook hook; /* wakes those whose state changed; runs before MHD's */
    struct list all;       /* struct visit.node */
    struct list changed;   /* struct visit.changed */
    struct list suspended; /* struct visit.suspended_node: not yet watched, oldest first */
    struct timer sweep;    /* deadlines */
    struct timer watch;    /* suspended ones get watched */
    uv_poll_t watch_poll;
    int watch_fd; /* epoll over the sockets of the suspended */
    struct peer *accepting;
    bool draining, stopped;
};

struct visit {
    unsigned magic;
    enum visit_phase phase;
    struct visitors *side;
    struct MHD_Connection *mhd;
    struct peer *peer;
    int fd;
    struct list node, changed, suspended_node;
    uint64_t deadline_ms; /* 0: none */
    uint64_t acked_bytes; /* by the visitor's TCP, when last looked at */
    uint64_t suspended_ms;
    bool is_suspended, is_watched;

    /* the request */
    struct arena arena;
    struct view target; /* raw */
    struct headers headers;
    struct exchange *exchange; /* NULL: not begun, or ended */
    uint64_t started_ns;
    char method[24];
    size_t credit; /* bytes of the body that the core still takes */

    /* the answer */
    bool has_head, is_ended, is_broken; /* broken: nothing whole can follow */
    bool has_body, must_close;
    int status;
    enum http_error error;
    uint64_t content_length;
    struct headers answer_headers;
    struct headers trailers;
    struct MHD_Response *response; /* while it is MHD's to send */
    struct view upgrade_token;     /* absent: none */
    struct visit_upgrade *upgrade; /* the socket after a 101 */
    struct buf out;
    uint64_t sent_bytes;
    char tunnel[TUNNEL_NAME_MAX + 1];
};

/* visit.c: the life of a connection and of a request */
struct visit *visit_new(struct visitors *side, struct MHD_Connection *mhd);
void visit_free(struct visit *visit);
void visit_begin(struct visit *visit, const char *target);
/* An MHD_AccessHandlerCallback's call. */
enum MHD_Result visit_handle(struct visit *visit, const char *method, const char *version, const char *data,
                             size_t *size);
/* The request is over, one way or the other: an exchange that still runs is cancelled. */
void visit_end(struct visit *visit);
/* State changed in a way that a suspended connection must see: resume it at the end of this turn. */
void visit_wake(struct visit *visit);
/* That end of the turn. */
void visit_changed(struct visit *visit);
void visit_suspend(struct visit *visit);
void visit_resume(struct visit *visit);
/* The visitor is gone, or has to go. */
void visit_break(struct visit *visit);
void visit_cut(struct visit *visit);
bool visit_past_deadline(struct visit *visit, uint64_t now_ms);

/* visit_answer.c: from the core's sink to MHD */
struct answer_sink visit_sink(struct visit *visit);
/* Queues what the sink has got; to be called from the access handler. */
enum MHD_Result visit_queue(struct visit *visit);
/* Writes the whole answer to the socket past MHD, which cannot answer in the middle of a body. False if it
 * does not fit. */
bool visit_answer_by_hand(struct visit *visit);

#endif
