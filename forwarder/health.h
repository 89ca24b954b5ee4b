/* Asks the local service by itself whether it is well: a GET of a path (--health-check), every 2 s, every
 * second while it is not. Well is an answer below 400 within 5 s. service_state says it, and while the
 * service is down its requests are refused at once. */
#ifndef FORWARDER_HEALTH_H
#define FORWARDER_HEALTH_H

#include "local/local_client.h"
#include "service_state.h"

#define HEALTH_WELL_MS 2000u
#define HEALTH_DOWN_MS 1000u
#define HEALTH_ANSWER_MS 5000u

struct health;

/* All borrowed for its life; `authority` is the service's own. NULL without memory. */
struct health *health_new(struct loop *loop, struct local_client *client, struct service_state *state,
                          const char *path, const char *authority);
/* Asks for the first time at once. */
void health_start(struct health *health);
/* Before local_client_shut(). NULL is fine. */
void health_free(struct health *health);

#endif
