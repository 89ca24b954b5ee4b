/* Who looks at the requests that pass to the local service and at their answers, whichever protocol brought
 * them. `call` tells; one reader at a time, and where there is none a request costs one look at a pointer.
 *
 * All views, heads and texts are borrowed until return. Nothing is told from within a call of the reader's.
 */
#ifndef FORWARDER_INSPECT_WATCH_H
#define FORWARDER_INSPECT_WATCH_H

#include "http/headers.h"

#define INSPECT_ONLY_TUNNEL "command_line" /* as ngrok, and who asks us, calls the one without a label */

/* As the service gets it; what frames the body is not among the fields. */
struct watch_request {
    const char *tunnel; /* its label, where there are several; otherwise NULL */
    struct view method, target;
    const struct headers *headers;
    struct view upgrade; /* the protocol that it offers to switch to; absent: none */
    int64_t body_bytes;  /* that were announced, or LOCAL_BODY_… */
};

struct watch_end {
    const char *tunnel; /* as in the request */
    bool is_offer;      /* it offered to switch to another protocol */
    uint64_t took_us;
    int status;                /* what the visitor got; 0: he left before there was one */
    const char *code, *detail; /* of an error of ours, or how else it ended; or NULL */
};

struct watch {
    void *ctx;
    /* Returns the number by which the rest is told; 0: no more is to be told of it. */
    uint64_t (*request)(void *ctx, const struct watch_request *request);
    /* A piece of the body; behind a 101, of what the visitor sends. */
    void (*request_body)(void *ctx, uint64_t id, struct view data);
    /* As the service gave it. 101: it switched. */
    void (*answer)(void *ctx, uint64_t id, int status, const struct headers *headers);
    void (*answer_body)(void *ctx, uint64_t id, struct view data);
    /* Last of all, once. */
    void (*end)(void *ctx, uint64_t id, const struct watch_end *end);
};

#endif
