/* One key of a set (RFC 7517 4, RFC 7518 6), as libjwt wants it: a public key as PEM, a secret as its bytes.
 * What it may verify is fixed when it is read, never by a token. */
#ifndef AUTH_JWK_H
#define AUTH_JWK_H

#include <jansson.h>

#include "auth/jws.h"

#define JWK_KID_MAX 256
#define JWK_BYTES_MAX 1024 /* of one number: RSA of 8192 bits */

struct jwk {
    char *kid;     /* NULL: it has no name */
    unsigned algs; /* 1u << enum jws_alg, or'ed: one, or all that go with its kty, crv and length */
    char *material;
    size_t len;
};

enum jwk_verdict {
    JWK_USABLE,
    JWK_OTHER,    /* nothing wrong with it: not for signatures, or of a kind that is not known here */
    JWK_MALFORMED /* or too weak */
};

/* Keys of RSA (2048 bits or more), EC (P-256, P-384, P-521), OKP (Ed25519, Ed448) and `oct` (32 bytes or
 * more). Only for JWK_USABLE
 * there is something in *ret_key, for JWK_MALFORMED a text without a byte of the key in *ret_why. Of a
 * private key the public part is taken. */
enum jwk_verdict jwk_read(const json_t *json, struct jwk *ret_key, const char **ret_why);
void jwk_done(struct jwk *key);

#endif
