/* See sockaddr.h. */
#include "net/sockaddr.h"

#include <netinet/in.h>

bool sockaddr_is_loopback(const struct sockaddr *address) {
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24 == 127;
    if (address->sa_family != AF_INET6) return false;
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127);
}

void sockaddr_set_port(struct sockaddr_storage *address, uint16_t port) {
    if (address->ss_family == AF_INET) ((struct sockaddr_in *)(void *)address)->sin_port = htons(port);
    if (address->ss_family == AF_INET6) ((struct sockaddr_in6 *)(void *)address)->sin6_port = htons(port);
}
