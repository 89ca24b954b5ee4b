/* The claims of a store in memory as text, for a process that takes over from this one: of each claim a line
 * with the length of its record in decimal, and the record (claim_record.h). */
#ifndef STORE_CLAIMS_FILE_H
#define STORE_CLAIMS_FILE_H

#include "store/store_memory.h"

/* False when one of them is not in it: no memory, or `out` is full. */
bool claims_file_write(struct buf *out, const struct store_memory *store);
/* How long claims are kept whose agents do not come back. */
struct claims_keep {
    uint64_t now_ms, anonymous_ms, owned_ms;
};
/* Their agents count as having gone just now, so that requests wait for them. What cannot be read is left
 * out, with all that follows. Returns how many there are. */
size_t claims_file_read(struct view text, struct store_memory *store, const struct claims_keep *keep);

#endif
