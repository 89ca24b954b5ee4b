/* Private keys on their way through a store that others may read: sealed by AES-256-GCM with a key that the
 * gateways have in common and the store has not (NIST SP 800-38D). A record is good at its own place alone.
 *
 *   "sealed 1\n"  nonce (12 bytes, random)  what was sealed, as long as it was  tag (16 bytes) */
#ifndef GATEWAY_ACME_SEAL_H
#define GATEWAY_ACME_SEAL_H

#include "auth/secret.h"
#include "base/buf.h"

/* How much longer a record is than what is in it. */
#define ACME_SEAL_MORE 37

/* Both append. False without memory or randomness; the second also where it is none of this key, place and
 * form, and then nothing is appended. */
bool acme_seal(const unsigned char key[SECRET_LEN], struct view place, struct view text, struct buf *record);
bool acme_unseal(const unsigned char key[SECRET_LEN], struct view place, struct view record,
                 struct buf *text);

#endif
