/* Protocol v2: answers the streams that the gateway opens on the link from the local service, bodies flowing
 * both ways as they come. A slow visitor slows the service, a slow service slows the visitor; nothing is
 * collected. */
#ifndef FORWARDER_STREAMS_H
#define FORWARDER_STREAMS_H

#include "base/buf.h"
#include "base/status.h"
#include "call.h"

struct streams;

struct streams_host {
    void *ctx;
    void (*control)(void *ctx, struct view line); /* of the gateway, JSON */
    void (*writable)(void *ctx);                  /* streams_send() has something */
    void (*idle)(void *ctx);                      /* the last request has been answered */
    void (*pong)(void *ctx);                      /* what streams_ping() asked for */
};

/* `settings` are borrowed. NULL without memory. */
struct streams *streams_new(const struct call_settings *settings, const struct streams_host *host);
void streams_free(struct streams *streams);

/* A link has opened; false without memory. It ends with streams_stop(), and all its requests with it. */
bool streams_start(struct streams *streams);
void streams_stop(struct streams *streams);

/* Bytes of a binary message, in any pieces. Not STATUS_OK: the link must be closed; *ret_reason says why
 * (static). */
enum status streams_receive(struct streams *streams, struct view bytes, const char **ret_reason);
bool streams_want_send(const struct streams *streams);
/* Appends one message. */
enum status streams_send(struct streams *streams, struct buf *out);
enum status streams_control(struct streams *streams, struct view line);
void streams_ping(struct streams *streams);
/* Takes no new requests (GOAWAY); what runs goes on. */
void streams_drain(struct streams *streams);
size_t streams_count(const struct streams *streams);
/* link_work() of the link. */
uint64_t streams_work(const struct streams *streams);

#endif
