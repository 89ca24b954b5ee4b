/* See claims_cache.h. What is known here is told through the task queue, as the store would tell it. */
#include <stdio.h>
#include <stdlib.h>

#include "base/heap.h"
#include "cluster/claims_cache_state.h"

enum { ASKED_MAX = 4 };

struct remembered {
    struct table_node node;
    struct list age;
    struct claim claim;
    char *options;     /* NULL: none */
    uint64_t until_ms; /* wall clock */
};

/* ---- owed completions ---- */

void *owed_new(struct claims_cache *cache, size_t size) {
    struct owed *owed = heap_alloc_owed(size);
    owed->cache = cache;
    list_init(&owed->node);
    list_append(&cache->operations, &owed->node);
    task_init(&owed->task, NULL);
    return owed;
}

void owed_free(struct owed *owed) {
    list_remove(&owed->node);
    task_cancel(&owed->task);
    free(owed->options);
    free(owed);
}

/* ---- what is held here ---- */

struct held *held_find(const struct claims_cache *cache, struct view connection_id) {
    struct table_node *node = table_get(&cache->held, connection_id);
    return node ? TABLE_ENTRY(node, struct held, node) : NULL;
}

struct held *held_serving(const struct claims_cache *cache, struct view tunnel_id) {
    struct table_node *node = table_get(&cache->serving, tunnel_id);
    return node ? TABLE_ENTRY(node, struct held, tunnel_node) : NULL;
}

void held_stop_serving(struct claims_cache *cache, struct held *held) {
    if (!held->serves) return;
    held->serves = false;
    table_remove(&cache->serving, &held->tunnel_node);
}

void held_take_options(struct claims_cache *cache, struct held *held, struct view options) {
    if (!claim_options_keep(&held->options, options)) held_stop_serving(cache, held);
}

void held_free(struct claims_cache *cache, struct held *held) {
    held_stop_serving(cache, held);
    list_remove(&held->unverified);
    table_remove(&cache->held, &held->node);
    free(held->options);
    free(held);
}

static struct held *held_new(struct claims_cache *cache, const struct claim *claim) {
    struct held *held = calloc(1, sizeof(*held));
    if (!held) return NULL;
    held->accepted = *claim;
    list_init(&held->unverified);
    if (table_put(&cache->held, &held->node, view_from_cstr(held->accepted.member.link.connection)))
        return held;
    free(held);
    return NULL;
}

/* ---- what is remembered of others ---- */

static void forget(struct claims_cache *cache, struct remembered *remembered) {
    table_remove(&cache->remembered, &remembered->node);
    list_remove(&remembered->age);
    free(remembered->options);
    free(remembered);
}

static struct remembered *find_remembered(const struct claims_cache *cache, struct view tunnel_id) {
    struct table_node *node = table_get(&cache->remembered, tunnel_id);
    return node ? TABLE_ENTRY(node, struct remembered, node) : NULL;
}

static void forget_tunnel(struct claims_cache *cache, struct view tunnel_id) {
    struct remembered *remembered = find_remembered(cache, tunnel_id);
    if (remembered) forget(cache, remembered);
}

static void forget_all(struct claims_cache *cache) {
    while (!list_empty(&cache->ages)) forget(cache, LIST_ENTRY(cache->ages.next, struct remembered, age));
}

static uint64_t now(const struct claims_cache *cache) {
    return cache->settings.wall_ms(cache->settings.wall_ctx);
}

static void remember(struct claims_cache *cache, const struct claim *claim, struct view options) {
    forget_tunnel(cache, view_from_cstr(claim->tunnel_id));
    if (cache->remembered.count >= cache->settings.remembered_max)
        forget(cache, LIST_ENTRY(cache->ages.next, struct remembered, age));
    struct remembered *remembered = calloc(1, sizeof(*remembered));
    if (!remembered) return;
    remembered->claim = *claim;
    remembered->until_ms = now(cache) + cache->settings.remember_ms;
    list_init(&remembered->age);
    if (claim_options_keep(&remembered->options, options) &&
        table_put(&cache->remembered, &remembered->node, view_from_cstr(remembered->claim.tunnel_id))) {
        list_append(&cache->ages, &remembered->age);
        return;
    }
    free(remembered->options);
    free(remembered);
}

