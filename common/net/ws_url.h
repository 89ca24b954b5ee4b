/* Where a WebSocket is: ws://host[:port][/path], or wss://. */
#ifndef NET_WS_URL_H
#define NET_WS_URL_H

#include "base/view.h"

struct ws_url {
    bool tls;
    char host[256]; /* without brackets */
    uint16_t port;
    char authority[272]; /* as the Host field has it */
    char path[256];
};

/* NULL, or what is wrong with it (static). */
const char *ws_url_parse(struct view text, struct ws_url *ret_url);

#endif
