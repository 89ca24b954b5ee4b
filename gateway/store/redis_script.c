/* See redis_script.h. */
#include "store/redis_script.h"

#include <stdio.h>
#include <stdlib.h>

static void on_loaded(void *ctx, enum status status, const redisReply *reply) {
    struct redis_script *script = ctx;
    if (status == STATUS_OK && reply->type == REDIS_REPLY_STRING)
        view_copy_to(view_of(reply->str, (size_t)reply->len), script->sha, sizeof(script->sha));
}

void redis_script_load(struct redis_link *link, struct redis_script *script) {
    const struct view words[] = {VIEW("SCRIPT"), VIEW("LOAD"), view_from_cstr(script->text)};
    redis_link_call(link, words, 3, true, on_loaded, script);
}

/* A call by SHA, kept until it is known not to be needed as text. */
struct run {
    struct redis_link *link;
    struct redis_script_call call;
    redis_done_fn *done;
    void *ctx;
    char bytes[]; /* what the words point to */
};

static void send_call(struct redis_link *link, const struct redis_script_call *call, bool by_sha,
                      redis_done_fn *done, void *ctx) {
    struct view words[REDIS_SCRIPT_WORDS_MAX + 3];
    char count[8];
    snprintf(count, sizeof(count), "%zu", call->key_count);
    words[0] = by_sha ? VIEW("EVALSHA") : VIEW("EVAL");
    words[1] = view_from_cstr(by_sha ? call->script->sha : call->script->text);
    words[2] = view_from_cstr(count);
    memcpy(words + 3, call->words, call->word_count * sizeof(*words));
    redis_link_call(link, words, call->word_count + 3, call->again, done, ctx);
}

static void on_run(void *ctx, enum status status, const redisReply *reply) {
    struct run *run = ctx;
    if (status == STATUS_GONE)
        send_call(run->link, &run->call, false, run->done, run->ctx);
    else if (run->done)
        run->done(run->ctx, status, reply);
    free(run);
}

static struct run *run_new(const struct redis_script_call *call) {
    size_t len = 0;
    for (size_t i = 0; i < call->word_count; i++) len += call->words[i].len;
    struct run *run = malloc(sizeof(*run) + len);
    if (!run) abort(); /* a completion would be owed and could not be paid */
    run->call = *call;
    char *end = run->bytes;
    for (size_t i = 0; i < call->word_count; i++) {
        if (call->words[i].len) memcpy(end, call->words[i].ptr, call->words[i].len);
        run->call.words[i].ptr = end;
        end += call->words[i].len;
    }
    return run;
}

void redis_script_run(struct redis_link *link, const struct redis_script_call *call, redis_done_fn *done,
                      void *ctx) {
    if (call->word_count > REDIS_SCRIPT_WORDS_MAX) abort();
    if (!call->script->sha[0]) {
        send_call(link, call, false, done, ctx);
        return;
    }
    struct run *run = run_new(call);
    run->link = link;
    run->done = done;
    run->ctx = ctx;
    send_call(link, &run->call, true, on_run, run);
}
