/* See denial_keep.h. The file is written by a thread of libuv's, a whole one at a time: what changes
 * meanwhile is in the next. */
#include "control/denial_keep.h"

#include <errno.h>
#include <stdlib.h>

#include "base/heap.h"
#include "base/log.h"
#include "base/regular_file.h"
#include "control/denial_file.h"

enum { FORGOTTEN_MAX = 500, CLOCKS_DIFFER_MS = 60000 };

/* Somebody who waits until a change is kept. */
struct keeper {
    struct list node; /* of keep->waiting, or keep->saved */
    registry_done_fn *done;
    void *target;
    enum status status;
};

struct denial_keep {
    struct denial_keep_settings settings;
    struct denial_list list;
    char *path;
    struct list waiting, saved; /* struct keeper: for the next file; for the one that is being written */
    struct task save;
    uv_work_t work;
    bool is_saving, is_loading, load_again, is_emptied, is_stopped;
    char *text;
    size_t len;
    int error; /* of the thread; 0: it is written */
};

/* ---- the file ---- */

static void on_save(struct task *task);

static void tell(struct list *keepers, int error) {
    for (struct list *node; (node = list_pop(keepers));) {
        struct keeper *keeper = LIST_ENTRY(node, struct keeper, node);
        bool failed = error && keeper->status == STATUS_OK;
        keeper->done(keeper->target, 0, failed ? STATUS_UNAVAILABLE : keeper->status);
        free(keeper);
    }
}

static void write_file(uv_work_t *work) {
    struct denial_keep *keep = work->data;
    keep->error = file_replace(keep->path, view_of(keep->text, keep->len)) ? 0 : errno;
}

static void on_written(uv_work_t *work, int status) {
    struct denial_keep *keep = work->data;
    if (status) keep->error = ECANCELED;
    if (keep->error) log_error("control", "%s: %s", keep->path, strerror(keep->error));
    free(keep->text);
    keep->is_saving = false;
    tell(&keep->saved, keep->error);
    if (!list_empty(&keep->waiting) && !keep->is_stopped)
        tasks_post(&keep->settings.loop->tasks, &keep->save);
}

/* Without a file nothing is kept, and whoever waits is told so. */
static void on_save(struct task *task) {
    struct denial_keep *keep = LIST_ENTRY(task, struct denial_keep, save);
    if (keep->is_saving) return;
    list_move_all(&keep->saved, &keep->waiting);
    keep->text = keep->path ? denial_file_text(&keep->list, &keep->len) : NULL;
    keep->work.data = keep;
    keep->is_saving =
        keep->text && uv_queue_work(&keep->settings.loop->uv, &keep->work, write_file, on_written) == 0;
    if (keep->is_saving) return;
    free(keep->text);
    tell(&keep->saved, ENOENT);
}

static void save(struct denial_keep *keep, enum status status, registry_done_fn *done, void *target) {
    struct keeper *keeper = heap_alloc_owed(sizeof(*keeper));
    *keeper = (struct keeper){.done = done, .target = target, .status = status};
    list_init(&keeper->node);
    list_append(&keep->waiting, &keeper->node);
    tasks_post(&keep->settings.loop->tasks, &keep->save);
}

/* ---- those that are over ---- */

static void ignore(void *target, uint64_t ticket, enum status status) {
    (void)target, (void)ticket, (void)status;
}

/* In the store as well, unless another gateway has put a new one there. */
static void forget(struct denial_keep *keep, const struct denial *denial) {
    struct view key = view_from_cstr(denial->key);
    struct buf record;
    buf_init(&record, 1024);
    if (keep->settings.redis && denial_record_encode(&record, denial))
        store_redis_take_off(keep->settings.redis, SHELF_DENIALS, key, buf_view(&record), ignore, NULL);
    buf_done(&record);
    denial_list_drop(&keep->list, key);
}

/* The list grows by changes only, so that is when it is looked through. */
static void forget_some(struct denial_keep *keep) {
    size_t left = FORGOTTEN_MAX;
    for (struct list *node = keep->list.all.next, *next; left && node != &keep->list.all; node = next) {
        const struct denial *denial = LIST_ENTRY(node, const struct denial, all);
        next = node->next;
        if (!denial_list_is_over(&keep->list, denial, CLOCKS_DIFFER_MS)) continue;
        forget(keep, denial);
        left--;
    }
}

/* ---- changes ---- */

static void tell_changed(struct denial_keep *keep) {
    keep->settings.changed(keep->settings.ctx);
}

void denial_keep_deny(struct denial_keep *keep, const struct denial *denial, registry_done_fn *done,
                      void *target) {
    struct view key = view_from_cstr(denial->key);
    struct buf record;
    forget_some(keep);
    buf_init(&record, 1024);
    denial_record_encode(&record, denial);
    bool is_shared = keep->settings.redis;
    enum status status = denial_list_put(&keep->list, key, buf_view(&record));
    if (status == STATUS_OK) tell_changed(keep);
    if (status == STATUS_OK && is_shared)
        store_redis_put_on(keep->settings.redis, SHELF_DENIALS, key, buf_view(&record), done, target);
    else
        save(keep, status, done, target);
    buf_done(&record);
}

