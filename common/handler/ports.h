/* The ports: all that the handler core asks of the world it runs in. A port is a struct of functions and a
 * context. Every adapter of `registry` and `mailbox` passes tests/conformance.
 *
 * Rules for all of them. Arguments are borrowed until the call returns. A completion never fires inside the
 * call that asked for it, and fires exactly once, with the `target` and `ticket` given: the core finds by the
 * ticket what the call was for, and nothing if that has ended meanwhile. */
#ifndef HANDLER_PORTS_H
#define HANDLER_PORTS_H

#include "base/status.h"
#include "base/tasks.h"
#include "base/timers.h"
#include "handler/claim.h"
#include "http/headers.h"
#include "http/stream.h"
#include "protocol/v1.h"

/* ---- registry: who holds which tunnel ---- */

typedef void registry_done_fn(void *target, uint64_t ticket, enum status status);
typedef void registry_swept_fn(void *target, uint64_t ticket, enum status status, size_t removed);
/* `claim` is borrowed until return, NULL unless STATUS_OK; so are its options (claim.h), empty and not
 * absent if it has none. */
typedef void registry_claim_fn(void *target, uint64_t ticket, enum status status, const struct claim *claim,
                               struct view options);

struct claim_write {
    const struct claim *claim;
    uint64_t expected_epoch;  /* of what stands there; 0: there is none, or it has expired */
    unsigned expected_states; /* or'ed; ignored with epoch 0 */
    struct view options;      /* absent: those that stand there stay; who connects says them */
};

/* What an owner has used of his quotas. */
struct spending {
    uint64_t requests, bytes;
};

struct registry {
    void *ctx;

    /* STATUS_OK, STATUS_NOT_FOUND (none, or expired), STATUS_UNAVAILABLE. */
    void (*lookup)(void *ctx, struct view tunnel_id, registry_claim_fn *done, void *target, uint64_t ticket);

    /* The claim that this connection was accepted with, whether or not it has moved on since (compare
     * link.connection), and the options that were said then. Asked by the host that holds the connection.
     * STATUS_NOT_FOUND when it was never stored, or removed. */
    void (*lookup_connection)(void *ctx, struct view connection_id, registry_claim_fn *done, void *target,
                              uint64_t ticket);

    /* Writes the claim if what stands there is as expected. A CLAIM_CONNECTING claim makes a connection
     * record beside it, in the same step. What a later version of this program has written of the same claim,
     * and this one does not know, stays: of the name as long as the claim lives, of the member until another
     * connection takes over. STATUS_CONFLICT when the condition fails, STATUS_INVALID for what no store
     * keeps. */
    void (*store)(void *ctx, const struct claim_write *write, registry_done_fn *done, void *target,
                  uint64_t ticket);

    /* Forgets the connection record; the claim stays. Always STATUS_OK where the store can be reached. */
    void (*remove_connection)(void *ctx, struct view connection_id, registry_done_fn *done, void *target,
                              uint64_t ticket);

    /* Removes what has expired, a bounded number at a time. */
    void (*sweep)(void *ctx, registry_swept_fn *done, void *target, uint64_t ticket);

    /* What is remembered of this claim has led to nobody: the next lookup asks the store itself. NULL where
     * nothing is remembered. */
    void (*forget)(void *ctx, struct view tunnel_id);

    /* One request more for this tunnel, of `per_second` that all processes together may send: false when they
     * have sent too many of late, by what the last lookup knew. Counts it, and waits for nothing. NULL: who
     * asks counts alone. */
    bool (*admit)(void *ctx, struct view tunnel_id, size_t per_second);

    /* Tells the other processes what this owner has used in this one since it was told last. NULL: there are
     * none, or they are not told. */
    void (*spend)(void *ctx, struct view owner, const struct spending *spent);

    /* True while the store has just lost what it held: names that nobody proves are not given away. NULL
     * where a store cannot know. */
    bool (*names_reserved)(void *ctx);
};

/* ---- mailbox: pending requests of v1, and being woken ---- */

struct pending {
    struct view connection_id; /* the agent's: only it may complete the request */
    uint64_t expires_ms;       /* wall clock */
};

