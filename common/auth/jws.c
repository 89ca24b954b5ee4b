/* See jws.h. */
#include "auth/jws.h"

bool jws_alg_parse(struct view name, enum jws_alg *ret_alg) {
    static const char *const names[JWS_ALGS] = {"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256",
                                                "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA"};
    for (int i = 0; i < JWS_ALGS; i++) {
        *ret_alg = (enum jws_alg)i;
        if (view_eq(name, view_from_cstr(names[i]))) return true;
    }
    return false;
}
