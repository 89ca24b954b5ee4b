/* What store_redis.c (registry, events), mailbox_redis.c, answers_redis.c and lease_redis.c share. */
#ifndef STORE_STORE_REDIS_STATE_H
#define STORE_STORE_REDIS_STATE_H

#include "store/kept.h"
#include "store/redis_script.h"
#include "store/store_redis.h"

#define KEY_PREFIX "ttf1:"
#define KEY_MAX 512
#define CHANNEL_MAX 400

enum store_script {
    SCRIPT_STORE,
    SCRIPT_REMOVE_CONNECTION,
    SCRIPT_PUT,
    SCRIPT_COMPLETE,
    SCRIPT_SEND,
    SCRIPT_FETCH,
    SCRIPT_RENEW,
    SCRIPT_SECRET,
    SCRIPT_FORGET,
    SCRIPT_PUT_ON,
    SCRIPT_TAKE_OFF,
    SCRIPT_LOCK,
    SCRIPT_UNLOCK,
    SCRIPTS_COUNT
};

struct store_redis {
    struct store_redis_settings settings;
    struct store_redis_events events;
    struct redis_url url;
    char gateway[GATEWAY_MAX + 1];
    struct redis_link *commands, *channel; /* `channel`: made when commands has first come up */
    struct redis_script scripts[SCRIPTS_COUNT];
    char claims_channel[CHANNEL_MAX], own_channel[CHANNEL_MAX];
    bool stopped, channel_up, was_lost;
    uint64_t came_back_ms; /* when it was reached again after an outage, monotonic; 0: it has not been away */
    bool foreign_logged;
    struct list later; /* completions that need no Redis */
    unsigned echoes;

    /* mailbox_redis.c */
    struct list sends; /* struct away_send: may still be refused by the gateway that holds the agent */
    uint64_t next_send;

    /* answers_redis.c */
    struct kept kept;    /* struct given: to be given to Redis when it is back, or takes more */
    size_t giving_bytes; /* of those that it has not taken yet */

    /* ask_redis.c */
    struct list asks; /* struct ask: not answered yet */
    uint64_t next_ask;

    /* lease_redis.c */
    struct timer renewal;
    char instance[40], store_id[40];
    bool leased; /* the last renewal has worked */
    bool was_reached, was_reaped, rival_logged;
    uint64_t reserved_until_ms; /* monotonic */
    char secret[STORE_SECRET_MAX + 1];
    uint64_t secret_created;
    bool secret_asked, secret_agreed;
    struct reaping *reaping; /* the claims of one dead gateway at a time */
};

/* ---- jobs: one call to the store, until it is answered ---- */

struct job {
    struct store_redis *store;
    union store_completion fn;
    void *target;
    uint64_t ticket;
    char id[V1_REQUEST_ID_MAX + 1]; /* tunnel, connection or request */
};
/* Aborts without memory: a completion would be owed and could not be paid. */
struct job *job_new(struct store_redis *store, void *target, uint64_t ticket);
/* The end of a job with fn.done; after the store was stopped nobody is called. */
void job_done(struct job *job, enum status status);
/* Completes with `done` at the next safe point. */
void job_done_later(struct job *job, enum status status);

/* ---- keys, calls, messages ---- */

struct key {
    char text[KEY_MAX];
};
struct view key_of(struct key *key, const char *kind, struct view id);
struct view channel_of(const struct store_redis *store, char out[CHANNEL_MAX], const char *gateway);
/* `words` to redis_link_call, by the connection for commands. */
void store_call(struct store_redis *store, const struct view *words, size_t count, bool again,
                redis_done_fn *done, void *ctx);
void store_script(struct store_redis *store, enum store_script script, const struct view *words, size_t keys,
                  size_t count, bool again, redis_done_fn *done, void *ctx);
void store_foreign(struct store_redis *store, const char *where, struct view id);
uint64_t store_wall_ms(const struct store_redis *store);
struct view reply_text(const redisReply *reply);

/* store_redis.c: a claim of whichever gateway. `done` (a redis_done_fn) sees SCRIPT_STORE's integer: 1 when
 * it is written. False, and nobody is called, for what no record can say. */
bool store_write(struct store_redis *store, const struct claim_write *write, redis_done_fn *done, void *ctx);
void store_remove_connection(struct store_redis *store, const char *gateway, struct view connection_id,
                             redis_done_fn *done, void *ctx);
/* Tells `reached` or `lost` when that has changed. */
void store_tell_state(struct store_redis *store);
/* Redis was away until a moment ago, or still is: other gateways may not have come back to it yet. */
bool store_is_just_back(const struct store_redis *store);

/* mailbox_redis.c */
void mailbox_heard(struct store_redis *store, char kind, struct view rest);
void mailbox_tick(struct store_redis *store, bool all);

/* answers_redis.c: mailbox.complete; those that are kept, once more; and those that are too old, or all, go.
 */
void answers_complete(void *ctx, struct view request_id, struct view connection_id, struct v1_message *answer,
                      mailbox_done_fn *done, void *target, uint64_t ticket);
void answers_init(struct store_redis *store);
void answers_again(struct store_redis *store);
void answers_expire(struct store_redis *store, bool all);

/* ask_redis.c */
void ask_heard(struct store_redis *store, bool is_question, struct view rest);
void ask_stop(struct store_redis *store);

/* lease_redis.c */
void lease_init(struct store_redis *store);
void lease_up(struct store_redis *store);
void lease_down(struct store_redis *store);
void lease_stop(struct store_redis *store);
bool lease_names_reserved(void *ctx);

extern const char *const store_script_texts[SCRIPTS_COUNT];

#endif
