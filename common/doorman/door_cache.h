/* Who was let in, for a while: fields that the service is told of him, by a hash of the question. At most
 * DOOR_CACHE_MAX; the oldest goes first. */
#ifndef DOORMAN_DOOR_CACHE_H
#define DOORMAN_DOOR_CACHE_H

#include "base/list.h"
#include "base/table.h"
#include "http/headers.h"

#define DOOR_CACHE_MAX ((size_t)4096)
#define DOOR_KEY_LEN ((size_t)32)

struct door_cache {
    struct table entries;
    struct list by_age; /* of struct remembered, the oldest first */
    uint64_t keep_ms;
};

void door_cache_init(struct door_cache *cache, uint64_t keep_ms);
void door_cache_done(struct door_cache *cache);

/* Adds what is remembered to `fields`. False: nobody has been let in so of late, or without memory. */
bool door_cache_get(struct door_cache *cache, const unsigned char key[DOOR_KEY_LEN], uint64_t now_ms,
                    struct headers *fields);
/* Without memory nothing is remembered. The fields were checked: no value has a line break. */
void door_cache_put(struct door_cache *cache, const unsigned char key[DOOR_KEY_LEN], uint64_t now_ms,
                    const struct headers *fields);

#endif
