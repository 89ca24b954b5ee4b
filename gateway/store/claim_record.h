/* A claim as the text that stands in Redis: "1", then one field a line, in an order that the scripts
 * (store_redis_scripts.h) know too; the owner last, because it may hold any byte but NUL. */
#ifndef STORE_CLAIM_RECORD_H
#define STORE_CLAIM_RECORD_H

#include "base/buf.h"
#include "handler/claim.h"

#define CLAIM_RECORD_MAX 1024

/* False when a field that must not holds a line break, or without memory. */
bool claim_record_encode(struct buf *out, const struct claim *claim);
/* False for whatever we have not written. */
bool claim_record_decode(struct view text, struct claim *ret_claim);

#endif