/* ---- lookup ---- */

struct lookup {
    struct owed owed;
    registry_claim_fn *done;
    void *target;
    uint64_t ticket;
    char tunnel_id[TUNNEL_NAME_MAX + 1]; /* "" where a connection is looked up */
    bool changed; /* meanwhile: the answer may be older than what was heard, and is asked for again */
    unsigned asked;
    struct claim claim; /* a copy of what is known here: what is done next may end what we know it from */
};

static void lookup_end(struct lookup *lookup, enum status status, const struct claim *claim,
                       struct view options) {
    bool ok = status == STATUS_OK;
    lookup->done(lookup->target, lookup->ticket, status, ok ? claim : NULL, ok ? options : (struct view){0});
    owed_free(&lookup->owed);
}

struct known {
    const struct claim *claim; /* NULL: it is not known here */
    const char *options;
};

static struct known known_claim(const struct claims_cache *cache, struct view tunnel_id) {
    const struct held *held = held_serving(cache, tunnel_id);
    if (held) return (struct known){&held->claim, held->options};
    const struct remembered *remembered = cache->deaf ? NULL : find_remembered(cache, tunnel_id);
    if (!remembered || remembered->until_ms <= now(cache)) return (struct known){NULL, NULL};
    return (struct known){&remembered->claim, remembered->options};
}

/* False without memory. */
static bool take_known(struct lookup *lookup, const struct claim *claim, const char *options) {
    lookup->claim = *claim;
    return claim_options_keep(&lookup->owed.options, claim_options_view(options));
}

static void ask_store(struct lookup *lookup);

/* As it is known now, and not as it was when it was asked for: who asks may have been told meanwhile that it
 * has changed, and will not be told again. */
static void on_known(struct task *task) {
    struct lookup *lookup = LIST_ENTRY(task, struct lookup, owed.task);
    const struct claims_cache *cache = lookup->owed.cache;
    struct known known = known_claim(cache, view_from_cstr(lookup->tunnel_id));
    if (!known.claim || !take_known(lookup, known.claim, known.options)) {
        ask_store(lookup);
        return;
    }
    bool live = lookup->claim.expires_ms > now(cache);
    lookup_end(lookup, live ? STATUS_OK : STATUS_NOT_FOUND, &lookup->claim,
               claim_options_view(lookup->owed.options));
}

static void on_known_connection(struct task *task) {
    struct lookup *lookup = LIST_ENTRY(task, struct lookup, owed.task);
    lookup_end(lookup, STATUS_OK, &lookup->claim, claim_options_view(lookup->owed.options));
}

static struct lookup *lookup_new(struct claims_cache *cache, registry_claim_fn *done, void *target,
                                 uint64_t ticket) {
    struct lookup *lookup = owed_new(cache, sizeof(*lookup));
    lookup->owed.task.fn = on_known;
    lookup->done = done;
    lookup->target = target;
    lookup->ticket = ticket;
    return lookup;
}

static bool is_ours(const struct claims_cache *cache, const struct claim *claim) {
    return strcmp(claim->member.link.gateway, cache->gateway) == 0;
}

static void on_looked_up(void *target, uint64_t ticket, enum status status, const struct claim *claim,
                         struct view options) {
    (void)ticket;
    struct lookup *lookup = target;
    struct claims_cache *cache = lookup->owed.cache;
    if (lookup->changed && lookup->asked < ASKED_MAX && status != STATUS_UNAVAILABLE) {
        ask_store(lookup);
        return;
    }
    struct remembered *remembered = NULL;
    if (status == STATUS_UNAVAILABLE) remembered = find_remembered(cache, view_from_cstr(lookup->tunnel_id));
    if (status == STATUS_OK && lookup->tunnel_id[0] && claim->member.state == CLAIM_READY &&
        !is_ours(cache, claim) && !lookup->changed && !cache->deaf)
        remember(cache, claim, options);
    if (remembered)
        lookup_end(lookup, STATUS_OK, &remembered->claim, claim_options_view(remembered->options));
    else
        lookup_end(lookup, status, claim, options);
}

