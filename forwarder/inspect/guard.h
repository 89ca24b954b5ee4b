/* Who may ask the inspector: docs/decisions/inspector-guard.md. */
#ifndef FORWARDER_INSPECT_GUARD_H
#define FORWARDER_INSPECT_GUARD_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/view.h"

#define GUARD_KEY_LEN 24
#define GUARD_USER "ttf"       /* whom a password is asked of (RFC 7617) */
#define GUARD_PASSWORD_LEAST 8 /* bytes */
#define GUARD_PASSWORD_MAX 200 /* bytes */
#define GUARD_LOGIN_MAX 96     /* bytes of a rule of policy.h, "basic=<salt>:<hash>" */
#define GUARD_FAILURE_MS 500   /* a wrong password is answered so late */

struct login_failures;

struct guard {
    char authority[64];              /* of its own URL */
    bool is_loopback;                /* nobody else reaches it: Host says one of its names */
    char login[GUARD_LOGIN_MAX];     /* empty: no password is asked */
    struct login_failures *failures; /* where there is one */
    char key[GUARD_KEY_LEN + 1];     /* of the page's address; empty where a password stands in its place */
};

/* Why a request is refused. */
struct guard_fault {
    unsigned status; /* 0: it is not */
    const char *why; /* static */
    unsigned delay_ms;
};

/* NULL, or what is wrong with the password. The salted hash of it is what is kept. */
const char *guard_hash_password(struct view password, char ret_login[GUARD_LOGIN_MAX]);

/* `url` is the inspector's own, "http://127.0.0.1:4040/"; `login` may be empty. False without memory. */
bool guard_init(struct guard *guard, const char *url, const char *login, bool is_loopback);
void guard_done(struct guard *guard);

/* Once a request: a wrong password is counted. */
struct guard_fault guard_look(const struct guard *guard, struct MHD_Connection *connection,
                              const char *method, uint64_t now_ms);

#endif
