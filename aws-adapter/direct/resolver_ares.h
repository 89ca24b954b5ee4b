/* Looks a host name up by c-ares, on the loop: a static libc cannot. What it needs of the system
 * (/etc/resolv.conf, /etc/hosts) is read at the first look-up. One at a time. */
#ifndef AWS_ADAPTER_RESOLVER_ARES_H
#define AWS_ADAPTER_RESOLVER_ARES_H

#include "net/addresses.h"
#include "net/loop.h"

struct resolver_ares;

/* NULL without memory. */
struct resolver_ares *resolver_ares_new(struct loop *loop);
/* NULL is fine. The loop must run once more for its handles to close. */
void resolver_ares_free(struct resolver_ares *resolver);

/* `error` is 0 or a libuv error code; the addresses are borrowed until return, in the order to try them. */
typedef void resolver_ares_fn(void *ctx, int error, const struct addresses *addresses);
/* Copies `host`. `fn` comes once, from the loop; one that is under way is cancelled. */
void resolver_ares_lookup(struct resolver_ares *resolver, const char *host, uint16_t port,
                          resolver_ares_fn *fn, void *ctx);
/* Nothing comes any more. */
void resolver_ares_cancel(struct resolver_ares *resolver);

#endif
