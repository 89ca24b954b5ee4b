/* How many tunnels one subject may begin: each is a claim that is kept for a day, whether or not its agent
 * stays. In fixed memory: each subject has two buckets, in two halves of a table, and is out of them when
 * both are empty; others may have the same ones, but hardly the same two. */
#include <stdlib.h>

#include "base/bucket.h"
#include "handler/core_state.h"

enum { BUCKETS = 4096 };

#define DAY_NS (86400 * BUCKET_NS_PER_S)
#define NS_PER_MS 1000000ull

static uint64_t hash(struct view text, uint64_t seed) {
    uint64_t hash = 0xcbf29ce484222325u ^ seed; /* FNV-1a, stirred */
    for (size_t i = 0; i < text.len; i++) hash = (hash ^ (unsigned char)text.ptr[i]) * 0x100000001b3u;
    hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccdu;
    return hash ^ hash >> 33;
}

static bool make_buckets(struct core *core) {
    if (core->subjects) return true;
    core->ports.ids.random(&core->subjects_seed, sizeof(core->subjects_seed));
    core->subjects = calloc((size_t)2 * BUCKETS, sizeof(*core->subjects));
    return core->subjects;
}

bool subject_may_begin(struct core *core, struct view owner) {
    size_t most = core->settings.subject_tunnels_per_day;
    if (!most || !view_starts_with(owner, VIEW("sub:"))) return true;
    if (!make_buckets(core)) return false;
    uint64_t now = core_now_ms(core) * NS_PER_MS, at = hash(owner, core->subjects_seed);
    bool has_one = bucket_take_within(&core->subjects[at % BUCKETS], now, DAY_NS, most);
    bool has_other = bucket_take_within(&core->subjects[BUCKETS + (at >> 32) % BUCKETS], now, DAY_NS, most);
    return has_one || has_other;
}
