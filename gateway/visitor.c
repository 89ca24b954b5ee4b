/* See visitor.h. The daemon, and what concerns all visitors at once: deadlines, and watching those that wait.
 */
#include "tcp.h"
#include "visit.h"

#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define NEW_PATIENCE_MS 1000
#define WATCH_BATCH 64
#define UNSENT_BYTES (512 * 1024)

static struct visit *visit_of(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct visit *visit = info ? info->socket_context : NULL;
    if (visit && visit->magic != VISIT_MAGIC) abort();
    return visit;
}

/* ---- MHD's callbacks ---- */

static void on_connection(void *ctx, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code) {
    struct visitors *side = ctx;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *socket_context = visit_new(side, connection);
        if (*socket_context) side->accepting = NULL; /* moved */
    } else if (*socket_context) {
        visit_free(*socket_context);
        *socket_context = NULL;
    }
}

static void *on_request_line(void *ctx, const char *target, struct MHD_Connection *connection) {
    (void)ctx;
    struct visit *visit = visit_of(connection);
    if (visit) visit_begin(visit, target);
    return visit;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data, size_t *size,
                                  void **request) {
    (void)ctx, (void)url, (void)request;
    struct visit *visit = visit_of(connection);
    return visit ? visit_handle(visit, method, version, data, size) : MHD_NO;
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **request,
                         enum MHD_RequestTerminationCode code) {
    (void)ctx;
    struct visit *visit = visit_of(connection);
    if (visit) {
        if (code != MHD_REQUEST_TERMINATED_COMPLETED_OK) visit->is_broken = true;
        visit_end(visit);
    }
    *request = NULL;
}

static size_t keep_escapes(void *ctx, struct MHD_Connection *connection, char *text) {
    (void)ctx, (void)connection;
    return strlen(text);
}

static struct MHD_Daemon *start_daemon(struct visitors *side) {
    return MHD_start_daemon(
        MHD_LOOP_FLAGS, 0, NULL, NULL, on_request, side, MHD_OPTION_EXTERNAL_LOGGER, mhd_loop_log, NULL,
        MHD_OPTION_URI_LOG_CALLBACK, on_request_line, side, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, side, MHD_OPTION_NOTIFY_COMPLETED, on_completed, side,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, VISIT_POOL_BYTES, MHD_OPTION_CONNECTION_MEMORY_INCREMENT,
        (size_t)16384, MHD_OPTION_CONNECTION_LIMIT, (unsigned)side->settings.max_connections,
#if MHD_VERSION >= 0x01000000
        MHD_OPTION_CLIENT_DISCIPLINE_LVL, 1, /* no bare LF; 0.9.75 is left lax, its 400s would not be ours */
#endif
        MHD_OPTION_END);
}

/* ---- the turn ---- */

static bool on_turn(struct loop_hook *hook) {
    struct visitors *side = LIST_ENTRY(hook, struct visitors, hook);
    struct list *node;
    while ((node = list_pop(&side->changed))) visit_changed(LIST_ENTRY(node, struct visit, changed));
    return false; /* MHD's hook follows and tells */
}

static uint64_t sweep_interval_ms(const struct visitors *side) {
    uint64_t shortest = side->settings.header_timeout_ms;
    if (side->settings.keepalive_timeout_ms < shortest) shortest = side->settings.keepalive_timeout_ms;
    if (side->settings.body_idle_timeout_ms < shortest) shortest = side->settings.body_idle_timeout_ms;
    shortest /= 4;
    return shortest < 20 ? 20 : shortest > 1000 ? 1000 : shortest;
}

static void on_sweep(struct timer *timer) {
    struct visitors *side = LIST_ENTRY(timer, struct visitors, sweep);
    uint64_t now = loop_now(side->loop);
    for (struct list *node = side->all.next, *next; node != &side->all; node = next) {
        next = node->next; /* cutting frees nothing by itself */
        struct visit *visit = LIST_ENTRY(node, struct visit, node);
        if (visit_past_deadline(visit, now)) visit_cut(visit);
    }
    if (!list_empty(&side->all)) timer_start(&side->loop->timers, &side->sweep, sweep_interval_ms(side));
}

/* ---- watching those that wait ---- */

static void watch(struct visitors *side, struct visit *visit) {
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLONESHOT, .data.ptr = visit};
    if (epoll_ctl(side->watch_fd, EPOLL_CTL_ADD, visit->fd, &event) == 0)
        visit->is_watched = true;
    else
        log_warn("visitor", "a connection cannot be watched: %s", strerror(errno));
}

/* Most requests are answered before it pays to watch them. */
static void on_watch(struct timer *timer) {
    struct visitors *side = LIST_ENTRY(timer, struct visitors, watch);
    uint64_t now = loop_now(side->loop);
    while (!list_empty(&side->suspended)) {
        struct visit *visit = LIST_ENTRY(side->suspended.next, struct visit, suspended_node);
        if (visit->suspended_ms + VISIT_WATCH_AFTER_MS > now) break;
        list_remove(&visit->suspended_node);
        watch(side, visit);
    }
    if (!list_empty(&side->suspended)) timer_start(&side->loop->timers, &side->watch, VISIT_WATCH_AFTER_MS);
}

