/* The handler core: one for the gateway, for several gateways and for the Lambda. It takes events (event.h),
 * calls ports (ports.h) and never blocks. All calls on one thread. */
#ifndef HANDLER_CORE_H
#define HANDLER_CORE_H

#include "auth/jwt.h"
#include "auth/secret.h"
#include "handler/event.h"
#include "handler/ports.h"
#include "http/limits.h"
#include "http/quota.h"

/* Of W3C's Trace Context. */
enum traces {
    TRACES_PASSED, /* like any field */
    TRACES_NOTED,  /* and the trace's id is among the facts of an exchange */
    TRACES_MADE    /* where there is none, too */
};

/* 0: any. Of an owner they hold for all of his tunnels together; what his token says (auth/allowance.h) comes
 * before them. Rates are by the second, as many may come at once. */
struct quota_settings {
    size_t owner_rate, visitor_rate;            /* requests; of one owner, of one visitor's address */
    size_t owner_requests;                      /* at once, WebSockets among them */
    uint64_t tunnel_bandwidth, owner_bandwidth; /* bytes of bodies, both ways */
    size_t owner_tunnels;                       /* at once */
    size_t owner_connects;                      /* a minute, of a token's subject */
};

struct core_settings {
    struct view domain;     /* "localhost": tunnels are its one-label subdomains */
    struct view public_url; /* "http://localhost:8080": scheme, domain and port of the URLs that people see */
    const struct view *other_names; /* further host names that take path mode */
    size_t other_names_count;
    bool subdomain_routing, path_routing; /* at least one */
    bool custom_domains;                  /* agents may bring domains of theirs (auth/domain.h) */
    const struct view *pass_fields;       /* that say who a visitor is, and are taken from anybody */
    size_t pass_fields_count;
    struct view gateway;       /* link.gateway of the agents that are here; empty where links have none */
    struct view resume_secret; /* SECRET_LEN bytes; empty: no resume */
    bool require_auth;         /* agents show a token that `jwt` accepts */
    struct jwt_settings jwt;
    bool ends_with_token; /* true: an agent serves no longer than its token is good; false: it is looked at
                             when it connects, and no more */
    size_t subject_tunnels_per_day; /* that one subject may begin, as many at once; 0: any */
    bool guards_names; /* of names that people take for the gateway's own only these may be claimed */
    const struct view *allowed_names;
    size_t allowed_names_count;
    const struct view *allowed_origins; /* Origins that may connect as agents */
    size_t allowed_origins_count;

    struct view
        visitor_policy; /* who may visit any tunnel here (policy.h), whatever its owner says; empty: all */

    /* With a doorman (ports.h): fields that nobody else may say to services, and how names of cookies begin
     * that are between him and the visitor. */
    const struct view *door_fields, *door_cookies;
    size_t door_fields_count, door_cookies_count;

    bool https_only; /* who comes by http is sent to https (308), at the port of `public_url`, which is https
                      */

    bool first_visit_page; /* browsers get a page first where the tunnel's owner has shown no token */

    struct http_limits limits;
    size_t v1_body_bytes;        /* 2 MiB, each way */
    uint64_t request_timeout_ms; /* 25 000: to the first byte of the answer, from the moment the agent has the
                                    request */
    uint64_t request_timeout_max_ms; /* 1 h: what an agent may ask for at most */
    uint64_t body_idle_timeout_ms;   /* 300 000: silence within a body */
    uint64_t heartbeat_ms;           /* 0: agents ping as they like; else what they are told */
    uint64_t pending_ms;             /* 30 000 */
    uint64_t grace_ms;               /* 5 000: a request waits so long for an agent that has just gone */
    uint64_t retire_ms;              /* 30 000: a connection taken over may finish so long */
    uint64_t keep_anonymous_ms;      /* 5 min */
    uint64_t keep_owned_ms;          /* 24 h */
    uint64_t claim_ttl_ms;           /* of a live claim; renewed by the host's lease, or 2 h on AWS */
    /* 0: the store tells of changes. Otherwise a request that waits for an agent, or for its answer, looks at
     * the claim so often. */
    uint64_t recheck_waiting_ms, recheck_sent_ms;
    uint64_t resume_ttl_ms;       /* 7 d */
    size_t exchanges_per_tunnel;  /* 256 */
    size_t visitor_share_percent; /* 50: of these, and of the next, for one visitor when few are left; 0 or
                                     100: all */
    size_t long_lived_per_tunnel; /* 4096: upgraded connections, event streams, and what has waited for the
                                     first byte of its answer for long_wait_ms (a long poll) */
    uint64_t long_wait_ms;        /* 5 000 */
    size_t exchanges_total;       /* overloaded beyond it */
    /* What a tunnel's agent is sent, counted where the agent is (v1: where the visitor is); as many at once
     * as in a second, beyond that HTTP_ERROR_RATE_LIMITED. 0: as many as come, TUNNEL_RATE_MAX at most. */
    size_t tunnel_requests_per_second;
    struct quota_settings quotas;
    bool keeps_links; /* agents that connect here end here: they can be counted, and are told of quotas */
    bool request_ids; /* each request gets an x-request-id, or keeps that of a trusted proxy (trace.h) */
    enum traces traces;
};

#define TUNNEL_RATE_MAX 1000000

void core_settings_init(struct core_settings *settings); /* the defaults; no names, no secret */

struct core;

/* What `settings` points to is copied; the ports are too, their contexts outlive the core. NULL without
 * memory. */
