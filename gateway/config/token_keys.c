/* See token_keys.h. The file is read once a second: that sees every way of changing it (in place, by rename,
 * by a link to another folder, as Kubernetes does). What differs must be there twice before it counts, so
 * that a file that is being written is not taken for a broken one. */
#include "config/token_keys.h"

#include <stdio.h>

#include "base/log.h"
#include "base/regular_file.h"

#define LOOK_MS 1000

static struct jwks *read_first(struct token_keys *keys, char why[JWKS_WHY_MAX]) {
    int error = jwks_read_file(keys->path, &keys->seen);
    if (!error) return jwks_parse(buf_view(&keys->seen), why);
    snprintf(why, JWKS_WHY_MAX, "%s", file_problem(error));
    return NULL;
}

bool token_keys_load(struct token_keys *keys, const struct config *config) {
    char why[JWKS_WHY_MAX];
    *keys = (struct token_keys){.path = config->jwks_path, .judged = true};
    buf_init(&keys->seen, JWKS_READ_MAX);
    if (!config->jwks && !config->jwks_path) return true;
    keys->set = config->jwks ? jwks_parse(view_from_cstr(config->jwks), why) : read_first(keys, why);
    if (keys->set) return true;
    if (keys->path)
        fprintf(stderr, "ttf-gateway: JWKS_PATH \"%s\": %s\n", keys->path, why);
    else
        fprintf(stderr, "ttf-gateway: JWKS: %s\n", why);
    token_keys_done(keys);
    return false;
}

static void judge(struct token_keys *keys) {
    char why[JWKS_WHY_MAX];
    struct jwks *set = NULL;
    if (keys->seen_error)
        snprintf(why, sizeof(why), "%s", file_problem(keys->seen_error));
    else
        set = jwks_parse(buf_view(&keys->seen), why);
    if (!set) {
        log_error("gateway", "JWKS_PATH \"%s\": %s; the %zu keys of before stay", keys->path, why,
                  jwks_count(keys->set));
        return;
    }
    core_set_token_keys(keys->core, set);
    jwks_free(keys->set);
    keys->set = set;
    log_info("gateway", "JWKS_PATH \"%s\": %zu keys from now on, %zu passed over", keys->path,
             jwks_count(set), jwks_passed_over(set));
}

static void on_look(struct timer *timer) {
    struct token_keys *keys = LIST_ENTRY(timer, struct token_keys, timer);
    struct buf fresh;
    buf_init(&fresh, JWKS_READ_MAX);
    int error = jwks_read_file(keys->path, &fresh);
    bool same = error == keys->seen_error && view_eq(buf_view(&fresh), buf_view(&keys->seen));
    buf_done(&keys->seen);
    keys->seen = fresh;
    keys->seen_error = error;
    if (same && !keys->judged) judge(keys);
    keys->judged = same;
    timer_start(&keys->loop->timers, &keys->timer, LOOK_MS);
}

void token_keys_watch(struct token_keys *keys, struct loop *loop, struct core *core) {
    if (!keys->set) return;
    log_info("gateway", "%zu keys of a set for agents' tokens, %zu passed over", jwks_count(keys->set),
             jwks_passed_over(keys->set));
    keys->loop = loop;
    keys->core = core;
    timer_init(&keys->timer, on_look);
    if (keys->path) timer_start(&loop->timers, &keys->timer, LOOK_MS);
}

void token_keys_stop(struct token_keys *keys) {
    if (keys->loop) timer_stop(&keys->loop->timers, &keys->timer);
}

void token_keys_done(struct token_keys *keys) {
    jwks_free(keys->set);
    buf_done(&keys->seen);
    keys->set = NULL;
}
