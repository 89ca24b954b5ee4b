/* How the gateways are, once a second, for whoever watches: GET /api/v1/events (Server-Sent Events). While
 * nobody does, nobody is asked. */
#ifndef GATEWAY_ADMIN_API_EVENTS_H
#define GATEWAY_ADMIN_API_EVENTS_H

#include "admin/api_state.h"

struct api_events;

/* NULL without memory. */
struct api_events *api_events_new(struct api *api);
/* Before the daemon stops: nobody is suspended any more. NULL is fine for both. */
void api_events_stop(struct api_events *events);
void api_events_free(struct api_events *events);

#endif
