/* The store that several gateways share: registry and mailbox in Redis, and what the gateways tell each other
 * through it. What it promises is what tests/conformance says of every store, but for one thing:
 * lookup_connection() knows the connections of this gateway only, which are the only ones it is asked about.
 *
 * Keys (all begin with "ttf1:"; whatever stands under one and is not ours counts as nothing, and is replaced
 * when something is written there):
 *   claim:<tunnel>     a claim_record; Redis expires it with the claim
 *   links:<gateway>    hash, connection id -> claim_record as accepted: what this gateway holds
 *   lease:<gateway>    the instance that renews it; expires
 *   gateways           sorted set, gateway -> end of its lease by Redis' clock
 *   pending:<request>  hash of a v1 request that waits for its answer: connection, expires, waiter, answer
 *   message:<id>       a v1 message on its way to the gateway that holds the agent, or what one gateway asks
 *                      another, or answers; expires
 *   acme               hash, what gateways share of certificates that come by themselves (acme/acme_shared.h)
 *   lock:<what>        the instance that does what only one is to do; expires
 *   denials            hash, what is denied -> since when, until when, by whom and why
 * (control/denial_list.h) secret             hash: created, value; the tunnel secret where none was given
 *   store              a random id: another one, and Redis has lost what it held
 *   reserved           while it stands names are not given to strangers
 * Channels: ttf1:<database>:claims, heard by all, and ttf1:<database>:to:<gateway>.
 *
 * Idempotent, so sent again when the connection dies: lookup, lookup_connection, remove_connection, put,
 * complete, take, remove, the renewal of the lease. Not: store, send. */
#ifndef STORE_STORE_REDIS_H
#define STORE_STORE_REDIS_H

#include "base/buf.h"
#include "handler/ports.h"
#include "net/loop.h"

#define STORE_SECRET_MAX 128

struct store_redis;

struct store_redis_settings {
    struct loop *loop;
    const char *url;
    const char *gateway; /* the peer URL of this process */
    uint64_t (*wall_ms)(void *ctx);
    void *wall_ctx;
    uint64_t lease_ms;                         /* renewed thrice within it */
    uint64_t keep_anonymous_ms, keep_owned_ms; /* of claims whose gateway has died */
    size_t message_max_bytes, body_max_bytes;  /* of v1 */
    bool keeps_secret; /* made by the first gateway, kept in Redis; otherwise everybody is given the same one
                        */
};

struct store_redis_events {
    struct store_events store;
    void *ctx;
    /* Reached (all works), or lost. The first is `reached`; then the secret is known. */
    void (*reached)(void *ctx);
    void (*lost)(void *ctx);
    /* Another secret counts from now on: Redis had lost it, and the older one has come back. */
    void (*secret_changed)(void *ctx);
    /* A v1 message for an agent of ours, from another gateway. `done` wants to be called, now or later. */
    void (*deliver)(void *ctx, struct view connection_id, struct view message, agent_sent_fn *done,
                    void *target, uint64_t ticket);
    /* Another gateway asks. False: no answer. NULL: nothing is answered. */
    bool (*asked)(void *ctx, struct view question, struct buf *answer);
    /* Something was written at this key, or removed. NULL: nobody wants to know, nor the next two.
     */
    void (*denial_changed)(void *ctx, struct view key, bool was_removed);
    void (*acme_changed)(void *ctx, struct view key, bool was_removed);
    /* The store has lost what it held. */
    void (*emptied)(void *ctx);
};

/* NULL with *ret_why (a static text): the URL is wrong, TLS is asked for and this build has none, memory. */
struct store_redis *store_redis_new(const struct store_redis_settings *settings, const char **ret_why);
/* Sets who hears of what happens; call it before the first turn of the loop. */
void store_redis_listen(struct store_redis *store, const struct store_redis_events *events);
/* Ends the lease and the connections (no farewell waits for an answer); the loop runs on until they are
 * closed. What is owed fails within. */
void store_redis_stop(struct store_redis *store);
void store_redis_free(struct store_redis *store); /* NULL is fine for both */

