/* The store in memory, see store_memory.h. Every completion and event goes through the task queue as a
 * `reply`, because a completion never fires inside the call that asked for it. */
#include "store/store_memory.h"

#include <stdlib.h>

#include "base/heap.h"
#include "base/ids.h"
#include "base/list.h"
#include "base/table.h"

enum { SWEEP_MAX = 1000, REPLIES_KEPT = 256 };

struct claim_entry {
    struct table_node node;
    struct claim claim;
    char *options; /* NULL: none */
};

struct pending_entry {
    struct table_node node;
    char request_id[UUID_LEN + 1];
    char connection_id[CONNECTION_ID_MAX + 1];
    uint64_t expires_ms;
    struct v1_message *answer; /* NULL: not completed */
};

struct store_memory {
    struct tasks *tasks;
    uint64_t (*wall_ms)(void *ctx);
    void *wall_ctx;
    struct table claims;      /* claim_entry by tunnel id */
    struct table connections; /* claim_entry by connection id, as accepted */
    struct table requests;    /* pending_entry by request id */
    struct store_events events;
    struct list replies; /* under way */
    struct list spare;
    size_t spare_count;
};

/* ---- replies ---- */

enum reply_kind {
    REPLY_DONE,
    REPLY_CLAIM,
    REPLY_PUT,
    REPLY_TAKE,
    REPLY_SWEPT,
    REPLY_CLAIM_CHANGED,
    REPLY_COMPLETED
};

struct reply {
    struct task task;
    struct list node; /* in store->replies or store->spare */
    struct store_memory *store;
    enum reply_kind kind;
    enum status status;
    union store_completion fn;
    void *target;
    uint64_t ticket;
    union {
        struct claim claim;
        char request_id[UUID_LEN + 1];
        char tunnel_id[TUNNEL_NAME_MAX + 1];
        struct v1_message *answer;
        size_t removed;
    } value;
    char *options; /* of value.claim; NULL: none */
};

static void reply_recycle(struct reply *reply) {
    struct store_memory *store = reply->store;
    list_remove(&reply->node);
    claim_options_keep(&reply->options, VIEW(""));
    if (store->spare_count == REPLIES_KEPT) {
        free(reply);
        return;
    }
    store->spare_count++;
    list_append(&store->spare, &reply->node);
}

static void tell_claim_changed(struct reply *reply) {
    const struct store_events *events = &reply->store->events;
    if (events->claim_changed) events->claim_changed(events->ctx, view_from_cstr(reply->value.tunnel_id));
}

static void tell_completed(struct reply *reply) {
    const struct store_events *events = &reply->store->events;
    if (events->request_completed)
        events->request_completed(events->ctx, view_from_cstr(reply->value.request_id));
}

static void reply_run(struct task *task) {
    struct reply *reply = LIST_ENTRY(task, struct reply, task);
    bool found = reply->kind == REPLY_CLAIM && reply->status == STATUS_OK;
    const struct claim *claim = found ? &reply->value.claim : NULL;
    struct view options = found ? claim_options_view(reply->options) : (struct view){0};
    switch (reply->kind) {
    case REPLY_DONE: reply->fn.done(reply->target, reply->ticket, reply->status); break;
    case REPLY_CLAIM: reply->fn.claim(reply->target, reply->ticket, reply->status, claim, options); break;
    case REPLY_PUT:
        reply->fn.put(reply->target, reply->ticket, reply->status, view_from_cstr(reply->value.request_id));
        break;
    case REPLY_TAKE: reply->fn.take(reply->target, reply->ticket, reply->status, reply->value.answer); break;
    case REPLY_SWEPT:
        reply->fn.swept(reply->target, reply->ticket, reply->status, reply->value.removed);
        break;
    case REPLY_CLAIM_CHANGED: tell_claim_changed(reply); break;
    case REPLY_COMPLETED: tell_completed(reply); break;
    }
    reply_recycle(reply);
}

static struct reply *reply_allocate(struct store_memory *store) {
    struct list *node = list_pop(&store->spare);
    if (node) {
        store->spare_count--;
        return LIST_ENTRY(node, struct reply, node);
    }
    return heap_alloc_owed(sizeof(struct reply));
}

static struct reply *reply_post(struct store_memory *store, enum reply_kind kind, enum status status,
                                void *target, uint64_t ticket) {
    struct reply *reply = reply_allocate(store);
    task_init(&reply->task, reply_run);
    list_init(&reply->node);
    list_append(&store->replies, &reply->node);
    reply->store = store;
    reply->kind = kind;
    reply->status = status;
    reply->target = target;
    reply->ticket = ticket;
    tasks_post(store->tasks, &reply->task);
    return reply;
}