typedef void mailbox_put_fn(void *target, uint64_t ticket, enum status status, struct view request_id);
typedef void mailbox_done_fn(void *target, uint64_t ticket, enum status status);
/* `answer` moves to the callee: an http_response or an error. NULL unless STATUS_OK. */
typedef void mailbox_take_fn(void *target, uint64_t ticket, enum status status, struct v1_message *answer);

struct mailbox {
    void *ctx;

    /* Mints the request id (at most V1_REQUEST_ID_MAX bytes). */
    void (*put)(void *ctx, const struct pending *pending, mailbox_put_fn *done, void *target,
                uint64_t ticket);

    /* `answer` moves to the port. STATUS_OK once for each request; STATUS_NOT_FOUND for an id that is
     * unknown, expired, completed already, or another connection's. */
    void (*complete)(void *ctx, struct view request_id, struct view connection_id, struct v1_message *answer,
                     mailbox_done_fn *done, void *target, uint64_t ticket);

    /* One piece of an answer (protocol/chunks.h), for stores whose pieces come to more than one process; the
     * last one completes the request. As `complete`, but STATUS_OK for each piece. Pieces that contradict the
     * answer do not keep it away: those that join to none may be told as completed, and are none when they
     * are taken. NULL: the core joins the pieces itself. */
    void (*complete_part)(void *ctx, struct view request_id, struct view connection_id,
                          const struct v1_chunk *chunk, mailbox_done_fn *done, void *target, uint64_t ticket);

    /* The answer, and the end of the request. STATUS_NOT_FOUND while there is none. STATUS_GONE where a store
     * knows that there is no such request (any more), so that no answer will come; others say NOT_FOUND. */
    void (*take)(void *ctx, struct view request_id, mailbox_take_fn *done, void *target, uint64_t ticket);

    /* Ends the request, answered or not. */
    void (*remove)(void *ctx, struct view request_id);
};

/* Whom an adapter of either port has to tell. `done` is the mailbox's mailbox_done_fn, too, and the agents'
 * agent_sent_fn: all three have one type. */
union store_completion {
    registry_done_fn *done; /* may be NULL */
    registry_claim_fn *claim;
    registry_swept_fn *swept;
    mailbox_put_fn *put;
    mailbox_take_fn *take;
};

/* What the stores tell the core, at the next safe point after it happened. A store that cannot tell (DynamoDB
 * without a stream) tells nothing, and the core asks again by its own timers. */
struct store_events {
    void *ctx;
    void (*claim_changed)(void *ctx, struct view tunnel_id);
    void (*request_completed)(void *ctx, struct view request_id);
    /* A connection that may be another gateway's was removed: what waits for its answers waits in vain. */
    void (*connection_gone)(void *ctx, struct view connection_id);
    /* The claim that this connection of ours was accepted with names another one now. */
    void (*connection_replaced)(void *ctx, const struct link *link);
    /* This connection was taken over, and has had the time to finish what it had. */
    void (*connection_overdue)(void *ctx, const struct link *link);
    /* Another process has told what this owner used there (registry.spend). */
    void (*spent)(void *ctx, struct view owner, const struct spending *spent);
    /* Changes may have been missed until now: what is remembered of claims, or waited for, is to be asked
     * anew. */
    void (*missed)(void *ctx);
};

/* ---- agent: the other end of a link ---- */

typedef void agent_sent_fn(void *target, uint64_t ticket, enum status status);

struct agents {
    void *ctx;

    /* One v1 message. STATUS_OK: handed on, not: arrived. STATUS_GONE: no such connection. STATUS_UNHEARD: it
     * was certainly not handed on, and may be when it is sent again. STATUS_OVERLOADED: too many bytes wait
     * for it already. `done` may be NULL. */
    void (*send)(void *ctx, const struct link *link, struct view message, agent_sent_fn *done, void *target,
                 uint64_t ticket);

    /* Closes after what was sent has left. */
    void (*close)(void *ctx, const struct link *link);
    /* An agent's requests may be under way in other processes, too: one that was taken over is told, and
     * closed when the store says that its time is over (connection_overdue). */
    bool is_shared;

