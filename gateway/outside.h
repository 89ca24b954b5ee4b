/* Whom the gateway asks outside, each where a setting names it: a doorman about visitors, an issuer for the
 * keys of agents' tokens, name servers about domains, an authority for certificates. */
#ifndef GATEWAY_OUTSIDE_H
#define GATEWAY_OUTSIDE_H

#include "backend.h"
#include "config/config.h"
#include "entrances.h"
#include "fetch/authorities.h"
#include "handler/core.h"
#include "net/loop.h"

/* Zeroed: nobody is asked. */
struct outside {
    struct authorities authorities;
    struct http_client *http;      /* NULL: neither of the next two */
    struct jwks_url *jwks_url;     /* NULL: the keys are not at a URL */
    struct door *door;             /* NULL: no doorman */
    struct dns_proofs *proofs;     /* NULL: domains are not proved by DNS */
    struct acme *acme;             /* NULL: certificates do not come by themselves */
    struct challenges *challenges; /* acme's */
};

/* False, and why on standard error where it is a setting: they cannot be asked. `seal`: SECRET_LEN bytes, a
 * key that gateways have in common and their store has not; NULL: there is none. Borrowed. */
bool outside_open(struct outside *outside, struct loop *loop, const struct config *config,
                  struct entrances *entrances, struct backend *backend, const unsigned char *seal);
/* Where the issuer's keys are instead of those of a file. */
void outside_keys(const struct outside *outside, struct core_settings *settings);
void outside_ports(const struct outside *outside, struct ports *ports);
/* Once there is a core. */
void outside_start(struct outside *outside, struct core *core);
/* Once visitors can come, which is how the authority looks who we are; and when another gateway takes over.
 */
void outside_start_acme(struct outside *outside, struct core *core);
void outside_stop_acme(struct outside *outside);
void outside_stop(struct outside *outside);
/* Behind the core, while the loop still runs close callbacks. */
void outside_free(struct outside *outside);
/* What is left, behind the loop. */
void outside_done(struct outside *outside);

#endif
