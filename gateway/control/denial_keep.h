/* Keeps the list of who is kept out (denial_list.h) where it outlives this process: in the store that
 * gateways share, and then it is the same in all of them within moments; otherwise in a file. What is denied
 * is told to whom it concerns: `changed`. */
#ifndef CONTROL_DENIAL_KEEP_H
#define CONTROL_DENIAL_KEEP_H

#include "control/denial_list.h"
#include "net/loop.h"
#include "store/store_redis.h"

struct denial_keep;

struct denial_keep_settings {
    struct loop *loop;
    struct store_redis *redis; /* NULL: none, a file then */
    const char *path;          /* of the file, in a folder that is there; NULL: it is not kept at all */
    /* Somebody may be denied now who was not. From a safe point. */
    void (*changed)(void *ctx);
    void *ctx;
};

/* Reads the file; what is in the store is asked for. NULL with *ret_why (a static text): memory, or a file
 * that cannot be understood. */
struct denial_keep *denial_keep_new(const struct denial_keep_settings *settings, const char **ret_why);
/* While the loop still runs: nobody is told anything any more. */
void denial_keep_stop(struct denial_keep *keep);
/* When the store has stopped and the loop has ended; what is not in the file yet is written. NULL is fine for
 * both. */
void denial_keep_free(struct denial_keep *keep);

struct denial_list *denial_keep_list(struct denial_keep *keep);

/* `done` fires later, when it is kept: STATUS_OK, STATUS_INVALID, STATUS_OVERLOADED (there are too many),
 * STATUS_NOT_FOUND (nothing to allow), STATUS_UNAVAILABLE (it is not kept; where there is no store it holds
 * until the gateway ends). */
void denial_keep_deny(struct denial_keep *keep, const struct denial *denial, registry_done_fn *done,
                      void *target);
void denial_keep_allow(struct denial_keep *keep, struct view key, registry_done_fn *done, void *target);

/* What the store tells. Reached: all is asked for. Emptied: it has lost what it held, and is given it again.
 */
void denial_keep_reached(struct denial_keep *keep);
void denial_keep_changed(struct denial_keep *keep, struct view key, bool was_removed);
void denial_keep_emptied(struct denial_keep *keep);

#endif
