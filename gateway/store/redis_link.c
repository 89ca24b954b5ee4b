/* See redis_link.h. Commands: their way into hiredis and back. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "metrics/metrics.h"
#include "store/redis_link_state.h"

#define CALLS_MAX 20000
#define WAIT_MS 1000    /* of a command without a connection */
#define SILENCE_MS 3000 /* no answer for so long, though one is owed: the connection is dead */
#define TURN_MS 15000   /* a command that has been sent is answered by then, however many came before it */
#define AGAIN_MS 5000   /* a command older than this is not sent again */
#define WORDS_MAX 24

struct redis_call {
    struct list node;
    struct redis_link *link;
    struct task task; /* fails it, where hiredis did not take it */
    char *bytes;      /* in Redis' protocol */
    size_t len;
    bool again;
    uint64_t since_ms, since_us; /* it was called */
    uint64_t sent_ms;            /* the last time */
    redis_done_fn *done;
    void *ctx;
};

/* An answer that Redis gave is none that failed, whatever it says of a key or a script. */
static void count_call(const struct redis_call *call, enum status status) {
    bool has_failed = status == STATUS_UNAVAILABLE;
    metrics_add(METRIC_STORE_CALLS, has_failed ? METRIC_RESULT_FAILED : METRIC_RESULT_OK, 1);
    metrics_observe(METRIC_STORE_DURATION, metrics_now_us() - call->since_us);
}

static void call_end(struct redis_call *call, enum status status, const redisReply *reply) {
    count_call(call, status);
    list_remove(&call->node);
    task_cancel(&call->task);
    call->link->owed--;
    if (call->done) call->done(call->ctx, status, reply);
    redisFreeCommand(call->bytes);
    free(call);
}

static void on_failed(struct task *task) {
    call_end(LIST_ENTRY(task, struct redis_call, task), STATUS_UNAVAILABLE, NULL);
}

static void fail_later(struct redis_call *call) {
    list_remove(&call->node);
    list_append(&call->link->waiting, &call->node); /* in no way any more, but still owed */
    call->again = false;
    tasks_post(&call->link->settings.loop->tasks, &call->task);
}

/* ---- errors of Redis' ---- */

static bool begins(struct view text, const char *word) {
    return view_starts_with(text, view_from_cstr(word));
}

static const char *in_words(struct view error) {
    if (begins(error, "WRONGPASS") || begins(error, "ERR invalid password"))
        return "the password or user in --store is wrong";
    if (begins(error, "NOAUTH")) return "it wants a password: --store redis://:password@host";
    if (begins(error, "ERR Client sent AUTH") || begins(error, "ERR AUTH <password> called"))
        return "a password was given, but it wants none";
    if (begins(error, "NOPERM")) return "its ACL does not let this user do what a gateway needs";
    if (begins(error, "READONLY")) return "it is a read-only replica: give --store the primary";
    if (begins(error, "OOM")) return "it is out of memory (maxmemory): no tunnel can be registered";
    if (begins(error, "MISCONF")) return "it takes no writes, because it cannot save to its disk";
    if (begins(error, "LOADING")) return "it is still loading its data";
    if (begins(error, "MASTERDOWN")) return "it is a replica that has lost its primary";
    return "it refuses a command";
}

void redis_complain(struct redis_link *link, struct view error) {
    char word[sizeof(link->complaint)];
    view_copy_to(view_slice(view_slice(error, 0, view_find(error, ' ')), 0, sizeof(word) - 1), word,
                 sizeof(word));
    if (strcmp(word, link->complaint) == 0) return;
    memcpy(link->complaint, word, sizeof(word));
    log_error("redis", "%s: %s (%.*s)", link->settings.url->shown, in_words(error), VIEW_ARG(error));
}

static enum status status_of(struct redis_link *link, const redisReply *reply) {
    if (reply->type != REDIS_REPLY_ERROR) return STATUS_OK;
    struct view error = view_of(reply->str, (size_t)reply->len);
    if (begins(error, "WRONGTYPE")) return STATUS_INVALID;
    if (begins(error, "NOSCRIPT")) return STATUS_GONE;
    redis_complain(link, error);
    return STATUS_UNAVAILABLE;
}

/* ---- calls ---- */

static bool is_sent_again(const struct redis_call *call) {
    uint64_t now_ms = loop_now(call->link->settings.loop);
    return call->again && !call->link->ending && now_ms - call->since_ms <= AGAIN_MS;
}

/* NULL: the connection has died. */
static void on_reply(redisAsyncContext *context, void *data, void *privdata) {
    (void)context;
    redisReply *reply = data;
    struct redis_call *call = privdata;
    struct redis_link *link = call->link;
    if (reply) {
        link->heard_ms = loop_now(link->settings.loop);
        enum status status = status_of(link, reply);
        call_end(call, status, status == STATUS_OK ? reply : NULL);
    } else if (is_sent_again(call)) {
        list_remove(&call->node);
        list_append(&link->waiting, &call->node);
    } else {
        call_end(call, STATUS_UNAVAILABLE, NULL);
    }
}

