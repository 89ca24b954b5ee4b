/* What the files of a link share; nobody else includes it. The session owns its streams. A struct link_stream
 * is freed when both nghttp2 has closed the stream (`closed`) and its owner has no use for it any more
 * (`dead`), never from inside a callback of its own. */
#ifndef LINK_LINK_STATE_H
#define LINK_LINK_STATE_H

#include <nghttp2/nghttp2.h>

#include "base/list.h"
#include "base/spares.h"
#include "base/unset.h"
#include "link/link.h"

#define CONTROL_PATH "/.tunnel/control"
#define CONTROL_ID 1
#define CONTROL_LINE_MAX ((size_t)64 * 1024)
#define CONTROL_QUEUE_MAX ((size_t)1024 * 1024)

#define FRAME_BYTES ((size_t)64 * 1024)    /* of DATA that we send */
#define FRAME_MAX_BYTES (256 * 1024)       /* that we take */
#define FRAME_SERVED_BYTES (16 * 1024)     /* of visitors */
#define HEAD_SEND_MAX ((size_t)256 * 1024) /* nghttp2's bound, by its own estimate */
#define CONNECTION_WINDOW (64 * 1024 * 1024)
#define WINDOW_FIRST 65535  /* RFC 9113 6.5.2: before our SETTINGS have arrived */
#define WINDOW_TURN_MS 1000 /* a reader that drains half its window in less is quick */

/* A full bucket runs empty, then a token comes back `per_second` times a second. */
struct bucket {
    uint64_t millitokens, max_millitokens, per_second;
};

/* Where in which frame the bytes that come are. */
struct frame_walk {
    unsigned char head[9]; /* RFC 9113 4.1 */
    size_t head_len;
    size_t left; /* of the payload; at the beginning, of the client's preface */
    uint32_t id;
    unsigned char type;
};

#define GONE_MAX 256

/* The streams of a visitor that were closed last. */
struct gone_streams {
    struct {
        int32_t id;
        bool by_us; /* before its other end had ended it: frames may be under way */
    } last[GONE_MAX];
    unsigned next;
};

/* A piece of a send queue. */
struct block {
    struct block *next;
    uint32_t start, end, cap;
    char bytes[];
};

struct queue {
    struct block *first, *last;
    size_t bytes;
};

/* The head (or the trailers) under way. nghttp2 delivers a header block in one piece, so a session has one.
 * Names and values stay where nghttp2 decoded them, in reference-counted buffers. */
struct inbound_head {
    struct headers headers; /* without an arena */
    nghttp2_rcbuf **kept;
    size_t kept_count, kept_cap;
    bool is_excess; /* fields were left out (LINK_SERVES) */
    size_t pseudo_bytes;
    struct view method, protocol, scheme, authority, path;
    int status;
};

/* Header fields in nghttp2's form. */
struct outbound_head {
    nghttp2_nv few[40];
    nghttp2_nv *fields;
    size_t count, cap;
    size_t bytes;     /* as nghttp2 estimates */
    bool tells_names; /* once in a while: see link_head.c */
    char status[3];
};

struct trailers; /* kept until the body before them has left */

struct link_stream {
    struct list node; /* of session->streams */
    struct link_session *session;
    const struct stream_events *events; /* NULL: nobody has been told of it yet */
    void *ctx;
    int32_t id;

    bool closed;       /* nghttp2 has forgotten it */
    bool dead;         /* the owner has let go, or had its last event */
    bool firing;       /* inside a callback that fires outside nghttp2's */
    bool remote_ended; /* its END_STREAM has come: `end` was fired, or is about to be */
    bool remote_reset;
    bool headed;      /* an answer's head was received, or submitted */
    bool tunnel;      /* answering side: a CONNECT, or switched: may be half closed */
    bool local_ended; /* the owner has ended our direction */
    bool local_left;  /* and END_STREAM has left */
    bool idle;        /* nghttp2 waits to be told that there is something to send */

    size_t held;     /* received and not yet consumed */
    uint32_t window; /* what the other side may have under way, by our promise */
    uint32_t credit; /* consumed, and not yet given back to the other side */
    uint32_t turned; /* consumed since `turned_ms` */
    uint64_t turned_ms;

    struct queue out;
    struct trailers *trailers;
    uint64_t round;         /* when it last had its turn */
    size_t sent;            /* left, and not yet told */
    struct list sent_node;  /* of session->sent */
    struct list other_node; /* of session->resting, or of session->finished */
};

/* The block in which nghttp2 makes frames: 16 KiB, of which a link at rest needs nothing. */
struct frame_buffer {
    void *block;
    size_t size;
    bool is_known;   /* made with the session */
    bool is_touched; /* since it was given back */
};

struct link_session {
    nghttp2_session *h2;
    struct frame_buffer frame; /* nghttp2's, for what it sends */
    enum link_role role;
    struct link_limits limits;
    struct link_budget *budget;
    struct link_events events;

