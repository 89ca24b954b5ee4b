/* A WebSocket client over libcurl (8.11 or later; older ones do not have it), text messages only. */
#ifndef AWS_WEBSOCKET_H
#define AWS_WEBSOCKET_H

#include "aws/http_client.h"

struct websocket;

/* None is called from within a call that opens or sends. Each may close the socket. */
struct websocket_events {
    void (*on_open)(void *ctx);
    void (*on_message)(void *ctx, struct view text); /* borrowed until return */
    void (*on_end)(void *ctx);                       /* refused, cut or closed; close it then */
};

/* Does this libcurl know WebSockets? */
bool websocket_available(void);

/* Begins to connect to ws:// or wss://. NULL without memory. `message_max`: of what is received. */
struct websocket *websocket_open(struct http_client *client, struct view url, uint64_t timeout_ms,
                                 size_t message_max, const struct websocket_events *events, void *ctx);
/* No event follows; NULL is fine. */
void websocket_close(struct websocket *websocket);

/* A short message; false where it cannot leave at once. */
bool websocket_send(struct websocket *websocket, struct view text);
/* Takes what has come, or sees that the socket is dead, without waiting for the loop: events may follow from
 * within this call. */
void websocket_look(struct websocket *websocket);

#endif
