/* What shows an authority that a name is ours (RFC 8555 8, RFC 8737): put where it looks, and taken away. */
#ifndef GATEWAY_ACME_SHOW_H
#define GATEWAY_ACME_SHOW_H

#include "acme/acme_answer.h"
#include "acme/acme_key.h"
#include "net/loop.h"
#include "sockets/challenges.h"

struct acme_show;
struct acme_shared;

/* Puts it among what is shown here. False without memory. */
bool acme_show_put(struct challenges *challenges, enum acme_way way, struct view name, struct view token,
                   struct view text);

/* `why`: NULL when it is done. */
typedef void acme_show_fn(void *ctx, const char *why);

struct acme_show_settings {
    struct loop *loop;
    struct challenges *challenges;
    struct acme_shared *shared; /* NULL: no other gateway is asked for the name */
    EVP_PKEY *account;
    const char *hook; /* NULL: none; not with ACME_DNS */
    enum acme_way way;
    const char *name; /* copied, as the next is */
    const struct acme_challenge *challenge;
    acme_show_fn *done; /* it can be seen; never from inside */
    void *ctx;
};

/* NULL without memory. */
struct acme_show *acme_show_start(const struct acme_show_settings *settings);
/* Where the authority is told that it may look. */
const char *acme_show_url(const struct acme_show *show);
/* Takes it away; `done`, with the context of before, comes not from inside, and `show` is gone then. */
void acme_show_clear(struct acme_show *show, acme_show_fn *done);
/* Takes it away, and nothing is told: a hook's record is taken away as well as may be. NULL is fine. */
void acme_show_cancel(struct acme_show *show);

#endif
