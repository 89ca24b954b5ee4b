/* Protocol v1: takes `http_request` messages to the local service and its whole answers back as
 * `http_response`, or `error` where there is none. v1 cannot stream, so each answer is collected here, within
 * bounds. Every request gets exactly one answer, unless relay_cancel_all() comes first. */
#ifndef FORWARDER_RELAY_H
#define FORWARDER_RELAY_H

#include "base/buf.h"
#include "call.h"
#include "protocol/v1.h"

#define RELAY_BODY_MAX (2u * 1024 * 1024)   /* either direction */
#define RELAY_REQUESTS_MAX 1024u            /* at once; more are refused */
#define RELAY_HELD_SOFT (32u * 1024 * 1024) /* above it only the oldest RELAY_ALWAYS_FLOW requests go on */
#define RELAY_ALWAYS_FLOW 8u
#define RELAY_QUEUE_SOFT                                                                                     \
    (8u * 1024 * 1024) /* bytes that wait for the gateway: above it nothing more is read */
#define RELAY_HELD_MAX (96u * 1024 * 1024) /* bytes of bodies held by all of them */

struct relay;

struct relay_host {
    void *ctx;
    /* Makes an empty message, which relay appends to and gives back to `send`, in any case, also when it
     * failed. `request_id` is what it answers. */
    bool (*begin)(void *ctx, struct buf *message);
    bool (*send)(void *ctx, struct view request_id, struct buf *message);
    /* Bytes of answers that were sent and are not on their way yet. */
    size_t (*waiting_bytes)(void *ctx);
    /* The last request has been answered. From a safe point of the loop. */
    void (*idle)(void *ctx);
};

/* `settings` are borrowed. NULL without memory. */
struct relay *relay_new(const struct call_settings *settings, const struct relay_host *host);
void relay_free(struct relay *relay);

/* Takes the message, which is an http_request. One whose id came before over this link is dropped. */
void relay_take(struct relay *relay, struct v1_message *request);
/* `waiting_bytes` became less: goes on reading from the local service, where that was stopped. */
void relay_flow(struct relay *relay);
/* The link is gone: forgets all requests, and which ids came. */
void relay_cancel_all(struct relay *relay);
size_t relay_count(const struct relay *relay);

#endif
