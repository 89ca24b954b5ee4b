/* The inspector of this process, wired: its options, and the agent's tunnels as its API sees them. */
#ifndef FORWARDER_INSPECTOR_H
#define FORWARDER_INSPECTOR_H

#include "agent.h"
#include "inspect/guard.h"
#include "inspect/inspect.h"
#include "options.h"

#define INSPECTOR_PASSWORD_SIZE (GUARD_PASSWORD_MAX + 3) /* one that is too long is seen */

/* The one that the user has said, "" where none is: to be wiped. NULL, or what is wrong with where it stands
 * (static). */
const char *inspector_password(const struct options *options, char ret_password[INSPECTOR_PASSWORD_SIZE]);
/* Of --inspect, --inspect-memory and the password. False: what is wrong, and what helps. */
bool inspector_choose(struct inspect_settings *ret_settings, const struct options *options, char *error,
                      size_t error_size);
/* NULL: none is wanted, or none can be; then why is said, for a tunnel without an inspector is better than
 * none. */
struct inspect *inspector_new(struct loop *loop, const struct inspect_settings *settings,
                              struct console *console);
/* Its API lists, adds and removes the tunnels of `agent`, until inspect_stop(). */
void inspector_attach(struct inspect *inspect, struct agent *agent);

#endif
