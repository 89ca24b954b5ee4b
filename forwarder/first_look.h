/* Looks, when a tunnel starts, whether its local service is there, so that who has forgotten to start it does
 * not learn it of a visitor's 503. Where it is not: says so (service_state), looks again each second, says
 * when it is there, and has done. Once the service has been seen, or has answered a request, nothing is
 * looked at any more.
 *
 * Of services on this machine alone, and only where it is certain: that nothing listens at a port, or that
 * there is no file where a unix socket should be. Nothing waits for it. */
#ifndef FORWARDER_FIRST_LOOK_H
#define FORWARDER_FIRST_LOOK_H

#include "local/local_client.h"
#include "service_state.h"

#define FIRST_LOOK_AGAIN_MS 1000u

struct first_look;

/* Borrowed for its life, but for `target`, whose strings are. NULL: there is nothing to look at (it is
 * elsewhere, or a folder), or no memory. */
struct first_look *first_look_new(struct loop *loop, const struct local_target *target,
                                  struct service_state *state);
/* NULL is fine for both. */
void first_look_start(struct first_look *look);
void first_look_free(struct first_look *look);

#endif
