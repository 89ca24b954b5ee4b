#include "dns/ares_loop.h"

#include <stdio.h>
#include <stdlib.h>

#define TRIES 2

struct ares_watch {
    struct list node;
    uv_poll_t poll;
    struct ares_loop *ares;
    ares_socket_t fd;
};

void ares_loop_wait(struct ares_loop *ares) {
    struct timeval room, *left = ares->is_open ? ares_timeout(ares->channel, NULL, &room) : NULL;
    timer_stop(&ares->loop->timers, &ares->timer);
    if (left)
        timer_start(&ares->loop->timers, &ares->timer,
                    (uint64_t)left->tv_sec * 1000 + (uint64_t)left->tv_usec / 1000 + 1);
}

static void on_timer(struct timer *timer) {
    struct ares_loop *ares = LIST_ENTRY(timer, struct ares_loop, timer);
    ares_process_fd(ares->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    ares_loop_wait(ares);
}

static void on_ready(uv_poll_t *poll, int error, int events) {
    struct ares_watch *watch = poll->data;
    struct ares_loop *ares = watch->ares;
    ares_socket_t fd = watch->fd; /* the watch may go in between */
    if (error < 0) events = UV_READABLE | UV_WRITABLE;
    ares_process_fd(ares->channel, events & UV_READABLE ? fd : ARES_SOCKET_BAD,
                    events & UV_WRITABLE ? fd : ARES_SOCKET_BAD);
    ares_loop_wait(ares);
}

static void on_watch_closed(uv_handle_t *handle) {
    free(handle->data);
}

static void watch_close(struct ares_watch *watch) {
    list_remove(&watch->node);
    uv_poll_stop(&watch->poll);
    uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
}

static struct ares_watch *watch_of(struct ares_loop *ares, ares_socket_t fd) {
    for (struct list *node = ares->sockets.next; node != &ares->sockets; node = node->next) {
        struct ares_watch *watch = LIST_ENTRY(node, struct ares_watch, node);
        if (watch->fd == fd) return watch;
    }
    return NULL;
}

static struct ares_watch *watch_new(struct ares_loop *ares, ares_socket_t fd) {
    struct ares_watch *watch = calloc(1, sizeof(*watch));
    if (!watch) return NULL;
    watch->ares = ares;
    watch->fd = fd;
    if (uv_poll_init(&ares->loop->uv, &watch->poll, fd) != 0) {
        free(watch);
        return NULL;
    }
    watch->poll.data = watch;
    list_init(&watch->node);
    list_append(&ares->sockets, &watch->node);
    return watch;
}

/* Both 0: c-ares closes it. One that cannot be watched runs into c-ares's own timeout. */
static void on_socket(void *ctx, ares_socket_t fd, int readable, int writable) {
    struct ares_loop *ares = ctx;
    struct ares_watch *watch = watch_of(ares, fd);
    int events = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0);
    if (events && !watch) watch = watch_new(ares, fd);
    if (watch && events)
        uv_poll_start(&watch->poll, events, on_ready);
    else if (watch)
        watch_close(watch);
}

const char *ares_loop_library(void) {
    static char text[32];
    snprintf(text, sizeof(text), "c-ares %s", ares_version(NULL));
    return text;
}

void ares_loop_init(struct ares_loop *ares, struct loop *loop) {
    *ares = (struct ares_loop){.loop = loop};
    list_init(&ares->sockets);
    timer_init(&ares->timer, on_timer);
}

bool ares_loop_open(struct ares_loop *ares, const char *servers, int timeout_ms) {
    struct ares_options options = {
        .sock_state_cb = on_socket, .sock_state_cb_data = ares, .timeout = timeout_ms, .tries = TRIES};
    int wanted = ARES_OPT_SOCK_STATE_CB | (timeout_ms ? ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES : 0);
    if (ares->is_open) return true;
    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) return false;
    ares->is_open = ares_init_options(&ares->channel, &options, wanted) == ARES_SUCCESS;
    if (!ares->is_open) ares_library_cleanup();
    if (ares->is_open && servers && ares_set_servers_ports_csv(ares->channel, servers) != ARES_SUCCESS)
        ares_loop_close(ares);
    return ares->is_open;
}

void ares_loop_close(struct ares_loop *ares) {
    timer_stop(&ares->loop->timers, &ares->timer);
    if (!ares->is_open) return;
    ares->is_open = false;
    ares_destroy(ares->channel); /* tells of every socket that it closes */
    ares_library_cleanup();
}
