/* The key set of agents' tokens (JWKS) at its issuer's URL. It is asked for at the start and every ten
 * minutes, and when a token names a key that is not known, at most once a minute. While the issuer does not
 * answer, or with something else than a set, the keys of before stay. */
#ifndef GATEWAY_JWKS_URL_H
#define GATEWAY_JWKS_URL_H

#include "fetch/http_client.h"
#include "handler/core.h"
#include "net/loop.h"

struct jwks_url;

/* NULL, or what is wrong with the URL (static): https, a host, no user. */
const char *jwks_url_fault(struct view url);

/* All is borrowed. NULL without memory. */
struct jwks_url *jwks_url_new(struct loop *loop, struct http_client *http, const char *url);
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

#endif
