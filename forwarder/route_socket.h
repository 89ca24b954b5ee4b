/* A socket on which the kernel tells of each change of addresses and routes: netlink on Linux, a routing
 * socket on Darwin. */
#ifndef FORWARDER_ROUTE_SOCKET_H
#define FORWARDER_ROUTE_SOCKET_H

/* Does not block. -1: there is none. The caller closes it. */
int route_socket_open(void);

#endif
