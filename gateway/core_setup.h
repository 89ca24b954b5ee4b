/* What the configuration says to the handler core. */
#ifndef GATEWAY_CORE_SETUP_H
#define GATEWAY_CORE_SETUP_H

#include "config/config.h"
#include "handler/core.h"

/* All that is known before the process has ports, keys and a store. What is pointed to is the
 * configuration's. */
void core_setup(const struct config *config, struct core_settings *ret_settings);

#endif