static void reply_done(struct store_memory *store, enum status status, registry_done_fn *done, void *target,
                       uint64_t ticket) {
    if (done) reply_post(store, REPLY_DONE, status, target, ticket)->fn.done = done;
}

static void reply_claim(struct store_memory *store, const struct claim_entry *entry, registry_claim_fn *done,
                        void *target, uint64_t ticket) {
    struct reply *reply =
        reply_post(store, REPLY_CLAIM, entry ? STATUS_OK : STATUS_NOT_FOUND, target, ticket);
    reply->fn.claim = done;
    if (!entry) return;
    reply->value.claim = entry->claim;
    if (!claim_options_keep(&reply->options, claim_options_view(entry->options)))
        reply->status = STATUS_NO_MEMORY;
}

/* ---- registry ---- */

static uint64_t now(const struct store_memory *store) {
    return store->wall_ms(store->wall_ctx);
}

static struct claim_entry *find(const struct table *table, struct view key) {
    struct table_node *node = table_get(table, key);
    return node ? TABLE_ENTRY(node, struct claim_entry, node) : NULL;
}

static struct claim_entry *find_live(const struct store_memory *store, struct view tunnel_id) {
    struct claim_entry *entry = find(&store->claims, tunnel_id);
    return entry && entry->claim.expires_ms > now(store) ? entry : NULL;
}

static void entry_remove(struct table *table, struct claim_entry *entry) {
    table_remove(table, &entry->node);
    free(entry->options);
    free(entry);
}

static void memory_lookup(void *ctx, struct view tunnel_id, registry_claim_fn *done, void *target,
                          uint64_t ticket) {
    struct store_memory *store = ctx;
    struct claim_entry *entry = find_live(store, tunnel_id);
    reply_claim(store, entry, done, target, ticket);
}

static void memory_lookup_connection(void *ctx, struct view connection_id, registry_claim_fn *done,
                                     void *target, uint64_t ticket) {
    struct store_memory *store = ctx;
    struct claim_entry *entry = find(&store->connections, connection_id);
    reply_claim(store, entry, done, target, ticket);
}

static bool condition_holds(const struct claim_entry *entry, const struct claim_write *write) {
    if (!entry) return write->expected_epoch == 0;
    return write->expected_epoch == entry->claim.epoch &&
           (write->expected_states & (unsigned)entry->claim.member.state) != 0;
}

static struct claim_entry *entry_new(const struct claim *claim, struct view options) {
    struct claim_entry *entry = calloc(1, sizeof(*entry));
    if (!entry || !claim_options_keep(&entry->options, options)) {
        free(entry);
        return NULL;
    }
    entry->claim = *claim;
    return entry;
}

static bool entry_add(struct table *table, struct claim_entry *entry, const char *key) {
    if (entry && table_put(table, &entry->node, view_from_cstr(key))) return true;
    if (entry) free(entry->options);
    free(entry);
    return false;
}

static bool connection_add(struct store_memory *store, const struct claim *claim, struct view options) {
    if (find(&store->connections, view_from_cstr(claim->member.link.connection))) return true;
    struct claim_entry *entry = entry_new(claim, options);
    return entry_add(&store->connections, entry, entry ? entry->claim.member.link.connection : "");
}

static bool claim_put(struct store_memory *store, const struct claim *claim, struct view options) {
    struct claim_entry *entry = find(&store->claims, view_from_cstr(claim->tunnel_id));
    if (!entry) {
        entry = entry_new(claim, options);
        return entry_add(&store->claims, entry, entry ? entry->claim.tunnel_id : "");
    }
    if (!claim_options_keep(&entry->options, options)) return false;
    entry->claim = *claim;
    return true;
}

static enum status store_claim(struct store_memory *store, const struct claim_write *write) {
    const struct claim *claim = write->claim;
    struct claim_entry *entry = find_live(store, view_from_cstr(claim->tunnel_id));
    if (!claim_options_valid(write->options)) return STATUS_INVALID;
    if (!condition_holds(entry, write)) return STATUS_CONFLICT;
    bool stay = entry && !write->options.ptr;
    struct view options = stay ? claim_options_view(entry->options) : write->options;
    if (claim->member.state != CLAIM_OFFLINE && !connection_add(store, claim, options))
        return STATUS_NO_MEMORY;
    return claim_put(store, claim, options) ? STATUS_OK : STATUS_NO_MEMORY;
}

