/* Who is connected: counts the connections of a port, in all and an address, and keeps each address's text
 * once. */
#ifndef GATEWAY_PEERS_H
#define GATEWAY_PEERS_H

#include "base/table.h"
#include "ports/address.h"

struct peers {
    struct table table;
    size_t count, max;
    size_t max_per_address; /* loopback and trusted proxies are exempt */
    const struct network *proxies;
    size_t proxies_count;
};

/* One address that has connections. */
struct peer {
    struct table_node node;
    struct peers *peers;
    size_t count;
    bool is_proxy, is_exempt;
    unsigned char key[16];
    char text[ADDRESS_TEXT_MAX];
};

/* 0: no maximum. `proxies` is borrowed. */
void peers_init(struct peers *peers, size_t max, size_t max_per_address, const struct network *proxies,
                size_t proxies_count);
/* All peers must have been released. */
void peers_done(struct peers *peers);

/* Counts one connection more; NULL when that is too many, or without memory. */
struct peer *peers_take(struct peers *peers, const struct sockaddr *address);
bool peers_is_proxy(const struct peers *peers, const struct sockaddr *address);
void peer_release(struct peer *peer);

#endif
