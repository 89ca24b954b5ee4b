/* Who may visit a tunnel: rules that its owner sets (`ttf --basic-auth`, `--share` ...), or the gateway for
 * all tunnels. Enforced where a visitor comes in, before anything reaches the agent.
 *
 * A policy is one line of text, because it travels in a header field and stands with the claim (claim.h):
 *
 *     basic=<salt>:<hash>,...; allow-ip=10.0.0.0/8,2001:db8::/32; deny-ip=...; methods=GET,HEAD;
 *     allow-path=/api,/docs; deny-path=/admin; share=<key>
 *
 * Each rule stands once, and all must hold. A rule that is not known makes the whole policy invalid: nobody
 * is let in by leaving one out. One rule a file: policy_<rule>.c.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "base/arena.h"
#include "base/buf.h"
#include "http/headers.h"
#include "policy/pass.h"

/* Bytes; not more than a claim's options have room for. */
#define POLICY_MAX ((size_t)1024)

/* Cookies that rules set, and no service sees, begin with it. */
#define POLICY_COOKIES "x-tunnel-"
#define POLICY_SHARE_COOKIE POLICY_COOKIES "share"
/* In the query of a link to share. Its name says to whoever keeps logs that it is a secret (log.h). */
#define POLICY_SHARE_PARAMETER "tunnel-token"

enum policy_verdict {
    POLICY_LETS_IN,
    POLICY_ASKS_LOGIN, /* 401: credentials are missing or wrong */
    POLICY_ASKS_LINK,  /* 401: the link that was shared has not been opened, or not in time */
    POLICY_LEADS,      /* to another URL of the tunnel, with a cookie */
    POLICY_REFUSES,    /* 403 */
    POLICY_FAILS       /* it cannot be told (not a policy, or without memory): nobody is let in */
};

struct policy_request {
    struct view method;
    struct view target;        /* as the service gets it: a path, perhaps with a query */
    struct view address;       /* the visitor's, as trusted proxies tell it */
    struct view authorization; /* the field's value; absent if there is none, or more than one */
    const struct headers *headers;
    struct view tunnel; /* its id */
    uint64_t now_s;     /* since 1970 */
    bool is_navigation; /* a person looks at the answer */
    struct arena *arena;
};

/* What belongs to POLICY_LEADS; views are in the request's arena, or in the request. */
struct policy_outcome {
    struct view target;    /* as in the request */
    struct view cookie;    /* "name=value" */
    uint64_t cookie_age_s; /* how long it is good for */
};

/* NULL, or what is wrong, as a line for people in `error`, which it returns. Empty text is a policy: of no
 * rule. */
const char *policy_fault(struct view text, char *error, size_t error_size);

enum policy_verdict policy_check(struct view text, const struct policy_request *request,
                                 struct policy_outcome *ret_outcome);

/* What visitors show for a policy's sake, and the service is not to see; or-ed. */
enum policy_takes {
    POLICY_TAKES_AUTHORIZATION = 1, /* the field */
    POLICY_TAKES_COOKIES = 2,       /* those of POLICY_COOKIES */
    POLICY_TAKES_PARAMETER = 4      /* POLICY_SHARE_PARAMETER, in the target and in Referer */
};
unsigned policy_takes(struct view text);

/* Appends "<salt>:<hash>", 81 characters, of "user:password" (RFC 7617): HMAC-SHA256 with the salt as its
 * key. */
bool policy_basic_append(struct buf *out, struct view credentials, const unsigned char salt[8]);

/* Appends the key of links to share, 43 characters. */
bool policy_share_append(struct buf *out, const unsigned char key[PASS_KEY_LEN]);
/* Appends a link's token, which is good until then (seconds since 1970) for this tunnel alone. */
bool policy_share_token(struct buf *out, const unsigned char key[PASS_KEY_LEN], struct view tunnel,
                        uint64_t expires_s);
/* An URL or a target without such a token, as it is when there is none. The absent view without memory. */
struct view policy_share_strip(struct view target, struct arena *arena);

#endif
