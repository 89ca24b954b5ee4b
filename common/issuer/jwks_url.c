/* See jwks_url.h. The client follows no redirects, so none leads to http. */
#include "issuer/jwks_url.h"

#include <stdio.h>
#include <stdlib.h>

#include "auth/jwks.h"
#include "base/log.h"

#define ANSWER_MS 10000
#define NEEDED_MS 3000     /* by need: somebody waits, and it is billed */
#define FRESH_MS 600000    /* so long keys are not asked for again */
#define AGAIN_MIN_MS 60000 /* nor sooner for a token whose key is not known, or after a failure */
#define FIRST_MIN_MS 1000  /* as long as there are none: 1 s, doubled */

struct jwks_url {
    struct loop *loop;
    struct http_client *http;
    const char *url;
    struct core *core; /* NULL: not started, or stopped */
    struct jwks *set;
    struct http_call *call; /* NULL: it is not being asked */
    struct timer timer;
    uint64_t first_wait_ms;
    uint64_t looked_up_ms; /* for a token whose key was not known; 0: never */
    bool has_keys;         /* it has answered once */
    bool has_failed;       /* the last time, which was told */

    /* By need; by the wall clock, as no other goes on while a process is frozen. */
    bool by_need, is_needed; /* the second: in the event under way */
    struct jwks *none;       /* what counts while `set` is not fresh */
    uint64_t asked_ms, again_ms,
        fresh_ms;            /* when it was asked last, may be asked again, and `set` is not fresh any more */
    void (*done)(void *ctx); /* waits for `call`; NULL: nobody does */
    void *done_ctx;
};

const char *jwks_url_fault(struct view url) {
    struct view rest = view_skip(url, strlen("https://"));
    struct view host = view_slice(rest, 0, view_find(rest, '/'));
    if (!view_starts_with(url, VIEW("https://")))
        return "expected https://…: who can change the keys lets in whom he likes";
    for (size_t i = 0; i < url.len; i++)
        if ((unsigned char)url.ptr[i] <= 0x20 || (unsigned char)url.ptr[i] >= 0x7f)
            return "it has bytes that no URL has";
    if (host.len == 0 || host.ptr[0] == ':') return "it names no host";
    if (view_find(host, '@') < host.len) return "it names a user";
    return view_find(rest, '#') < rest.len ? "it has a fragment" : NULL;
}

/* ---- what came ---- */

static void complain(struct jwks_url *keys, const char *why) {
    if (!keys->has_failed)
        log_error("issuer", "JWKS_URL %s: %s; %s", keys->url, why,
                  keys->has_keys ? "the keys of before stay" : "agents are told to try again");
    keys->has_failed = true;
}

static void take(struct jwks_url *keys, struct view text) {
    char why[JWKS_WHY_MAX];
    struct jwks *set = jwks_parse_public(text, why);
    if (!set) {
        complain(keys, why);
        return;
    }
    core_set_token_keys(keys->core, set);
    jwks_free(keys->set);
    keys->set = set;
    if (!keys->has_keys || keys->has_failed)
        log_info("issuer", "JWKS_URL %s: %zu keys, %zu passed over", keys->url, jwks_count(set),
                 jwks_passed_over(set));
    keys->has_keys = true;
    keys->has_failed = false;
}

static uint64_t next_ms(struct jwks_url *keys) {
    if (!keys->has_failed) return FRESH_MS;
    if (keys->has_keys) return AGAIN_MIN_MS;
    uint64_t wait = keys->first_wait_ms ? keys->first_wait_ms * 2 : FIRST_MIN_MS;
    return keys->first_wait_ms = wait < AGAIN_MIN_MS ? wait : AGAIN_MIN_MS;
}

/* By need: what counts from now on, and until when. */
static void keep(struct jwks_url *keys) {
    uint64_t now = loop_wall_ms(NULL), wait = next_ms(keys);
    keys->again_ms = now + (wait < AGAIN_MIN_MS ? wait : AGAIN_MIN_MS);
    keys->fresh_ms = now + wait;
    core_set_token_keys(keys->core, keys->set);
    void (*done)(void *ctx) = keys->done;
    keys->done = NULL;
    done(keys->done_ctx);
}

