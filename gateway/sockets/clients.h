/* Who is connected, by address: counts the connections of a listener, in all and an address, and keeps each
 * address's text once. */
#ifndef GATEWAY_CLIENTS_H
#define GATEWAY_CLIENTS_H

#include "base/table.h"
#include "sockets/address.h"

struct clients {
    struct table table;
    size_t count, max;
    size_t max_per_address; /* loopback and trusted proxies are exempt */
    uint64_t refused;       /* for which there was no room, ever */
    const struct network *proxies;
    size_t proxies_count;
};

/* One address that has connections. */
struct client {
    struct table_node node;
    struct clients *clients;
    size_t count;
    bool is_proxy, is_exempt;
    unsigned char key[16];
    char text[ADDRESS_TEXT_MAX];
};

/* 0: no maximum. `proxies` is borrowed. */
void clients_init(struct clients *clients, size_t max, size_t max_per_address, const struct network *proxies,
                  size_t proxies_count);
/* All clients must have been released. */
void clients_done(struct clients *clients);

/* Counts one connection more; NULL when that is too many, or without memory. */
struct client *clients_take(struct clients *clients, const struct sockaddr *address);
bool clients_is_proxy(const struct clients *clients, const struct sockaddr *address);
void client_release(struct client *client);

#endif
