/* A claim as the text that stands in Redis. Two versions, whose first five lines are the same, because the
 * scripts (store_redis_scripts.c) read them: version, epoch, state, expires_ms, connection.
 *
 * Version 1 goes on with one field a line, in a fixed order; the owner last, because it may hold any byte but
 * NUL. Version 2 goes on with lines `tag=value`, in any order. Those that this program knows are in the table
 * below; what it does not know it passes over, and the script that writes a claim keeps it: a tag that begins
 * with "member." until another connection takes over, any other as long as the claim lives. So a later
 * version adds a field by adding a tag.
 *
 * A gateway of before version 2 takes such a record for something foreign, and the name for free. So version
 * 2 is written only where version 1 cannot say what is to be said: options, an allowance, or tags of a later
 * version.
 *
 *   name.id                as tunnel_id
 *   name.owner             line breaks and '%' as %0a and %25
 *   name.options           may be missing: none; empty says none, too, and is not kept
 *   member.gateway         may be empty
 *   member.protocol        0: v1, 1: v2
 *   member.epoch           may be missing: the claim's
 *   member.capabilities, member.timeout, member.changed    numbers
 *   member.allowance       may be missing: none (auth/allowance.h) */
#ifndef STORE_CLAIM_RECORD_H
#define STORE_CLAIM_RECORD_H

#include "base/buf.h"
#include "handler/claim.h"

/* Of either version. A longer one is none. What later versions add to those below is to keep within what is
 * left: the longest claim of ours has about 2200 bytes. */
#define CLAIM_RECORD_MAX 4096

/* False when a field that must not holds a line break, or without memory. Options have no place in it. */
bool claim_record_encode(struct buf *out, const struct claim *claim);
/* The same in version 2. `options` absent: nothing is said of them, and those that stand there stay. */
bool claim_record_encode_tagged(struct buf *out, const struct claim *claim, struct view options);

/* False for what no version writes. `ret_options` points into `text`, and is never absent. */
bool claim_record_decode(struct view text, struct claim *ret_claim, struct view *ret_options);

#endif
