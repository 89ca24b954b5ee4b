/* See mhd_watch.h. */
#include <stdlib.h>

#include "mhd/mhd_loop.h"
#include "mhd/mhd_watch.h"

struct mhd_watch {
    uv_poll_t poll;
};

unsigned mhd_watch_flags(void) {
    return MHD_USE_EPOLL;
}

static void on_readable(uv_poll_t *poll, int status, int events) {
    (void)status, (void)events;
    mhd_loop_kick(poll->data);
}

struct mhd_watch *mhd_watch_new(struct mhd_loop *mhd) {
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(mhd->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    struct mhd_watch *watch = info && info->epoll_fd >= 0 ? calloc(1, sizeof(*watch)) : NULL;
    if (!watch || uv_poll_init(&mhd->loop->uv, &watch->poll, info->epoll_fd) != 0) {
        free(watch);
        return NULL;
    }
    watch->poll.data = mhd;
    uv_poll_start(&watch->poll, UV_READABLE, on_readable);
    return watch;
}

void mhd_watch_pause(struct mhd_watch *watch) {
    (void)watch;
}

void mhd_watch_resume(struct mhd_watch *watch) {
    (void)watch;
}

static void on_closed(uv_handle_t *handle) {
    free(LIST_ENTRY(handle, struct mhd_watch, poll));
}

void mhd_watch_free(struct mhd_watch *watch) {
    if (watch) uv_close((uv_handle_t *)&watch->poll, on_closed);
}
