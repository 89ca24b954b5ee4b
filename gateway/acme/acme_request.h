/* What a certificate is asked for with (a CSR, RFC 2986), and what stands in for one while the authority
 * looks who has a name (RFC 8737 3). */
#ifndef GATEWAY_ACME_REQUEST_H
#define GATEWAY_ACME_REQUEST_H

#include <openssl/x509.h>

#include "base/buf.h"

/* Of these names, in DER. False without memory. */
bool acme_request_print(EVP_PKEY *key, const struct view *names, size_t count, struct buf *der);

/* A certificate that holds the SHA-256 of this text. NULL only if OpenSSL fails. */
X509 *acme_request_challenge(EVP_PKEY *key, struct view name, struct view text);

#endif
