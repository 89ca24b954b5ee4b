/* One request and its answer as a stream: the shapes that a link (common/link), the agent port and the
 * handler core share. */
#ifndef HTTP_STREAM_H
#define HTTP_STREAM_H

#include "http/headers.h"

/* An offer to switch protocols, on a stream that is no CONNECT: the value of `Upgrade`. Our direction stays
 * open behind the body, of which only this says how long it is. In the answer that switches (200 with
 * STREAM_UPGRADED_FIELD) the first one is what was switched to. */
#define STREAM_UPGRADE_FIELD "x-tunnel-upgrade"
#define STREAM_LENGTH_FIELD "x-tunnel-content-length"
#define STREAM_UPGRADED_FIELD "x-tunnel-upgraded"

/* Beside x-tunnel-error, what was wrong, for logs: at most 200 bytes of a field value. */
#define STREAM_DETAIL_FIELD "x-tunnel-error-detail"

/* Why a stream ended before its end (RFC 9113 7, folded). */
enum stream_end {
    STREAM_RESET,       /* reset by the other side: it gave up */
    STREAM_UNPROCESSED, /* REFUSED_STREAM, or above the last stream of a GOAWAY: certainly not executed */
    STREAM_LOST,        /* the link itself ended, and who was at its other end with it */
    STREAM_SEVERED,     /* the way to the other end broke; that may live, and be reached again */
    STREAM_UNREACHED,   /* there is no way to the other end at present: certainly not executed */
    STREAM_BROKEN       /* the other side broke the protocol or a limit on this stream; it was reset */
};

struct stream_head {
    /* of a request; empty in an answer */
    struct view method;   /* CONNECT for an upgrade */
    struct view protocol; /* extended CONNECT (RFC 8441): the Upgrade token; otherwise absent */
    struct view scheme, authority, path;
    bool is_excess;   /* of a visitor: it was larger than the limits, and fields were left out */
    uint64_t visitor; /* whose it is, for other gateways only; 0: nobody's */
    /* of an answer; 0 in a request */
    int status;
    /* No pseudo headers, names in lower case, no hop-by-hop fields. In a head received: every name and value
     * has a NUL byte behind it that does not count, and there is no arena (copy with headers_copy()). */
    const struct headers *headers;
};

/* What happens to a stream. Views and heads are borrowed until return. A stream has exactly one last event,
 * `done` or `lost`, unless its owner lets go of it first (by a reset, or by detaching it). From then on its
 * pointer must not be used. `informational`, `sent` and `done` may be NULL. */
struct stream_events {
    void (*informational)(void *ctx, int status);            /* opening side: 100; others are dropped */
    void (*head)(void *ctx, const struct stream_head *head); /* opening side: the answer */
    /* Counted against the stream's window until it is said to be consumed. */
    void (*data)(void *ctx, struct view data);
    /* The other side's last word; trailers may be empty. */
    void (*end)(void *ctx, const struct headers *trailers);
    /* So many bytes written have left. */
    void (*sent)(void *ctx, size_t bytes);
    /* Both directions have ended, ours has left, and all that came was consumed. On the answering side
     * without an `end` before it: our answer was whole before the request was, and the rest of that was
     * declined (RFC 9113 8.1; never of a CONNECT that was granted, which may be half closed). On the
     * opening side before we ended our direction: the answer is whole, and the rest of the request is not
     * wanted. */
    void (*done)(void *ctx);
    /* The stream has ended without its end. On the opening side never after `end`. */
    void (*lost)(void *ctx, enum stream_end why);
};

#endif
