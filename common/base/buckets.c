/* See buckets.h. */
#include "base/buckets.h"

#include <stdlib.h>

bool buckets_init(struct buckets *buckets, uint64_t seed) {
    *buckets = (struct buckets){.full_ns = calloc((size_t)2 * BUCKETS_EACH, sizeof(uint64_t)), .seed = seed};
    return buckets->full_ns;
}

void buckets_done(struct buckets *buckets) {
    free(buckets->full_ns);
    *buckets = (struct buckets){.full_ns = NULL};
}

uint64_t buckets_key(struct view text) {
    uint64_t key = 0xcbf29ce484222325u; /* FNV-1a */
    for (size_t i = 0; i < text.len; i++) key = (key ^ (unsigned char)text.ptr[i]) * 0x100000001b3u;
    return key;
}

static uint64_t stir(uint64_t key) {
    key = (key ^ key >> 33) * 0xff51afd7ed558ccdu;
    key = (key ^ key >> 33) * 0xc4ceb9fe1a85ec53u;
    return key ^ key >> 33;
}

bool buckets_take(struct buckets *buckets, uint64_t key, uint64_t now_ns, uint64_t period_ns, size_t tokens) {
    uint64_t at = stir(key ^ buckets->seed), *first = buckets->full_ns, *second = first + BUCKETS_EACH;
    bool has_one = bucket_take_within(&first[at % BUCKETS_EACH], now_ns, period_ns, tokens);
    bool has_other = bucket_take_within(&second[(at >> 32) % BUCKETS_EACH], now_ns, period_ns, tokens);
    return has_one || has_other;
}
