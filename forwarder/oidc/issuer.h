/* What an OpenID provider says (OpenID Connect Discovery 1.0; the device authorization grant, RFC 8628;
 * refreshing, RFC 6749 6), read from its answers. No I/O; every text is judged before it is kept or shown. */
#ifndef FORWARDER_ISSUER_H
#define FORWARDER_ISSUER_H

#include "base/buf.h"
#include "oidc/https_ask.h"

#define ISSUER_TOKEN_MAX 8192
#define ISSUER_REFRESH_MAX 4096
#define ISSUER_WHY_MAX 240

struct issuer {
    char token_url[HTTPS_URL_MAX + 1], device_url[HTTPS_URL_MAX + 1];
};

/* It must name itself `name`, and have both of the URLs. False: *ret_why (static). */
bool issuer_read(struct view text, const char *name, struct issuer *ret_issuer, const char **ret_why);

/* What its user is to open, and to type there; visible ASCII. */
struct issuer_device {
    char code[2048], user_code[65];
    char url[HTTPS_URL_MAX + 1];
    uint64_t interval_s, life_s; /* 1 to 60, 10 to 1800 */
};

bool issuer_device_read(int status, struct view text, struct issuer_device *ret_device,
                        char why[ISSUER_WHY_MAX]);

/* What ttf shows to gateways: the id_token, which is a JWT with any provider. */
struct issuer_grant {
    char token[ISSUER_TOKEN_MAX + 1];
    char refresh[ISSUER_REFRESH_MAX + 1]; /* "": none, or as before */
    uint64_t ends_s;                      /* since 1970 */
};

/* When an id_token of this issuer ends, in seconds since 1970. False: it is none, or has no end. */
bool issuer_token_end(const char *token, const char *name, uint64_t *ret_ends_s);

enum issuer_word { ISSUER_GIVES, ISSUER_WAITS, ISSUER_WAITS_LONGER, ISSUER_REFUSES };

/* `why` for ISSUER_REFUSES. The token's signature is for the gateway to look at; that it is of this issuer
 * and has an end is looked at here. */
enum issuer_word issuer_grant_read(int status, struct view text, const char *name,
                                   struct issuer_grant *ret_grant, char why[ISSUER_WHY_MAX]);

/* `name=value`, behind an '&' where it is not the first. */
bool issuer_form_add(struct buf *form, const char *name, const char *value);

#endif
