/* One way in: a port as it is and, where there are certificates, a port with TLS, both with the same people
 * behind them. */
#ifndef GATEWAY_ENTRANCE_H
#define GATEWAY_ENTRANCE_H

#include "sockets/listener.h"
#include "sockets/porch.h"

struct entrance_settings {
    struct loop *loop;
    struct clients *clients;
    const char *flag, *tls_flag; /* of the two addresses, for what goes wrong */
    const struct listen_address *address, *tls_address;
    struct tls_server *tls; /* NULL: there is no second port */
    bool has_header;        /* see porch.h */
    uint64_t timeout_ms;
    porch_fn *through;
    void *ctx;
};

struct entrance {
    struct listener *plain, *tls; /* NULL: closed, or none */
    struct porch plain_porch, tls_porch;
};

/* Binds, and holds who connects. False after saying why on standard error. */
bool entrance_open(struct entrance *entrance, const struct entrance_settings *settings);
/* From now on connections pass. */
void entrance_admit(struct entrance *entrance);
/* Going down: as listener_turn_away(), and listener_accept_waiting(). */
void entrance_turn_away(struct entrance *entrance);
void entrance_take_waiting(struct entrance *entrance);
/* Closes the ports; who is on a porch still comes in. */
void entrance_close(struct entrance *entrance);
/* Cuts who is still at the porches, too. Also where it was never opened. */
void entrance_stop(struct entrance *entrance);

/* As clients_spare_fn, for who is still at a porch. */
bool entrance_spare(struct entrance *entrance);
/* How many are. */
size_t entrance_waiting(const struct entrance *entrance);

#endif
