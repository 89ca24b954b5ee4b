/* What happens to a host, as plain structs: the core is told, and never asks where it runs. All views are
 * borrowed until the call that takes the event returns. */
#ifndef HANDLER_EVENT_H
#define HANDLER_EVENT_H

#include "handler/claim.h"
#include "http/error.h"
#include "http/headers.h"

/* An agent asks to be connected (the WebSocket handshake's request). */
struct connect_event {
    struct view connection_id; /* minted by the host */
    struct view gateway;       /* link.gateway of the claim; empty: this process */
    struct view target;        /* raw request target */
    const struct headers *headers;
    struct view client; /* address, for the log */
    enum link_protocol protocol;
    struct view subject;       /* whose certificate it has shown, which is good; absent: nobody's */
    uint64_t subject_end_ms;   /* wall clock: when that certificate ends */
    uint64_t subject_begin_s;  /* and began: as a token's `iat` */
    struct view subject_fault; /* what is wrong with the one that it has shown; absent: nothing */
};

struct connect_outcome {
    int status;         /* 200, or 400, 401, 403, 409, 429, 503 */
    const char *reason; /* one line for the agent's user */
    struct view tunnel_id;
    struct view owner;       /* of its claim; empty where it did not come to one */
    struct view token_id;    /* `jti` of its token; empty: none */
    uint64_t token_issued_s; /* 0: unsaid */
    bool by_certificate;     /* it has shown no token: the two above are none of one */
    bool took_over;          /* another connection of the owner's had the tunnel */
    uint64_t until_ms;       /* wall clock: the host is to call core_expire() then; 0: never */
};

/* A visitor's request, before the gate. */
struct forward_event {
    struct view method;
    struct view target; /* raw */
    struct view version;
    const struct headers *headers;
    struct view client; /* address without port */
    uint64_t
        visitor; /* whose share of a tunnel's places it counts for, the same in all gateways; 0: nobody's */
    struct view scheme;   /* "http" or "https", as the visitor's side of the host sees it */
    bool client_is_proxy; /* a configured proxy: its X-Forwarded-* are kept and appended to */
    size_t hops;          /* how many proxies in front of that one are trusted, too */
};

/* A request that passed another gateway's ingress, and came here because the agent is here. */
struct dispatch_event {
    struct view tunnel_id;
    uint64_t epoch;      /* of the claim by which this process was found */
    bool is_let_in;      /* the tunnel's rules for visitors let this one in */
    uint64_t visitor;    /* as in forward_event */
    struct view gateway; /* link.gateway of the claims that are served here */
    struct view method;
    struct view upgrade;           /* the protocols offered to switch to; absent: none */
    struct view host;              /* the visitor's Host field */
    struct view target;            /* what the local service is asked for */
    const struct headers *headers; /* what it gets, x-forwarded-* included */
    /* Also with an upgrade: then one of the length that the headers say, and none where they say nothing. */
    bool has_body;
};

/* Where the request's body comes from. The host may hand over (exchange_body) as many bytes as were granted
 * in all, and must hold the rest back. Nothing is granted before the request's fate is known. */
struct body_source {
    void *ctx;
    void (*grant)(void *ctx, size_t bytes);
};

#define LENGTH_UNKNOWN UINT64_MAX

/* What Content-Length says, if it says anything. */
static inline uint64_t length_declared(const struct headers *headers) {
    uint64_t length;
    return http_content_length(headers_get(headers, VIEW("content-length")), &length) ? length
                                                                                      : LENGTH_UNKNOWN;
}

struct answer_head {
    int status;
    const struct headers
        *headers; /* end-to-end fields only; no Content-Length, no Connection; Date if there was one */
    uint64_t content_length; /* of the body, or what a HEAD/304 answer says it would be; LENGTH_UNKNOWN */
    bool has_body;           /* data and end follow; otherwise only end */
    bool close;              /* the visitor's connection must end after it */
    bool may_idle;           /* hours may pass between two bytes of the body */
    struct view upgrade; /* status 101: the protocol switched to; bytes follow both ways, as body and data */
    enum http_error error; /* HTTP_ERROR_NONE: the service's own answer */
};

/* Where the answer goes: head, data*, end; or abort at any point instead. No call comes after end or abort,
 * and the exchange is gone with it. No call comes inside a call to exchange_*() or core_forward(). */
struct answer_sink {
    void *ctx;
    void (*head)(void *ctx, const struct answer_head *head);
    /* Copied by the sink. Unacknowledged (exchange_drained) are never more bytes than the window given to
     * core_forward, or, for an agent of v2, than a stream's largest window (8 MiB, reached only while the
     * sink drains). */
    void (*data)(void *ctx, struct view data);
    void (*end)(void *ctx, const struct headers *trailers); /* NULL: none */
    /* Nothing whole can follow: before the head close without an answer, within a body cut. */
    void (*abort)(void *ctx);
};

#endif
