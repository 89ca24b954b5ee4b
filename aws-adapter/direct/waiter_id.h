/* What the waiter (waiter.h) is authenticated with: a short-lived token for its connection, and request ids
 * that say where the answer goes. Both carry an HMAC-SHA256 under a key of their own. */
#ifndef AWS_ADAPTER_WAITER_ID_H
#define AWS_ADAPTER_WAITER_ID_H

#include "auth/secret.h"
#include "base/buf.h"
#include "handler/claim.h"

#define WAITER_TOKEN_MAX 128

bool waiter_token_encode(struct buf *out, const unsigned char key[SECRET_LEN], uint64_t expires_ms);
bool waiter_token_check(struct view token, const unsigned char key[SECRET_LEN], uint64_t now_ms);

/* A request id of direct mode: whose waiter, until when, and, unseen, for which agent. */
struct direct_id {
    char waiter[CONNECTION_ID_MAX + 1];
    uint64_t expires_ms;
};

/* Appends a fresh one, at most V1_REQUEST_ID_MAX bytes. */
bool direct_id_encode(struct buf *out, const unsigned char key[SECRET_LEN], const struct direct_id *id,
                      struct view agent);

enum direct_id_kind {
    DIRECT_ID_NONE,    /* not of direct mode */
    DIRECT_ID_REFUSED, /* forged, expired, or another agent's */
    DIRECT_ID_GOOD,
};
enum direct_id_kind direct_id_decode(struct view text, const unsigned char key[SECRET_LEN], struct view agent,
                                     uint64_t now_ms, struct direct_id *ret_id);

#endif
