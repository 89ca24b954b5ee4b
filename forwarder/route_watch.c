/* See route_watch.h. What the messages say does not matter, only that some came; ours alone, that is: the
 * kernel's. */
#include "route_watch.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "route_socket.h"

#define READS_A_TURN 64

struct route_watch {
    struct loop *loop;
    void (*changed)(void *ctx);
    void *ctx;
    uv_poll_t poll;
    struct timer settle;
    int fd;
};

static void on_settled(struct timer *timer) {
    struct route_watch *watch = LIST_ENTRY(timer, struct route_watch, settle);
    watch->changed(watch->ctx);
}

static void on_poll(uv_poll_t *poll, int status, int events) {
    (void)events;
    struct route_watch *watch = poll->data;
    char bytes[4096];
    for (int i = 0; i < READS_A_TURN && recv(watch->fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0; i++)
        continue;
    if (status < 0) uv_poll_stop(poll);
    if (!timer_armed(&watch->settle)) timer_start(&watch->loop->timers, &watch->settle, ROUTE_SETTLE_MS);
}

struct route_watch *route_watch_new(struct loop *loop, void (*changed)(void *ctx), void *ctx) {
    struct route_watch *watch = calloc(1, sizeof(*watch));
    if (!watch) return NULL;
    *watch = (struct route_watch){.loop = loop, .changed = changed, .ctx = ctx, .fd = route_socket_open()};
    timer_init(&watch->settle, on_settled);
    if (watch->fd < 0 || uv_poll_init(&loop->uv, &watch->poll, watch->fd) != 0) {
        if (watch->fd >= 0) close(watch->fd);
        free(watch);
        return NULL;
    }
    watch->poll.data = watch;
    uv_poll_start(&watch->poll, UV_READABLE, on_poll);
    return watch;
}

static void on_closed(uv_handle_t *handle) {
    free(handle->data);
}

void route_watch_stop(struct route_watch *watch) {
    if (!watch) return;
    timer_stop(&watch->loop->timers, &watch->settle);
    uv_close((uv_handle_t *)&watch->poll, on_closed);
    close(watch->fd);
}
