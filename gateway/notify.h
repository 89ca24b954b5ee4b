/* Tells systemd how the gateway is (sd_notify(3): NOTIFY_SOCKET), and, where it asks for that
 * (WATCHDOG_USEC), that the loop still turns. Where nobody asks nothing happens. */
#ifndef GATEWAY_NOTIFY_H
#define GATEWAY_NOTIFY_H

#include "net/loop.h"

/* Reads the environment; begins with the watchdog. */
void notify_start(struct loop *loop);
/* Lines as sd_notify(3) has them: "READY=1", "STOPPING=1\nSTATUS=…". Never waits; what does not get through
 * is lost. */
void notify_tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A reload begins; it ends with the next READY=1, of whoever is the main process then. */
void notify_reloading(void);
void notify_stop(void);

#endif