static void memory_store(void *ctx, const struct claim_write *write, registry_done_fn *done, void *target,
                         uint64_t ticket) {
    struct store_memory *store = ctx;
    enum status status = store_claim(store, write);
    reply_done(store, status, done, target, ticket);
    if (status != STATUS_OK) return;
    struct reply *reply = reply_post(store, REPLY_CLAIM_CHANGED, STATUS_OK, NULL, 0);
    memcpy(reply->value.tunnel_id, write->claim->tunnel_id, sizeof(write->claim->tunnel_id));
}

static void memory_remove_connection(void *ctx, struct view connection_id, registry_done_fn *done,
                                     void *target, uint64_t ticket) {
    struct store_memory *store = ctx;
    struct claim_entry *entry = find(&store->connections, connection_id);
    if (entry) entry_remove(&store->connections, entry);
    reply_done(store, STATUS_OK, done, target, ticket);
}

/* ---- mailbox ---- */

static struct pending_entry *find_pending(const struct store_memory *store, struct view request_id) {
    struct table_node *node = table_get(&store->requests, request_id);
    return node ? TABLE_ENTRY(node, struct pending_entry, node) : NULL;
}

static void pending_free(struct store_memory *store, struct pending_entry *entry) {
    table_remove(&store->requests, &entry->node);
    v1_message_free(entry->answer);
    free(entry);
}

static void memory_put(void *ctx, const struct pending *pending, mailbox_put_fn *done, void *target,
                       uint64_t ticket) {
    struct store_memory *store = ctx;
    struct pending_entry *entry = calloc(1, sizeof(*entry));
    enum status status = entry ? STATUS_OK : STATUS_NO_MEMORY;
    if (entry) {
        ids_uuid4(entry->request_id);
        entry->expires_ms = pending->expires_ms;
        if (!view_copy_to(pending->connection_id, entry->connection_id, sizeof(entry->connection_id)))
            status = STATUS_INVALID;
        else if (!table_put(&store->requests, &entry->node, view_from_cstr(entry->request_id)))
            status = STATUS_NO_MEMORY;
    }
    struct reply *reply = reply_post(store, REPLY_PUT, status, target, ticket);
    reply->fn.put = done;
    reply->value.request_id[0] = '\0';
    if (status == STATUS_OK)
        memcpy(reply->value.request_id, entry->request_id, sizeof(entry->request_id));
    else
        free(entry);
}

static bool may_complete(const struct store_memory *store, const struct pending_entry *entry,
                         struct view connection) {
    return entry && !entry->answer && entry->expires_ms > now(store) &&
           view_eq(view_from_cstr(entry->connection_id), connection);
}

static void memory_complete(void *ctx, struct view request_id, struct view connection_id,
                            struct v1_message *answer, mailbox_done_fn *done, void *target, uint64_t ticket) {
    struct store_memory *store = ctx;
    struct pending_entry *entry = find_pending(store, request_id);
    if (!may_complete(store, entry, connection_id)) {
        v1_message_free(answer);
        reply_done(store, STATUS_NOT_FOUND, done, target, ticket);
        return;
    }
    entry->answer = answer;
    reply_done(store, STATUS_OK, done, target, ticket);
    struct reply *reply = reply_post(store, REPLY_COMPLETED, STATUS_OK, NULL, 0);
    memcpy(reply->value.request_id, entry->request_id, sizeof(entry->request_id));
}

static void memory_take(void *ctx, struct view request_id, mailbox_take_fn *done, void *target,
                        uint64_t ticket) {
    struct store_memory *store = ctx;
    struct pending_entry *entry = find_pending(store, request_id);
    bool there = entry && entry->answer;
    enum status status = there ? STATUS_OK : entry ? STATUS_NOT_FOUND : STATUS_GONE;
    struct reply *reply = reply_post(store, REPLY_TAKE, status, target, ticket);
    reply->fn.take = done;
    reply->value.answer = NULL;
    if (!there) return;
    reply->value.answer = entry->answer;
    entry->answer = NULL;
    pending_free(store, entry);
}

static void memory_remove(void *ctx, struct view request_id) {
    struct store_memory *store = ctx;
    struct pending_entry *entry = find_pending(store, request_id);
    if (entry) pending_free(store, entry);
}

/* ---- what expires ---- */

struct sweep {
    struct store_memory *store;
    uint64_t now_ms;
    size_t removed;
};

static void sweep_claim(void *ctx, struct table_node *node) {
    struct sweep *sweep = ctx;
    struct claim_entry *entry = TABLE_ENTRY(node, struct claim_entry, node);
    if (sweep->removed >= SWEEP_MAX || entry->claim.expires_ms > sweep->now_ms) return;
    entry_remove(&sweep->store->claims, entry);
    sweep->removed++;
}

