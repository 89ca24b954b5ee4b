/* `ttf login GATEWAY`: asks for a token, without showing it, and stores both where only the user can read
 * them; from then on `ttf` uses them where nothing else is said. */
#ifndef FORWARDER_LOGIN_H
#define FORWARDER_LOGIN_H

#include "options.h"

/* The exit code; what went wrong is on standard error. */
int login_run(const struct options *options);

#endif
