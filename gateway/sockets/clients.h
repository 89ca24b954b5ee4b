/* Who is connected, by address: counts the connections of a listener, in all and an address, and keeps each
 * address's text once.
 *
 * Bounds of one address hold for all of an IPv6 network of 64 bits: so much belongs to one household or one
 * machine, which can have as many addresses of it as it likes. */
#ifndef GATEWAY_CLIENTS_H
#define GATEWAY_CLIENTS_H

#include "base/buckets.h"
#include "base/table.h"
#include "sockets/address.h"

/* Ends a connection that can be spared; false when there is none. */
typedef bool clients_spare_fn(void *ctx);

struct clients {
    struct table table; /* struct client by address */
    struct table nets;  /* struct client_net by the first 8 bytes of an IPv6 address */
    size_t count, max;
    size_t max_per_address;  /* loopback and trusted proxies are exempt; so they are of the next */
    size_t rate;             /* connections a second of one address; 0: any */
    struct buckets buckets;  /* of addresses; empty without a rate */
    clients_spare_fn *spare; /* asked when all are connected that may be; NULL: the newcomer is refused */
    void *spare_ctx;
    uint64_t refused, spared; /* for which there was no room, ever; that were ended for others */
    const struct network *proxies;
    size_t proxies_count;
};

struct client_net {
    struct table_node node;
    size_t count;
    unsigned char prefix[8];
};

/* One address that has connections. */
struct client {
    struct table_node node;
    struct clients *clients;
    struct client_net *net; /* NULL: the address counts alone */
    size_t count;
    bool is_proxy, is_exempt;
    /* The same for all who share bounds, in every gateway; 0: it has none. */
    uint64_t number;
    unsigned char key[16];
    char text[ADDRESS_TEXT_MAX];
};

/* 0: no maximum. `proxies` is borrowed. */
void clients_init(struct clients *clients, size_t max, size_t max_per_address, const struct network *proxies,
                  size_t proxies_count);
/* No more than so many connections a second of one address, as many at once. False without memory. */
bool clients_limit_rate(struct clients *clients, size_t per_second);
/* All clients must have been released. */
void clients_done(struct clients *clients);

/* Counts one connection more; NULL when that is too many, or without memory. */
struct client *clients_take(struct clients *clients, const struct sockaddr *address);
bool clients_is_proxy(const struct clients *clients, const struct sockaddr *address);
void client_release(struct client *client);
/* Has one ended that can be spared. */
bool clients_spare(struct clients *clients);

#endif
