/* Certificates that come by themselves: which names need one, when, and what of it fails (RFC 8555). Its own
 * names are asked for at the start; others when somebody comes for them by TLS and core_certify() allows it.
 * One order at a time; a certificate is renewed when a third of its life is left. */
#ifndef GATEWAY_ACME_H
#define GATEWAY_ACME_H

#include "fetch/http_client.h"
#include "handler/core.h"
#include "net/loop.h"
#include "sockets/challenges.h"
#include "store/store_redis.h"

struct acme;

struct acme_settings {
    struct loop *loop;
    struct http_client *http;
    struct challenges *challenges;
    struct store_redis *store; /* that several gateways share; NULL: none is */
    const unsigned char *seal; /* acme_seal.h; NULL: private keys are in the store as they are */
    const char *directory, *email;
    const char *hook;         /* NULL: no wildcard */
    const char *folder;       /* acme_files.h; copied */
    const struct view *names; /* of the gateway, copied; the first with its wildcard, where there is a hook */
    size_t names_count;
};

/* All but what is said above is borrowed. NULL, and *ret_why (until the next call). */
struct acme *acme_new(const struct acme_settings *settings, const char **ret_why);
void acme_start(struct acme *acme, struct core *core);
/* No order goes on, and nothing is told any more. NULL is fine for both. */
void acme_stop(struct acme *acme);
void acme_free(struct acme *acme);

/* What the shared store says: something has changed, or it is reached again. ctx is the acme. */
void acme_changed(void *acme, struct view key, bool was_removed);
void acme_reached(void *acme);

/* For ports.challenges; ctx is the struct challenges. */
struct view acme_answer(void *ctx, struct view name, struct view token);

#endif
