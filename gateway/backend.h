/* The store that --store names, with what several gateways need around it, as ports for the core. */
#ifndef GATEWAY_BACKEND_H
#define GATEWAY_BACKEND_H

#include "cluster/peer_links.h"
#include "handler/ports.h"
#include "net/loop.h"
#include "store/store_memory.h"
#include "store/store_redis.h"

struct backend;

struct backend_settings {
    struct loop *loop;
    const char *store_url; /* "memory", or what redis_url.h takes */
    const char *gateway;   /* the peer URL of this process */
    uint64_t lease_ms, keep_anonymous_ms, keep_owned_ms;
    uint64_t retire_ms;    /* of a connection that was taken over */
    size_t body_max_bytes; /* of v1 */
    bool keeps_secret;     /* in a shared store, because none was given */
    void *ctx;
    /* The store can be used: once, from the loop. Only then may backend_ports be called. */
    void (*ready)(void *ctx);
    /* What is away ("redis"), or NULL: all is well again. */
    void (*degraded)(void *ctx, const char *what);
    /* backend_secret() is another one from now on. */
    void (*secret_changed)(void *ctx);
};

/* Texts are copied. NULL with *ret_why (a static text). */
struct backend *backend_new(const struct backend_settings *settings, const char **ret_why);
/* `agents`: those that are held here; `peers`: the ways to others (NULL where the store is not shared). Fills
 * registry, mailbox and agents. */
bool backend_ports(struct backend *backend, const struct agents *agents, struct peer_links *peers,
                   struct ports *ports);
/* What the administration hears of a shared store: store_redis_events, and that it is reached again. */
struct backend_control {
    void *ctx;
    bool (*asked)(void *ctx, struct view question, struct buf *answer);
    void (*denial_changed)(void *ctx, struct view key, bool was_removed);
    void (*emptied)(void *ctx);
    void (*reached)(void *ctx);
};
void backend_set_control(struct backend *backend, const struct backend_control *control);
/* What hears of certificates that gateways share; likewise. */
struct backend_acme {
    void *ctx;
    void (*changed)(void *ctx, struct view key, bool was_removed);
    void (*reached)(void *ctx);
};
void backend_set_acme(struct backend *backend, const struct backend_acme *acme);
/* NULL: no store is shared. */
struct store_redis *backend_redis(struct backend *backend);
struct store_memory *backend_memory(struct backend *backend);
/* The core made with these ports. */
void backend_listen(struct backend *backend, struct store_events events);

/* Do several gateways share it? */
bool backend_is_shared(const struct backend *backend);
/* The secret that the store keeps for all gateways; empty unless it keeps one. */
struct view backend_secret(const struct backend *backend);
/* Requests that agents here have not answered yet and whose visitors are at other gateways. */
size_t backend_busy(struct backend *backend);
/* Is nothing on its way to the store? */
bool backend_is_idle(const struct backend *backend);

/* What the next process of this place must know, which a shared store knows anyway (store/claims_file.h). */
void backend_export(const struct backend *backend, struct buf *out);
void backend_import(struct backend *backend, struct view claims);

/* Ends its connections; the loop runs on until they are closed. */
void backend_stop(struct backend *backend);
/* After the core. NULL is fine for both. */
void backend_free(struct backend *backend);

#endif