static void ask_store(struct lookup *lookup) {
    struct registry *inner = &lookup->owed.cache->settings.inner;
    lookup->changed = false;
    lookup->asked++;
    inner->lookup(inner->ctx, view_from_cstr(lookup->tunnel_id), on_looked_up, lookup, 0);
}

static void cache_lookup(void *ctx, struct view tunnel_id, registry_claim_fn *done, void *target,
                         uint64_t ticket) {
    struct claims_cache *cache = ctx;
    struct lookup *lookup = lookup_new(cache, done, target, ticket);
    view_copy_to(tunnel_id, lookup->tunnel_id, sizeof(lookup->tunnel_id));
    if (known_claim(cache, tunnel_id).claim)
        tasks_post(cache->settings.tasks, &lookup->owed.task);
    else
        ask_store(lookup);
}

static void cache_lookup_connection(void *ctx, struct view connection_id, registry_claim_fn *done,
                                    void *target, uint64_t ticket) {
    struct claims_cache *cache = ctx;
    struct lookup *lookup = lookup_new(cache, done, target, ticket);
    const struct held *held = held_find(cache, connection_id);
    if (!held || !take_known(lookup, &held->accepted, held->options)) {
        cache->settings.inner.lookup_connection(cache->settings.inner.ctx, connection_id, on_looked_up,
                                                lookup, 0);
        return;
    }
    lookup->owed.task.fn = on_known_connection;
    tasks_post(cache->settings.tasks, &lookup->owed.task);
}

/* ---- store ---- */

struct write {
    struct owed owed;
    registry_done_fn *done;
    void *target;
    uint64_t ticket;
    struct claim claim;
    bool says_options; /* owed.options; otherwise those that stand there stay */
    enum status status;
};

static void write_end(struct write *write, enum status status) {
    if (write->done) write->done(write->target, write->ticket, status);
    owed_free(&write->owed);
}

static void on_written(struct task *task) {
    struct write *write = LIST_ENTRY(task, struct write, owed.task);
    write_end(write, write->status);
}

static struct write *write_new(struct claims_cache *cache, registry_done_fn *done, void *target,
                               uint64_t ticket) {
    struct write *write = owed_new(cache, sizeof(*write));
    write->owed.task.fn = on_written;
    write->done = done;
    write->target = target;
    write->ticket = ticket;
    return write;
}

/* Our claim has been written. */
static void note_live(struct claims_cache *cache, const struct write *write) {
    const struct claim *claim = &write->claim;
    struct held *held = held_find(cache, view_from_cstr(claim->member.link.connection));
    if (!held) held = held_new(cache, claim);
    if (!held) return; /* without memory the store is asked each time */
    held->claim = *claim;
    if (!held->serves) {
        struct held *earlier = held_serving(cache, view_from_cstr(claim->tunnel_id));
        if (earlier) held_stop_serving(cache, earlier);
        held->serves = table_put(&cache->serving, &held->tunnel_node, view_from_cstr(held->claim.tunnel_id));
    }
    if (write->says_options) held_take_options(cache, held, claim_options_view(write->owed.options));
}

static void note_offline(struct claims_cache *cache, struct held *held, const struct claim *claim,
                         enum status status) {
    if (status == STATUS_UNAVAILABLE) {
        held->claim = *claim;
        held->ended = true;
    } else {
        held_stop_serving(cache, held);
    }
}

