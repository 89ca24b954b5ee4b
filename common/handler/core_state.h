/* What the files of the handler core share; nothing outside common/handler includes this. */
#ifndef HANDLER_CORE_STATE_H
#define HANDLER_CORE_STATE_H

#include "base/buckets.h"
#include "base/list.h"
#include "base/spares.h"
#include "base/table.h"
#include "handler/answer.h"
#include "handler/chain_turns.h"
#include "handler/core.h"
#include "handler/delivery.h"
#include "handler/owners.h"
#include "handler/route.h"
#include "handler/trace.h"
#include "http/gate.h"
#include "protocol/chunks.h"
#include "rewrite/url.h"

struct core {
    struct core_settings settings;
    struct ports ports;
    struct arena texts; /* what settings point to */
    struct route_names names;

    struct table
        links; /* struct link_use by connection id: agents that have requests of ours, or are being retired */
    struct table tunnels;   /* struct tunnel_use by tunnel id: tunnels that have exchanges */
    struct table requests;  /* struct exchange by request id */
    struct chunks chunks;   /* answers that come in pieces */
    struct list operations; /* struct operation under way */
    struct list young;   /* struct exchange.young_node: no answer yet, and not long under way; oldest first */
    struct list resting; /* struct tunnel_use.rest_node, by rest_until_ms */
    struct timer rest_timer;
    unsigned char random[512]; /* for trace.c */
    size_t random_left;        /* of it, from the begin */

    struct exchange **slots; /* by the low half of a ticket */
    uint32_t *free_slots;
    size_t slot_count, free_count;
    uint32_t generation;
    bool refuses_new;
    size_t exchange_count;
    struct spares spare_exchanges;
    struct login_failures *login_failures; /* NULL: nobody has failed yet */
    struct table owners;                   /* struct owner_use by name */
    struct list spenders;                  /* struct owner_use.untold_node */
    struct timer spend_timer;
    struct table holdings;           /* struct holding by connection id */
    struct buckets begins, connects; /* of subjects */
    struct buckets visitors;         /* their requests */
    struct buckets notices;          /* of tunnels, whose agents are told of quotas */
};

/* ---- links and tunnels in use ---- */

struct link_use {
    struct table_node node;
    struct core *core;
    struct link link;
    struct list exchanges; /* v1: exchange.link_node: sent there, not yet answered */
    size_t stream_count;   /* v2: exchanges that have a stream there; each hears by it of the link's end */
    bool retiring;         /* taken over: close it when the last exchange has ended */
    struct timer retire_timer;
};

/* The use of this link, made if need be; NULL without memory. */
struct link_use *link_use_get(struct core *core, const struct link *link);
struct link_use *link_use_find(struct core *core, struct view connection_id);
/* Frees it when nothing holds it any more, and closes the link if it was retiring. */
void link_use_settle(struct link_use *use);
/* Counts a stream on the link, NULL without memory; link_use_stream_ended() counts it off. */
struct link_use *link_use_stream(struct core *core, const struct link *link);
void link_use_stream_ended(struct link_use *use);
/* The connection is not to serve any more: told why (v1.h has the codes), and closed when its exchanges have
 * ended. */
void link_retire(struct core *core, const struct link *link, struct view code, struct view message);
/* The same, because another has its claim. */
void link_taken_over(struct core *core, const struct link *link);
void link_use_free(struct link_use *use);
/* disconnect.c: its connection has ended; the requests it had are sent once more or answered 502. */
void link_lost(struct core *core, struct view connection_id);

struct tunnel_use {
    struct table_node node;
    char tunnel_id[TUNNEL_NAME_MAX + 1];
    struct list waiting;   /* exchange.tunnel_node: until the claim changes */
    struct list exchanges; /* exchange.use_node */
    size_t exchange_count;
    size_t cut_count;        /* of them: ended for others at the next safe point */
    size_t long_lived_count; /* of them: upgraded connections, event streams, and those that wait for long */
    struct coding_memory coding_memory; /* of its answers that are decoded and encoded again */
    struct chain_turns turns;           /* of its answers that are changed */
    /* When its buckets are full again, by the monotonic clock: of requests, and of bytes. */
    uint64_t full_ns, bytes_full_ns;
    struct owner_use *owner; /* NULL: nobody has asked for it yet */
    struct list rest_node;   /* no exchanges, and a bucket that is not full yet */
    uint64_t rest_until_ms;
};

