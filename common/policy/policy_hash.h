/* How a policy keeps a secret that visitors say: "<salt>:<hash>", 81 characters of lower-case hex; the hash
 * is HMAC-SHA256 with the salt as its key. A slow hash would be no better here: the agent says it anew at
 * each connect, it lives as long as the tunnel, and each request would stall all others for milliseconds
 * (docs/decisions/visitor-passwords.md). */
#ifndef POLICY_POLICY_HASH_H
#define POLICY_POLICY_HASH_H

#include "base/buf.h"

#define POLICY_SALT_BYTES 8
#define POLICY_HASH_BYTES 32

bool policy_hash_append(struct buf *out, struct view secret, const unsigned char salt[POLICY_SALT_BYTES]);
bool policy_hash_valid(struct view item);
/* In constant time. */
bool policy_hash_matches(struct view item, struct view secret);
/* A key for one purpose, which nobody has who has not the item. */
bool policy_hash_key(struct view item, struct view purpose, unsigned char out[POLICY_HASH_BYTES]);

#endif
