/* Who an agent is by the certificate that it shows (mutual TLS): the first of its names that are URIs, mail
 * addresses or hosts (RFC 5280 4.2.1.6), else its subject's common name. */
#ifndef GATEWAY_TLS_SUBJECT_H
#define GATEWAY_TLS_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TLS_SUBJECT_MAX 128

struct tls_subject {
    char name[TLS_SUBJECT_MAX + 1];
    uint64_t end_ms;  /* since 1970: when the certificate ends */
    uint64_t begin_s; /* and began */
};

struct ssl_st;
struct ssl_ctx_st;

/* From now on whoever connects is asked for a certificate, and let in without one, or with one that is not
 * good, all the same: tls_subject() says so. By whom it is to be signed trust_use() says. False without
 * memory. */
bool tls_ask_subject(struct ssl_ctx_st *context);

/* After a handshake: has it shown a certificate that is good? False: *ret_why says what is wrong with it, or
 * is NULL when there is none. */
bool tls_subject(const struct ssl_st *tls, struct tls_subject *ret_subject, const char **ret_why);

#endif
