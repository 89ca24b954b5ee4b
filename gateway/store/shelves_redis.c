/* What all gateways share beside claims; see store_redis.h. A hash each, whose changes are published. And the
 * lock of what only one of them is to do. */
#include <stdio.h>
#include <stdlib.h>

#include "base/heap.h"
#include "store/store_redis_state.h"

#define SCAN_COUNT "500"

static const struct {
    const char *hash;
    char kind; /* of messages that tell of changes */
} shelves[] = {[SHELF_DENIALS] = {"denials", 'b'}, [SHELF_ACME] = {"acme", 'z'}};

/* ---- changes ---- */

static void on_changed(void *ctx, enum status status, const redisReply *reply) {
    bool none = status == STATUS_OK && reply->type == REDIS_REPLY_INTEGER && reply->integer < 0;
    job_done(ctx, none ? STATUS_NOT_FOUND : status);
}

static void change(struct store_redis *store, enum store_shelf shelf, enum store_script script,
                   struct view key, struct view record, registry_done_fn *done, void *target) {
    struct job *job = job_new(store, target, 0);
    struct key hash;
    struct buf message;
    job->fn.done = done;
    buf_init(&message, KEY_MAX);
    buf_printf(&message, "%c\n%c%.*s", shelves[shelf].kind, script == SCRIPT_PUT_ON ? '+' : '-',
               VIEW_ARG(key));
    const struct view words[] = {key_of(&hash, shelves[shelf].hash, VIEW("")), key,
                                 view_from_cstr(store->claims_channel), buf_view(&message), record};
    store_script(store, script, words, 1, record.ptr ? 5 : 4, true, on_changed, job);
    buf_done(&message);
}

void store_redis_put_on(struct store_redis *store, enum store_shelf shelf, struct view key,
                        struct view record, registry_done_fn *done, void *target) {
    change(store, shelf, SCRIPT_PUT_ON, key, record, done, target);
}

void store_redis_take_off(struct store_redis *store, enum store_shelf shelf, struct view key,
                          struct view record, registry_done_fn *done, void *target) {
    change(store, shelf, SCRIPT_TAKE_OFF, key, record, done, target);
}

/* ---- one ---- */

struct look {
    struct store_redis *store;
    store_shelf_fn *each;
    void *target;
    char key[KEY_MAX];
};

static void on_one(void *ctx, enum status status, const redisReply *reply) {
    struct look *look = ctx;
    if (status == STATUS_OK && !look->store->stopped)
        look->each(look->target, view_from_cstr(look->key), reply_text(reply));
    free(look);
}

void store_redis_look_at(struct store_redis *store, enum store_shelf shelf, struct view key,
                         store_shelf_fn *each, void *target) {
    struct look *look = heap_alloc_owed(sizeof(*look));
    struct key hash;
    *look = (struct look){.store = store, .each = each, .target = target};
    view_copy_to(key, look->key, sizeof(look->key));
    const struct view words[] = {VIEW("HGET"), key_of(&hash, shelves[shelf].hash, VIEW("")), key};
    store_call(store, words, 3, true, on_one, look);
}

/* ---- all ---- */

struct scan {
    struct store_redis *store;
    enum store_shelf shelf;
    store_shelf_fn *each;
    registry_done_fn *done;
    void *target;
    char cursor[24];
};

static void next_batch(struct scan *scan);

static void scan_end(struct scan *scan, enum status status) {
    if (!scan->store->stopped) scan->done(scan->target, 0, status);
    free(scan);
}

static void on_batch(void *ctx, enum status status, const redisReply *reply) {
    struct scan *scan = ctx;
    bool well = status == STATUS_OK && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
                reply->element[1]->type == REDIS_REPLY_ARRAY;
    if (!well || scan->store->stopped ||
        !view_copy_to(reply_text(reply->element[0]), scan->cursor, sizeof(scan->cursor))) {
        scan_end(scan, status == STATUS_OK ? STATUS_INVALID : status);
        return;
    }
    const redisReply *pairs = reply->element[1];
    for (size_t i = 0; i + 1 < pairs->elements; i += 2)
        scan->each(scan->target, reply_text(pairs->element[i]), reply_text(pairs->element[i + 1]));
    if (strcmp(scan->cursor, "0") == 0)
        scan_end(scan, STATUS_OK);
    else
        next_batch(scan);
}

static void next_batch(struct scan *scan) {
    struct key hash;
    const struct view words[] = {VIEW("HSCAN"), key_of(&hash, shelves[scan->shelf].hash, VIEW("")),
                                 view_from_cstr(scan->cursor), VIEW("COUNT"), VIEW(SCAN_COUNT)};
    store_call(scan->store, words, 5, true, on_batch, scan);
}

void store_redis_shelf(struct store_redis *store, enum store_shelf shelf, store_shelf_fn *each,
                       registry_done_fn *done, void *target) {
    struct scan *scan = heap_alloc_owed(sizeof(*scan));
    *scan = (struct scan){
        .store = store, .shelf = shelf, .each = each, .done = done, .target = target, .cursor = "0"};
    next_batch(scan);
}

/* ---- the lock ---- */

static void on_locked(void *ctx, enum status status, const redisReply *reply) {
    bool ours = status == STATUS_OK && reply->type == REDIS_REPLY_INTEGER && reply->integer == 1;
    job_done(ctx, status != STATUS_OK ? status : ours ? STATUS_OK : STATUS_CONFLICT);
}

void store_redis_lock(struct store_redis *store, struct view what, uint64_t lease_ms, registry_done_fn *done,
                      void *target) {
    struct job *job = job_new(store, target, 0);
    struct key key;
    char lease[24];
    job->fn.done = done;
    snprintf(lease, sizeof(lease), "%llu", (unsigned long long)lease_ms);
    const struct view words[] = {key_of(&key, "lock", what), view_from_cstr(store->instance),
                                 view_from_cstr(lease)};
    store_script(store, SCRIPT_LOCK, words, 1, 3, true, on_locked, job);
}

void store_redis_unlock(struct store_redis *store, struct view what, registry_done_fn *done, void *target) {
    struct job *job = job_new(store, target, 0);
    struct key key;
    job->fn.done = done;
    const struct view words[] = {key_of(&key, "lock", what), view_from_cstr(store->instance)};
    store_script(store, SCRIPT_UNLOCK, words, 1, 2, true, on_locked, job);
}
