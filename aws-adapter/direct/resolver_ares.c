/* See resolver_ares.h. c-ares says which sockets to watch (uv_poll) and when it wants to be called again (a
 * timer). Its callback may come at once, or from within a cancellation: it only notes what was found, and a
 * task tells. */
#include "direct/resolver_ares.h"

#include <ares.h>
#include <netdb.h>
#include <stdlib.h>

#include "base/log.h"

struct resolver_ares {
    struct loop *loop;
    ares_channel channel;
    bool is_open;
    struct list sockets;
    struct timer timer;
    struct task telling;
    bool is_asking, is_cancelling;
    uint16_t port;
    int error;
    struct addresses addresses;
    resolver_ares_fn *fn; /* NULL: nobody waits */
    void *ctx;
};

/* ---- sockets and time ---- */

struct ares_watch {
    struct list node;
    uv_poll_t poll;
    struct resolver_ares *resolver;
    ares_socket_t fd;
};

static void wait_for_timeout(struct resolver_ares *resolver) {
    struct timeval room, *left = resolver->is_asking ? ares_timeout(resolver->channel, NULL, &room) : NULL;
    timer_stop(&resolver->loop->timers, &resolver->timer);
    if (left)
        timer_start(&resolver->loop->timers, &resolver->timer,
                    (uint64_t)left->tv_sec * 1000 + (uint64_t)left->tv_usec / 1000 + 1);
}

static void on_timer(struct timer *timer) {
    struct resolver_ares *resolver = LIST_ENTRY(timer, struct resolver_ares, timer);
    ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    wait_for_timeout(resolver);
}

static void on_ready(uv_poll_t *poll, int error, int events) {
    struct ares_watch *watch = poll->data;
    struct resolver_ares *resolver = watch->resolver;
    ares_socket_t fd = watch->fd; /* the watch may go in between */
    if (error < 0) events = UV_READABLE | UV_WRITABLE;
    ares_process_fd(resolver->channel, events & UV_READABLE ? fd : ARES_SOCKET_BAD,
                    events & UV_WRITABLE ? fd : ARES_SOCKET_BAD);
    wait_for_timeout(resolver);
}

static void on_watch_closed(uv_handle_t *handle) {
    free(handle->data);
}

static void watch_close(struct ares_watch *watch) {
    list_remove(&watch->node);
    uv_poll_stop(&watch->poll);
    uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
}

static struct ares_watch *watch_of(struct resolver_ares *resolver, ares_socket_t fd) {
    for (struct list *node = resolver->sockets.next; node != &resolver->sockets; node = node->next) {
        struct ares_watch *watch = LIST_ENTRY(node, struct ares_watch, node);
        if (watch->fd == fd) return watch;
    }
    return NULL;
}

static struct ares_watch *watch_new(struct resolver_ares *resolver, ares_socket_t fd) {
    struct ares_watch *watch = calloc(1, sizeof(*watch));
    if (!watch) return NULL;
    watch->resolver = resolver;
    watch->fd = fd;
    if (uv_poll_init(&resolver->loop->uv, &watch->poll, fd) != 0) {
        free(watch);
        return NULL;
    }
    watch->poll.data = watch;
    list_init(&watch->node);
    list_append(&resolver->sockets, &watch->node);
    return watch;
}

/* Both 0: c-ares closes it. One that cannot be watched runs into c-ares's own timeout. */
static void on_socket(void *ctx, ares_socket_t fd, int readable, int writable) {
    struct resolver_ares *resolver = ctx;
    struct ares_watch *watch = watch_of(resolver, fd);
    int events = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0);
    if (events && !watch) watch = watch_new(resolver, fd);
    if (watch && events)
        uv_poll_start(&watch->poll, events, on_ready);
    else if (watch)
        watch_close(watch);
}

/* ---- what was found ---- */

