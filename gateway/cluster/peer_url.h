/* Where a gateway is reached by its peers: ws://host[:port][/path], or wss://. */
#ifndef CLUSTER_PEER_URL_H
#define CLUSTER_PEER_URL_H

#include "base/view.h"

struct peer_url {
    bool tls;
    char host[256]; /* without brackets */
    char port[6];
    char authority[272]; /* as the Host field has it */
    char path[256];
};

/* NULL, or what is wrong with it (static). */
const char *peer_url_parse(struct view text, struct peer_url *ret_url);

#endif