static void on_stored(void *target, uint64_t ticket, enum status status) {
    (void)ticket;
    struct write *write = target;
    struct claims_cache *cache = write->owed.cache;
    const struct claim *claim = &write->claim;
    struct held *held = held_find(cache, view_from_cstr(claim->member.link.connection));
    if (status == STATUS_OK) forget_tunnel(cache, view_from_cstr(claim->tunnel_id));
    if (held && claim->member.state == CLAIM_OFFLINE) {
        note_offline(cache, held, claim, status);
        if (held->ended) status = STATUS_OK; /* it will be written when the store is back */
    } else if (status == STATUS_OK && claim->member.state != CLAIM_OFFLINE && is_ours(cache, claim)) {
        note_live(cache, write);
    }
    struct claim written = write->claim;
    write_end(write, status);
    /* The store's own word of it may have come before its answer, when what is known here was older. */
    if (status == STATUS_OK && cache->events.claim_changed)
        cache->events.claim_changed(cache->events.ctx, view_from_cstr(written.tunnel_id));
}

static void cache_store(void *ctx, const struct claim_write *asked, registry_done_fn *done, void *target,
                        uint64_t ticket) {
    struct claims_cache *cache = ctx;
    struct write *write = write_new(cache, done, target, ticket);
    write->claim = *asked->claim;
    write->says_options = asked->options.ptr != NULL;
    if (claim_options_keep(&write->owed.options, asked->options)) {
        cache->settings.inner.store(cache->settings.inner.ctx, asked, on_stored, write, 0);
        return;
    }
    write->status = STATUS_NO_MEMORY;
    tasks_post(cache->settings.tasks, &write->owed.task);
}

static void on_removed(void *target, uint64_t ticket, enum status status) {
    (void)ticket;
    write_end(target, status);
}

static void cache_remove_connection(void *ctx, struct view connection_id, registry_done_fn *done,
                                    void *target, uint64_t ticket) {
    struct claims_cache *cache = ctx;
    struct held *held = held_find(cache, connection_id);
    struct write *write = write_new(cache, done, target, ticket);
    if (held && held->ended) { /* removed when its end has been written */
        write->status = STATUS_OK;
        tasks_post(cache->settings.tasks, &write->owed.task);
        return;
    }
    if (held) held_free(cache, held);
    cache->settings.inner.remove_connection(cache->settings.inner.ctx, connection_id, on_removed, write, 0);
}

static void cache_sweep(void *ctx, registry_swept_fn *done, void *target, uint64_t ticket) {
    struct claims_cache *cache = ctx;
    cache->settings.inner.sweep(cache->settings.inner.ctx, done, target, ticket);
}

static void cache_forget(void *ctx, struct view tunnel_id) {
    forget_tunnel(ctx, tunnel_id);
}

static void cache_spend(void *ctx, struct view owner, const struct spending *spent) {
    const struct registry *inner = &((struct claims_cache *)ctx)->settings.inner;
    inner->spend(inner->ctx, owner, spent);
}

static bool cache_names_reserved(void *ctx) {
    const struct registry *inner = &((struct claims_cache *)ctx)->settings.inner;
    return inner->names_reserved && inner->names_reserved(inner->ctx);
}

struct registry claims_cache_registry(struct claims_cache *cache) {
    return (struct registry){.ctx = cache,
                             .lookup = cache_lookup,
                             .lookup_connection = cache_lookup_connection,
                             .store = cache_store,
                             .remove_connection = cache_remove_connection,
                             .sweep = cache_sweep,
                             .forget = cache_forget,
                             .spend = cache->settings.inner.spend ? cache_spend : NULL,
                             .names_reserved = cache_names_reserved};
}

/* ---- events ---- */

/* Answers to lookups that are under way may be older than what was just heard. */
static void spoil_lookups(struct claims_cache *cache, struct view tunnel_id) {
    for (struct list *node = cache->operations.next; node != &cache->operations; node = node->next) {
        struct owed *owed = LIST_ENTRY(node, struct owed, node);
        if (owed->task.fn != on_known) continue;
        struct lookup *lookup = LIST_ENTRY(owed, struct lookup, owed);
        if (lookup->asked && (!tunnel_id.ptr || view_eq(view_from_cstr(lookup->tunnel_id), tunnel_id)))
            lookup->changed = true;
    }
}

