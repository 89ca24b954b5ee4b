/* What the gateway gives up when it has its settings and secrets (sandbox/sandbox.h). */
#ifndef GATEWAY_CONFINEMENT_H
#define GATEWAY_CONFINEMENT_H

#include "config/config.h"

/* Before there is a second thread. It still writes beneath its state directory, beside its access log and
 * beside what that leads to, and starts its successor, which is confined by this one, too. */
void confinement_enter(const struct config *config);
/* A line in the log; later, when it is sure that there is a gateway. */
void confinement_log(void);

#endif
