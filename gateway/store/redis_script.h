/* Lua scripts in Redis: called by their SHA, with the text where Redis does not know them (any more). A
 * script that was not known was not executed, so that the second call is no repetition. */
#ifndef STORE_REDIS_SCRIPT_H
#define STORE_REDIS_SCRIPT_H

#include "store/redis_link.h"

#define REDIS_SCRIPT_WORDS_MAX 16

struct redis_script {
    const char *text;
    char sha[41]; /* "" until Redis has said it */
};

/* Whenever the link has come up. `script` outlives the link. */
void redis_script_load(struct redis_link *link, struct redis_script *script);

struct redis_script_call {
    struct redis_script *script;
    struct view words[REDIS_SCRIPT_WORDS_MAX]; /* keys, all that the script touches, then arguments */
    size_t key_count, word_count;
    bool again; /* redis_link.h */
};
/* What is in `call` is copied; `done` as with redis_link_call, without STATUS_GONE. */
void redis_script_run(struct redis_link *link, const struct redis_script_call *call, redis_done_fn *done,
                      void *ctx);

#endif