/* tunnels.c: the exchange counts for its tunnel until it leaves. False without memory. */
bool tunnel_join(struct exchange *exchange);
void tunnel_leave(struct exchange *exchange);
/* places.c: is there a place for it among its tunnel's requests? Others may end for it. */
bool place_take(struct exchange *exchange);
void tunnels_on_rest(struct timer *timer); /* of core.rest_timer */
/* Frees what is kept of tunnels. No exchange may be left. */
void tunnels_done(struct core *core);

/* subjects.c: may this owner have one claim more that there was not? May he connect? */
bool subject_may_begin(struct core *core, struct view owner);
bool subject_may_connect(struct core *core, struct view owner);
/* Takes a token of buckets of the core's, which are made when they are first wanted. False: there was none,
 * or no memory. */
bool core_buckets_take(struct core *core, struct buckets *buckets, uint64_t key, uint64_t period_ns,
                       size_t most);

/* ---- operations: connect, ready, disconnect; each a chain of calls to the registry ---- */

struct operation {
    struct list node;
    struct core *core;
    void (*drop)(struct operation *operation); /* frees it without an answer, when the core ends */
};

void operation_start(struct core *core, struct operation *operation,
                     void (*drop)(struct operation *operation));
void operation_end(struct operation *operation);

/* ---- exchanges ---- */

enum exchange_state {
    EXCHANGE_FAILING,     /* an error waits to be told at the next safe point */
    EXCHANGE_LOOKUP,      /* the registry has been asked */
    EXCHANGE_AT_DOOR,     /* the doorman has been asked */
    EXCHANGE_WAITING,     /* the agent has just gone: until the claim changes or the grace ends */
    EXCHANGE_READING,     /* v1: the rest of the body is missing */
    EXCHANGE_POSTING,     /* v1: the mailbox or the agent port has been asked */
    EXCHANGE_SENT,        /* v1: until the request is completed */
    EXCHANGE_TAKING,      /* v1: the answer has been asked for */
    EXCHANGE_TAKING_LAST, /* v1: likewise, and the agent has gone: what is not there will not come */
    EXCHANGE_STREAMING,   /* v2: the stream is open, no head yet */
    EXCHANGE_ANSWERING    /* the head is out */
};

/* How its visitor comes to be let in. */
struct exchange_door {
    struct view rules;       /* of the tunnel's owner, that it has passed */
    bool passes_rules;       /* the rules for visitors have been looked at (visitor_policy.c) */
    bool is_let_in;          /* and the doorman has been heard, if there is one (visitor_door.c) */
    bool skips_page;         /* it need not see the page of a first visit */
    bool shows_token;        /* its Authorization is a token of ours: not the service's */
    bool is_held;            /* the body is here, all of it, in `body` (dispatch_hold.c), */
    size_t held_most;        /* and had so many bytes at most, where they must have read it */
    size_t visitor_hops;     /* how far from the right its address stands in x-forwarded-for */
    struct headers *cookies; /* what the doorman sends with the answer; NULL: nothing */
};

/* What it takes of what all share. */
struct exchange_share {
    struct tunnel_use *tunnel;
    struct list tunnel_node;
    struct list use_node;    /* of its tunnel */
    struct owner_use *owner; /* counts it; NULL: it has no quota */
    struct pace *pace;       /* pace.h; NULL: its bytes are not counted */
    uint64_t visitor;        /* as in forward_event */
    uint64_t stalled_ms;     /* as exchange_stalled() had it */
    struct list young_node;
    bool long_lived;  /* counted so */
    bool is_cut;      /* its place is another's; it ends at the next safe point */
    bool admitted;    /* its quotas (quotas.h) let it pass */
    enum quota quota; /* that it met, */
    unsigned retry_s; /* and when to try again; 0: as the error says */
};

/* Stream delivery. */
struct exchange_stream {
    struct agent_stream *handle; /* NULL: there is none */
    struct link_use *link;       /* counts it; NULL without a stream */
    uint64_t sent;
};

/* Mailbox delivery. */
struct exchange_mail {
    char request_id[V1_REQUEST_ID_MAX + 1]; /* of the last message that carried it */
    struct table_node node;     /* in core.requests while the mailbox has it; else without a key */
    bool is_sending;            /* whether the agent was handed it is not known yet, */
    bool is_gone;               /* and the agent, or what the mailbox had, has gone meanwhile */
    bool is_woken;              /* while an answer is asked for: there is one, or has been since */
    enum status sent;           /* what has kept it from the agent; STATUS_OK: nothing that is known */
    struct v1_message *message; /* the answer, while its body is passed on */
    struct view answer_rest;    /* of its body, not yet given to the sink */
};

