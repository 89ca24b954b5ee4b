/* See listener.h. A few sockets a port: one an address family and address. */
#include "sockets/listener.h"

#include <assert.h>
#include <errno.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "net/pacing.h"
#include "net/sockaddr.h"
#include "sockets/inherited.h"

#define SOCKETS_MAX 8
#define ACCEPT_BATCH 16 /* a turn of the loop: a quarter of a millisecond */
#define BACKLOG 1024
#define PAUSE_MS 100
#define PORT_TRIES 16

struct listening {
    uv_poll_t poll;
    struct listener *listener;
    int fd;
};

struct listener {
    struct loop *loop;
    struct clients *clients;
    listener_fn *accepted;
    void *ctx;
    struct timer pause; /* armed: no descriptors left, accepting rests */
    struct listening sockets[SOCKETS_MAX];
    size_t count, closing;
    uint16_t port;
    bool exhausted_logged, full_logged;
};

static void on_readable(uv_poll_t *poll, int status, int events);

static void close_all(struct listener *listener) {
    for (size_t i = 0; i < listener->count; i++) close(listener->sockets[i].fd);
    listener->count = 0;
}

/* 0: it is not bound. */
static uint16_t port_of(int fd) {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {.v6 = {0}};
    socklen_t len = sizeof(address);
    if (getsockname(fd, &address.any, &len) != 0) return 0;
    return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

/* Returns an errno, 0 for success. */
static int bind_one(struct listener *listener, const struct addrinfo *info, uint16_t port) {
    struct sockaddr_storage address = {0};
    memcpy(&address, info->ai_addr, info->ai_addrlen);
    sockaddr_set_port(&address, port);
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return errno;
    int one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (info->ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&address, info->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int error = errno;
        close(fd);
        return error;
    }
    listener->port = port_of(fd);
    listener->sockets[listener->count].fd = fd;
    listener->sockets[listener->count++].listener = listener;
    return 0;
}

static bool family_is_missing(int error) {
    return error == EAFNOSUPPORT || error == EADDRNOTAVAIL || error == EPROTONOSUPPORT;
}

/* All addresses on one port. */
static int bind_all(struct listener *listener, const struct addrinfo *infos, uint16_t port) {
    int missing = EADDRNOTAVAIL;
    for (const struct addrinfo *info = infos; info && listener->count < SOCKETS_MAX; info = info->ai_next) {
        int error = bind_one(listener, info, port);
        if (!error) {
            port = listener->port;
            continue;
        }
        missing = error;
        if (family_is_missing(error)) continue;
        close_all(listener);
        return error;
    }
    return listener->count ? 0 : missing;
}

static int bind_any_port(struct listener *listener, const struct addrinfo *infos, uint16_t port) {
    int error = bind_all(listener, infos, port);
    /* The port that the kernel chose for one family may be taken in the other. */
    for (int i = 0; port == 0 && error == EADDRINUSE && i < PORT_TRIES; i++)
        error = bind_all(listener, infos, port);
    return error;
}

static struct addrinfo *resolve(const char *host, int flags) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags};
    struct addrinfo *infos = NULL;
    return getaddrinfo(host, "0", &hints, &infos) == 0 ? infos : NULL;
}

static int bind_pair(struct listener *listener, const char *v4, const char *v6, uint16_t port) {
    struct addrinfo *first = resolve(v4, AI_NUMERICHOST), *second = resolve(v6, AI_NUMERICHOST);
    int error = EADDRNOTAVAIL;
    if (first && second) {
        first->ai_next = second;
        error = bind_any_port(listener, first, port);
        first->ai_next = NULL;
    }
    if (first) freeaddrinfo(first);
    if (second) freeaddrinfo(second);
    return error;
}