static bool send_call(struct redis_call *call) {
    struct redis_link *link = call->link;
    if (link->phase != REDIS_UP || !link->context ||
        redisAsyncFormattedCommand(link->context, on_reply, call, call->bytes, call->len) != REDIS_OK)
        return false;
    call->sent_ms = loop_now(link->settings.loop);
    list_remove(&call->node);
    list_append(&link->flying, &call->node);
    return true;
}

static struct redis_call *call_new(struct redis_link *link, const struct view *words, size_t count) {
    const char *texts[WORDS_MAX];
    size_t lens[WORDS_MAX];
    struct redis_call *call = calloc(1, sizeof(*call));
    if (count > WORDS_MAX) abort();
    for (size_t i = 0; i < count; i++) {
        texts[i] = words[i].len ? words[i].ptr : "";
        lens[i] = words[i].len;
    }
    long long len = call ? redisFormatCommandArgv(&call->bytes, (int)count, texts, lens) : -1;
    if (len < 0) { /* a completion would be owed and could not be paid */
        log_error("redis", "out of memory");
        abort();
    }
    call->link = link;
    call->len = (size_t)len;
    list_init(&call->node);
    task_init(&call->task, on_failed);
    return call;
}

void redis_link_call(struct redis_link *link, const struct view *words, size_t count, bool again,
                     redis_done_fn *done, void *ctx) {
    struct redis_call *call = call_new(link, words, count);
    call->again = again;
    call->done = done;
    call->ctx = ctx;
    call->since_ms = loop_now(link->settings.loop);
    call->since_us = metrics_now_us();
    link->owed++;
    if (send_call(call)) return;
    if (again && !link->ending && link->owed < CALLS_MAX)
        list_append(&link->waiting, &call->node);
    else
        fail_later(call);
}

size_t redis_link_owed(const struct redis_link *link) {
    return link->owed;
}

void redis_calls_up(struct redis_link *link) {
    struct list calls;
    list_init(&calls);
    list_move_all(&calls, &link->waiting);
    for (struct list *node; (node = list_pop(&calls));) {
        struct redis_call *call = LIST_ENTRY(node, struct redis_call, node);
        if (task_pending(&call->task) || !send_call(call)) list_append(&link->waiting, &call->node);
    }
}

static void fail_waiting(struct redis_link *link, uint64_t before_ms) {
    struct list calls;
    list_init(&calls);
    list_move_all(&calls, &link->waiting);
    for (struct list *node; (node = list_pop(&calls));) {
        struct redis_call *call = LIST_ENTRY(node, struct redis_call, node);
        if (call->since_ms <= before_ms)
            call_end(call, STATUS_UNAVAILABLE, NULL);
        else
            list_append(&link->waiting, &call->node);
    }
}

const char *redis_calls_trouble(struct redis_link *link, uint64_t now_ms) {
    fail_waiting(link, now_ms > WAIT_MS ? now_ms - WAIT_MS : 0);
    if (list_empty(&link->flying)) return NULL;
    uint64_t sent_ms = LIST_ENTRY(link->flying.next, struct redis_call, node)->sent_ms;
    uint64_t silent_since_ms = link->heard_ms > sent_ms ? link->heard_ms : sent_ms;
    if (now_ms - silent_since_ms > SILENCE_MS) return "it has gone silent";
    return now_ms - sent_ms > TURN_MS ? "it is too slow" : NULL;
}

/* ---- the module ---- */

struct redis_link *redis_link_new(const struct redis_link_settings *settings) {
    struct redis_link *link = calloc(1, sizeof(*link));
    if (!link) return NULL;
    link->settings = *settings;
    for (unsigned i = 0; i < settings->channel_count; i++)
        snprintf(link->channels[i], sizeof(link->channels[i]), "%s", settings->channels[i]);
    list_init(&link->flying);
    list_init(&link->waiting);
    redis_connect_init(link);
    return link;
}

void redis_link_free(struct redis_link *link) {
    if (!link) return;
    link->ending = true;
    redis_connect_done(link);
    fail_waiting(link, UINT64_MAX);
    free(link);
}

void redis_link_content(struct redis_link *link) {
    link->complaint[0] = '\0';
}

bool redis_link_is_up(const struct redis_link *link) {
    return link->phase == REDIS_UP;
}

const char *redis_link_library(void) {
    static char text[48];
    snprintf(text, sizeof(text), "hiredis %d.%d.%d", HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH);
    return text;
}
