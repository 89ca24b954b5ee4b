/* `--rewrite`: what the gateway does to bodies in path mode. It travels with each answer, as
 * x-tunnel-rewrite, to the gateway where the visitor is, in every version of the protocol; no visitor sees
 * it. What the service says itself counts more. */
#ifndef FORWARDER_REWRITE_WISH_H
#define FORWARDER_REWRITE_WISH_H

#include "http/headers.h"

/* "on" (as gateways do by themselves), "off" or "json". */
bool rewrite_wish_is_one(const char *text);

/* `wish` may be NULL: nothing is said. False without memory. */
bool rewrite_wish_say(const char *wish, struct headers *headers);

#endif
