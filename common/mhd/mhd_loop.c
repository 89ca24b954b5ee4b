/* See mhd_loop.h. */
#include "mhd/mhd_loop.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"

const char *mhd_loop_library(void) {
    static char text[48];
    snprintf(text, sizeof(text), "libmicrohttpd %.20s", MHD_get_version());
    return text;
}

void mhd_loop_log(void *ctx, const char *format, va_list args) {
    (void)ctx;
    if (!log_enabled(LOG_LEVEL_DEBUG)) return;
    char text[256];
    if (vsnprintf(text, sizeof(text), format, args) < 0) return;
    text[strcspn(text, "\n")] = '\0';
    log_debug("mhd", "%s", text);
}

static void on_timer(struct timer *timer) {
    mhd_loop_kick(LIST_ENTRY(timer, struct mhd_loop, timer));
}

/* At its limit of connections libmicrohttpd does not watch for new ones, and below it takes that up with the
 * next run only, for which who waits to be accepted gives no event. */
static bool has_lost_connections(struct mhd_loop *mhd) {
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(mhd->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    unsigned before = mhd->connections;
    mhd->connections = info ? info->num_connections : 0;
    return mhd->connections < before;
}

static bool on_turn(struct loop_hook *hook) {
    struct mhd_loop *mhd = LIST_ENTRY(hook, struct mhd_loop, hook);
    if (!mhd->ready) return false;
    mhd->ready = false;
    mhd_watch_pause(mhd->watch);
    MHD_run(mhd->daemon);
    mhd_watch_resume(mhd->watch);
    if (has_lost_connections(mhd)) mhd->ready = true;
    MHD_UNSIGNED_LONG_LONG timeout_ms;
    timer_stop(&mhd->loop->timers, &mhd->timer);
    if (MHD_get_timeout(mhd->daemon, &timeout_ms) != MHD_YES) return mhd->ready;
    if (timeout_ms == 0)
        mhd->ready = true;
    else
        timer_start(&mhd->loop->timers, &mhd->timer, timeout_ms);
    return mhd->ready;
}

bool mhd_loop_start(struct mhd_loop *mhd, struct loop *loop, struct MHD_Daemon *daemon) {
    *mhd = (struct mhd_loop){.loop = loop, .daemon = daemon, .ready = true};
    mhd->watch = mhd_watch_new(mhd);
    if (!mhd->watch) return false;
    timer_init(&mhd->timer, on_timer);
    loop_hook_init(&mhd->hook, on_turn);
    loop_hook_add(loop, &mhd->hook);
    return true;
}

void mhd_loop_stop(struct mhd_loop *mhd) {
    if (!mhd->daemon) return;
    loop_hook_remove(&mhd->hook);
    timer_stop(&mhd->loop->timers, &mhd->timer);
    mhd_watch_free(mhd->watch);
    MHD_stop_daemon(mhd->daemon);
    mhd->daemon = NULL;
}