static void sweep_pending(void *ctx, struct table_node *node) {
    struct sweep *sweep = ctx;
    struct pending_entry *entry = TABLE_ENTRY(node, struct pending_entry, node);
    if (sweep->removed >= SWEEP_MAX || entry->expires_ms > sweep->now_ms) return;
    pending_free(sweep->store, entry);
    sweep->removed++;
}

static void memory_sweep(void *ctx, registry_swept_fn *done, void *target, uint64_t ticket) {
    struct store_memory *store = ctx;
    struct sweep sweep = {.store = store, .now_ms = now(store)};
    table_each(&store->claims, sweep_claim, &sweep);
    table_each(&store->requests, sweep_pending, &sweep);
    struct reply *reply = reply_post(store, REPLY_SWEPT, STATUS_OK, target, ticket);
    reply->fn.swept = done;
    reply->value.removed = sweep.removed;
}

/* ---- from process to process ---- */

struct telling {
    store_memory_claim_fn *fn;
    void *ctx;
    uint64_t now_ms;
};

static void tell_claim(void *ctx, struct table_node *node) {
    const struct telling *telling = ctx;
    const struct claim_entry *entry = TABLE_ENTRY(node, struct claim_entry, node);
    if (entry->claim.expires_ms > telling->now_ms)
        telling->fn(telling->ctx, &entry->claim, claim_options_view(entry->options));
}

void store_memory_each(const struct store_memory *store, store_memory_claim_fn *fn, void *ctx) {
    struct telling telling = {.fn = fn, .ctx = ctx, .now_ms = now(store)};
    table_each((struct table *)(uintptr_t)&store->claims, tell_claim, &telling);
}

uint64_t store_memory_page(const struct store_memory *store, uint64_t from, size_t limit,
                           store_memory_claim_fn *fn, void *ctx) {
    struct telling telling = {.fn = fn, .ctx = ctx, .now_ms = now(store)};
    return table_part(&store->claims, (size_t)from, limit, tell_claim, &telling);
}

bool store_memory_restore(struct store_memory *store, const struct claim *claim, struct view options) {
    return !find(&store->claims, view_from_cstr(claim->tunnel_id)) && claim_put(store, claim, options);
}

/* ---- life ---- */

struct store_memory *store_memory_new(struct tasks *tasks, uint64_t (*wall_ms)(void *ctx), void *wall_ctx) {
    struct store_memory *store = calloc(1, sizeof(*store));
    if (!store) return NULL;
    store->tasks = tasks;
    store->wall_ms = wall_ms;
    store->wall_ctx = wall_ctx;
    table_init(&store->claims);
    table_init(&store->connections);
    table_init(&store->requests);
    list_init(&store->replies);
    list_init(&store->spare);
    return store;
}

static void free_claim(void *ctx, struct table_node *node) {
    entry_remove(ctx, TABLE_ENTRY(node, struct claim_entry, node));
}

static void free_pending(void *ctx, struct table_node *node) {
    pending_free(ctx, TABLE_ENTRY(node, struct pending_entry, node));
}

static void replies_free(struct list *replies) {
    for (struct list *node; (node = list_pop(replies));) {
        struct reply *reply = LIST_ENTRY(node, struct reply, node);
        if (task_pending(&reply->task) && reply->kind == REPLY_TAKE) v1_message_free(reply->value.answer);
        task_cancel(&reply->task);
        free(reply->options);
        free(reply);
    }
}

void store_memory_free(struct store_memory *store) {
    if (!store) return;
    table_each(&store->claims, free_claim, &store->claims);
    table_each(&store->connections, free_claim, &store->connections);
    table_each(&store->requests, free_pending, store);
    table_done(&store->claims);
    table_done(&store->connections);
    table_done(&store->requests);
    replies_free(&store->replies);
    replies_free(&store->spare);
    free(store);
}

struct registry store_memory_registry(struct store_memory *store) {
    return (struct registry){.ctx = store,
                             .lookup = memory_lookup,
                             .lookup_connection = memory_lookup_connection,
                             .store = memory_store,
                             .remove_connection = memory_remove_connection,
                             .sweep = memory_sweep};
}

struct mailbox store_memory_mailbox(struct store_memory *store) {
    return (struct mailbox){.ctx = store,
                            .put = memory_put,
                            .complete = memory_complete,
                            .take = memory_take,
                            .remove = memory_remove};
}

void store_memory_listen(struct store_memory *store, struct store_events events) {
    store->events = events;
}

size_t store_memory_claims(const struct store_memory *store) {
    return store->claims.count;
}
size_t store_memory_connections(const struct store_memory *store) {
    return store->connections.count;
}
size_t store_memory_pending(const struct store_memory *store) {
    return store->requests.count;
}
