/* A registry over a store that several gateways share, for the gateway that is asked about the same tunnels
 * all the time:
 * - a claim whose connection is held here is answered from memory, also while the store is away;
 * - a live claim of another gateway is remembered until the store says that it has changed;
 * - when changes may have been missed, or the store has lost what it held, the claims of the connections held
 *   here are looked at again, and written again where they are missing. Where a claim names another
 * connection meanwhile, ours is told (`connection_replaced`);
 * - an agent that goes while the store is away is offline at once here, and there when it is back.
 * The store's events come in here and go on to whoever listens. */
#ifndef CLUSTER_CLAIMS_CACHE_H
#define CLUSTER_CLAIMS_CACHE_H

#include "handler/ports.h"

struct claims_cache;

struct claims_cache_settings {
    struct registry inner;
    const char *gateway; /* link.gateway of what is held here */
    struct tasks *tasks;
    uint64_t (*wall_ms)(void *ctx);
    void *wall_ctx;
    size_t remembered_max; /* claims of other gateways */
    uint64_t remember_ms;
};

/* NULL without memory. */
struct claims_cache *claims_cache_new(const struct claims_cache_settings *settings);
/* Completions that are still owed are dropped; when the inner registry has ended. NULL is fine. */
void claims_cache_free(struct claims_cache *cache);

struct registry claims_cache_registry(struct claims_cache *cache);
/* Give these to the store. */
struct store_events claims_cache_store_events(struct claims_cache *cache);
/* Who hears of it all. */
void claims_cache_listen(struct claims_cache *cache, struct store_events events);
/* The store's events are not heard any more: until `missed` says that they are, what is remembered counts
 * only where the store does not answer. */
void claims_cache_deaf(struct claims_cache *cache);

/* Is this connection held here, and (serves) does its tunnel's claim name it? */
bool claims_cache_holds(const struct claims_cache *cache, struct view connection_id);
bool claims_cache_serves(const struct claims_cache *cache, struct view connection_id);

size_t claims_cache_held(const struct claims_cache *cache);
size_t claims_cache_remembered(const struct claims_cache *cache);

#endif
