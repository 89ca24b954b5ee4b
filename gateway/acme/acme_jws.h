/* What is sent to an authority: a payload under the account's signature, as flattened JSON (RFC 8555 6.2,
 * RFC 7515 7.2.2). */
#ifndef GATEWAY_ACME_JWS_H
#define GATEWAY_ACME_JWS_H

#include "acme/acme_key.h"

struct acme_jws {
    EVP_PKEY *key;
    const char *account; /* its URL; NULL: the key itself is told, to get one */
    const char *url, *nonce;
    struct view payload; /* empty: it only asks ("POST-as-GET", RFC 8555 6.3) */
};

/* Appends it. False without memory. */
bool acme_jws_print(const struct acme_jws *jws, struct buf *out);

#endif
