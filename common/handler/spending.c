/* What owners have used here is told to the other processes now and then, and what they tell is taken from
 * the same buckets here: so an owner whose tunnels are in several places has what he may have, on average. */
#include "base/log.h"
#include "handler/core_state.h"
#include "handler/pace.h"

enum { TELL_MS = 200, SHARE = 20 };

static const struct registry *registry_of(const struct core *core) {
    return &core->ports.registry;
}

/* A twentieth of what he may have in a second: who uses little is hardly spoken of. */
static bool is_worth_telling(const struct owner_use *owner) {
    const struct spending *untold = &owner->untold;
    return (owner->rate && untold->requests && untold->requests >= owner->rate / SHARE) ||
           (owner->bandwidth && untold->bytes && untold->bytes >= owner->bandwidth / SHARE);
}

void spending_note(struct core *core, struct owner_use *owner, size_t requests, size_t bytes) {
    if (!registry_of(core)->spend) return;
    owner->untold.requests += requests;
    owner->untold.bytes += bytes;
    if (!list_empty(&owner->untold_node) || !is_worth_telling(owner)) return;
    list_append(&core->spenders, &owner->untold_node);
    if (!timer_armed(&core->spend_timer)) timer_start(core->ports.clock.timers, &core->spend_timer, TELL_MS);
}

void spending_on_timer(struct timer *timer) {
    struct core *core = LIST_ENTRY(timer, struct core, spend_timer);
    const struct registry *registry = registry_of(core);
    for (struct list *node; (node = list_pop(&core->spenders));) {
        struct owner_use *owner = LIST_ENTRY(node, struct owner_use, untold_node);
        registry->spend(registry->ctx, view_from_cstr(owner->name), &owner->untold);
        owner->untold = (struct spending){0};
    }
}

/* No more is held against an owner than what he would have here in a second or two. */
static void take_requests(struct owner_use *owner, uint64_t now_ns, uint64_t requests) {
    uint64_t most = now_ns + 2 * BUCKET_NS_PER_S, token_ns = BUCKET_NS_PER_S / owner->rate;
    uint64_t full = owner->full_ns > now_ns ? owner->full_ns : now_ns;
    full += (requests < owner->rate ? requests : owner->rate) * token_ns;
    owner->full_ns = full < most ? full : most;
}

void spending_heard(struct core *core, struct view name, const struct spending *spent) {
    struct table_node *node = table_get(&core->owners, name);
    if (!node) return;
    struct owner_use *owner = TABLE_ENTRY(node, struct owner_use, node);
    uint64_t now_ns = core_now_ns(core);
    if (owner->rate && spent->requests) take_requests(owner, now_ns, spent->requests);
    if (owner->bandwidth && spent->bytes)
        pace_take(&owner->bytes_full_ns, now_ns, owner->bandwidth, spent->bytes);
}
