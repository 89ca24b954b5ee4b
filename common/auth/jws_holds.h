/* The one place where a signature is checked: with libjwt, and with OpenSSL what libjwt does not know (PS and
 * EdDSA). */
#ifndef AUTH_JWS_HOLDS_H
#define AUTH_JWS_HOLDS_H

#include "auth/jws.h"

#define JWS_TEXT_MAX 4096

/* Is the text, three parts of base64url between dots and JWS_TEXT_MAX bytes at most, signed with that key by
 * that algorithm, and no other? `key` as in struct jwk: PEM of a public key that goes with the algorithm, or
 * a secret's bytes, JWT_SECRET_MIN at least. */
bool jws_holds(enum jws_alg alg, struct view key, struct view text);

#endif
