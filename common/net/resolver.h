/* Looks a host name up without blocking the loop: a job that answers once, on the loop, and can be cancelled
 * at any time. By the system's own getaddrinfo(), in a thread of libuv's; a static program has none of that
 * (aws-adapter/aws/resolver_ares.h). */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

#include <uv.h>

#include "base/view.h"

#define RESOLVER_ADDRESSES_MAX 8

struct address {
    struct sockaddr_storage socket_address; /* with the port */
    char text[INET6_ADDRSTRLEN];            /* numeric */
};

struct addresses {
    struct address list[RESOLVER_ADDRESSES_MAX];
    size_t count;
};

/* Is it this machine, whatever its tables say (RFC 6761 6.3): `localhost`, or a name below it? */
bool addresses_are_loopback(const char *host);
/* Those of this machine, IPv4 first. */
void addresses_set_loopback(struct addresses *addresses, uint16_t port);
/* Of another family, or one too many: left out. */
void addresses_add(struct addresses *addresses, const struct sockaddr *address, uint16_t port);

struct resolver_job;

/* `error` is 0 or a libuv error code; the addresses are borrowed until return, in the order to try them (RFC
 * 6724). */
typedef void resolver_addresses_fn(void *ctx, int error, const struct addresses *addresses);
/* NULL without memory (then `fn` is not called). */
struct resolver_job *resolver_lookup(uv_loop_t *loop, const char *host, uint16_t port,
                                     resolver_addresses_fn *fn, void *ctx);

/* The callback will not come any more. `job` may be NULL; it must not have answered yet. */
void resolver_cancel(struct resolver_job *job);

#endif
