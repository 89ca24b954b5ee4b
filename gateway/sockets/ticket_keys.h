/* Keys of session tickets (RFC 8446 4.6.1), made of the deployment's secret and of the time: gateways that
 * share a secret take up each other's sessions, and a key is in use for 12 hours, then good to read with for
 * 12 more.
 *
 * Only for TLS 1.3, where a session that is taken up has a fresh key exchange: who learns the secret one day
 * reads nothing of what was recorded before. */
#ifndef GATEWAY_TICKET_KEYS_H
#define GATEWAY_TICKET_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/secret.h"

struct ssl_ctx_st;

#define TICKET_NAME_LEN 16

struct ticket_key {
    uint64_t period; /* since 1970; 0: none yet */
    unsigned char name[TICKET_NAME_LEN], cipher[SECRET_LEN], mac[SECRET_LEN];
};

struct ticket_keys {
    unsigned char secret[SECRET_LEN];
    bool is_set;                   /* until then there are no tickets */
    struct ticket_key now, before; /* as they were last wanted */
    uint64_t (*wall_ms)(void *ctx);
};

/* `wall_ms` as of the clock port. */
void ticket_keys_init(struct ticket_keys *keys, uint64_t (*wall_ms)(void *ctx));
/* A secret of its own, derived for "ticket"; also in place of another. */
void ticket_keys_set(struct ticket_keys *keys, const unsigned char secret[SECRET_LEN]);
/* `keys` outlive the context. */
void ticket_keys_use(struct ticket_keys *keys, struct ssl_ctx_st *context);

#endif
