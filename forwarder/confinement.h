/* What ttf gives up before it connects (sandbox/sandbox.h). */
#ifndef FORWARDER_CONFINEMENT_H
#define FORWARDER_CONFINEMENT_H

#include "setup.h"

/* Before there is a second thread. It still writes in the user's state directory. Where it is to start
 * programs of others (--token-command, --open) it gives up core dumps alone: these may need all that a
 * program has. */
void confinement_enter(const struct setup *setup);

#endif