    struct list streams;  /* all but the control stream */
    size_t live_count;    /* that nghttp2 knows */
    size_t owned_count;   /* that are not dead */
    struct list finished; /* closed and consumed: `done` is due */
    struct list sent;     /* `sent` is due */
    struct list resting;  /* had their turn in this round */
    uint64_t round;

    struct spares spare_streams;
    struct spares spare_blocks; /* of send queues, the small ones */

    struct inbound_head head;
    struct link_stream control;
    struct buf control_line; /* the beginning of one */

    struct buf *out; /* of the link_send() under way */
    size_t out_end;  /* how far it may be filled */
    bool out_full;

    bool busy;      /* inside link_receive(), link_send() or link_free() */
    bool announced; /* `writable` was fired */
    bool draining, peer_draining;
    bool pinging;

    uint64_t now_ms, active_ms; /* now, and when a stream was last opened */
    bool ticked;
    enum stream_end loss; /* of streams that are open when it is freed */
    struct bucket resets, noise;
    uint64_t work;  /* link_work() */
    unsigned heads; /* that were submitted */
    struct frame_walk walk;
    struct gone_streams *gone;   /* LINK_SERVES only */
    uint64_t late, late_allowed; /* bytes of frames on streams that had ended; what was under way then */

    enum status failed;
    char error[128];
};

/* ---- link.c ---- */

/* Notes the first failure; from then on nothing is taken in or accepted. */
void session_failed(struct link_session *session, enum status status, const char *prefix, struct view reason);
/* The same, and queues a GOAWAY with this code. */
void session_fail(struct link_session *session, enum status status, uint32_t code, const char *text);
/* Fires `writable` where that is due. */
void session_wake(struct link_session *session);
bool bucket_take(struct link_session *session, struct bucket *bucket);

/* ---- link_head.c ---- */

void head_clear(struct inbound_head *head);
void head_done(struct inbound_head *head);
/* False beyond the limits, or without memory. */
bool head_add(struct inbound_head *head, const struct link_limits *limits, nghttp2_rcbuf *name,
              nghttp2_rcbuf *value);
struct stream_head head_view(const struct inbound_head *head);

void outbound_init(struct outbound_head *out);
void outbound_done(struct outbound_head *out);
/* STATUS_INVALID, STATUS_TOO_LARGE, STATUS_NO_MEMORY. What is built borrows from `head`. */
enum status outbound_request(struct outbound_head *out, const struct stream_head *head);
enum status outbound_answer(struct outbound_head *out, const struct stream_head *head);
enum status outbound_status(struct outbound_head *out, int status);

/* NULL without memory, or beyond nghttp2's bound. */
struct trailers *trailers_new(const struct headers *headers);
int trailers_submit(const struct trailers *trailers, nghttp2_session *h2, int32_t id);
void trailers_free(struct trailers *trailers);

/* ---- link_queue.c ---- */

bool queue_append(struct link_session *session, struct queue *queue, struct view data);
/* Moves `len` bytes, at most queue->bytes, to `to`. */
void queue_take(struct link_session *session, struct queue *queue, char *to, size_t len);
void queue_clear(struct link_session *session, struct queue *queue);
void blocks_init(struct link_session *session); /* before the first queue */

/* ---- link_send.c ---- */

void send_callbacks(nghttp2_session_callbacks *callbacks);
nghttp2_data_provider send_provider(struct link_stream *stream);
/* Tells the owner of what has left. The stream may be dead afterwards. */
void send_report(struct link_stream *stream);

/* ---- link_receive.c ---- */

void receive_callbacks(nghttp2_session_callbacks *callbacks);

/* ---- link_stream.c ---- */

void stream_init(struct link_stream *stream, struct link_session *session);
struct link_stream *stream_new(struct link_session *session);
void stream_free(struct link_stream *stream);
/* The other side has ended its direction. */
void stream_ended(struct link_stream *stream, const struct headers *trailers);
/* nghttp2 has closed the stream. */
void stream_closed(struct link_stream *stream, uint32_t code);
/* Has all happened that its owner waits for? Then `done` is the last event, else `lost`. */
bool stream_is_complete(const struct link_stream *stream);
/* The last event, and the end. */
void stream_finish(struct link_stream *stream);
void stream_lose(struct link_stream *stream, enum stream_end why);
/* The session ends: the last event, and the end. */
void stream_abandon(struct link_stream *stream);
/* Something to send has come. */
void stream_resume(struct link_stream *stream);

/* ---- link_window.c ---- */

/* Bytes that came are held no longer: the connection's window opens again, where it waits for that. */
void window_free(struct link_session *session, size_t len);

/* Counts what came. False: more than the window allows. */
bool window_take(struct link_stream *stream, size_t len);
/* Counts what was drained, and opens the window again. */
void window_consumed(struct link_stream *stream, size_t len);
/* No more will come: what the window had grown by goes back to the budget. */
void window_close(struct link_stream *stream);

/* ---- link_control.c ---- */

void control_init(struct link_session *session);
/* Opening side. */
bool control_open(struct link_session *session);
/* Answering side: the request with id 1. */
void control_accept(struct link_session *session, bool has_body);
void control_done(struct link_session *session);

#endif
