/* See entrance.h. */
#include "entrance.h"

static void make_porches(struct entrance *entrance, const struct entrance_settings *settings) {
    struct porch_settings porch = {.loop = settings->loop,
                                   .clients = settings->clients,
                                   .has_header = settings->has_header,
                                   .timeout_ms = settings->timeout_ms,
                                   .through = settings->through,
                                   .ctx = settings->ctx};
    porch_init(&entrance->plain_porch, &porch);
    porch.tls = settings->tls;
    porch_init(&entrance->tls_porch, &porch);
}

bool entrance_open(struct entrance *entrance, const struct entrance_settings *settings) {
    make_porches(entrance, settings);
    entrance->plain = listener_open(settings->loop, settings->flag, settings->address, settings->clients,
                                    porch_accept, &entrance->plain_porch);
    if (!entrance->plain) return false;
    listener_hold(entrance->plain, true);
    if (!settings->tls) return true;
    entrance->tls = listener_open(settings->loop, settings->tls_flag, settings->tls_address,
                                  settings->clients, porch_accept, &entrance->tls_porch);
    if (!entrance->tls) return false;
    listener_hold(entrance->tls, true);
    return true;
}

void entrance_admit(struct entrance *entrance) {
    listener_hold(entrance->plain, false);
    if (entrance->tls) listener_hold(entrance->tls, false);
}

void entrance_turn_away(struct entrance *entrance) {
    if (entrance->plain) listener_turn_away(entrance->plain);
    if (entrance->tls) listener_turn_away(entrance->tls);
}

void entrance_take_waiting(struct entrance *entrance) {
    if (entrance->plain) listener_accept_waiting(entrance->plain);
    if (entrance->tls) listener_accept_waiting(entrance->tls);
}

void entrance_close(struct entrance *entrance) {
    listener_free(entrance->plain);
    listener_free(entrance->tls);
    entrance->plain = entrance->tls = NULL;
}

void entrance_stop(struct entrance *entrance) {
    entrance_close(entrance);
    porch_stop(&entrance->plain_porch);
    porch_stop(&entrance->tls_porch);
}

bool entrance_spare(struct entrance *entrance) {
    return porch_spare(&entrance->plain_porch) || porch_spare(&entrance->tls_porch);
}

size_t entrance_waiting(const struct entrance *entrance) {
    return entrance->plain_porch.count + entrance->tls_porch.count;
}
