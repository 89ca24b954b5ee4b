/* Where a host is: what a name was looked up to, in the order to try. */
#ifndef NET_ADDRESSES_H
#define NET_ADDRESSES_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/view.h"

#define ADDRESSES_MAX 8

struct address {
    struct sockaddr_storage socket_address; /* with the port */
    char text[INET6_ADDRSTRLEN];            /* numeric */
};

struct addresses {
    struct address list[ADDRESSES_MAX];
    size_t count;
};

/* Is it this machine, whatever its tables say (RFC 6761 6.3): `localhost`, or a name below it? */
bool addresses_are_loopback(const char *host);
/* Those of this machine, IPv4 first. */
void addresses_set_loopback(struct addresses *addresses, uint16_t port);
/* Of another family, or one too many: left out. */
void addresses_add(struct addresses *addresses, const struct sockaddr *address, uint16_t port);

#endif
