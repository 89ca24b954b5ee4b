/* Keys for one purpose each, made from the one secret of a deployment (HKDF-SHA256, RFC 5869). */
#ifndef AUTH_SECRET_H
#define AUTH_SECRET_H

#include "base/view.h"

#define SECRET_LEN 32

/* `label` names the purpose: "resume", "waiter", "peer". False only if OpenSSL fails. */
bool secret_derive(struct view secret, struct view label, unsigned char out[SECRET_LEN]);
/* Is it the one that `derived` was made of? In a time that tells nothing of how near it is. */
bool secret_is(struct view given, struct view label, const unsigned char derived[SECRET_LEN]);

#endif
