/* The administration of a gateway, put together: the API on the admin port and its socket, and what it asks
 * of all gateways. */
#ifndef GATEWAY_ADMINISTRATION_H
#define GATEWAY_ADMINISTRATION_H

#include "admin/admin_socket.h"
#include "admin/api.h"
#include "backend.h"
#include "config/config.h"
#include "control/denial_keep.h"

struct administration {
    struct api *api;
    struct admin_socket *socket; /* NULL: none */
    struct control *control;     /* NULL: not yet */
    struct denial_keep *denials; /* NULL: not yet */
    struct agent_ws *agents;     /* NULL: not yet */
};

/* Opens the doors that the settings name; what is asked before administration_serve() gets 503. `takes_over`:
 * from a gateway that still serves. False after saying why on standard error. */
bool administration_open(struct administration *it, struct loop *loop, const struct config *config,
                         bool takes_over, struct admin *admin);
/* The store can be used: who is kept out is known from now on, and looked up. False after saying why. */
bool administration_prepare(struct administration *it, struct loop *loop, const struct config *config,
                            struct backend *backend);
/* For the core. */
struct denials administration_denials(struct administration *it);
/* `control` has everything but the store. False without memory. */
bool administration_serve(struct administration *it, const struct control_settings *control,
                          struct backend *backend);
/* This gateway serves from now on: its socket stands where the settings say. */
void administration_show(struct administration *it);
/* While the loop still runs; the socket goes at once. */
void administration_stop(struct administration *it);
/* When the store and the core are gone. */
void administration_free(struct administration *it);

#endif
