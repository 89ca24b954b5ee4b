/* Tokens of agents: JSON Web Tokens (RFC 7519), signed with HS256 and one secret, or with a key of a set.
 * jws_holds.h checks the signature; everything else is checked here, because libjwt takes the algorithm from
 * the token, takes unsigned tokens where there is no key, and looks at no date (RFC 8725 has the list of what
 * goes wrong). */
#ifndef AUTH_JWT_H
#define AUTH_JWT_H

#include "auth/allowance.h"
#include "auth/jwks.h"
#include "base/buf.h"

#define JWT_SECRET_MIN 32 /* RFC 7518 3.2: no shorter than the hash */
#define JWT_OLDER_MAX 4
#define JWT_TOKEN_MAX 4096
#define JWT_SUBJECT_MAX 128
#define JWT_ID_MAX 128

/* Where keys that are not known may still come from. */
struct jwt_source {
    void *ctx;
    /* There is no key for a token: is one being asked for? Then it is worth trying again in a moment. NULL:
     * there will be no others. */
    bool (*renews)(void *ctx);
};

struct jwt_settings {
    struct view secret; /* of HS256: JWT_SECRET_MIN bytes at least; a shorter one accepts nothing. Empty:
                           HS256 is `keys`' too */
    struct view older[JWT_OLDER_MAX]; /* beside it, those of before, as a secret is replaced; nothing is
                                         signed with them */
    const struct jwks *keys;          /* of all other algorithms; NULL: none */
    struct jwt_source source;         /* of `keys` */
    struct view audience;             /* `aud` must name it; empty: not looked at */
    struct view issuer;               /* `iss` must be it; empty: not looked at */
    uint64_t leeway_s;                /* by which clocks may differ */
    const char *issue_more; /* further claims of tokens that are issued, a JSON object; NULL: none */
};

struct jwt_claims {
    char subject[JWT_SUBJECT_MAX + 1]; /* 1 byte at least, no control characters */
    uint64_t expires_s;                /* since 1970 */
    uint64_t issued_s;                 /* `iat`; 0: unsaid */
    char id[JWT_ID_MAX + 1];           /* `jti`; empty: it has none. No control characters */
    struct allowance allowance;
    struct allowance_names names;
    bool try_again; /* of one that is refused: its key may be known in a moment */
};

/* Is this a token of ours that is good at that time (seconds since 1970)? If not, *ret_reason is a short text
 * for the token's holder, without a byte of the token in it. */
bool jwt_check(const struct jwt_settings *settings, struct view token, uint64_t now_s,
               struct jwt_claims *ret_claims, const char **ret_reason);

/* Appends a token for that subject, signed with the secret, with the settings' audience and issuer. False
 * when the subject or the secret is not fit for one, or without memory. */
bool jwt_issue(const struct jwt_settings *settings, struct view subject, uint64_t now_s, uint64_t lifetime_s,
               struct buf *out);

#endif
