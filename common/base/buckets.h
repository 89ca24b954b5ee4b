/* Buckets of tokens (bucket.h) for as many keys as there may be, in fixed memory: each key has two of them,
 * in two halves of a table, and is out of tokens when both are empty. Others may have the same ones, but
 * hardly the same two. */
#ifndef BASE_BUCKETS_H
#define BASE_BUCKETS_H

#include "base/bucket.h"
#include "base/view.h"

#define BUCKETS_EACH 4096 /* a power of two, 2^16 at most */

struct buckets {
    uint64_t *full_ns; /* NULL: nobody has taken anything yet */
    uint64_t seed;     /* so that nobody can choose whose buckets he has */
};

/* `seed` is random. False without memory. */
bool buckets_init(struct buckets *buckets, uint64_t seed);
void buckets_done(struct buckets *buckets);

/* Takes a token of this key, which may have so many within a period, as many at once. */
bool buckets_take(struct buckets *buckets, uint64_t key, uint64_t now_ns, uint64_t period_ns, size_t tokens);
uint64_t buckets_key(struct view text);

#endif
