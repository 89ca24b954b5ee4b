/* The key set of agents' tokens (JWKS): a text, or a file that is looked at again while the gateway runs. A
 * new set that is no good, or a file that has gone, is told in the log and leaves the keys as they were. */
#ifndef GATEWAY_TOKEN_KEYS_H
#define GATEWAY_TOKEN_KEYS_H

#include "config/config.h"
#include "handler/core.h"
#include "net/loop.h"

struct token_keys {
    struct jwks *set; /* NULL: none was given */
    const char *path; /* borrowed; NULL: a text */
    struct buf seen;  /* what the last look at the file found */
    int seen_error;   /* errno; 0: it could be read */
    bool judged;      /* what was seen is what is used, or has been complained about */
    struct loop *loop;
    struct core *core;
    struct timer timer;
};

/* What the settings say, if anything. False after saying what is wrong on standard error. */
bool token_keys_load(struct token_keys *keys, const struct config *config);
/* From now on `core`, which was made with `set`, gets what the file says. */
void token_keys_watch(struct token_keys *keys, struct loop *loop, struct core *core);
void token_keys_stop(struct token_keys *keys);
/* After the core has gone. */
void token_keys_done(struct token_keys *keys);

#endif
