/* Protocol v2: HTTP/2 (RFC 9113) between gateway and agent, roles reversed: the gateway opens streams, the
 * agent answers them (docs/PROTOCOL.md, v2). A session over an abstract byte pipe: it does no I/O, knows no
 * loop, and no clock but what link_tick() tells. Both ends and, between gateways, the peer link use it.
 *
 * Bytes in: link_receive(). Bytes out: the session says `writable`, the owner calls link_send() when its pipe
 * takes a message; all frames that are ready then leave in it. Callbacks of streams fire from link_receive(),
 * link_send() and link_free() only; inside a callback everything may be called but these three.
 *
 * Flow control. The connection window is credited on receipt, so that a stalled stream never stops the
 * others. A stream's window starts at `window_bytes` and grows, up to `window_max_bytes`, only while its
 * reader drains, out of `budget`; it shrinks again under a reader that lags. Streams that have something to
 * send take turns, a frame of at most 64 KiB at a time. */
#ifndef LINK_LINK_H
#define LINK_LINK_H

#include "base/buf.h"
#include "base/status.h"
#include "http/stream.h"

/* The gateway's, the agent's; and the gateway's toward visitors: plain HTTP/2 with any client, without a
 * control stream, whose resets and fields are not trusted, and which answers. */
enum link_role { LINK_OPENS, LINK_ANSWERS, LINK_SERVES };

/* Bytes that the links of a process may hold for slow readers; one for the process. The links keep the
 * account, and stop growing windows at a quarter of it, or when half of it is held or promised; refusing new
 * exchanges when it is full is the owners' part.
 */
struct link_budget {
    size_t max_bytes;     /* 32 MiB */
    size_t held_bytes;    /* received and not yet consumed, and written and not yet sent */
    size_t granted_bytes; /* by which windows have grown: promised to senders */
    size_t streams;       /* open, of all sessions */
};

struct link_limits {
    uint32_t window_bytes;     /* 256 KiB */
    uint32_t window_max_bytes; /* 8 MiB */
    uint32_t streams_max;      /* 256 + 4096: concurrent, what the answering side admits */
    size_t headers_bytes;      /* 64 KiB: of one head that we receive, counted as headers.bytes does */
    size_t headers_count;      /* 256 */
    size_t message_bytes;      /* 256 KiB: the most that one link_send() makes; at least 64 KiB */
    uint32_t
        resets_per_second; /* by the answering side, before the link is ended: 200 (streams_max at once) */
    uint32_t noise_per_second; /* likewise frames and interim answers that carry nothing, and control lines:
                                  100 (1000 at once) */
    /* 0: the connection's window is credited on receipt (see above). Else it is so large, and credited as the
     * streams' readers drain: who holds so much without draining it is sent no more, on any stream. */
    uint32_t connection_bytes;
    size_t unsent_bytes;   /* the most that a stream may have written and not sent; 0: window_max_bytes */
    uint32_t requests_max; /* LINK_REQUESTS_MAX, also where 0 is said: before link_exhausted() */
};
/* Half of the ids that there are. What comes while a link is replaced takes its ids from the other half. */
#define LINK_REQUESTS_MAX ((uint32_t)1 << 29)
#define LINK_LIMITS_DEFAULT                                                                                  \
    {                                                                                                        \
        .window_bytes = 256 * 1024, .window_max_bytes = 8 * 1024 * 1024, .streams_max = 4352,                \
        .headers_bytes = 64 * 1024, .headers_count = 256, .message_bytes = 256 * 1024,                       \
        .resets_per_second = 200, .noise_per_second = 100                                                    \
    }

struct link_session;
struct link_stream;

struct link_events {
    void *ctx;
    /* Answering side: a request. Say with link_stream_attach() who hears of it, now, or the stream is
     * refused. Its `end` comes also when it has no body. */
    void (*request)(void *ctx, struct link_stream *stream, const struct stream_head *head, bool has_body);
    /* One line of the control stream (JSON, without its newline; never empty). */
    void (*control)(void *ctx, struct view line);
    /* There is something to send, or an event due that only link_send() can fire. Once until link_send() is
     * called; from within that, too, when a message was full. Not from link_new(): then there always is. */
    void (*writable)(void *ctx);
    /* The other side will take no new streams (GOAWAY). May be NULL. */
    void (*draining)(void *ctx);
    /* What link_ping() asked for has come. May be NULL. */
    void (*pong)(void *ctx);
};

/* The library that speaks HTTP/2, and its version. */
const char *link_library(void);

/* NULL without memory. The opening side opens the control stream (`POST /.tunnel/control`, id 1) right away.
 * `limits` and `events` are copied; `budget` outlives the session. */
struct link_session *link_new(enum link_role role, const struct link_limits *limits,
                              struct link_budget *budget, const struct link_events *events);