struct exchange {
    struct core *core;
    uint64_t ticket;
    enum exchange_state state;
    enum http_error error; /* FAILING */
    struct arena arena;
    struct task task; /* the next step that must not run inside a host's call */
    struct timer timer;
    struct timer recheck; /* of the claim, where the store does not tell */
    struct body_source source;
    struct answer answer;
    uint64_t started_ms;            /* monotonic */
    struct trace *trace;            /* what it is known by in logs; NULL: nothing */
    uint64_t given_us, answered_us; /* when an agent had it, and when its head came; 0: not yet */

    /* the request */
    bool from_peer;      /* taken in by another gateway, which meant the agent of */
    uint64_t peer_epoch; /* this one */
    struct view gateway; /* claims with this one may serve it */
    struct view method, accept;
    struct headers headers; /* what the local service gets */
    struct gate_verdict verdict;
    struct route route;
    struct stray *stray;       /* path mode, while a look at the registry must decide which tunnel is meant */
    struct rewrite_site *site; /* path mode, where the visitor is: what is brought under its prefix */
    bool tells_cookie;         /* its answer tells the browser which tunnel's page it shows (stray.h) */
    struct exchange_door door;
    struct exchange_share share;

    /* its body */
    struct buf body; /* v1: all of it; v2: its first part, as long as it may have to be sent again */
    bool body_complete;
    bool body_unkept;       /* stream delivery: more has come than is kept */
    uint64_t granted_bytes; /* of it, in all */

    /* its way */
    struct claim claim;
    const struct delivery *delivery;
    struct link_use *link;
    struct list link_node;
    char lost_connection[CONNECTION_ID_MAX + 1]; /* the agent that died with it; "" if none */
    uint64_t unreached_ms;                       /* since when there is no way to it; 0: there is */
    bool sent_again; /* an agent may have executed it: once more, for the last time */
    struct exchange_stream stream;
    struct exchange_mail mail;
};

/* The exchange of this ticket; NULL when it has ended. */
struct exchange *exchange_find(struct core *core, uint64_t ticket);

/* ingress.c: gate, route, forwarded headers; or what another gateway's ingress made of them. Where
 * exchange->stray is set, ingress_routed() is still to be called, when the route is known. */
enum http_error ingress(struct exchange *exchange, const struct forward_event *event);
enum http_error ingress_routed(struct exchange *exchange);
enum http_error ingress_done(struct exchange *exchange, const struct dispatch_event *event);

/* challenge.c: it is an authority's that looks whose a name is, and is answered; else false, and nothing has
 * changed. Only where ports.challenges are. */
bool challenge_take(struct exchange *exchange, const struct forward_event *event);
/* Ours, or a service's: it asks by http, and is not to be led elsewhere. */
bool challenge_is_one(struct view target);

/* https_only.c: the same, of a visitor who is sent to https, after ingress(). */
bool https_only_take(struct exchange *exchange, const struct forward_event *event);

/* disconnect.c: this connection of the claim is gone, whoever found out: offline, unless it has moved on. */
void claim_gone(struct core *core, const struct claim *claim);

/* expire.c: has the token of the claim's connection ended? Such a one is given nothing more. */
bool claim_has_expired(const struct core *core, const struct claim *claim);
/* Somebody came for it. Where no host holds connections and waits for their ends, this ends it. */
void claim_expired(struct core *core, const struct claim *claim);

/* dispatch.c: finds the agent, waits for it, starts the delivery. */
void dispatch_start(struct exchange *exchange);
/* The same, and its claim has been looked up already. `options`, who may visit, are borrowed. */
void dispatch_found(struct exchange *exchange, enum status status, const struct claim *claim,
                    struct view options);
/* visitor_policy.c: may this visitor come to the tunnel whose claim has these options? Asked once: whoever
 * was let in stays so. False: he has been told, and the exchange has ended; or its body is waited for. */
bool visitor_policy(struct exchange *exchange, const struct claim *claim, struct view options);
/* visitor_policy.c: where it stands among those that the visitor's address is told by. */
struct view visitor_address(const struct exchange *exchange);
/* visitor_policy.c: takes cookies whose names begin so from what the service gets. False without memory. */
bool visitor_drop_cookies(struct exchange *exchange, const struct view *prefixes, size_t count);
/* visitor_door.c: asks the doorman, and dispatch begins anew when he lets the visitor in. Otherwise that one
 * is told, and the exchange has ended. */
