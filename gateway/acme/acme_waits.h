/* Which names an authority has refused, and when each is tried again: kept in `<folder>.waits`, so that a
 * gateway that is started again and again does not use up what the authority allows. A line each:
 *
 *   name failures due (milliseconds since 1970) */
#ifndef GATEWAY_ACME_WAITS_H
#define GATEWAY_ACME_WAITS_H

#include "acme/acme_names.h"
#include "base/buf.h"

#define ACME_WAIT_MAX_MS ((uint64_t)2 * 24 * 3600 * 1000) /* no clock was right that says more */

void acme_waits_print(const struct acme_names *names, struct buf *text);
/* Adds names that are not there. A line that is none is passed over. */
void acme_waits_parse(struct view text, uint64_t now_ms, struct acme_names *names);

/* What goes wrong is told in the log: it is not needed. */
void acme_waits_save(const char *folder, const struct acme_names *names);
void acme_waits_load(const char *folder, uint64_t now_ms, struct acme_names *names);

#endif
