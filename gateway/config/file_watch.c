/* See file_watch.h. */
#include "config/file_watch.h"

#include <signal.h>
#include <sys/stat.h>

#define FNV_START 0xcbf29ce484222325u
#define FNV_PRIME 0x100000001b3u

static void mix(uint64_t *mark, uint64_t value) {
    *mark = (*mark ^ value) * FNV_PRIME; /* FNV-1a, by words */
}

void file_watch_add(uint64_t *mark, struct view path) {
    char text[4096];
    struct stat status = {0};
    if (!view_copy_to(path, text, sizeof(text)) || stat(text, &status) != 0) {
        mix(mark, 1);
        return;
    }
    mix(mark, (uint64_t)status.st_dev);
    mix(mark, (uint64_t)status.st_ino);
    mix(mark, (uint64_t)status.st_size);
    mix(mark, (uint64_t)status.st_mtim.tv_sec);
    mix(mark, (uint64_t)status.st_mtim.tv_nsec);
}

static uint64_t mark_now(const struct file_watch *watch) {
    uint64_t mark = FNV_START;
    watch->owner->name(watch->ctx, &mark);
    return mark;
}

/* The mark comes first: what changes while it is being read is read again. */
static void read_again(struct file_watch *watch) {
    watch->seen = watch->read = mark_now(watch);
    watch->owner->read(watch->ctx);
}

static void on_look(struct timer *timer) {
    struct file_watch *watch = LIST_ENTRY(timer, struct file_watch, look);
    uint64_t mark = mark_now(watch);
    bool is_settled = mark == watch->seen, is_new = mark != watch->read;
    watch->seen = mark;
    if (is_settled && is_new) read_again(watch);
    timer_start(&watch->loop->timers, &watch->look, FILE_WATCH_LOOK_MS);
    if (watch->owner->looked) watch->owner->looked(watch->ctx);
}

static void on_hangup(uv_signal_t *signal, int number) {
    (void)number;
    read_again(signal->data);
}

void file_watch_init(struct file_watch *watch, const struct file_watch_owner *owner, void *ctx) {
    *watch = (struct file_watch){.owner = owner, .ctx = ctx};
    watch->seen = watch->read = mark_now(watch);
}

void file_watch_start(struct file_watch *watch, struct loop *loop) {
    watch->loop = loop;
    timer_init(&watch->look, on_look);
    timer_start(&loop->timers, &watch->look, FILE_WATCH_LOOK_MS);
    uv_signal_init(&loop->uv, &watch->hangup);
    watch->hangup.data = watch;
    uv_signal_start(&watch->hangup, on_hangup, SIGHUP);
}

void file_watch_stop(struct file_watch *watch) {
    if (!watch->loop) return;
    timer_stop(&watch->loop->timers, &watch->look);
    uv_close((uv_handle_t *)&watch->hangup, NULL);
    watch->loop = NULL;
}
