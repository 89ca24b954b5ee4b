/* What is kept of a login at an issuer, so that its token can be renewed: a JSON object in a file of the
 * user's. */
#ifndef FORWARDER_OIDC_STATE_H
#define FORWARDER_OIDC_STATE_H

#include "oidc/issuer.h"

struct oidc_state {
    char issuer[HTTPS_URL_MAX + 1], token_url[HTTPS_URL_MAX + 1], client_id[257], ca_file[4096];
    char refresh[ISSUER_REFRESH_MAX + 1];
    uint64_t got_s, ends_s; /* of the token, since 1970 */
};

bool oidc_state_encode(const struct oidc_state *state, struct buf *out);
bool oidc_state_decode(struct view text, struct oidc_state *ret_state);
/* Is it time for another one? A minute and a half before the end; of a short life sooner. */
bool oidc_state_is_due(const struct oidc_state *state, uint64_t now_s);

#endif