static int bind_address(struct listener *listener, const struct listen_address *address,
                        const char **ret_why) {
    if (strcmp(address->host, "loopback") == 0) return bind_pair(listener, "127.0.0.1", "::1", address->port);
    if (strcmp(address->host, "*") == 0) return bind_pair(listener, "0.0.0.0", "::", address->port);
    struct addrinfo *infos = resolve(address->host, AI_PASSIVE);
    if (!infos) {
        *ret_why = "the name of the address is not known";
        return EADDRNOTAVAIL;
    }
    int error = bind_any_port(listener, infos, address->port);
    freeaddrinfo(infos);
    return error;
}

static void set_polling(struct listener *listener, bool on) {
    for (size_t i = 0; i < listener->count; i++) {
        if (on)
            uv_poll_start(&listener->sockets[i].poll, UV_READABLE, on_readable);
        else
            uv_poll_stop(&listener->sockets[i].poll);
    }
}

static void on_pause_over(struct timer *timer) {
    struct listener *listener = LIST_ENTRY(timer, struct listener, pause);
    set_polling(listener, true);
}

/* Without sockets. */
static struct listener *make(struct loop *loop, struct clients *clients, listener_fn *accepted, void *ctx) {
    struct listener *listener = calloc(1, sizeof(*listener));
    if (!listener) return NULL;
    listener->loop = loop;
    listener->clients = clients;
    listener->accepted = accepted;
    listener->ctx = ctx;
    timer_init(&listener->pause, on_pause_over);
    return listener;
}

/* Also of one that was handed over: whoever opened it may not have thought of it. */
static void spare_pacing(int fd) {
    struct sockaddr_storage own;
    socklen_t len = sizeof(own);
    if (getsockname(fd, (struct sockaddr *)&own, &len) == 0) pacing_spare(fd, (struct sockaddr *)&own);
}

static void begin(struct listener *listener) {
    for (size_t i = 0; i < listener->count; i++) {
        spare_pacing(listener->sockets[i].fd);
        uv_poll_init(&listener->loop->uv, &listener->sockets[i].poll, listener->sockets[i].fd);
        listener->sockets[i].poll.data = &listener->sockets[i];
    }
    set_polling(listener, true);
}

struct listener *listener_new(struct loop *loop, const struct listen_address *address,
                              struct clients *clients, listener_fn *accepted, void *ctx,
                              const char **ret_why) {
    struct listener *listener = make(loop, clients, accepted, ctx);
    if (!listener) return NULL;
    *ret_why = NULL;
    int error = bind_address(listener, address, ret_why);
    if (error) {
        if (!*ret_why) *ret_why = strerror(error);
        free(listener);
        errno = error;
        return NULL;
    }
    begin(listener);
    return listener;
}

/* Those that were handed over for "public-tls-listen" are called "public-tls". NULL: there are none. */
static struct listener *open_inherited(struct loop *loop, const char *flag, struct clients *clients,
                                       listener_fn *accepted, void *ctx) {
    char name[32];
    int fds[SOCKETS_MAX];
    snprintf(name, sizeof(name), "%.*s", (int)(strlen(flag) - strlen("-listen")), flag);
    size_t count = inherited_take(name, fds, SOCKETS_MAX);
    struct listener *listener = count ? make(loop, clients, accepted, ctx) : NULL;
    if (!listener) return NULL;
    for (size_t i = 0; i < count; i++)
        listener->sockets[i] = (struct listening){.listener = listener, .fd = fds[i]};
    listener->count = count;
    listener->port = port_of(fds[0]);
    begin(listener);
    return listener;
}

struct listener *listener_open(struct loop *loop, const char *flag, const struct listen_address *address,
                               struct clients *clients, listener_fn *accepted, void *ctx) {
    const char *why = "out of memory";
    struct listener *inherited = open_inherited(loop, flag, clients, accepted, ctx);
    if (inherited) return inherited;
    struct listener *listener = listener_new(loop, address, clients, accepted, ctx, &why);
    if (!listener) fprintf(stderr, "ttf-gateway: --%s %s:%u: %s\n", flag, address->host, address->port, why);
    return listener;
}

