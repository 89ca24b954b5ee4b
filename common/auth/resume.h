/* Resume tokens: what lets an agent come back to its tunnel after a cut or a restart. Signed (HMAC-SHA256),
 * not secret to its holder; text of [A-Za-z0-9_.-], so that it fits a header and a query parameter. */
#ifndef AUTH_RESUME_H
#define AUTH_RESUME_H

#include "auth/secret.h"
#include "base/buf.h"

struct resume {
    struct view tunnel_id;
    struct view owner;
    uint64_t epoch;      /* a floor for the next claim, not an equality */
    uint64_t expires_ms; /* wall clock */
};

/* Appends the token. Neither view may hold a newline. */
bool resume_encode(struct buf *out, const struct resume *resume, const unsigned char key[SECRET_LEN]);

#define RESUME_TOKEN_MAX 1024

/* Checks signature and expiry. The views point into `storage`, which the caller provides. */
bool resume_decode(struct view token, const unsigned char key[SECRET_LEN], uint64_t now_ms,
                   char storage[RESUME_TOKEN_MAX], struct resume *ret_resume);

#endif
