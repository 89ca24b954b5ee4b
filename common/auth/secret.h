/* Keys for one purpose each, made from the one secret of a deployment (HKDF-SHA256, RFC 5869). */
#ifndef AUTH_SECRET_H
#define AUTH_SECRET_H

#include "base/view.h"

#define SECRET_LEN 32

/* `label` names the purpose: "resume", "waiter", "peer". False only if OpenSSL fails. */
bool secret_derive(struct view secret, struct view label, unsigned char out[SECRET_LEN]);

#endif