static int error_of(int status) {
    switch (status) {
    case ARES_SUCCESS: return 0;
    case ARES_ENODATA: return UV_EAI_NODATA;
    case ARES_ENOTFOUND:
    case ARES_EBADNAME: return UV_EAI_NONAME;
    case ARES_ETIMEOUT:
    case ARES_ECONNREFUSED:
    case ARES_ESERVFAIL: return UV_EAI_AGAIN;
    case ARES_ENOMEM: return UV_ENOMEM;
    default: return UV_EAI_FAIL;
    }
}

static void on_found(void *ctx, int status, int timeouts, struct ares_addrinfo *result) {
    struct resolver_ares *resolver = ctx;
    (void)timeouts;
    for (const struct ares_addrinfo_node *node = result ? result->nodes : NULL; node; node = node->ai_next)
        addresses_add(&resolver->addresses, node->ai_addr, resolver->port);
    if (result) ares_freeaddrinfo(result);
    resolver->is_asking = false;
    if (resolver->is_cancelling) return;
    resolver->error = error_of(status);
    if (!resolver->error && !resolver->addresses.count) resolver->error = UV_EAI_NODATA;
    tasks_post(&resolver->loop->tasks, &resolver->telling);
}

static void on_telling(struct task *task) {
    struct resolver_ares *resolver = LIST_ENTRY(task, struct resolver_ares, telling);
    resolver_ares_fn *fn = resolver->fn;
    resolver->fn = NULL;
    if (fn) fn(resolver->ctx, resolver->error, &resolver->addresses);
}

/* ---- asking ---- */

static bool open_channel(struct resolver_ares *resolver) {
    struct ares_options options = {.sock_state_cb = on_socket, .sock_state_cb_data = resolver};
    if (resolver->is_open) return true;
    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) return false;
    resolver->is_open =
        ares_init_options(&resolver->channel, &options, ARES_OPT_SOCK_STATE_CB) == ARES_SUCCESS;
    if (!resolver->is_open) ares_library_cleanup();
    return resolver->is_open;
}

static void ask(struct resolver_ares *resolver, const char *host) {
    struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    resolver->is_asking = true;
    ares_getaddrinfo(resolver->channel, host, NULL, &hints, on_found, resolver);
    wait_for_timeout(resolver);
}

void resolver_ares_lookup(struct resolver_ares *resolver, const char *host, uint16_t port,
                          resolver_ares_fn *fn, void *ctx) {
    resolver_ares_cancel(resolver);
    resolver->fn = fn;
    resolver->ctx = ctx;
    resolver->port = port;
    resolver->error = 0;
    resolver->addresses.count = 0;
    if (addresses_are_loopback(host)) {
        addresses_set_loopback(&resolver->addresses, port);
        tasks_post(&resolver->loop->tasks, &resolver->telling);
    } else if (open_channel(resolver)) {
        ask(resolver, host);
    } else {
        log_error("resolver", "names cannot be looked up here");
        resolver->error = UV_EAI_FAIL;
        tasks_post(&resolver->loop->tasks, &resolver->telling);
    }
}

void resolver_ares_cancel(struct resolver_ares *resolver) {
    resolver->fn = NULL;
    task_cancel(&resolver->telling);
    timer_stop(&resolver->loop->timers, &resolver->timer);
    if (!resolver->is_asking) return;
    resolver->is_cancelling = true;
    ares_cancel(resolver->channel);
    resolver->is_cancelling = false;
}

/* ---- life ---- */

struct resolver_ares *resolver_ares_new(struct loop *loop) {
    struct resolver_ares *resolver = calloc(1, sizeof(*resolver));
    if (!resolver) return NULL;
    resolver->loop = loop;
    list_init(&resolver->sockets);
    timer_init(&resolver->timer, on_timer);
    task_init(&resolver->telling, on_telling);
    return resolver;
}

void resolver_ares_free(struct resolver_ares *resolver) {
    if (!resolver) return;
    resolver_ares_cancel(resolver);
    if (resolver->is_open) {
        ares_destroy(resolver->channel); /* tells of every socket that it closes */
        ares_library_cleanup();
    }
    free(resolver);
}
