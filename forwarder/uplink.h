/* One WebSocket to the gateway, as a client. Text messages (v1) go in and out whole; the bytes of v2 travel
 * in binary messages as they come. One connection at a time; the object may connect again once it has ended.
 */
#ifndef FORWARDER_UPLINK_H
#define FORWARDER_UPLINK_H

#include "base/buf.h"
#include "endpoint.h"
#include "net/loop.h"
#include "net/proxy.h"
#include "net/wire.h"

#define UPLINK_MESSAGE_MAX                                                                                   \
    (4u * 1024 * 1024) /* either direction: a body of 2 MiB in base64, and its headers */
#define UPLINK_SUBPROTOCOL_V2 "http-tunnel.v2"
#define UPLINK_FRAME_MAX (31u * 1024) /* API Gateway closes above 32 KB */

struct uplinks;
struct uplink;

enum uplink_failure {
    UPLINK_UNREACHABLE, /* no such name, refused, no route */
    UPLINK_TIMEOUT,     /* the handshake was not done in time */
    UPLINK_TLS,         /* certificate or TLS handshake */
    UPLINK_REFUSED,     /* answered the handshake with `http_status` */
    UPLINK_BROKEN,      /* cut, or not a WebSocket server, before it was open */
    UPLINK_CLOSED,      /* was open, and is not any more */
};

struct uplink_end {
    enum uplink_failure failure;
    int http_status;  /* UPLINK_REFUSED */
    int close_code;   /* UPLINK_CLOSED: of the peer, 0 where it just cut */
    char reason[320]; /* one line for people; for UPLINK_REFUSED the body of the answer, or empty */
};

/* None of these is called from within a call to the uplink. Each may call any function of it; uplink_free()
 * only on_end. */
struct uplink_events {
    void (*on_open)(void *ctx);
    void (*on_message)(void *ctx, struct view text); /* borrowed until return */
    void (*on_sent)(void *ctx);                      /* a message has gone: uplink_queued_bytes() is less */
    void (*on_end)(void *ctx, const struct uplink_end *end);
    /* v2: a piece of a binary message, borrowed until return. False: it makes no sense, the link is closed.
     */
    bool (*on_bytes)(void *ctx, struct view bytes);
    /* v2: appends what is ready as one message, perhaps nothing. False: the link is closed. */
    bool (*fill)(void *ctx, struct buf *message);
    const struct wire_intake *intake; /* of what comes; outlives the uplink */
};

struct uplink_credentials {
    const char *token, *name, *domain, *resume, *policy; /* NULL: not sent */
};

/* What all uplinks to one gateway share. `endpoint`, `proxy` and `trust` (both may be NULL) are borrowed
 * for its life. NULL, and a reason, on failure. */
struct uplinks *uplinks_new(struct loop *loop, const struct endpoint *endpoint, const struct proxy *proxy,
                            const struct wire_trust *trust, char *error, size_t error_size);
/* When all uplinks have been freed, or aborted and the loop has ended. NULL is fine. */
void uplinks_free(struct uplinks *uplinks);
/* Do they say who we are by a certificate? */
bool uplinks_show_certificate(const struct uplinks *uplinks);

/* NULL without memory. */
struct uplink *uplink_new(struct uplinks *uplinks, const struct uplink_events *events, void *ctx);
/* Aborts what is under way. NULL is fine. */
void uplink_free(struct uplink *uplink);

/* Begins to connect; on_open or on_end follows. `credentials` are copied. `timeout_ms` is for all of it,
 * names to 101. */
void uplink_connect(struct uplink *uplink, const struct uplink_credentials *credentials, uint64_t timeout_ms);

/* Once open: does the gateway speak v2? */
bool uplink_is_v2(const struct uplink *uplink);
/* v2: `fill` has something to say. */
void uplink_want_fill(struct uplink *uplink);

/* An empty message to append to: it has the room in front that uplink_send() wants. */
bool uplink_message_init(struct buf *message);
/* What has been appended to the message so far. */
struct view uplink_message_text(const struct buf *message);
/* Moves the message out of `message` in any case. False when it is marked failed, nothing is open or the
 * queue is full. */
bool uplink_send(struct uplink *uplink, struct buf *message);
/* A WebSocket ping (RFC 6455 5.5.2), in front of what waits. */
void uplink_ping(struct uplink *uplink);

size_t uplink_queued_bytes(const struct uplink *uplink);
/* As wire_is_stranded(). */
bool uplink_is_stranded(const struct uplink *uplink);
/* When anything, a pong too, was last received. */
uint64_t uplink_heard_ms(const struct uplink *uplink);
/* As wire_moved_ms(). */
uint64_t uplink_moved_ms(const struct uplink *uplink);

/* Says goodbye with code 1000 and ends: on_end comes at the latest after `grace_ms`. What is queued is
 * dropped. */
void uplink_close(struct uplink *uplink, uint64_t grace_ms);
/* Ends at once; no on_end. */
void uplink_abort(struct uplink *uplink);

#endif