/* What open streams are told when the session is freed: STREAM_LOST unless said otherwise here. */
void link_set_loss(struct link_session *session, enum stream_end why);
/* Each open stream gets its `lost` (STREAM_LOST) first, or its `done` where only its reader was behind.
 * NULL is fine. */
void link_free(struct link_session *session);

/* The monotonic time, for rate limits and the growth of windows: every few seconds at least, better before
 * each link_receive(). Rates are watched from the first tick on. An idle session gives memory back here. */
void link_tick(struct link_session *session, uint64_t now_ms);

/* Takes all bytes. STATUS_OK, or an error after which the link must be closed (what link_send() still gives,
 * a GOAWAY, may be sent first): the peer broke HTTP/2 (STATUS_INVALID) or a limit (STATUS_OVERLOADED), or it
 * ended the link with an error (STATUS_GONE). Some of these show only in the next link_send(). */
enum status link_receive(struct link_session *session, struct view bytes);
/* A short text for the log, after an error. */
const char *link_error(const struct link_session *session);

bool link_wants_send(const struct link_session *session);
/* Appends what is ready to `out`, up to limits.message_bytes more, or less where `out` has no room for so
 * much. After an error the link must be closed; what was appended should be sent first. */
enum status link_send(struct link_session *session, struct buf *out);

/* One line on the control stream; it holds no newline (STATUS_INVALID) and at most 64 KiB (STATUS_TOO_LARGE).
 * STATUS_OVERLOADED: 1 MiB of lines waits already. The answering side may speak before the stream has come.
 */
enum status link_control(struct link_session *session, struct view line);
/* Asks for a sign of life (PING) unless one is under way; whatever comes counts as one: the owner watches
 * link_receive(). */
void link_ping(struct link_session *session);
/* How large a head the other side takes, as its SETTINGS say (RFC 9113 6.5.2); 0: it has not said. */
size_t link_head_most(const struct link_session *session);
/* No new streams from the other side any more, nor from ours; what runs may finish (GOAWAY). */
void link_drain(struct link_session *session);

/* Opening side. NULL: no memory, the link draining (STATUS_UNAVAILABLE) or over, be it that there are no
 * ids left (STATUS_GONE), too many streams (STATUS_OVERLOADED), a head too large to send (STATUS_TOO_LARGE),
 * no method, authority or path (STATUS_INVALID). `body_follows` false: the request ends with its head. */
struct link_stream *link_open(struct link_session *session, const struct stream_head *head, bool body_follows,
                              const struct stream_events *events, void *ctx, enum status *ret_status);
/* How many streams have an owner, the control stream not counted. */
size_t link_stream_count(const struct link_session *session);
/* What came on it has cost so much in all: a frame 1, and one with a head LINK_HEAD_WORK. */
uint64_t link_work(const struct link_session *session);
#define LINK_HEAD_WORK 8
/* Has one of them, that we have opened, no head of an answer yet? */
bool link_awaits(const struct link_session *session);
/* Has it carried limits.requests_max requests? It goes on to serve, but is to be replaced before its stream
 * ids run out. */
bool link_exhausted(const struct link_session *session);

/* `events` outlive the stream. NULL lets go of it: what was written still leaves, what comes is thrown away.
 */
void link_stream_attach(struct link_stream *stream, const struct stream_events *events, void *ctx);

/* Answering side: the service has switched protocols, so that what comes is wanted when our direction has
 * ended, too. Before the answer. A CONNECT is so by itself. */
void link_stream_switched(struct link_stream *stream);

/* Answering side. An informational head (100), then one head; `body_follows` false ends the answer.
 * STATUS_GONE: the stream has ended, its last event follows. STATUS_INVALID: no such status, or a second
 * head. STATUS_TOO_LARGE: a head too large to send; the stream still waits for one. */
enum status link_stream_informational(struct link_stream *stream, int status);
enum status link_stream_answer(struct link_stream *stream, const struct stream_head *head, bool body_follows);

/* Copies. The caller keeps what is written and not yet `sent` below some bound of its own (window_bytes is a
 * good one). STATUS_GONE: nobody wants the bytes any more (or our direction has ended). STATUS_OVERLOADED:
 * beyond window_max_bytes; STATUS_NO_MEMORY: in both cases the stream is reset, for a body that lacks bytes
 * must not look whole. Whatever it is, the last event follows. */
enum status link_stream_write(struct link_stream *stream, struct view data);
/* `trailers` may be NULL. Ends our direction. Fails as above. */
enum status link_stream_end(struct link_stream *stream, const struct headers *trailers);
/* The reader has drained so many bytes: the window opens again. Also after `end`, until `done`. */
void link_stream_consumed(struct link_stream *stream, size_t bytes);
/* Gives up. No event follows; the pointer is dead on return. `refused`: nothing of it was executed
 * (REFUSED_STREAM). Harmless inside the stream's own last event. */
void link_stream_reset(struct link_stream *stream, bool refused);

#endif
