/* The waiter: a WebSocket of our own to the same WebSocket API that agents use. Whoever gets an agent's
 * answer posts it to the waiter's connection, and the invocation that waits here has it at once. One an
 * execution environment, opened beside a request and never before it. */
#ifndef AWS_ADAPTER_WAITER_H
#define AWS_ADAPTER_WAITER_H

#include "direct/waiter_id.h"
#include "fetch/authorities.h"
#include "net/wire.h"
#include "protocol/v1.h"

struct waiter;

struct waiter_settings {
    struct loop *loop;
    struct authorities *authorities;
    const char *websocket_endpoint; /* "wss://…/stage" (or ws, https, http) */
    const unsigned char *key;       /* SECRET_LEN bytes */
    uint64_t (*wall_ms)(void *ctx);
    size_t message_max;
};

/* What they point to is borrowed for its life. NULL without memory, or where the endpoint makes no sense. */
struct waiter *waiter_new(const struct waiter_settings *settings);
void waiter_free(struct waiter *waiter);

/* Who hears of messages, and of the end of a connection that was up. */
struct waiter_events {
    void *ctx;
    void (*message)(void *ctx, struct view text);
    void (*down)(void *ctx);
};
void waiter_listen(struct waiter *waiter, const struct waiter_events *events);

/* The id of its connection, if that is up and was alive a moment ago. Otherwise absent, and a new one is
 * begun. May tell of messages and of the end from within. */
struct view waiter_connection(struct waiter *waiter);

/* ---- the other side: the function, asked by a waiter ---- */

/* May this connection be a waiter? `target` of its handshake; WAITER_NONE: it does not say that it is one. */
enum waiter_claim { WAITER_NONE, WAITER_REFUSED, WAITER_GOOD };
enum waiter_claim waiter_check_target(struct view target, const unsigned char key[SECRET_LEN],
                                      uint64_t now_ms);
/* Its first message; WAITER_GOOD is to be answered with waiter_encode_ready(). */
enum waiter_claim waiter_check_message(struct view text, const unsigned char key[SECRET_LEN],
                                       uint64_t now_ms);
bool waiter_encode_ready(struct buf *out, struct view connection_id);

/* {"type":"wake","request_id":S}: that request has been completed. */
bool waiter_encode_wake(struct buf *out, struct view request_id);
bool waiter_read_wake(struct view text, char ret_request_id[V1_REQUEST_ID_MAX + 1]);

#endif
