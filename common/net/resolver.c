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
    /* Without AI_ADDRCONFIG: it knows no loopback address, so that names of /etc/hosts would be missing where
     * there is no other. What cannot be reached fails at once, and the next is tried. */
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = numeric ? AI_NUMERICHOST : 0};
    if (uv_getaddrinfo(loop, &job->lookup, on_lookup, host, NULL, &hints) == 0) return job;
    free(job);
    return NULL;
}

void resolver_cancel(struct resolver_job *job) {
    if (!job) return;
    job->on_addresses = NULL;
    uv_cancel((uv_req_t *)&job->lookup); /* answers UV_ECANCELED if it had not begun */
}