struct registry store_redis_registry(struct store_redis *store);
struct mailbox store_redis_mailbox(struct store_redis *store);
/* Whether a request id is one that this mailbox has minted. */
bool store_redis_minted(struct view request_id);
/* A v1 message to an agent that another gateway holds; the agents port's contract (ports.h). STATUS_GONE:
 * that gateway, or the connection there, is gone, and the message was certainly not handed on. */
void store_redis_send(void *ctx, const struct link *link, struct view message, agent_sent_fn *done,
                      void *target, uint64_t ticket);

/* ---- what gateways ask each other ---- */

/* `answer` is borrowed, and empty unless STATUS_OK. STATUS_GONE: there is no such gateway; STATUS_TIMEOUT: it
 * has not answered within 2 s (one of an earlier version never does); STATUS_UNAVAILABLE. */
typedef void store_answer_fn(void *target, uint64_t ticket, enum status status, struct view answer);
void store_redis_ask(struct store_redis *store, const char *gateway, struct view question,
                     store_answer_fn *done, void *target, uint64_t ticket);
/* The gateways that share this store, this one among them, and those whose lease has ended of late; 256 at
 * most. The names are borrowed. */
typedef void store_gateways_fn(void *target, uint64_t ticket, enum status status, const struct view *names,
                               size_t count);
void store_redis_gateways(struct store_redis *store, store_gateways_fn *done, void *target, uint64_t ticket);

/* ---- shelves: what gateways have in common beside claims ---- */

enum store_shelf {
    SHELF_DENIALS, /* who is kept out */
    SHELF_ACME     /* certificates that come by themselves */
};

/* `record` is absent where there is none. Both are borrowed, and whatever stands in Redis. */
typedef void store_shelf_fn(void *target, struct view key, struct view record);
/* `done` gets STATUS_NOT_FOUND where there was nothing to take off. Everybody hears of the change: this
 * gateway, too. */
void store_redis_put_on(struct store_redis *store, enum store_shelf shelf, struct view key,
                        struct view record, registry_done_fn *done, void *target);
/* `record`: only while it is this one; absent: whatever it is. */
void store_redis_take_off(struct store_redis *store, enum store_shelf shelf, struct view key,
                          struct view record, registry_done_fn *done, void *target);
/* One, and nobody is called where the store cannot be asked; or all, some hundreds at a time, perhaps one
 * twice. */
void store_redis_look_at(struct store_redis *store, enum store_shelf shelf, struct view key,
                         store_shelf_fn *each, void *target);
void store_redis_shelf(struct store_redis *store, enum store_shelf shelf, store_shelf_fn *each,
                       registry_done_fn *done, void *target);

/* What only one gateway is to do at a time: STATUS_OK, it is this one's for so long, and who has it already
 * has it for longer; STATUS_CONFLICT: another one's; STATUS_UNAVAILABLE. */
void store_redis_lock(struct store_redis *store, struct view what, uint64_t lease_ms, registry_done_fn *done,
                      void *target);
void store_redis_unlock(struct store_redis *store, struct view what, registry_done_fn *done, void *target);

/* The names that are held, about `count` at a time; `cursor` is 0, then `next`, until that is 0. One may come
 * twice. */
typedef void store_name_fn(void *target, const struct claim *claim);
typedef void store_page_fn(void *target, enum status status, uint64_t next);
void store_redis_names(struct store_redis *store, uint64_t cursor, size_t count, store_name_fn *each,
                       store_page_fn *done, void *target);

bool store_redis_is_reached(const struct store_redis *store);
/* Empty until it was reached, and where the secret is not kept in Redis. */
struct view store_redis_secret(const struct store_redis *store);
/* Where Redis is, for people: without its password. */
const char *store_redis_where(const struct store_redis *store);

/* Calls that are not answered yet. */
size_t store_redis_owed(const struct store_redis *store);
/* For tests: what was published before store_redis_echo() has been heard once store_redis_echoes() has grown.
 */
void store_redis_echo(struct store_redis *store);
unsigned store_redis_echoes(const struct store_redis *store);

#endif
