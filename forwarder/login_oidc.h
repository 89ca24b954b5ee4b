/* `ttf login GATEWAY --oidc ISSUER`: the user proves who he is at an OpenID provider, in any browser, by a
 * code (RFC 8628). `ttf token` prints the token that came of it, and renews it before it ends; that is the
 * token command of such a login. */
#ifndef FORWARDER_LOGIN_OIDC_H
#define FORWARDER_LOGIN_OIDC_H

#include "options.h"
#include "token.h"

#define LOGIN_TOKEN_NAME "login.token"
#define LOGIN_OIDC_NAME "login.oidc"

/* Asks the issuer, and waits for the user. What renewing needs is stored in `dir`. False after saying why. */
bool login_oidc(const struct options *options, const char *dir, char ret_token[TOKEN_MAX + 1]);

/* The shell command that prints the token. False where it cannot be said. */
bool login_oidc_command(char *out, size_t size);

/* `ttf token`; the exit code. */
int login_oidc_print(void);

#endif