static void on_watched(uv_poll_t *poll, int status, int events) {
    (void)status, (void)events;
    struct visitors *side = poll->data;
    struct epoll_event gone[WATCH_BATCH];
    int count = epoll_wait(side->watch_fd, gone, WATCH_BATCH, 0);
    for (int i = 0; i < count; i++) {
        struct visit *visit = gone[i].data.ptr;
        if (visit->magic != VISIT_MAGIC) abort();
        visit_break(visit);
    }
}

/* ---- the module ---- */

static bool start_watching(struct visitors *side) {
    side->watch_fd = epoll_create1(EPOLL_CLOEXEC);
    if (side->watch_fd < 0) return false;
    uv_poll_init(&side->loop->uv, &side->watch_poll, side->watch_fd);
    side->watch_poll.data = side;
    uv_poll_start(&side->watch_poll, UV_READABLE, on_watched);
    return true;
}

struct visitors *visitors_new(struct loop *loop, struct core *core, const struct visitor_settings *settings) {
    struct visitors *side = calloc(1, sizeof(*side));
    if (!side) return NULL;
    side->loop = loop;
    side->core = core;
    side->settings = *settings;
    list_init(&side->all);
    list_init(&side->changed);
    list_init(&side->suspended);
    timer_init(&side->sweep, on_sweep);
    timer_init(&side->watch, on_watch);
    loop_hook_init(&side->hook, on_turn);
    loop_hook_add(loop, &side->hook);
    struct MHD_Daemon *daemon = start_daemon(side);
    if (daemon && mhd_loop_start(&side->mhd, loop, daemon) && start_watching(side)) return side;
    log_error("visitor", "libmicrohttpd does not start");
    abort(); /* at startup, without a descriptor or memory to begin with */
}

void visitors_accept(void *ctx, int fd, struct peer *peer, const struct sockaddr *address, socklen_t len) {
    struct visitors *side = ctx;
    side->accepting = peer;
    tcp_limit_unsent(fd, UNSENT_BYTES);
    MHD_add_connection(side->mhd.daemon, fd, address, len);
    if (side->accepting) peer_release(side->accepting); /* MHD refused, and has closed the socket */
    side->accepting = NULL;
    mhd_loop_kick(&side->mhd);
    if (!timer_armed(&side->sweep)) timer_start(&side->loop->timers, &side->sweep, sweep_interval_ms(side));
}

/* Has it sent something that MHD has not read yet? Then it gets its answer. */
static bool has_unread(const struct visit *visit) {
    char byte;
    return recv(visit->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static bool is_new(const struct visit *visit) {
    return visit->started_ns == 0 && !visit->is_broken;
}

void visitors_close_after(struct visitors *side) {
    side->draining = true;
}

void visitors_drain(struct visitors *side) {
    uint64_t patience_ms = loop_now(side->loop) + NEW_PATIENCE_MS;
    side->draining = true;
    for (struct list *node = side->all.next; node != &side->all; node = node->next) {
        struct visit *visit = LIST_ENTRY(node, struct visit, node);
        if (visit->phase != VISIT_IDLE || has_unread(visit)) continue;
        if (!is_new(visit))
            visit_cut(visit);
        else if (visit->deadline_ms > patience_ms)
            visit->deadline_ms = patience_ms;
    }
}

size_t visitors_busy(const struct visitors *side) {
    size_t count = 0;
    for (const struct list *node = side->all.next; node != &side->all; node = node->next) {
        const struct visit *visit = LIST_ENTRY(node, const struct visit, node);
        if (visit->phase != VISIT_IDLE || is_new(visit) || has_unread(visit)) count++;
    }
    return count;
}

void visitors_stop(struct visitors *side) {
    if (!side || side->stopped) return;
    side->stopped = side->draining = true;
    for (struct list *node = side->all.next; node != &side->all; node = node->next)
        visit_break(LIST_ENTRY(node, struct visit, node));
    on_turn(&side->hook);
    loop_hook_remove(&side->hook);
    timer_stop(&side->loop->timers, &side->sweep);
    timer_stop(&side->loop->timers, &side->watch);
    MHD_run(side->mhd.daemon); /* nothing may be suspended when it stops */
    mhd_loop_stop(&side->mhd);
    timer_stop(&side->loop->timers, &side->sweep);
    timer_stop(&side->loop->timers, &side->watch);
    uv_poll_stop(&side->watch_poll);
    uv_close((uv_handle_t *)&side->watch_poll, NULL);
    close(side->watch_fd);
    assert(list_empty(&side->all));
}

void visitors_free(struct visitors *side) {
    free(side);
}
