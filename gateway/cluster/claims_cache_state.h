/* What claims_cache.c (the registry) and claims_keep.c (keeping the store right) share. */
#ifndef CLUSTER_CLAIMS_CACHE_STATE_H
#define CLUSTER_CLAIMS_CACHE_STATE_H

#include "base/list.h"
#include "base/table.h"
#include "cluster/claims_cache.h"

struct claims_cache {
    struct claims_cache_settings settings;
    char gateway[GATEWAY_MAX + 1];
    struct store_events events;
    bool deaf;

    struct table held;       /* struct held by connection id */
    struct table serving;    /* struct held by tunnel id: the claim names it */
    struct table remembered; /* struct remembered by tunnel id */
    struct list ages;        /* of them, the oldest first */
    struct list operations;  /* struct operation_node: owed completions, freed at the end */

    struct list unverified; /* struct held: to be looked at again */
    size_t verifying;       /* of them, under way */
};

/* A connection of this gateway. */
struct held {
    struct table_node node, tunnel_node;
    struct list unverified;
    struct claim accepted; /* what it was stored with first */
    struct claim claim;    /* as it stands, or should stand */
    char *options;         /* of `claim`, and of `accepted` when it was; NULL: none */
    bool serves;           /* in `serving` */
    bool rewrite;          /* its record in the store may be gone: write it, even if the claim is right */
    bool ended;            /* the agent has gone while the store was away: to be written */
};

struct held *held_find(const struct claims_cache *cache, struct view connection_id);
struct held *held_serving(const struct claims_cache *cache, struct view tunnel_id);
void held_stop_serving(struct claims_cache *cache, struct held *held);
/* The store's are others. Without memory the store is asked from now on. */
void held_take_options(struct claims_cache *cache, struct held *held, struct view options);
void held_free(struct claims_cache *cache, struct held *held);

/* Freed with the cache, if the inner registry never answers. */
struct owed {
    struct list node; /* of cache->operations */
    struct claims_cache *cache;
    struct task task; /* for what is known at once */
    char *options;    /* of the claim that this is about; NULL: none */
};
void *owed_new(struct claims_cache *cache,
               size_t size); /* begins with a struct owed; aborts without memory */
void owed_free(struct owed *owed);

/* claims_keep.c */
void keep_verify(struct claims_cache *cache, struct held *held);
void keep_verify_all(struct claims_cache *cache);

#endif
