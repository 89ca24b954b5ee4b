/* The key set of agents' tokens (JWKS) at its issuer's URL, in one of two ways.
 *
 * A process that lives (the gateway) asks at the start and every ten minutes, and when a token names a key
 * that is not known, at most once a minute. One that is frozen between events (the Lambda) asks when somebody
 * needs keys and has none, or none that are fresh, and waits for them within that event: jwks_url_begin(),
 * jwks_url_fetch().
 *
 * While the issuer does not answer, or with something else than a set, the keys of before stay. */
#ifndef ISSUER_JWKS_URL_H
#define ISSUER_JWKS_URL_H

#include "fetch/http_client.h"
#include "handler/core.h"
#include "net/loop.h"

struct jwks_url;

/* NULL, or what is wrong with the URL (static): https, a host, no user. */
const char *jwks_url_fault(struct view url);

/* All is borrowed. `by_need`: the second of the two ways. NULL without memory. */
struct jwks_url *jwks_url_new(struct loop *loop, struct http_client *http, const char *url, bool by_need);
/* None until it was answered; never NULL. */
const struct jwks *jwks_url_keys(const struct jwks_url *keys);
/* For jwt_settings. */
struct jwt_source jwks_url_source(struct jwks_url *keys);
/* Asks from now on. `core` was made with the keys and the source. */
void jwks_url_start(struct jwks_url *keys, struct core *core);
/* NULL is fine for both. */
void jwks_url_stop(struct jwks_url *keys);
/* After the core has gone, and before the client. */
void jwks_url_free(struct jwks_url *keys);

/* By need: an event begins. Keys that are not fresh do not count until the issuer was asked. */
void jwks_url_begin(struct jwks_url *keys);
/* By need: in this event somebody was refused for want of keys that may be there in a moment. Then `done`
 * follows, in 3 s at most, and it is worth trying again. False: nobody was, or the issuer was asked not long
 * ago. */
bool jwks_url_fetch(struct jwks_url *keys, void (*done)(void *ctx), void *ctx);

#endif
