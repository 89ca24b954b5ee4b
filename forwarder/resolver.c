#include "resolver.h"

#include <stdio.h>
#include <stdlib.h>

/* Lives until libuv lets go of it, which for a lookup may be long after it was cancelled. */
struct resolver_job {
    union {
        uv_getaddrinfo_t lookup;
        uv_connect_t connect;
    } request;
    uv_tcp_t socket;
    uv_timer_t timer;
    int open_handles; /* of a probe */
    int early_error;  /* of a probe whose connect() failed at once */
    uint16_t port;
    bool loopback;
    resolver_addresses_fn *on_addresses; /* one of these two, NULL once answered or cancelled */
    resolver_probe_fn *on_probe;
    void *ctx;
};

static void add_address(struct addresses *addresses, const struct addrinfo *info, uint16_t port) {
    if (addresses->count == RESOLVER_ADDRESSES_MAX) return;
    struct address *address = &addresses->list[addresses->count];
    memset(address, 0, sizeof(*address));
    if (info->ai_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, info->ai_addr, sizeof(v4));
        v4.sin_port = htons(port);
        memcpy(&address->socket_address, &v4, sizeof(v4));
        uv_ip4_name(&v4, address->text, sizeof(address->text));
    } else if (info->ai_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, info->ai_addr, sizeof(v6));
        v6.sin6_port = htons(port);
        memcpy(&address->socket_address, &v6, sizeof(v6));
        uv_ip6_name(&v6, address->text, sizeof(address->text));
    } else {
        return;
    }
    addresses->count++;
}

/* `localhost` and what is below it is this machine, whatever its tables say (RFC 6761 6.3). */
static bool is_loopback_name(struct view name) {
    return view_eq_nocase(name, VIEW("localhost")) ||
           (name.len > 10 && view_eq_nocase(view_skip(name, name.len - 10), VIEW(".localhost")));
}

static void add_loopback(struct addresses *addresses, uint16_t port) {
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    uv_ip4_addr("127.0.0.1", port, &v4);
    uv_ip6_addr("::1", port, &v6);
    add_address(addresses, &(struct addrinfo){.ai_family = AF_INET, .ai_addr = (struct sockaddr *)&v4}, port);
    add_address(addresses, &(struct addrinfo){.ai_family = AF_INET6, .ai_addr = (struct sockaddr *)&v6},
                port);
}

static void on_lookup(uv_getaddrinfo_t *request, int error, struct addrinfo *result) {
    struct resolver_job *job = request->data;
    resolver_addresses_fn *answer = job->on_addresses;
    if (answer) {
        struct addresses addresses = {.count = 0};
        if (job->loopback && !error)
            add_loopback(&addresses, job->port);
        else
            for (const struct addrinfo *info = result; info && !error; info = info->ai_next)
                add_address(&addresses, info, job->port);
        if (!error && !addresses.count) error = UV_EAI_NODATA;
        answer(job->ctx, error, &addresses);
    }
    uv_freeaddrinfo(result);
    free(job);
}

struct resolver_job *resolver_lookup(uv_loop_t *loop, const char *host, uint16_t port,
                                     resolver_addresses_fn *fn, void *ctx) {
    struct resolver_job *job = calloc(1, sizeof(*job));
    if (!job) return NULL;
    job->on_addresses = fn;
    job->ctx = ctx;
    job->port = port;
    job->request.lookup.data = job;
    job->loopback = is_loopback_name(view_from_cstr(host));
    if (job->loopback) host = "127.0.0.1";
    bool numeric = strchr(host, ':') || strspn(host, "0123456789.") == strlen(host);
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = numeric ? AI_NUMERICHOST : AI_ADDRCONFIG};
    if (uv_getaddrinfo(loop, &job->request.lookup, on_lookup, host, NULL, &hints) == 0) return job;
    free(job);
    return NULL;
}

static void on_handle_closed(uv_handle_t *handle) {
    struct resolver_job *job = handle->data;
    if (--job->open_handles == 0) free(job);
}

static void end_probe(struct resolver_job *job, int error) {
    resolver_probe_fn *answer = job->on_probe;
    job->on_probe = NULL;
    if (!uv_is_closing((uv_handle_t *)&job->socket)) {
        uv_close((uv_handle_t *)&job->socket, on_handle_closed);
        uv_close((uv_handle_t *)&job->timer, on_handle_closed);
    }
    if (answer) answer(job->ctx, error);
}

static void on_connect(uv_connect_t *request, int error) {
    struct resolver_job *job = request->data;
    if (job->on_probe) end_probe(job, error);
}

static void on_timeout(uv_timer_t *timer) {
    struct resolver_job *job = timer->data;
    end_probe(job, UV_ETIMEDOUT);
}

static void on_failed_at_once(uv_timer_t *timer) {
    struct resolver_job *job = timer->data;
    end_probe(job, job->early_error);
}

struct resolver_job *resolver_probe(uv_loop_t *loop, const struct address *address, uint64_t timeout_ms,
                                    resolver_probe_fn *fn, void *ctx) {
    struct resolver_job *job = calloc(1, sizeof(*job));
    if (!job) return NULL;
    job->on_probe = fn;
    job->ctx = ctx;
    uv_tcp_init(loop, &job->socket);
    uv_timer_init(loop, &job->timer);
    job->open_handles = 2;
    job->socket.data = job->timer.data = job->request.connect.data = job;
    int error = uv_tcp_connect(&job->request.connect, &job->socket,
                               (const struct sockaddr *)&address->socket_address, on_connect);
    if (error) { /* answers never come inside the call that asks */
        job->early_error = error;
        uv_timer_start(&job->timer, on_failed_at_once, 0, 0);
    } else {
        uv_timer_start(&job->timer, on_timeout, timeout_ms, 0);
    }
    return job;
}

void resolver_cancel(struct resolver_job *job) {
    if (!job) return;
    if (job->on_addresses) {
        job->on_addresses = NULL;
        uv_cancel((uv_req_t *)&job->request.lookup); /* answers UV_ECANCELED if it had not begun */
    } else if (job->on_probe) {
        job->on_probe = NULL;
        end_probe(job, 0);
    }
}
