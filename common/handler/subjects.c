/* How often the subject of a token may do what costs the store something: begin a tunnel, which is a claim
 * that is kept for a day whether or not its agent stays, and connect. */
#include "base/buckets.h"
#include "handler/core_state.h"

#define DAY_NS (86400 * BUCKET_NS_PER_S)
#define MINUTE_NS (60 * BUCKET_NS_PER_S)

bool core_buckets_take(struct core *core, struct buckets *buckets, uint64_t key, uint64_t period_ns,
                       size_t most) {
    uint64_t seed;
    if (!buckets->full_ns) {
        core->ports.ids.random(&seed, sizeof(seed));
        if (!buckets_init(buckets, seed)) return false;
    }
    return buckets_take(buckets, key, core_now_ns(core), period_ns, most);
}

static bool take(struct core *core, struct buckets *buckets, struct view owner, uint64_t period_ns,
                 size_t most) {
    if (!most || !view_starts_with(owner, VIEW("sub:"))) return true;
    return core_buckets_take(core, buckets, buckets_key(owner), period_ns, most);
}

bool subject_may_begin(struct core *core, struct view owner) {
    return take(core, &core->begins, owner, DAY_NS, core->settings.subject_tunnels_per_day);
}

bool subject_may_connect(struct core *core, struct view owner) {
    return take(core, &core->connects, owner, MINUTE_NS, core->settings.quotas.owner_connects);
}