struct core *core_new(const struct core_settings *settings, const struct ports *ports);
/* Aborts what runs: each sink gets its abort. Completions that ports still owe find nothing; call when they
 * have ended. */
void core_free(struct core *core);

/* Resume tokens are made and checked with this secret from now on, in place of `settings.resume_secret`. Only
 * for a core that was made with one. */
void core_set_resume_secret(struct core *core, const unsigned char secret[SECRET_LEN]);

/* Agents' tokens are checked with these keys from now on, in place of `settings.jwt.keys`. Borrowed; only for
 * a core that was made with a set. */
void core_set_token_keys(struct core *core, const struct jwks *keys);

/* The events that stores tell the core; the host hands them to each store that it makes. */
struct store_events core_store_events(struct core *core);
size_t core_exchange_count(const struct core *core);
/* From now on, and until it is said otherwise, new requests are answered with HTTP_ERROR_OVERLOADED. */
void core_refuse_new(struct core *core, bool refuses);

/* May this agent connect, and as which tunnel? `done` fires later, once. */
typedef void core_connect_fn(void *ctx, const struct connect_outcome *outcome);
void core_connect(struct core *core, const struct connect_event *event, core_connect_fn *done, void *ctx);

/* A connection that was accepted has ended: its claim goes offline, its requests are sent once more or
 * answered 502. `done` (may be NULL) fires when the store knows. */
typedef void core_done_fn(void *ctx, enum status status);
void core_disconnect(struct core *core, struct view connection_id, core_done_fn *done, void *ctx);

/* The token of a connection, or its certificate, has ended (connect_outcome.until_ms): its agent is told, its
 * tunnel is offline, what it carries may end, and it is closed. */
void core_expire(struct core *core, struct view connection_id, bool by_certificate);

/* One v1 text message of an agent. `done` (may be NULL): STATUS_INVALID says that it was dropped as
 * malformed. */
void core_message(struct core *core, struct view connection_id, struct view text, core_done_fn *done,
                  void *ctx);

/* The largest v1 text message that can be a legal one; hosts may end a connection that sends more. */
size_t core_message_max(const struct core *core);
size_t core_settings_message_max(const struct core_settings *settings);

/* Removes what has expired from the stores. */
void core_cleanup(struct core *core, core_done_fn *done, void *ctx);

/* May a certificate be had for this host name? `done` gets STATUS_OK for the gateway's own names and for
 * tunnels whose name was asked for with a token; STATUS_NOT_FOUND for everything else, generated ids above
 * all; STATUS_UNAVAILABLE. False without memory: then it does not fire. */
bool core_certify(struct core *core, struct view name, core_done_fn *done, void *ctx);

/* Gives a name back that is kept for its owner, who has no agent there: whoever claims it next has it.
 * `done` gets STATUS_OK, STATUS_NOT_FOUND (there is no such name), STATUS_CONFLICT (it has an agent), or
 * STATUS_UNAVAILABLE. False without memory: then it does not fire. */
bool core_release(struct core *core, struct view name, core_done_fn *done, void *ctx);

/* ---- forward: one visitor's request ---- */

struct exchange;

/* Always returns an exchange (NULL only without memory): what the gate refuses is answered through the sink
 * like all else. The exchange lives until it calls the sink's end or abort, or until exchange_cancel;
 * whichever comes first ends it. `window_bytes`: how much of the answer the sink takes unacknowledged. */
struct exchange *core_forward(struct core *core, const struct forward_event *event,
                              const struct body_source *source, const struct answer_sink *sink,
                              size_t window_bytes);
/* The same without ingress, for another gateway, which looks for another way itself: what was certainly not
 * given to the agent that it means fails with HTTP_ERROR_STALE_EPOCH, and nothing is sent a second time.
 * Where the visitor expects a 100 (Continue), the first grant is the word for it. */
struct exchange *core_dispatch(struct core *core, const struct dispatch_event *event,
                               const struct body_source *source, const struct answer_sink *sink,
                               size_t window_bytes);
/* Bytes of the request's body; never more, in all, than were granted. */
void exchange_body(struct exchange *exchange, struct view data);
void exchange_body_end(struct exchange *exchange);
/* The sink has passed so many bytes of the answer's body on to the visitor. */
void exchange_drained(struct exchange *exchange, size_t bytes);
/* Since when the visitor owes something, a piece of his body or reading, and does not give it, by the clock
 * of the timers; 0: he does not. When the tunnel is full, who has stalled for longest is ended first (408, or
 * a cut). */
void exchange_stalled(struct exchange *exchange, uint64_t since_ms);
/* The visitor is gone: nothing is called any more, the pointer is dead on return. */
void exchange_cancel(struct exchange *exchange);

/* The host's own time is up: 504, or, within a body, abort. From a safe point; ends the exchange. */
void exchange_expire(struct exchange *exchange);

/* A number for its tunnel, in place of the name, which nobody can foresee; 0: none is known. */
uint64_t exchange_tunnel_key(const struct exchange *exchange);

/* What a record of the request (access.h) takes from it. Views live as long as the exchange, and are empty
 * where there is nothing. */
struct exchange_facts {
    struct view tunnel;     /* the id that was asked for */
    struct view request_id; /* v1: of the last message that carried the request */
    bool sent_again;
    uint64_t given_us, answered_us; /* as in struct access */
    struct view owner;              /* of the tunnel, where it has shown a token: "sub:alice" */
    enum quota quota;               /* that was met */
    struct view x_request_id, trace_id;
    enum link_protocol protocol; /* of its agent, with given_us */
};
struct exchange_facts exchange_facts(const struct exchange *exchange);

#endif
