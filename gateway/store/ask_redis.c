/* What gateways ask each other through Redis, see store_redis.h. A question, like a message to an agent,
 * stands under a key that expires; the gateway that is meant is woken, fetches it, and answers in the same
 * way. One of an earlier version passes over the word, and the question's time ends. */
#include <stdio.h>
#include <stdlib.h>

#include "base/heap.h"
#include "base/ids.h"
#include "base/log.h"
#include "store/store_redis_state.h"

#define KEEP_MS "5000" /* for the other side to fetch it */
#define ANSWER_MS 2000
#define ANSWER_BYTES_MAX ((size_t)4 * 1024 * 1024)
#define GATEWAYS_MAX 256

struct ask {
    struct list node; /* of store->asks */
    struct store_redis *store;
    struct timer timer;
    store_answer_fn *done;
    void *target;
    uint64_t ticket, id;
    bool is_flying; /* Redis still owes a word to it */
    enum status status;
    bool is_over; /* as `status` says, when that has come */
};

static void ask_end(struct ask *ask, enum status status, struct view answer) {
    list_remove(&ask->node);
    timer_stop(&ask->store->settings.loop->timers, &ask->timer);
    if (ask->done && !ask->store->stopped) ask->done(ask->target, ask->ticket, status, answer);
    ask->done = NULL;
    ask->is_over = true;
    if (!ask->is_flying) free(ask);
}

static void on_timeout(struct timer *timer) {
    ask_end(LIST_ENTRY(timer, struct ask, timer), STATUS_TIMEOUT, (struct view){0});
}

static struct ask *find_ask(const struct store_redis *store, uint64_t id) {
    for (struct list *node = store->asks.next; node != &store->asks; node = node->next) {
        struct ask *ask = LIST_ENTRY(node, struct ask, node);
        if (ask->id == id) return ask;
    }
    return NULL;
}

/* Puts `text` under a key, and wakes the channel with "<kind>\n<key's id>\n<rest>". */
static void post(struct store_redis *store, struct view channel, char kind, struct view text,
                 const char *rest, redis_done_fn *done, void *ctx) {
    struct key key;
    char id[UUID_LEN + 1], wake[UUID_LEN + CHANNEL_MAX + 40];
    ids_uuid4(id);
    snprintf(wake, sizeof(wake), "%c\n%s\n%s", kind, id, rest);
    const struct view words[] = {key_of(&key, "message", view_from_cstr(id)), text, VIEW(KEEP_MS), channel,
                                 view_from_cstr(wake)};
    store_script(store, SCRIPT_SEND, words, 1, 5, false, done, ctx);
}

static void on_posted(void *ctx, enum status status, const redisReply *reply) {
    struct ask *ask = ctx;
    bool is_heard = status == STATUS_OK && reply->type == REDIS_REPLY_INTEGER && reply->integer > 0;
    ask->is_flying = false;
    if (ask->is_over)
        free(ask);
    else if (!is_heard)
        ask_end(ask, status == STATUS_OK ? STATUS_GONE : status, (struct view){0});
}

void store_redis_ask(struct store_redis *store, const char *gateway, struct view question,
                     store_answer_fn *done, void *target, uint64_t ticket) {
    struct ask *ask = heap_alloc_owed(sizeof(*ask));
    char channel[CHANNEL_MAX], rest[CHANNEL_MAX + 32];
    *ask = (struct ask){.store = store, .done = done, .target = target, .ticket = ticket, .is_flying = true};
    ask->id = ++store->next_ask;
    list_init(&ask->node);
    list_append(&store->asks, &ask->node);
    timer_init(&ask->timer, on_timeout);
    timer_start(&store->settings.loop->timers, &ask->timer, ANSWER_MS);
    snprintf(rest, sizeof(rest), "%llu\n%s", (unsigned long long)ask->id, store->own_channel);
    post(store, channel_of(store, channel, gateway), 'q', question, rest, on_posted, ask);
}

void ask_stop(struct store_redis *store) {
    while (!list_empty(&store->asks))
        ask_end(LIST_ENTRY(store->asks.next, struct ask, node), STATUS_GONE, (struct view){0});
}

/* ---- heard ---- */

struct fetched {
    struct store_redis *store;
    uint64_t id;
    char asker[CHANNEL_MAX]; /* of a question */
};

static void answer(struct fetched *fetched, struct view question) {
    struct store_redis *store = fetched->store;
    struct buf text;
    char id[24];
    buf_init(&text, ANSWER_BYTES_MAX);
    snprintf(id, sizeof(id), "%llu", (unsigned long long)fetched->id);
    if (store->events.asked && store->events.asked(store->events.ctx, question, &text) && !text.failed)
        post(store, view_from_cstr(fetched->asker), 'a', buf_view(&text), id, NULL, NULL);
    buf_done(&text);
}

static void on_question(void *ctx, enum status status, const redisReply *reply) {
    struct fetched *fetched = ctx;
    struct view text = reply_text(reply);
    if (status == STATUS_OK && text.ptr && !fetched->store->stopped) answer(fetched, text);
    free(fetched);
}

static void on_answer(void *ctx, enum status status, const redisReply *reply) {
    struct fetched *fetched = ctx;
    struct view text = reply_text(reply);
    struct ask *ask = fetched->store->stopped ? NULL : find_ask(fetched->store, fetched->id);
    if (ask && status == STATUS_OK && text.ptr) ask_end(ask, STATUS_OK, text);
    free(fetched);
}

/* "<key's id>\n<number>", and of a question "\n<channel>". */
void ask_heard(struct store_redis *store, bool is_question, struct view rest) {
    struct fetched *fetched = calloc(1, sizeof(*fetched));
    struct view key_id, number;
    struct key key;
    if (!fetched || !view_split(&rest, '\n', &key_id) || !view_split(&rest, '\n', &number) ||
        key_id.len != UUID_LEN || !view_parse_u64(number, &fetched->id) ||
        (rest.ptr != NULL) != is_question ||
        (is_question && !view_copy_to(rest, fetched->asker, sizeof(fetched->asker)))) {
        free(fetched);
        return;
    }
    fetched->store = store;
    const struct view words[] = {key_of(&key, "message", key_id)};
    store_script(store, SCRIPT_FETCH, words, 1, 1, true, is_question ? on_question : on_answer, fetched);
}

/* ---- who there is ---- */

struct listing {
    struct store_redis *store;
    store_gateways_fn *done;
    void *target;
    uint64_t ticket;
};

static void on_listed(void *ctx, enum status status, const redisReply *reply) {
    struct listing *listing = ctx;
    struct view names[GATEWAYS_MAX];
    size_t count = 0;
    bool is_array = status == STATUS_OK && reply->type == REDIS_REPLY_ARRAY;
    for (size_t i = 0; is_array && i < reply->elements && count < GATEWAYS_MAX; i++) {
        struct view name = reply_text(reply->element[i]);
        if (name.len && name.len <= GATEWAY_MAX) names[count++] = name;
    }
    if (!listing->store->stopped) listing->done(listing->target, listing->ticket, status, names, count);
    free(listing);
}

void store_redis_gateways(struct store_redis *store, store_gateways_fn *done, void *target, uint64_t ticket) {
    struct listing *listing = heap_alloc_owed(sizeof(*listing));
    struct key key;
    *listing = (struct listing){.store = store, .done = done, .target = target, .ticket = ticket};
    const struct view words[] = {VIEW("ZRANGE"), key_of(&key, "gateways", VIEW("")), VIEW("0"), VIEW("255")};
    store_call(store, words, 4, true, on_listed, listing);
}
