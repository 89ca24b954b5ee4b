/* The algorithms of signatures (RFC 7518 3) that tokens may have here. */
#ifndef AUTH_JWS_H
#define AUTH_JWS_H

#include "base/view.h"

enum jws_alg {
    JWS_HS256,
    JWS_HS384,
    JWS_HS512,
    JWS_RS256,
    JWS_RS384,
    JWS_RS512,
    JWS_ES256,
    JWS_ES384,
    JWS_ES512,
    JWS_PS256,
    JWS_PS384,
    JWS_PS512,
    JWS_EDDSA, /* RFC 8037: Ed25519 or Ed448, as the key is */
    JWS_ALGS
};

/* Exactly that name. False for `none`, and for all that is not in the list. */
bool jws_alg_parse(struct view name, enum jws_alg *ret_alg);

#endif
