/* What gateways with one store share of certificates: the account, the certificates, which each keeps in its
 * own folder as well, what the authority is shown meanwhile, and the right to order. One orders at a time,
 * for all; the right ends by itself when its gateway dies.
 *
 * Records, on SHELF_ACME:
 *   account             its key, PEM; sealed where there is a key for that, as the next
 *   certificate <name>  chain and key, PEM
 *   show <name>         way \n token \n text: while an order is under way
 *   wait <name>         failures, and when it is tried again (milliseconds since 1970) */
#ifndef GATEWAY_ACME_SHARED_H
#define GATEWAY_ACME_SHARED_H

#include "acme/acme_answer.h"
#include "acme/acme_key.h"
#include "net/loop.h"
#include "sockets/challenges.h"
#include "store/store_redis.h"

struct acme_shared;

struct acme_shared_settings {
    struct loop *loop;
    struct store_redis *store;
    const unsigned char *seal; /* of accounts and certificates (acme_seal.h); NULL: they are not sealed */
    const char *folder;        /* acme_files.h */
    struct challenges *challenges;
    void *ctx;
    /* There is a certificate for this name; `is_new`: it has just come into the folder. */
    void (*came)(void *ctx, struct view name, bool is_new);
    void (*waits)(void *ctx, struct view name, unsigned failures, uint64_t due_ms);
};

/* All is borrowed. NULL without memory. */
struct acme_shared *acme_shared_new(const struct acme_shared_settings *settings);
/* Nothing is told any more. NULL is fine for both. */
void acme_shared_stop(struct acme_shared *shared);
/* When the store has stopped. */
void acme_shared_free(struct acme_shared *shared);

typedef void acme_shared_fn(void *ctx, enum status status); /* ctx of the settings */

/* Takes all that is there. */
void acme_shared_load(struct acme_shared *shared, acme_shared_fn *done);
/* The right to order, and then all that is there: STATUS_OK, until acme_shared_end(); STATUS_CONFLICT:
 * another gateway has it. One at a time. */
void acme_shared_begin(struct acme_shared *shared, acme_shared_fn *done);
void acme_shared_end(struct acme_shared *shared);
/* The store says that something has changed. */
void acme_shared_changed(struct acme_shared *shared, struct view key, bool was_removed);

/* NULL: there is none yet. Borrowed until the next. */
EVP_PKEY *acme_shared_account(const struct acme_shared *shared);
void acme_shared_put_account(struct acme_shared *shared, EVP_PKEY *key);
/* The one in the folder. */
void acme_shared_put_certificate(struct acme_shared *shared, struct view name);
void acme_shared_drop_certificate(struct acme_shared *shared, struct view name);
/* No failures: takes it away. */
void acme_shared_put_wait(struct acme_shared *shared, struct view name, unsigned failures, uint64_t due_ms);
/* The others show it within a second. */
void acme_shared_show(struct acme_shared *shared, struct view name, enum acme_way way, struct view token,
                      struct view text);
void acme_shared_hide(struct acme_shared *shared, struct view name);

#endif
