/* See doorman.h. A question is a `knock` from the moment it is asked until its word is told, at the next safe
 * point where it is remembered, and else when the call ends. */
#include "doorman/doorman.h"

#include <stdlib.h>

#include "base/log.h"
#include "doorman/door_cache.h"
#include "doorman/door_question.h"
#include "doorman/door_word.h"

#define ARENA_MAX ((size_t)512 * 1024)

struct door {
    struct doorman_settings settings;
    struct door_cache cache;
    struct list knocks;
    size_t calls;
};

struct knock {
    struct list node;
    struct door *door;
    struct task task;
    struct http_call *call; /* NULL: the word is known already */
    struct arena arena;
    struct door_word word;
    unsigned char key[DOOR_KEY_LEN];
    bool has_key;
    doorman_done_fn *done;
    void *target;
    uint64_t ticket;
};

/* ---- a question's end ---- */

static void knock_free(struct knock *knock) {
    task_cancel(&knock->task);
    list_remove(&knock->node);
    if (knock->call) knock->door->calls--;
    arena_done(&knock->arena);
    free(knock);
}

static void tell(struct knock *knock) {
    knock->done(knock->target, knock->ticket, &knock->word);
    knock_free(knock);
}

static void on_task(struct task *task) {
    tell(LIST_ENTRY(task, struct knock, task));
}

static void tell_later(struct knock *knock, enum door_says says) {
    knock->word.says = says;
    tasks_post(knock->door->settings.tasks, &knock->task);
}

/* ---- answers ---- */

static uint64_t now_ms(const struct door *door) {
    return door->settings.timers->now_ms(door->settings.timers->ctx);
}

static void note(enum status status, int http_status) {
    if (status == STATUS_OK)
        log_from(LOG_LEVEL_WARN, "forward-auth", VIEW("answer"),
                 "status %d with its fields says neither yes nor no: nobody is let in", http_status);
    else
        log_from(LOG_LEVEL_WARN, "forward-auth", VIEW("silence"), "no answer (%s): nobody is let in",
                 status_text(status));
}

/* Who gets a cookie with his word gets it once. */
static void remember(struct knock *knock) {
    struct door *door = knock->door;
    if (knock->has_key && knock->word.says == DOOR_OPEN && knock->word.cookies.count == 0)
        door_cache_put(&door->cache, knock->key, now_ms(door), &knock->word.fields);
}

static enum door_says silence_of(enum status status) {
    return status == STATUS_TOO_LARGE ? DOOR_BROKEN : DOOR_SILENT;
}

static void on_answer(void *ctx, enum status status, const struct http_answer *answer) {
    struct knock *knock = ctx;
    const struct doorman_settings *settings = &knock->door->settings;
    if (status == STATUS_OK)
        knock->word = door_word_of(answer->status, answer->headers, answer->body, settings->fields,
                                   settings->fields_count, &knock->arena);
    else
        knock->word.says = silence_of(status);
    if (knock->word.says == DOOR_SILENT || knock->word.says == DOOR_BROKEN)
        note(status, status == STATUS_OK ? answer->status : 0);
    remember(knock);
    tell(knock);
}

/* ---- questions ---- */

static bool is_remembered(struct knock *knock, const struct door_question *question) {
    struct door *door = knock->door;
    if (door->settings.keep_ms == 0) return false;
    knock->has_key = door_question_key(question, door->settings.per_url, knock->key);
    return knock->has_key && door_cache_get(&door->cache, knock->key, now_ms(door), &knock->word.fields);
}

static bool call(struct knock *knock, const struct door_question *question) {
    struct door *door = knock->door;
    struct headers headers;
    headers_init(&headers, &knock->arena);
    if (door->calls >= DOOR_CALLS_MAX || !door_question_fields(question, &headers)) return false;
    struct http_call_request request = {.method = VIEW("GET"),
                                        .url = door->settings.url,
                                        .headers = &headers,
                                        .timeout_ms = door->settings.timeout_ms,
                                        .answer_max = DOOR_BODY_MAX};
    knock->call = http_client_start(door->settings.http, &request, on_answer, knock);
    if (knock->call) door->calls++;
    return knock->call != NULL;
}

static struct knock *knock_new(struct door *door, doorman_done_fn *done, void *target, uint64_t ticket) {
    struct knock *knock = calloc(1, sizeof(*knock));
    if (!knock) return NULL;
    knock->door = door;
    knock->done = done;
    knock->target = target;
    knock->ticket = ticket;
    task_init(&knock->task, on_task);
    arena_init(&knock->arena, ARENA_MAX);
    headers_init(&knock->word.fields, &knock->arena);
    headers_init(&knock->word.cookies, &knock->arena);
    headers_init(&knock->word.headers, &knock->arena);
    list_init(&knock->node);
    list_append(&door->knocks, &knock->node);
    return knock;
}

static bool ask(void *ctx, const struct door_question *question, doorman_done_fn *done, void *target,
                uint64_t ticket) {
    struct knock *knock = knock_new(ctx, done, target, ticket);
    if (!knock) return false;
    if (is_remembered(knock, question))
        tell_later(knock, DOOR_OPEN);
    else if (!call(knock, question))
        tell_later(knock, DOOR_SILENT);
    return true;
}

/* ---- life ---- */

struct door *door_new(const struct doorman_settings *settings) {
    struct door *door = calloc(1, sizeof(*door));
    if (!door) return NULL;
    door->settings = *settings;
    list_init(&door->knocks);
    door_cache_init(&door->cache, settings->keep_ms);
    return door;
}

static void drop(struct knock *knock) {
    if (knock->call) http_call_cancel(knock->call);
    knock_free(knock);
}

void door_free(struct door *door) {
    if (!door) return;
    while (!list_empty(&door->knocks)) drop(LIST_ENTRY(door->knocks.next, struct knock, node));
    door_cache_done(&door->cache);
    free(door);
}

struct doorman door_port(struct door *door) {
    return (struct doorman){.ctx = door, .ask = ask};
}
