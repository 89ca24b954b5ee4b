/* Whether a tunnel's local service answers, as far as its requests (and a health check) show: said once when
 * it does not any more, and once when it does again. */
#ifndef FORWARDER_SERVICE_STATE_H
#define FORWARDER_SERVICE_STATE_H

#include "console.h"

/* The strings are borrowed for its life. */
struct service_state {
    struct console *console;
    const void *tunnel; /* console_tunnel.key */
    const char *label, *service;
    bool is_down;
};

void service_state_failed(struct service_state *state, const char *why);
void service_state_answered(struct service_state *state);

#endif
