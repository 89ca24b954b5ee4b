/* What an authority of certificates looks for while an order is under way, and where it is found: a text at
 * the public port (http-01, RFC 8555 8.3), or a certificate in a handshake (tls-alpn-01, RFC 8737). And who
 * knows of certificates that are on their way. Mostly empty. */
#ifndef GATEWAY_CHALLENGES_H
#define GATEWAY_CHALLENGES_H

#include <stdbool.h>

#include "base/list.h"
#include "base/view.h"

#define CHALLENGE_PROTOCOL "acme-tls/1"
#define CHALLENGE_NAME_MAX 253

struct ssl_st;
struct x509_st;
struct evp_pkey_st;

struct challenges {
    struct list pending; /* struct challenge.node */
    void *ctx;
    /* Somebody asks for this name in a handshake, in lower case or not, and there is no certificate for it.
     * True: one is perhaps on its way, and he may wait and ask again (`is_first` false). NULL: none comes. */
    bool (*awaits)(void *ctx, struct view name, bool is_first);
};

void challenges_init(struct challenges *challenges);
void challenges_done(struct challenges *challenges);

/* Copied. False without memory, or where something is too long. */
bool challenges_add_text(struct challenges *challenges, struct view name, struct view token,
                         struct view text);
/* Both move to the callee, also where it is false. */
bool challenges_add_certificate(struct challenges *challenges, struct view name, struct x509_st *certificate,
                                struct evp_pkey_st *key);
/* All of this name. */
void challenges_remove(struct challenges *challenges, struct view name);

/* What is to be said at this name for this token; absent: nothing. Borrowed until the next change. */
struct view challenges_text(const struct challenges *challenges, struct view name, struct view token);
/* Puts the certificate for `name` (NULL: it has not said one) into a handshake; 1, or 0: there is none. */
int challenges_use(const struct challenges *challenges, const char *name, struct ssl_st *tls);

#endif
