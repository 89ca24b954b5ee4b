/* Who may visit a tunnel: rules that its owner sets (`ttf --basic-auth`, `--allow-ip` ...), or the gateway
 * for all tunnels. Enforced where a visitor comes in, before anything reaches the agent.
 *
 * A policy is one line of text, because it travels in a header field and stands with the claim (claim.h):
 *
 *     basic=<salt>:<hash>,...; allow-ip=10.0.0.0/8,2001:db8::/32; deny-ip=...; methods=GET,HEAD;
 *     allow-path=/api,/docs; deny-path=/admin
 *
 * Each rule stands once, and all must hold. A rule that is not known makes the whole policy invalid: nobody
 * is let in by leaving one out. One rule a file: policy_basic.c, policy_ip.c, policy_path.c, policy_method.c.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "base/arena.h"
#include "base/buf.h"

/* Bytes; not more than a claim's options have room for. */
#define POLICY_MAX ((size_t)1024)

enum policy_verdict {
    POLICY_LETS_IN,
    POLICY_ASKS_LOGIN, /* 401: credentials are missing or wrong */
    POLICY_REFUSES,    /* 403 */
    POLICY_FAILS       /* it cannot be told (not a policy, or without memory): nobody is let in */
};

struct policy_request {
    struct view method;
    struct view target;        /* as the service gets it: a path, perhaps with a query */
    struct view address;       /* the visitor's, as trusted proxies tell it */
    struct view authorization; /* the field's value; absent if there is none, or more than one */
};

/* NULL, or what is wrong, as a line for people in `error`, which it returns. Empty text is a policy: of no
 * rule. */
const char *policy_fault(struct view text, char *error, size_t error_size);

/* `arena` gives memory for paths as a service may read them. */
enum policy_verdict policy_check(struct view text, const struct policy_request *request, struct arena *arena);

/* Does a visitor have to say a password? */
bool policy_has_login(struct view text);

/* Appends "<salt>:<hash>", 81 characters, of "user:password" (RFC 7617): HMAC-SHA256 with the salt as its
 * key. */
bool policy_basic_append(struct buf *out, struct view credentials, const unsigned char salt[8]);

#endif
