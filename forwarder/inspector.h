/* The inspector of this process, wired: its options, and the agent's tunnels as its API sees them. */
#ifndef FORWARDER_INSPECTOR_H
#define FORWARDER_INSPECTOR_H

#include "agent.h"
#include "inspect/inspect.h"
#include "options.h"

/* NULL: none is wanted, or none can be; then why is said, for a tunnel without an inspector is better than
 * none. */
struct inspect *inspector_new(struct loop *loop, const struct options *options, struct console *console);
/* Its API lists, adds and removes the tunnels of `agent`, until inspect_stop(). */
void inspector_attach(struct inspect *inspect, struct agent *agent);

/* --inspect: "off", or a port, with "localhost:", "127.0.0.1:" or ":" in front. 0 is off; NULL is the
 * default. False: it is none of these. */
bool inspector_parse(const char *word, uint16_t *ret_port);
/* --inspect-memory: bytes, with KiB, MiB or GiB. */
bool inspector_parse_memory(const char *word, size_t *ret_bytes);

#endif
