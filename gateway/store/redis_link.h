/* One connection to Redis that comes back by itself: name resolution beside the loop, connect timeout, AUTH,
 * SELECT, reconnects with backoff and jitter, each time on a context of its own. It either carries commands
 * or listens to channels.
 *
 * A command in flight when the connection dies is sent again on the next one if it was called `again`, which
 * only commands may be whose second execution changes nothing; the others fail with STATUS_UNAVAILABLE,
 * because nobody knows whether Redis has executed them. A command that finds no connection waits a moment for
 * one if it is `again`, and fails otherwise.
 *
 * A Redis that gives no answer for 3 s, though it owes one, is taken for dead, and the connection made anew.
 * One that goes on answering has 15 s for a command. A command that is older than 5 s when its connection
 * dies is not sent again. So each has its answer, or has failed, after 9 s with a Redis that hangs, and after
 * 21 s with a slow one. */
#ifndef STORE_REDIS_LINK_H
#define STORE_REDIS_LINK_H

#include <hiredis/hiredis.h>

#include "base/status.h"
#include "net/loop.h"
#include "store/redis_url.h"

#define REDIS_CHANNELS_MAX 2

struct redis_link;

struct redis_link_settings {
    struct loop *loop;
    const struct redis_url *url;              /* outlives the link */
    const char *channels[REDIS_CHANNELS_MAX]; /* to listen to; none: the link carries commands */
    unsigned channel_count;
    uint64_t silence_ms; /* a listening link that hears nothing for so long connects anew; 0: never */
    void *ctx;
    void (*up)(void *ctx);   /* commands can be called, or: all channels are heard from now on */
    void (*down)(void *ctx); /* after `up` */
    void (*heard)(void *ctx, struct view channel, struct view message);
};

/* The library that speaks to Redis, and the version that it was built of. */
const char *redis_link_library(void);

/* NULL without memory. What was listened to is copied. Connects from now on. */
struct redis_link *redis_link_new(const struct redis_link_settings *settings);
/* Calls that are under way fail before it returns; no call back comes later. NULL is fine. */
void redis_link_free(struct redis_link *link);

bool redis_link_is_up(const struct redis_link *link);
/* Ends the connection at the next safe point, and begins another. `why` is logged. */
void redis_link_drop(struct redis_link *link, const char *why);

/* STATUS_OK with the reply; STATUS_UNAVAILABLE: no connection, or an error of Redis' (logged, once for each
 * kind until something works again); STATUS_INVALID: the key holds another type (WRONGTYPE); STATUS_GONE: the
 * script is not known (NOSCRIPT). The reply is borrowed, NULL unless STATUS_OK. */
typedef void redis_done_fn(void *ctx, enum status status, const redisReply *reply);
/* The words are copied. `done` may be NULL. */
void redis_link_call(struct redis_link *link, const struct view *words, size_t count, bool again,
                     redis_done_fn *done, void *ctx);
/* Calls whose `done` is still owed. */
size_t redis_link_owed(const struct redis_link *link);

/* Something that Redis refused before has worked: the next such error is logged again. */
void redis_link_content(struct redis_link *link);

#endif
