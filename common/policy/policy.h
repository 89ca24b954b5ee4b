/* Who may visit a tunnel: rules that its owner sets (`ttf --basic-auth`, `--share` ...), or the gateway for
 * all tunnels. Enforced where a visitor comes in, before anything reaches the agent.
 *
 * A policy is one line of text, because it travels in a header field and stands with the claim (claim.h):
 *
 *     basic=<salt>:<hash>,...; allow-ip=10.0.0.0/8,2001:db8::/32; deny-ip=...; methods=GET,HEAD;
 *     allow-path=/api,/docs; deny-path=/admin; share=<key>; password=<salt>:<hash>;
 *     webhook=github:<secret>; private=on; first-visit=on
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
#define POLICY_LOGIN_COOKIE POLICY_COOKIES "login"
#define POLICY_LOGIN_S ((uint64_t)12 * 3600) /* how long one has not to say the password again */
#define POLICY_TOKEN_COOKIE POLICY_COOKIES "token"
#define POLICY_WEBHOOK_SECRET_MAX ((size_t)256)       /* bytes */
#define POLICY_WEBHOOK_BODY_MAX ((size_t)1024 * 1024) /* likewise */
/* Where the form of a policy with a password is sent to; never the service's. */
#define POLICY_DOORS "/.tunnel/"
#define POLICY_DOOR POLICY_DOORS "login"
/* Likewise, of the page that a first visitor sees. */
#define POLICY_VISIT_DOOR POLICY_DOORS "visit"
#define POLICY_SEEN_COOKIE POLICY_COOKIES "seen"
#define POLICY_SEEN_S ((uint64_t)30 * 24 * 3600)

enum policy_verdict {
    POLICY_LETS_IN,
    POLICY_ASKS_LOGIN,     /* 401: credentials are missing or wrong */
    POLICY_ASKS_LINK,      /* 401: the link that was shared has not been opened, or not in time */
    POLICY_ASKS_PASSWORD,  /* 401: with a form, which comes to POLICY_DOOR */
    POLICY_WRONG_PASSWORD, /* likewise: that came by the form */
    POLICY_ASKS_SIGNATURE, /* 401: of the webhook's sender */
    POLICY_ASKS_TOKEN,     /* 401: one that the gateway's issuer signed */
    POLICY_WARNS,   /* 403: with a page of whose tunnel this is, and a form that comes to POLICY_VISIT_DOOR */
    POLICY_READS,   /* the request's body must be here first */
    POLICY_LEADS,   /* to another URL of the tunnel, with a cookie */
    POLICY_REFUSES, /* 403 */
    POLICY_FAILS    /* it cannot be told (not a policy, or without memory): nobody is let in */
};

struct policy_request {
    struct view method;
    struct view target;        /* as the service gets it: a path, perhaps with a query */
    struct view address;       /* the visitor's, as trusted proxies tell it */
    struct view authorization; /* the field's value; absent if there is none, or more than one */
    const struct headers *headers;
    struct view tunnel; /* its id */
    struct view base;   /* what stands in front of `target` in the URL that was asked for */
    uint64_t now_s;     /* since 1970 */
    bool is_navigation; /* a person looks at the answer */
    bool is_page;       /* likewise, however it was asked for */
    bool skips_page;    /* whoever asks has said that he knows whose tunnel it is */
    bool has_token;     /* a token of the gateway's issuer, in Authorization or POLICY_TOKEN_COOKIE */
    bool is_at_door;    /* policy_is_door(target), and some policy here has a door */
    bool has_body;      /* `body` is all of it */
    struct view body;
    struct arena *arena;
};

/* What belongs to a verdict. Views are in the request's arena, or in the request. */
struct policy_outcome {
    struct view target;    /* of POLICY_LEADS, and where the password leads to */
    struct view cookie;    /* of POLICY_LEADS: "name=value" */
    uint64_t cookie_age_s; /* how long it is good for */
    size_t body_most;      /* of POLICY_READS: bytes, beyond which it is too large */
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
    POLICY_TAKES_PARAMETER = 4,     /* POLICY_SHARE_PARAMETER, in the target and in Referer */
    POLICY_TAKES_DOOR = 8,          /* requests for POLICY_DOOR */
    POLICY_TAKES_TOKEN = 16         /* what `has_token` is about */
};
unsigned policy_takes(struct view text);

/* As it is written there: what a service might take for it is no door. */
bool policy_is_door(struct view target);

/* Appends the key of links to share, 43 characters. */
bool policy_share_append(struct buf *out, const unsigned char key[PASS_KEY_LEN]);
/* Appends a link's token, which is good until then (seconds since 1970) for this tunnel alone. */
bool policy_share_token(struct buf *out, const unsigned char key[PASS_KEY_LEN], struct view tunnel,
                        uint64_t expires_s);
/* Appends "<scheme>:<secret>" (webhook.h). False where the scheme is none, or the secret too long. */
bool policy_webhook_append(struct buf *out, struct view scheme, struct view secret);
/* An URL or a target without such a token, as it is when there is none. The absent view without memory. */
struct view policy_share_strip(struct view target, struct arena *arena);

#endif
