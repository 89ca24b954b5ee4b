/* Proofs (handler/ports.h) by DNS: a domain is a subject's when a TXT record of `_ttf.<domain>` is
 *
 *     ttf-owner=<subject>@<the gateway's domain>
 *
 * At most PROOFS_ASKED_MAX are asked at once, each for a few seconds. What holds is remembered for a minute,
 * what does not for some seconds. */
#ifndef DNS_DNS_PROOFS_H
#define DNS_DNS_PROOFS_H

#include "handler/ports.h"
#include "net/loop.h"

#define PROOFS_ASKED_MAX ((size_t)64)

struct dns_proofs;

/* `servers` as in ares_loop.h. NULL without memory, or where these are none. The loop outlives it. */
struct dns_proofs *dns_proofs_new(struct loop *loop, const char *servers, struct view gateway);
/* Nobody is told any more; before the core that asks goes. The loop must run once more. NULL is fine. */
void dns_proofs_stop(struct dns_proofs *proofs);
void dns_proofs_free(struct dns_proofs *proofs);
struct proofs dns_proofs_port(struct dns_proofs *proofs);

/* What an answer for TXT records says of this one. */
enum proof dns_proof_of(const unsigned char *bytes, int len, const char *record);

#endif
