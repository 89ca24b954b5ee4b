#include "net/addresses.h"

#include <uv.h>

void addresses_add(struct addresses *addresses, const struct sockaddr *from, uint16_t port) {
    if (addresses->count == ADDRESSES_MAX) return;
    struct address *address = &addresses->list[addresses->count];
    memset(address, 0, sizeof(*address));
    if (from->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, from, sizeof(v4));
        v4.sin_port = htons(port);
        memcpy(&address->socket_address, &v4, sizeof(v4));
        uv_ip4_name(&v4, address->text, sizeof(address->text));
    } else if (from->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, from, sizeof(v6));
        v6.sin6_port = htons(port);
        memcpy(&address->socket_address, &v6, sizeof(v6));
        uv_ip6_name(&v6, address->text, sizeof(address->text));
    } else {
        return;
    }
    addresses->count++;
}

bool addresses_are_loopback(const char *host) {
    struct view name = view_from_cstr(host);
    return view_eq_nocase(name, VIEW("localhost")) ||
           (name.len > 10 && view_eq_nocase(view_skip(name, name.len - 10), VIEW(".localhost")));
}

void addresses_set_loopback(struct addresses *addresses, uint16_t port) {
    struct sockaddr_storage v4, v6; /* of which addresses_add() may read as much as of either kind */
    uv_ip4_addr("127.0.0.1", port, (struct sockaddr_in *)&v4);
    uv_ip6_addr("::1", port, (struct sockaddr_in6 *)&v6);
    addresses->count = 0;
    addresses_add(addresses, (struct sockaddr *)&v4, port);
    addresses_add(addresses, (struct sockaddr *)&v6, port);
}
