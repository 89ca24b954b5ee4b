/* Times of certificates and of lists of revoked ones. */
#ifndef GATEWAY_ASN1_TIME_H
#define GATEWAY_ASN1_TIME_H

#include <openssl/asn1.h>
#include <stdbool.h>
#include <stdint.h>

/* Since 1970. False: it is no time; OpenSSL reads certificates with such, too. */
bool asn1_time_seconds(const ASN1_TIME *time, int64_t *ret_s);

#endif
