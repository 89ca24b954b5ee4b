/* See service_state.h. */
#include "service_state.h"

static void say(const struct service_state *state, const char *fault) {
    const struct console_tunnel tunnel = {
        .key = state->tunnel, .label = state->label, .service = state->service};
    console_service(state->console, &tunnel, fault);
}

void service_state_failed(struct service_state *state, const char *why) {
    if (state->is_down) return;
    state->is_down = true;
    say(state, why);
}

void service_state_answered(struct service_state *state) {
    if (!state->is_down) return;
    state->is_down = false;
    say(state, NULL);
}