void denial_keep_allow(struct denial_keep *keep, struct view key, registry_done_fn *done, void *target) {
    bool was = denial_list_drop(&keep->list, key);
    if (keep->settings.redis)
        store_redis_take_off(keep->settings.redis, SHELF_DENIALS, key, (struct view){0}, done, target);
    else
        save(keep, was ? STATUS_OK : STATUS_NOT_FOUND, done, target);
}

/* ---- the store ---- */

static void take(void *target, struct view key, struct view record) {
    struct denial_keep *keep = target;
    if (record.ptr)
        denial_list_put(&keep->list, key, record);
    else
        denial_list_drop(&keep->list, key);
}

static void take_one(void *target, struct view key, struct view record) {
    if (!record.ptr) return;
    take(target, key, record);
    tell_changed(target);
}

/* What fails is tried again when the store is reached. */
static void give_back(struct denial_keep *keep, const struct denial *denial) {
    struct buf record;
    buf_init(&record, 1024);
    if (denial_record_encode(&record, denial))
        store_redis_put_on(keep->settings.redis, SHELF_DENIALS, view_from_cstr(denial->key),
                           buf_view(&record), ignore, NULL);
    buf_done(&record);
}

/* Those that the store does not have any more: allowed while we could not hear it, or lost. */
static void settle(struct denial_keep *keep) {
    for (struct list *node = keep->list.all.next, *next; node != &keep->list.all; node = next) {
        struct denial *denial = LIST_ENTRY(node, struct denial, all);
        next = node->next;
        if (denial->generation == keep->list.generation) continue;
        if (keep->is_emptied)
            give_back(keep, denial);
        else
            denial_list_drop(&keep->list, view_from_cstr(denial->key));
    }
    keep->is_emptied = false;
}

static void load(struct denial_keep *keep);

static void on_loaded(void *target, uint64_t ticket, enum status status) {
    (void)ticket;
    struct denial_keep *keep = target;
    keep->is_loading = false;
    if (status == STATUS_OK) settle(keep);
    tell_changed(keep);
    if (keep->load_again) load(keep);
}

static void load(struct denial_keep *keep) {
    keep->load_again = keep->is_loading;
    if (keep->is_loading) return;
    keep->is_loading = true;
    keep->list.generation++;
    store_redis_shelf(keep->settings.redis, SHELF_DENIALS, take, on_loaded, keep);
}

void denial_keep_reached(struct denial_keep *keep) {
    load(keep);
}

/* What was written and is not there any more was removed, and that is heard next; or the store has lost it.
 */
void denial_keep_changed(struct denial_keep *keep, struct view key, bool was_removed) {
    if (denial_key_valid(key))
        store_redis_look_at(keep->settings.redis, SHELF_DENIALS, key, was_removed ? take : take_one, keep);
}

void denial_keep_emptied(struct denial_keep *keep) {
    keep->is_emptied = true;
    load(keep);
}

/* ---- the module ---- */

struct denial_list *denial_keep_list(struct denial_keep *keep) {
    return &keep->list;
}

struct denial_keep *denial_keep_new(const struct denial_keep_settings *settings, const char **ret_why) {
    struct denial_keep *keep = calloc(1, sizeof(*keep));
    *ret_why = "out of memory";
    if (!keep) return NULL;
    keep->settings = *settings;
    denial_list_init(&keep->list, loop_wall_ms, NULL);
    list_init(&keep->waiting);
    list_init(&keep->saved);
    task_init(&keep->save, on_save);
    if (settings->redis || !settings->path) return keep;
    keep->path = strdup(settings->path);
    bool loaded = keep->path && denial_file_load(keep->path, &keep->list);
    if (loaded) return keep;
    if (keep->path) *ret_why = errno == EINVAL ? "it cannot be understood" : strerror(errno);
    denial_keep_free(keep);
    return NULL;
}

void denial_keep_stop(struct denial_keep *keep) {
    if (!keep) return;
    keep->is_stopped = true;
    task_cancel(&keep->save);
}

static void drop_all(struct list *keepers) {
    for (struct list *node; (node = list_pop(keepers));) free(LIST_ENTRY(node, struct keeper, node));
}

static void save_last(struct denial_keep *keep) {
    size_t len;
    char *text = keep->path && !list_empty(&keep->waiting) ? denial_file_text(&keep->list, &len) : NULL;
    if (text && !file_replace(keep->path, view_of(text, len)))
        log_error("control", "%s: %s", keep->path, strerror(errno));
    free(text);
}

void denial_keep_free(struct denial_keep *keep) {
    if (!keep) return;
    task_cancel(&keep->save);
    save_last(keep);
    drop_all(&keep->waiting);
    drop_all(&keep->saved);
    denial_list_done(&keep->list);
    free(keep->path);
    free(keep);
}
