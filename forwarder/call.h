/* One request to the local service and its answer, whichever protocol brought it: what both `streams` (v2)
 * and `relay` (v1) do to a request on its way to the service and to the answer's head on its way back, what
 * is looked at as it passes (hints), and the line that people read. The body's way is the owner's affair. */
#ifndef FORWARDER_CALL_H
#define FORWARDER_CALL_H

#include "call_kind.h"
#include "console.h"
#include "hints.h"
#include "host_field.h"
#include "http/gate.h"
#include "inspect/watch.h"
#include "local/local_client.h"
#include "net/loop.h"
#include "service_state.h"

/* All borrowed for as long as there are calls. */
struct call_settings {
    struct loop *loop;
    const char *label; /* of the tunnel, where there are several; otherwise NULL */
    struct service_state *service;
    struct local_client *client;
    const struct host_field *host_field;
    const char *rewrite; /* rewrite_wish.h; may be NULL */
    struct hints *hints;
    struct console *console;
    const struct watch *watch; /* NULL: nobody looks */
    bool may_index;            /* search engines may list the tunnel (V1_CAP_INDEX) */
    bool is_shut; /* nobody is let in: the gateway has not said that it holds visitors to our rules */
    uint64_t request_timeout_ms; /* to the first byte of an answer; the owner watches it */
};

/* A part of its owner's request; views live in `arena`, which is the owner's. */
struct call {
    const struct call_settings *settings;
    struct arena *arena;
    struct local_request *local; /* NULL: not begun, or ended */
    struct view method, target;
    struct visitor visitor;
    struct headers asked; /* of a GET without a body, which hints may send again; otherwise empty */

    uint64_t watched;    /* its number there; 0: nobody looks */
    uint64_t watched_us; /* when it was told; of metrics_now_us() */
    bool is_offer;       /* to switch to another protocol; where somebody looks */

    /* what its line says (console.h) */
    bool is_shown, visitor_left;
    enum board_kind kind;
    int status;                /* what the visitor gets; 0: nothing yet */
    const char *code, *detail; /* an error of ours, or how else it ended, and more of that; or NULL */
    uint64_t began_ms, bytes, bytes_in; /* of the answer's body, of the request's */
};

/* `method` and `target` live as long as the arena. */
void call_init(struct call *call, const struct call_settings *settings, struct arena *arena,
               struct view method, struct view target);

/* The service is known to be down, and the owner answers so at once instead of starting it. */
static inline bool call_is_refused(struct call *call) {
    if (!service_state_refuses(call->settings->service)) return false;
    call->detail = "its health check fails";
    return true;
}

/* How long the service is told that a body is: `bytes`, or, for LOCAL_BODY_NONE and a method that usually has
 * a body, 0: some services answer those with 411 otherwise. */
int64_t call_body_bytes(const struct call *call, int64_t bytes);

/* Sends it. `head` has the request but for `headers`, without hop-by-hop fields, which are changed in place:
 * ours and Content-Length go, and hosts become what the service is to see; `visitor_host` where they name
 * none. `events` gets `ctx`; on_head, on_data and on_end pass what comes to the calls below. False without
 * memory, or while is_shut.
 */
bool call_start(struct call *call, struct local_head *head, struct headers *headers, struct view visitor_host,
                const struct local_events *events, void *ctx);

/* A piece of the request's body, or behind a 101 of what the visitor sends. False as local_request_body(). */
bool call_send_body(struct call *call, struct view data);

/* The answer's head (or that of a 101) as the gateway may have it, copied into *ret_headers: without
 * hop-by-hop fields and ours (but x-tunnel-rewrite, the service's or what `rewrite` says), without
 * Content-Length where `drops_length`, with the visitor's names of hosts. False: it cannot be passed on;
 * `detail` says why, NULL without memory. */
bool call_take_head(struct call *call, int status, const struct headers *received, bool drops_length,
                    const struct http_limits *limits, struct headers *ret_headers);
/* A piece of the answer's body has come. */
void call_take_data(struct call *call, struct view data);
/* The local request has ended. `detail` is copied; hints look at what it was. */
void call_take_end(struct call *call, enum local_error error, const char *detail);

/* Ends the local request, if it runs. */
void call_cancel(struct call *call);
/* It is over: prints its line and tells who looks, the first time that it is called. */
void call_show(struct call *call);
/* Its owner lets go of it: who looks is told, if not yet. */
void call_done(struct call *call);

#endif
