#include "resolver.h"

#include <stdio.h>
#include <stdlib.h>

/* Lives until libuv lets go of it, which may be long after it was cancelled. */
struct resolver_job {
    uv_getaddrinfo_t lookup;
    uint16_t port;
    bool loopback;
    resolver_addresses_fn *on_addresses; /* NULL once cancelled */
    void *ctx;
};

void addresses_add(struct addresses *addresses, const struct sockaddr *from, uint16_t port) {
    if (addresses->count == RESOLVER_ADDRESSES_MAX) return;
    struct address *address = &addresses->list[addresses->count];
    memset(address, 0, sizeof(*address));
    if (from->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, from, sizeof(v4));
        v4.sin_port = htons(port);
        memcpy(&address->socket_address, &v4, sizeof(v4));
        uv_ip4_name(&v4, address->text, sizeof(address->text));
    } else if (from->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, from, sizeof(v6));
        v6.sin6_port = htons(port);
        memcpy(&address->socket_address, &v6, sizeof(v6));
        uv_ip6_name(&v6, address->text, sizeof(address->text));
    } else {
        return;
    }
    addresses->count++;
}

bool addresses_are_loopback(const char *host) {
    struct view name = view_from_cstr(host);
    return view_eq_nocase(name, VIEW("localhost")) ||
           (name.len > 10 && view_eq_nocase(view_skip(name, name.len - 10), VIEW(".localhost")));
}

void addresses_set_loopback(struct addresses *addresses, uint16_t port) {
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    uv_ip4_addr("127.0.0.1", port, &v4);
    uv_ip6_addr("::1", port, &v6);
    addresses->count = 0;
    addresses_add(addresses, (struct sockaddr *)&v4, port);
    addresses_add(addresses, (struct sockaddr *)&v6, port);
}

static void on_lookup(uv_getaddrinfo_t *request, int error, struct addrinfo *result) {
    struct resolver_job *job = request->data;
    resolver_addresses_fn *answer = job->on_addresses;
    if (answer) {
        struct addresses addresses = {.count = 0};
        if (job->loopback && !error)
            addresses_set_loopback(&addresses, job->port);
        else
            for (const struct addrinfo *info = result; info && !error; info = info->ai_next)
                addresses_add(&addresses, info->ai_addr, job->port);
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
    job->lookup.data = job;
    job->loopback = addresses_are_loopback(host);
    if (job->loopback) host = "127.0.0.1";
    bool numeric = strchr(host, ':') || strspn(host, "0123456789.") == strlen(host);
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = numeric ? AI_NUMERICHOST : AI_ADDRCONFIG};
    if (uv_getaddrinfo(loop, &job->lookup, on_lookup, host, NULL, &hints) == 0) return job;
    free(job);
    return NULL;
}

void resolver_cancel(struct resolver_job *job) {
    if (!job) return;
    job->on_addresses = NULL;
    uv_cancel((uv_req_t *)&job->lookup); /* answers UV_ECANCELED if it had not begun */
}
