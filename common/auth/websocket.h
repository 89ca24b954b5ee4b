/* The one computation of the WebSocket handshake (RFC 6455 4.2.2). */
#ifndef AUTH_WEBSOCKET_H
#define AUTH_WEBSOCKET_H

#include "base/view.h"

#define WEBSOCKET_ACCEPT_LEN 28

/* Sec-WebSocket-Accept for this Sec-WebSocket-Key, NUL-terminated. */
void websocket_accept(struct view key, char out[WEBSOCKET_ACCEPT_LEN + 1]);

#endif