static void on_answer(void *ctx, enum status status, const struct http_answer *answer) {
    struct jwks_url *keys = ctx;
    char why[80];
    keys->call = NULL;
    if (status == STATUS_OK && answer->status == 200) {
        take(keys, answer->body);
    } else {
        if (status == STATUS_OK)
            snprintf(why, sizeof(why), "it answers %d", answer->status);
        else
            snprintf(why, sizeof(why), "it does not answer (%s)", status_text(status));
        complain(keys, why);
    }
    if (keys->by_need)
        keep(keys);
    else
        timer_start(&keys->loop->timers, &keys->timer, next_ms(keys));
}

/* ---- asking ---- */

static void ask(struct jwks_url *keys) {
    const struct http_call_request request = {.method = VIEW("GET"),
                                              .url = view_from_cstr(keys->url),
                                              .timeout_ms = keys->by_need ? NEEDED_MS : ANSWER_MS,
                                              .answer_max = JWKS_TEXT_MAX};
    if (keys->call || !keys->core) return;
    timer_stop(&keys->loop->timers, &keys->timer);
    keys->call = http_client_start(keys->http, &request, on_answer, keys);
    if (!keys->call && !keys->by_need) timer_start(&keys->loop->timers, &keys->timer, AGAIN_MIN_MS);
}

static void on_timer(struct timer *timer) {
    ask(LIST_ENTRY(timer, struct jwks_url, timer));
}

static bool renews(void *ctx) {
    struct jwks_url *keys = ctx;
    uint64_t now = loop_now(keys->loop);
    if (keys->has_keys && (!keys->looked_up_ms || now - keys->looked_up_ms >= AGAIN_MIN_MS)) {
        keys->looked_up_ms = now;
        ask(keys);
    }
    return keys->call || !keys->has_keys;
}

/* ---- by need ---- */

/* Clocks may be set. */
static bool is_over(const struct jwks_url *keys, uint64_t at_ms) {
    uint64_t now = loop_wall_ms(NULL);
    return now >= at_ms || now < keys->asked_ms;
}

static bool is_needed(void *ctx) {
    struct jwks_url *keys = ctx;
    keys->is_needed = is_over(keys, keys->again_ms);
    return keys->is_needed || !keys->has_keys;
}

void jwks_url_begin(struct jwks_url *keys) {
    keys->is_needed = false;
    if (keys->has_keys && is_over(keys, keys->fresh_ms)) core_set_token_keys(keys->core, keys->none);
}

bool jwks_url_fetch(struct jwks_url *keys, void (*done)(void *ctx), void *ctx) {
    if (!keys->is_needed) return false;
    keys->is_needed = false;
    keys->asked_ms = loop_wall_ms(NULL);
    keys->done = done;
    keys->done_ctx = ctx;
    ask(keys);
    return keys->call;
}

/* ---- life ---- */

struct jwks_url *jwks_url_new(struct loop *loop, struct http_client *http, const char *url, bool by_need) {
    struct jwks_url *keys = calloc(1, sizeof(*keys));
    if (!keys) return NULL;
    *keys = (struct jwks_url){
        .loop = loop, .http = http, .url = url, .by_need = by_need, .set = jwks_none(), .none = jwks_none()};
    timer_init(&keys->timer, on_timer);
    if (keys->set && keys->none) return keys;
    jwks_url_free(keys);
    return NULL;
}

const struct jwks *jwks_url_keys(const struct jwks_url *keys) {
    return keys->set;
}

struct jwt_source jwks_url_source(struct jwks_url *keys) {
    return (struct jwt_source){.ctx = keys, .renews = keys->by_need ? is_needed : renews};
}

void jwks_url_start(struct jwks_url *keys, struct core *core) {
    keys->core = core;
    if (!keys->by_need) ask(keys);
}

void jwks_url_stop(struct jwks_url *keys) {
    if (!keys) return;
    timer_stop(&keys->loop->timers, &keys->timer);
    if (keys->call) http_call_cancel(keys->call);
    keys->call = NULL;
    keys->core = NULL;
}

void jwks_url_free(struct jwks_url *keys) {
    if (!keys) return;
    jwks_free(keys->set);
    jwks_free(keys->none);
    free(keys);
}