static void on_claim_changed(void *ctx, struct view tunnel_id) {
    struct claims_cache *cache = ctx;
    spoil_lookups(cache, tunnel_id);
    forget_tunnel(cache, tunnel_id);
    struct held *held = held_serving(cache, tunnel_id);
    if (held) keep_verify(cache, held);
    if (cache->events.claim_changed) cache->events.claim_changed(cache->events.ctx, tunnel_id);
}

static void on_request_completed(void *ctx, struct view request_id) {
    struct claims_cache *cache = ctx;
    if (cache->events.request_completed) cache->events.request_completed(cache->events.ctx, request_id);
}

/* Of one that lives here: others thought us dead. */
static void on_connection_gone(void *ctx, struct view connection_id) {
    struct claims_cache *cache = ctx;
    struct held *held = held_find(cache, connection_id);
    if (held) {
        held->rewrite = true;
        keep_verify(cache, held);
    } else if (cache->events.connection_gone) {
        cache->events.connection_gone(cache->events.ctx, connection_id);
    }
}

static void on_spent(void *ctx, struct view owner, const struct spending *spent) {
    struct claims_cache *cache = ctx;
    if (cache->events.spent) cache->events.spent(cache->events.ctx, owner, spent);
}

static void on_missed(void *ctx) {
    struct claims_cache *cache = ctx;
    cache->deaf = false;
    spoil_lookups(cache, (struct view){0});
    forget_all(cache);
    keep_verify_all(cache);
    if (cache->events.missed) cache->events.missed(cache->events.ctx);
}

struct store_events claims_cache_store_events(struct claims_cache *cache) {
    return (struct store_events){.ctx = cache,
                                 .claim_changed = on_claim_changed,
                                 .request_completed = on_request_completed,
                                 .connection_gone = on_connection_gone,
                                 .spent = on_spent,
                                 .missed = on_missed};
}

void claims_cache_listen(struct claims_cache *cache, struct store_events events) {
    cache->events = events;
}

void claims_cache_deaf(struct claims_cache *cache) {
    cache->deaf = true;
}

/* ---- the module ---- */

struct claims_cache *claims_cache_new(const struct claims_cache_settings *settings) {
    struct claims_cache *cache = calloc(1, sizeof(*cache));
    if (!cache) return NULL;
    cache->settings = *settings;
    snprintf(cache->gateway, sizeof(cache->gateway), "%s", settings->gateway);
    table_init(&cache->held);
    table_init(&cache->serving);
    table_init(&cache->remembered);
    list_init(&cache->ages);
    list_init(&cache->operations);
    list_init(&cache->unverified);
    return cache;
}

static void free_held(void *ctx, struct table_node *node) {
    held_free(ctx, TABLE_ENTRY(node, struct held, node));
}

void claims_cache_free(struct claims_cache *cache) {
    if (!cache) return;
    while (!list_empty(&cache->operations)) owed_free(LIST_ENTRY(cache->operations.next, struct owed, node));
    forget_all(cache);
    table_each(&cache->held, free_held, cache);
    table_done(&cache->held);
    table_done(&cache->serving);
    table_done(&cache->remembered);
    free(cache);
}

bool claims_cache_holds(const struct claims_cache *cache, struct view connection_id) {
    return held_find(cache, connection_id) != NULL;
}

bool claims_cache_serves(const struct claims_cache *cache, struct view connection_id) {
    const struct held *held = held_find(cache, connection_id);
    return held && held->serves && !held->ended;
}

size_t claims_cache_held(const struct claims_cache *cache) {
    return cache->held.count;
}

size_t claims_cache_remembered(const struct claims_cache *cache) {
    return cache->remembered.count;
}
