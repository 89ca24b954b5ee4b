/* Keeps the agent's tunnels as ttf.yaml says: at SIGHUP, and when the file has been saved, it is read again;
 * tunnels that are new begin, those that are gone or said otherwise end, all others notice nothing. A file
 * that is wrong changes nothing. */
#ifndef FORWARDER_RELOAD_H
#define FORWARDER_RELOAD_H

#include "agent.h"
#include "setup.h"

#define RELOAD_SETTLE_MS 200u /* editors write in several steps */

struct reload;

/* All borrowed for its life; `setup` names the file and the labels. NULL without memory. */
struct reload *reload_new(struct loop *loop, struct agent *agent, const struct setup *setup,
                          struct console *console);
/* Memory goes when the loop has run the close callbacks. NULL is fine. */
void reload_stop(struct reload *reload);

#endif
