/* `--health` of ttf-gateway and ttf-apigw: asks the one on this machine, for the HEALTHCHECK of an image. */
#ifndef GATEWAY_HEALTH_H
#define GATEWAY_HEALTH_H

#include "sockets/address.h"

/* The exit code: 0 when the admin port answers /healthz with 200. Waits 3 s at most. */
int health_ask(const struct listen_address *admin);

#endif
