/* How a gateway proves to another that both have the same secret (docs/PROTOCOL.md, Peers). The one that asks
 * signs the moment, a number used once, its own peer URL and the one that it means; the other signs that
 * number in return. HMAC-SHA256; texts fit a header field. */
#ifndef AUTH_PEER_H
#define AUTH_PEER_H

#include "auth/secret.h"
#include "base/buf.h"

#define PEER_KEY_LABEL "peer" /* of the key that the proofs are made with: secret_derive() */
#define PEER_NONCE_LEN 32     /* hexadecimal digits */
#define PEER_PROOF_MAX 128
#define PEER_REPLY_LEN 43     /* base64url of 32 bytes */
#define PEER_WINDOW_MS 30000u /* by which clocks may differ; so long a number must not come again */

struct peer_greeting {
    struct view from, to; /* peer URLs */
    uint64_t time_ms;     /* wall clock */
    struct view nonce;
};

bool peer_proof_encode(struct buf *out, const struct peer_greeting *greeting,
                       const unsigned char key[SECRET_LEN]);

enum peer_verdict {
    PEER_PROVED,
    PEER_MALFORMED,
    PEER_FOREIGN, /* signed with another key, or for another gateway */
    PEER_LATE,    /* rightly signed, but the clocks differ by more than PEER_WINDOW_MS */
};

/* `greeting` has from and to; time_ms and nonce are filled in, views into `proof`. Whether the number was
 * used before is for the caller to know. */
enum peer_verdict peer_proof_check(struct view proof, const unsigned char key[SECRET_LEN], uint64_t now_ms,
                                   struct peer_greeting *greeting);

/* The other side's word; NUL-terminated. */
bool peer_reply_encode(char out[PEER_REPLY_LEN + 1], const struct peer_greeting *greeting,
                       const unsigned char key[SECRET_LEN]);
bool peer_reply_check(struct view reply, const struct peer_greeting *greeting,
                      const unsigned char key[SECRET_LEN]);

#endif
