/* What agents' certificates are judged by: authorities, and the lists of what these have revoked (CRL, RFC
 * 5280 5). A set is never changed, only replaced by another.
 *
 * With lists each certificate of a chain is looked up in its authority's (as nginx's ssl_crl does), so there
 * must be one of each authority. Where the time of a list is over, nobody is let in by a certificate of that
 * authority: OpenSSL sees to it at each handshake. */
#ifndef GATEWAY_TRUST_H
#define GATEWAY_TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRUST_WHY_MAX 512

struct ssl_st;
struct ssl_ctx_st;
struct trust;

/* Both are files of PEM; `crl_path` NULL: there are no lists. NULL, and *ret_why says what is wrong and what
 * helps: a file that cannot be read, a list that is over, is not signed by one of the authorities, or cannot
 * be used by itself (delta), an authority without a list. `now_s`: since 1970. */
struct trust *trust_load(const char *ca_path, const char *crl_path, int64_t now_s,
                         char ret_why[TRUST_WHY_MAX]);
void trust_free(struct trust *trust);

/* Handshakes that end from now on are judged by it; it may be freed at once. False without memory. */
bool trust_use(const struct trust *trust, struct ssl_ctx_st *context);

/* A connection whose certificate was good: is it still, but for its dates? NULL, or what is wrong (static).
 */
const char *trust_fault(const struct trust *trust, const struct ssl_st *tls);

size_t trust_revoked(const struct trust *trust); /* how many certificates the lists name */
/* When the first of the lists is over, since 1970; 0: there are none that end. */
int64_t trust_end_s(const struct trust *trust);

#endif
