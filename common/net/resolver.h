/* Looks a host name up without blocking the loop: a job that answers once, on the loop, and can be cancelled
 * at any time. By the system's own getaddrinfo(), in a thread of libuv's; a static program has none. */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

#include <uv.h>

#include "net/addresses.h"

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
