/* See service_state.h. */
#include "service_state.h"

void service_state_checked(struct service_state *state, const char *fault) {
    const struct console_tunnel tunnel = {
        .key = state->tunnel, .label = state->label, .service = state->service};
    if (state->is_down == (fault != NULL)) return;
    state->is_down = fault != NULL;
    console_service(state->console, &tunnel, fault);
}

void service_state_failed(struct service_state *state, const char *why) {
    service_state_checked(state, why);
}

void service_state_answered(struct service_state *state) {
    if (!state->is_checked) service_state_checked(state, NULL);
}
