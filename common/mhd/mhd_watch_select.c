/* See mhd_watch.h. Nothing here is Darwin's or Windows' own, so that it can be tried elsewhere. The sockets'
 * numbers are below FD_SETSIZE, or the daemon refuses them; on Windows they are few, and their numbers small.
 */
#include <stdlib.h>
#include <sys/select.h>

#include "mhd/mhd_loop.h"
#include "mhd/mhd_watch.h"

struct watched {
    uv_poll_t poll;
    struct watched *next;
};

struct mhd_watch {
    struct mhd_loop *mhd;
    struct watched *first;
};

unsigned mhd_watch_flags(void) {
    return 0;
}

static void on_ready(uv_poll_t *poll, int status, int events) {
    (void)status, (void)events;
    mhd_loop_kick(poll->data);
}

static void add(struct mhd_watch *watch, MHD_socket fd, int events) {
    struct watched *watched = calloc(1, sizeof(*watched));
    if (!watched || uv_poll_init_socket(&watch->mhd->loop->uv, &watched->poll, fd) != 0) {
        free(watched); /* the daemon's timer comes all the same */
        return;
    }
    watched->poll.data = watch->mhd;
    watched->next = watch->first;
    watch->first = watched;
    uv_poll_start(&watched->poll, events, on_ready);
}

void mhd_watch_resume(struct mhd_watch *watch) {
    fd_set reads, writes, others;
    MHD_socket max = MHD_INVALID_SOCKET;
    FD_ZERO(&reads);
    FD_ZERO(&writes);
    FD_ZERO(&others);
    if (MHD_get_fdset(watch->mhd->daemon, &reads, &writes, &others, &max) != MHD_YES) return;
    for (MHD_socket fd = 0; max != MHD_INVALID_SOCKET && fd <= max; fd++) {
        int events = (FD_ISSET(fd, &reads) ? UV_READABLE : 0) | (FD_ISSET(fd, &writes) ? UV_WRITABLE : 0);
        if (events) add(watch, fd, events);
    }
}

struct mhd_watch *mhd_watch_new(struct mhd_loop *mhd) {
    struct mhd_watch *watch = calloc(1, sizeof(*watch));
    if (!watch) return NULL;
    watch->mhd = mhd;
    mhd_watch_resume(watch);
    return watch;
}

static void on_closed(uv_handle_t *handle) {
    free(LIST_ENTRY(handle, struct watched, poll));
}

void mhd_watch_pause(struct mhd_watch *watch) {
    while (watch->first) {
        struct watched *watched = watch->first;
        watch->first = watched->next;
        uv_close((uv_handle_t *)&watched->poll, on_closed);
    }
}

void mhd_watch_free(struct mhd_watch *watch) {
    if (!watch) return;
    mhd_watch_pause(watch);
    free(watch);
}
