/* How gateways tell each other, in a channel of Redis, what an owner has used: four lines, of which the last
 * is the owner, and the first the gateway that tells it. */
#ifndef STORE_SPENT_H
#define STORE_SPENT_H

#include "base/buf.h"
#include "handler/ports.h"

#define SPENT_MAX (GATEWAY_MAX + OWNER_MAX + 64)

struct spent {
    struct view gateway, owner; /* borrowed from the text */
    struct spending spending;
};

bool spent_encode(struct buf *out, const struct spent *spent);
/* False for what spent_encode() does not write. */
bool spent_decode(struct view text, struct spent *ret_spent);

#endif
