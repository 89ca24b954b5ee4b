/* Keys of P-256: an account's, which signs what is sent to the authority (ES256, RFC 7518 3.4), and those of
 * certificates. */
#ifndef GATEWAY_ACME_KEY_H
#define GATEWAY_ACME_KEY_H

#include <openssl/evp.h>

#include "base/buf.h"

#define ACME_THUMBPRINT_LEN 43 /* SHA-256 in base64url */
#define ACME_SIGNATURE_LEN 64

/* NULL only if OpenSSL fails. */
EVP_PKEY *acme_key_new(void);
/* One of a text of PEM, NULL where it is none of this kind; and the text. */
EVP_PKEY *acme_key_parse(struct view pem);
bool acme_key_print(EVP_PKEY *key, struct buf *pem);

/* Its public part as a JWK, in the form that is hashed for its thumbprint (RFC 7638 3). */
bool acme_key_jwk(const EVP_PKEY *key, struct buf *json);
/* With a NUL behind it. */
bool acme_key_thumbprint(const EVP_PKEY *key, char out[ACME_THUMBPRINT_LEN + 1]);
/* r and s, one behind the other. */
bool acme_key_sign(EVP_PKEY *key, struct view text, unsigned char out[ACME_SIGNATURE_LEN]);

/* base64url(SHA-256(text)). */
bool acme_digest(struct view text, char out[ACME_THUMBPRINT_LEN + 1]);

#endif