    /* v2 only, NULL where no links of v2 exist: one request as a stream (http/stream.h) to the agent that
     * serves this claim; its events come to `target`, none from inside these calls. NULL with STATUS_GONE,
     * STATUS_UNAVAILABLE (the agent is on its way elsewhere) or STATUS_OVERLOADED. */
    struct agent_stream *(*open)(void *ctx, const struct claim *claim, const struct stream_head *head,
                                 bool body_follows, const struct stream_events *events, void *target,
                                 enum status *ret_status);
    void (*write)(struct agent_stream *stream, struct view data); /* copied */
    void (*end)(struct agent_stream *stream);
    void (*consumed)(struct agent_stream *stream, size_t bytes);
    /* No event follows; the pointer is dead on return. */
    void (*reset)(struct agent_stream *stream);
};

/* ---- doorman: somebody outside who says which visitors may come in ---- */

struct door_question {
    struct view method, scheme;
    struct view host;    /* as the request was routed by it, perhaps with a port */
    struct view target;  /* of the URL that the visitor sees: with the tunnel's prefix in path mode */
    struct view address; /* the visitor's */
    const struct headers *headers; /* what the service would get */
};

enum door_says {
    DOOR_OPEN,
    DOOR_SHUT,   /* and what the visitor is told: status, headers, body */
    DOOR_SILENT, /* no answer, or not in time, or too many are waited for already: nobody is let in */
    DOOR_BROKEN  /* an answer that says neither: likewise */
};

struct door_word {
    enum door_says says;
    struct headers fields;  /* DOOR_OPEN: what the service is told of the visitor */
    struct headers cookies; /* DOOR_OPEN: Set-Cookie fields, to go with the service's answer */
    int status;             /* DOOR_SHUT: 401, 403, or one that leads elsewhere */
    struct headers headers;
    struct view body;
};

/* `word` is borrowed until return. */
typedef void doorman_done_fn(void *target, uint64_t ticket, const struct door_word *word);

struct doorman {
    void *ctx;
    /* NULL: nobody is asked. `done` follows in bounded time; false without memory, then it does not. */
    bool (*ask)(void *ctx, const struct door_question *question, doorman_done_fn *done, void *target,
                uint64_t ticket);
};

/* ---- denials: who is let in by nobody's token ---- */

struct applicant {
    struct view tunnel_id, owner;
    struct view token_id;    /* `jti`; empty: there is none */
    uint64_t token_issued_s; /* 0: unsaid */
};

struct denials {
    void *ctx;
    /* Why this agent may not have that tunnel: a short text for its user, which lives until the next call;
     * NULL: it may. Answers at once. NULL itself where nobody is denied anything. */
    const char *(*why)(void *ctx, const struct applicant *applicant);
};

/* ---- proofs: does the owner of a domain say that it is this subject's? ---- */

enum proof {
    PROOF_HOLDS,
    PROOF_NONE,   /* he says nothing of the kind */
    PROOF_UNKNOWN /* nobody could be asked */
};

typedef void proof_done_fn(void *target, uint64_t ticket, enum proof proof);

struct proofs {
    void *ctx;
    /* NULL: nobody is asked. `done` follows in bounded time; false without memory, then it does not. */
    bool (*ask)(void *ctx, struct view domain, struct view subject, proof_done_fn *done, void *target,
                uint64_t ticket);
};

/* ---- challenges: what an authority of certificates looks for (RFC 8555 8.3) ---- */

struct challenges_port {
    void *ctx;
    /* What is to be said at this name for this token, borrowed until the loop goes on; absent: nothing, then
     * it is a request as any other. NULL: certificates do not come so. */
    struct view (*answer)(void *ctx, struct view name, struct view token);
};

/* ---- clock, ids ---- */

struct clock {
    void *ctx;
    uint64_t (*wall_ms)(void *ctx); /* since 1970; `timers` has the monotonic one */
    struct timers *timers;
    struct tasks *tasks;
};

struct ids {
    void (*tunnel)(char *out); /* TUNNEL_ID_LEN + 1 bytes */
    void (*random)(void *out, size_t len);
};

struct ports {
    struct registry registry;
    struct mailbox mailbox;
    struct agents agents;
    struct doorman doorman;
    struct proofs proofs;
    struct denials denials;
    struct challenges_port challenges;
    struct clock clock;
    struct ids ids;
};

#endif
