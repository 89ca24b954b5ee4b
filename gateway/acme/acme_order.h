/* One certificate, from the order to the chain (RFC 8555 7.4): for each name the authority is shown in one of
 * three ways that it is ours, then it gets our request and signs it. */
#ifndef GATEWAY_ACME_ORDER_H
#define GATEWAY_ACME_ORDER_H

#include "acme/acme_session.h"
#include "net/loop.h"
#include "sockets/challenges.h"

struct acme_order;
struct acme_shared;

struct acme_order_settings {
    struct loop *loop;
    struct acme_session *session; /* which is this order's alone as long as it runs */
    EVP_PKEY *account;            /* the session's key */
    struct challenges *challenges;
    struct acme_shared *shared; /* NULL: no other gateway is asked for the name */
    const char *hook;           /* NULL: no records are put into DNS */
    enum acme_way way;          /* where it is not offered: the first that is, and that we can */
    struct view name;           /* a domain */
    bool has_wildcard;          /* and all below it */
};

struct acme_result {
    struct view chain;       /* PEM; absent: there is none, and `why` */
    EVP_PKEY *key;           /* of the certificate; borrowed */
    const char *why;         /* in words that may be the authority's */
    bool is_out_of_reach;    /* it is the authority that is not there */
    uint64_t retry_after_ms; /* as it says; 0: unsaid */
};

/* Borrowed until return; the order is gone then. */
typedef void acme_order_fn(void *ctx, const struct acme_result *result);

/* The name is copied. NULL without memory. `done` does not come from inside. */
struct acme_order *acme_order_start(const struct acme_order_settings *settings, acme_order_fn *done,
                                    void *ctx);
/* Nothing follows. NULL is fine. */
void acme_order_cancel(struct acme_order *order);

#endif
