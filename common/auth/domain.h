/* Domains of tunnels' owners (`ttf --domain app.example.com`). A tunnel with one has a name that is made of
 * it, so that stores know nothing of domains: its claim says whose it is, like that of any name. */
#ifndef AUTH_DOMAIN_H
#define AUTH_DOMAIN_H

#include "base/view.h"

#define DOMAIN_NAME_LEN ((size_t)33)
#define DOMAIN_MAX ((size_t)253)

/* A host name in lower case, of two labels at least, without a dot at its end; other scripts as A-labels
 * (RFC 5890 2.3.2.1). No address: its last label has a letter. */
bool domain_is_sane(struct view domain);
/* "domain-" and 26 of a-z and 2-7, of a hash: nobody finds another domain with the same one. False without
 * memory. */
bool domain_name(struct view domain, char out[DOMAIN_NAME_LEN + 1]);
/* Has it that form? Then nobody may have it who has not the domain. */
bool domain_is_name(struct view name);

#endif
