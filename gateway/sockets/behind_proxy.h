/* Who a visitor is that came through a trusted proxy, by the proxy's X-Forwarded-For: the last address there
 * that is not a trusted proxy's itself. What stands in front of it anybody can have written. */
#ifndef GATEWAY_BEHIND_PROXY_H
#define GATEWAY_BEHIND_PROXY_H

#include "http/headers.h"
#include "sockets/clients.h"

/* False: the field names nobody. *ret_hops is how many elements stand behind the visitor's. */
bool behind_proxy(const struct headers *headers, const struct clients *clients,
                  struct sockaddr_storage *ret_address, size_t *ret_hops);

#endif