void visitor_door_ask(struct exchange *exchange);
/* Likewise: of an answer's cookies those that are the doorman's own go, which services may not set; and what
 * he has to say to the visitor is added. */
void visitor_door_answer(const struct exchange *exchange, struct headers *headers);
/* dispatch_hold.c: dispatch begins anew when all of the body is here; beyond so many bytes,
 * HTTP_ERROR_BODY_TOO_LARGE.
 */
void dispatch_hold(struct exchange *exchange, size_t most_bytes);
/* The agent that had the request is gone: once more, or 502. */
void dispatch_agent_lost(struct exchange *exchange);
/* The agent was never given the request: look again. */
void dispatch_undelivered(struct exchange *exchange);
/* The same, but this agent will do as well: there was no way to it. */
void dispatch_unreached(struct exchange *exchange);
/* It may have been given the request when the way broke: once more, to whoever there is, or 502. */
void dispatch_severed(struct exchange *exchange);
/* May what an agent may have executed be sent to one again? */
bool dispatch_may_send_twice(const struct exchange *exchange);
void dispatch_claim_changed(struct core *core, struct view tunnel_id);
/* It waits, for an agent or for its answer: looks at the claim again in a while, if nobody else tells. */
void dispatch_recheck_later(struct exchange *exchange);
void dispatch_recheck(struct exchange *exchange);

/* delivery_mailbox.c: what its agents and the mailbox tell. */
void mailbox_delivery_completed(struct core *core, struct view request_id);
/* The agent that was asked has gone. Its answer may be there all the same: a store may tell of the two in
 * either order. */
void mailbox_delivery_agent_gone(struct exchange *exchange);

/* exchange.c: its tunnel is known: counts it there. */
enum http_error exchange_admit(struct exchange *exchange);
/* exchange.c: the answer and the end. exchange_fail tells an error and ends the exchange; only from a safe
 * point. */
void exchange_fail(struct exchange *exchange, enum http_error error);
/* What stands in front of its tunnel's paths in URLs that people see: "", or in path mode "/dev/<id>". In the
 * arena; absent without memory. */
struct view exchange_base(struct exchange *exchange);
/* Likewise, with an answer of our own. */
void exchange_tell(struct exchange *exchange, struct answer_own *own);
/* Likewise, one that leads to a target (a path, perhaps with a query) of its tunnel, nowhere else; no cache
 * keeps it. `cookie`: a Set-Cookie's value; empty: none. */
void exchange_redirect(struct exchange *exchange, int status, struct view target, struct view cookie);
/* The error will be told at the next safe point. */
void exchange_fail_later(struct exchange *exchange, enum http_error error);
/* What an answer was refused for, as the agent or the gate says it, to the log. */
void exchange_note_fault(const struct exchange *exchange, enum http_error error, struct view why);
/* The service's answer: gated, stripped, told to the sink. False when it was refused, and the exchange has
 * ended. */
bool exchange_answer(struct exchange *exchange, int status, struct headers *headers, uint64_t body_bytes);
/* The service has switched to `protocol`: 101 to the visitor, bytes both ways from now on. */
void exchange_switch(struct exchange *exchange, struct headers *headers, struct view protocol);
void exchange_end(struct exchange *exchange, const struct headers *trailers);
/* What was left of an answer whose service had ended is out (answer_end). */
void exchange_ended(struct exchange *exchange);
/* Nothing whole can follow: the sink's abort, and the end. */
void exchange_abort(struct exchange *exchange);
/* From now on it counts among its tunnel's long-lived exchanges. */
void exchange_long_lived(struct exchange *exchange);
/* To the first byte of the answer: what the agent asked for, or the default. */
uint64_t exchange_request_timeout_ms(const struct exchange *exchange);
/* The visitor may send so many bytes of the request's body in all. */
void exchange_grant(struct exchange *exchange, uint64_t total);
/* The error to tell a visitor where no agent is to be had. */
enum http_error exchange_lost_error(const struct exchange *exchange);
void exchange_stop_waiting(struct exchange *exchange);

static inline uint64_t core_wall_ms(const struct core *core) {
    return core->ports.clock.wall_ms(core->ports.clock.ctx);
}
static inline uint64_t core_now_ms(const struct core *core) {
    return core->ports.clock.timers->now_ms(core->ports.clock.timers->ctx);
}
static inline uint64_t core_now_ns(const struct core *core) {
    return core_now_ms(core) * 1000000;
}

#endif