/* Without descriptors the socket would stay readable and the loop would spin. */
static void pause_accepting(struct listener *listener, int error) {
    if (!listener->exhausted_logged) log_warn("listener", "accepting pauses: %s", strerror(error));
    listener->exhausted_logged = true;
    set_polling(listener, false);
    if (!timer_start(&listener->loop->timers, &listener->pause, PAUSE_MS)) set_polling(listener, true);
}

static void hand_on(struct listener *listener, int fd, const struct sockaddr *address, socklen_t len) {
    struct client *client = clients_take(listener->clients, address);
    if (!client) {
        if (!listener->full_logged) log_warn("listener", "too many connections on port %u", listener->port);
        listener->full_logged = true;
        close(fd);
        return;
    }
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    listener->accepted(listener->ctx, fd, client, address, len);
}

void listener_adopt(struct listener *listener, int fd) {
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof(address);
    if (getpeername(fd, (struct sockaddr *)&address, &len) == 0)
        hand_on(listener, fd, (struct sockaddr *)&address, len);
    else
        close(fd);
}

size_t listener_sockets(const struct listener *listener, int *ret_fds, size_t max) {
    size_t count = listener->count < max ? listener->count : max;
    for (size_t i = 0; i < count; i++) ret_fds[i] = listener->sockets[i].fd;
    return count;
}

/* How many came, at most ACCEPT_BATCH. */
static int accept_batch(struct listening *listening) {
    struct listener *listener = listening->listener;
    int count = 0;
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        struct sockaddr_storage address = {0};
        socklen_t len = sizeof(address);
        int fd = accept4(listening->fd, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            hand_on(listener, fd, (struct sockaddr *)&address, len);
            count++;
            continue;
        }
        if (errno == ECONNABORTED || errno == EINTR) continue;
        if (errno == EMFILE && clients_spare(listener->clients)) continue;
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            pause_accepting(listener, errno);
        break;
    }
    return count;
}

static void on_readable(uv_poll_t *poll, int status, int events) {
    (void)events;
    if (status >= 0) accept_batch(poll->data);
}

/* A socket filter that drops segments with SYN. Where the kernel does not take it, a few connections are
 * reset. */
void listener_turn_away(struct listener *listener) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13), /* flags of the TCP header (RFC 9293 3.1) */
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x02, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};
    for (size_t i = 0; i < listener->count; i++)
        if (setsockopt(listener->sockets[i].fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0)
            log_debug("listener", "no filter on port %u: %s", listener->port, strerror(errno));
}

void listener_accept_waiting(struct listener *listener) {
    for (size_t i = 0; i < listener->count; i++) {
        int batches = BACKLOG / ACCEPT_BATCH;
        while (accept_batch(&listener->sockets[i]) > 0 && batches-- > 0) continue;
    }
}

void listener_hold(struct listener *listener, bool held) {
    set_polling(listener, !held);
}

static void on_closed(uv_handle_t *handle) {
    struct listening *listening = handle->data;
    struct listener *listener = listening->listener;
    if (--listener->closing == 0) free(listener);
}

void listener_free(struct listener *listener) {
    if (!listener) return;
    timer_stop(&listener->loop->timers, &listener->pause);
    listener->closing = listener->count;
    assert(listener->closing > 0);
    size_t count = listener->count;
    for (size_t i = 0; i < count; i++) {
        uv_close((uv_handle_t *)&listener->sockets[i].poll, on_closed);
        close(listener->sockets[i].fd);
    }
}

uint16_t listener_port(const struct listener *listener) {
    return listener->port;
}

void listener_text(const struct listener *listener, char out[ADDRESS_TEXT_MAX]) {
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof(address);
    char host[ADDRESS_TEXT_MAX] = "?";
    if (getsockname(listener->sockets[0].fd, (struct sockaddr *)&address, &len) == 0)
        address_text((struct sockaddr *)&address, host);
    snprintf(out, ADDRESS_TEXT_MAX, strchr(host, ':') ? "[%.45s]:%u" : "%.45s:%u", host, listener->port);
}
