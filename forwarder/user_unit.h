/* `ttf service install|uninstall|status`: the tunnels of ttf.yaml as a service of the user's systemd, which
 * runs from login on and is started again when it ends. */
#ifndef FORWARDER_USER_UNIT_H
#define FORWARDER_USER_UNIT_H

#include "options.h"

/* The exit code; what went wrong is on standard error, and then nothing has changed. */
int user_unit_run(const struct options *options);

#endif
