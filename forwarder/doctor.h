/* `ttf doctor`: looks at each step of the way, to the gateway and to the local service, and says of each
 * whether it works and, where not, what helps. */
#ifndef FORWARDER_DOCTOR_H
#define FORWARDER_DOCTOR_H

#include "endpoint.h"
#include "net/proxy.h"
#include "setup.h"
#include "token.h"

/* The exit code: 0 when all is well. `proxy` may be NULL. */
int doctor_run(const struct setup *setup, const struct endpoint *endpoint, const struct proxy *proxy,
               struct token *token);

#endif
