/* See resolver_ares.h. c-ares's callback may come at once, or from within a cancellation: it only notes what
 * was found, and a task tells. */
#include "direct/resolver_ares.h"

#include <netdb.h>
#include <stdlib.h>

#include "base/log.h"
#include "dns/ares_loop.h"

struct resolver_ares {
    struct loop *loop;
    struct ares_loop ares;
    struct task telling;
    bool is_asking, is_cancelling;
    uint16_t port;
    int error;
    struct addresses addresses;
    resolver_ares_fn *fn; /* NULL: nobody waits */
    void *ctx;
};

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

static void ask(struct resolver_ares *resolver, const char *host) {
    struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    resolver->is_asking = true;
    ares_getaddrinfo(resolver->ares.channel, host, NULL, &hints, on_found, resolver);
    ares_loop_wait(&resolver->ares);
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
    } else if (ares_loop_open(&resolver->ares, NULL, 0)) {
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
    if (!resolver->is_asking) return;
    resolver->is_cancelling = true;
    ares_cancel(resolver->ares.channel);
    resolver->is_cancelling = false;
    ares_loop_wait(&resolver->ares);
}

/* ---- life ---- */

struct resolver_ares *resolver_ares_new(struct loop *loop) {
    struct resolver_ares *resolver = calloc(1, sizeof(*resolver));
    if (!resolver) return NULL;
    resolver->loop = loop;
    ares_loop_init(&resolver->ares, loop);
    task_init(&resolver->telling, on_telling);
    return resolver;
}

void resolver_ares_free(struct resolver_ares *resolver) {
    if (!resolver) return;
    resolver_ares_cancel(resolver);
    ares_loop_close(&resolver->ares);
    free(resolver);
}
