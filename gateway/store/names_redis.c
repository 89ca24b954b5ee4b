/* The names that are held, a page at a time, see store_redis.h: SCAN goes over the keys in steps of a bounded
 * size, so that neither Redis nor we stall over a million of them. */
#include <stdio.h>
#include <stdlib.h>

#include "base/heap.h"
#include "store/store_redis_state.h"

struct page {
    struct store_redis *store;
    store_name_fn *each;
    store_page_fn *done;
    void *target;
    size_t owed; /* lookups, and one while they are being made */
    enum status status;
    uint64_t next;
};

static void page_reply(struct page *page) {
    if (--page->owed) return;
    if (!page->store->stopped) page->done(page->target, page->status, page->next);
    free(page);
}

static void on_claim(void *target, uint64_t ticket, enum status status, const struct claim *claim,
                     struct view options) {
    (void)ticket, (void)options;
    struct page *page = target;
    if (status == STATUS_OK) page->each(page->target, claim);
    if (status == STATUS_UNAVAILABLE) page->status = status;
    page_reply(page);
}

static void look_up(struct page *page, struct view key) {
    static const struct view prefix = {KEY_PREFIX "claim:", sizeof(KEY_PREFIX "claim:") - 1};
    struct registry registry = store_redis_registry(page->store);
    struct view name = view_skip(key, prefix.len);
    if (!view_starts_with(key, prefix) || !name.len || name.len > TUNNEL_NAME_MAX) return;
    page->owed++;
    registry.lookup(registry.ctx, name, on_claim, page, 0);
}

static void on_scanned(void *ctx, enum status status, const redisReply *reply) {
    struct page *page = ctx;
    bool well = status == STATUS_OK && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
                reply->element[1]->type == REDIS_REPLY_ARRAY &&
                view_parse_u64(reply_text(reply->element[0]), &page->next);
    if (!well) page->status = status == STATUS_OK ? STATUS_INVALID : status;
    for (size_t i = 0; well && !page->store->stopped && i < reply->element[1]->elements; i++)
        look_up(page, reply_text(reply->element[1]->element[i]));
    page_reply(page);
}

void store_redis_names(struct store_redis *store, uint64_t cursor, size_t count, store_name_fn *each,
                       store_page_fn *done, void *target) {
    struct page *page = heap_alloc_owed(sizeof(*page));
    char from[24], most[24];
    *page = (struct page){.store = store, .each = each, .done = done, .target = target, .owed = 1};
    snprintf(from, sizeof(from), "%llu", (unsigned long long)cursor);
    snprintf(most, sizeof(most), "%zu", count);
    const struct view words[] = {VIEW("SCAN"),  view_from_cstr(from),
                                 VIEW("MATCH"), VIEW(KEY_PREFIX "claim:*"),
                                 VIEW("COUNT"), view_from_cstr(most)};
    store_call(store, words, 6, true, on_scanned, page);
}
