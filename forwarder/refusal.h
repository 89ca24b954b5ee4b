/* What a failed attempt to connect means: to be tried again or not, and in which words. */
#ifndef FORWARDER_REFUSAL_H
#define FORWARDER_REFUSAL_H

#include "uplink.h"

/* `name` (may be NULL) is the tunnel's that was asked for. */
void refusal_text(const struct uplink_end *end, const char *name, char *out, size_t out_size);

/* Would trying again be no help? Once a tunnel has stood (`was_up`), only what the gateway refuses for good
 * ends it. */
bool refusal_is_final(const struct uplink_end *end, bool was_up);

/* May a resume token, which the gateway does not take any more, be the reason? */
bool refusal_may_be_resume(int http_status);

#endif
