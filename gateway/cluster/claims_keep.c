/* Keeps the store right about the connections held here: each is looked up, and what is missing or wrong
 * there is written by the same compare-and-set as everything else. So many at a time, because after an outage
 * there may be thousands. */
#include <stdlib.h>

#include "base/log.h"
#include "cluster/claims_cache_state.h"

enum { VERIFYING_MAX = 64, ATTEMPTS_MAX = 8 };

#define ANY_STATE (CLAIM_CONNECTING | CLAIM_READY | CLAIM_OFFLINE)

struct verify {
    struct owed owed;
    char connection_id[CONNECTION_ID_MAX + 1]; /* the held one may end meanwhile */
    unsigned attempts;
    bool writes_end;
};

static void pump(struct claims_cache *cache);

static void verify_end(struct verify *verify) {
    struct claims_cache *cache = verify->owed.cache;
    cache->verifying--;
    owed_free(&verify->owed);
    pump(cache);
}

/* The claim has another connection now: the agent has moved, or somebody else has the name. */
static void replaced(struct claims_cache *cache, struct held *held) {
    struct link link = held->claim.member.link;
    held_stop_serving(cache, held);
    if (held->ended) {
        held_free(cache, held);
        return;
    }
    log_from(LOG_LEVEL_INFO, "cluster", view_from_cstr(held->claim.tunnel_id),
             "is served by another connection now than %s", link.connection);
    if (cache->events.connection_replaced) cache->events.connection_replaced(cache->events.ctx, &link);
}

static void look(struct verify *verify, const struct held *held);

static void on_written(void *target, uint64_t ticket, enum status status) {
    (void)ticket;
    struct verify *verify = target;
    struct claims_cache *cache = verify->owed.cache;
    struct held *held = held_find(cache, view_from_cstr(verify->connection_id));
    if (!held || status == STATUS_UNAVAILABLE) { /* `missed` comes when it can be tried again */
        verify_end(verify);
        return;
    }
    if (verify->writes_end) {
        struct registry *inner = &cache->settings.inner;
        inner->remove_connection(inner->ctx, view_from_cstr(verify->connection_id), NULL, NULL, 0);
        held_free(cache, held);
        verify_end(verify);
    } else if (status == STATUS_OK || ++verify->attempts == ATTEMPTS_MAX) {
        if (status == STATUS_OK) held->rewrite = false;
        verify_end(verify);
    } else {
        look(verify, held);
    }
}

static void write_held(struct verify *verify, const struct held *held, uint64_t expected_epoch,
                       unsigned expected_states) {
    struct registry *inner = &verify->owed.cache->settings.inner;
    verify->writes_end = held->ended;
    struct claim_write write = {
        .claim = &held->claim, .expected_epoch = expected_epoch, .expected_states = expected_states};
    if (!held->ended) write.options = claim_options_view(held->options);
    inner->store(inner->ctx, &write, on_written, verify, 0);
}

static void compare(struct verify *verify, struct held *held, const struct claim *stands,
                    struct view options) {
    struct claims_cache *cache = verify->owed.cache;
    const struct claim *ours = &held->claim;
    bool same = strcmp(stands->member.link.connection, ours->member.link.connection) == 0;
    /* a store that was set back to an earlier time */
    bool older = !same && strcmp(stands->owner, ours->owner) == 0 && stands->epoch < ours->epoch;
    if (same && !held->rewrite && !held->ended && stands->member.state == ours->member.state) {
        held_take_options(cache, held, options); /* who owns the name may have said others elsewhere */
        verify_end(verify);
    } else if (same || (older && !held->ended)) {
        write_held(verify, held, stands->epoch, held->ended ? CLAIM_CONNECTING | CLAIM_READY : ANY_STATE);
    } else {
        replaced(cache, held);
        verify_end(verify);
    }
}

static void on_looked_up(void *target, uint64_t ticket, enum status status, const struct claim *claim,
                         struct view options) {
    (void)ticket;
    struct verify *verify = target;
    struct claims_cache *cache = verify->owed.cache;
    struct held *held = held_find(cache, view_from_cstr(verify->connection_id));
    if (!held || (!held->serves && !held->ended)) {
        verify_end(verify);
    } else if (status == STATUS_OK) {
        compare(verify, held, claim, options);
    } else if (status == STATUS_NOT_FOUND && held->ended) {
        held_free(cache, held);
        verify_end(verify);
    } else if (status == STATUS_NOT_FOUND) {
        write_held(verify, held, 0, 0);
    } else {
        verify_end(verify);
    }
}

static void look(struct verify *verify, const struct held *held) {
    struct registry *inner = &verify->owed.cache->settings.inner;
    inner->lookup(inner->ctx, view_from_cstr(held->claim.tunnel_id), on_looked_up, verify, 0);
}

static void verify_start(struct claims_cache *cache, const struct held *held) {
    struct verify *verify = owed_new(cache, sizeof(*verify));
    memcpy(verify->connection_id, held->claim.member.link.connection, sizeof(verify->connection_id));
    cache->verifying++;
    look(verify, held);
}

static void pump(struct claims_cache *cache) {
    while (cache->verifying < VERIFYING_MAX) {
        struct list *node = list_pop(&cache->unverified);
        if (!node) return;
        verify_start(cache, LIST_ENTRY(node, struct held, unverified));
    }
}

static void enqueue(struct claims_cache *cache, struct held *held) {
    list_remove(&held->unverified);
    list_append(&cache->unverified, &held->unverified);
}

void keep_verify(struct claims_cache *cache, struct held *held) {
    enqueue(cache, held);
    pump(cache);
}

static void enqueue_node(void *ctx, struct table_node *node) {
    enqueue(ctx, TABLE_ENTRY(node, struct held, node));
}

void keep_verify_all(struct claims_cache *cache) {
    table_each(&cache->held, enqueue_node, cache);
    pump(cache);
}
