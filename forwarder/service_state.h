/* Whether a tunnel's local service answers, as far as its requests and its health check show: said once when
 * it does not any more, and once when it does again. Where there is a check, only that says that it does. */
#ifndef FORWARDER_SERVICE_STATE_H
#define FORWARDER_SERVICE_STATE_H

#include "console.h"

/* The strings are borrowed for its life. */
struct service_state {
    struct console *console;
    const void *tunnel; /* console_tunnel.key */
    const char *label, *service;
    bool is_down, is_checked;
};

/* A request could not be sent to it. */
void service_state_failed(struct service_state *state, const char *why);
/* A request was answered. */
void service_state_answered(struct service_state *state);
/* What the health check found; NULL: it is well. */
void service_state_checked(struct service_state *state, const char *fault);

/* It is known to be down: to ask it would only take time. */
static inline bool service_state_refuses(const struct service_state *state) {
    return state->is_down && state->is_checked;
}

#endif
