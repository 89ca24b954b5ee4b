/* Memory that lives as long as one request: many small allocations, one end. Nothing allocated here may be
 * referenced by anything that lives longer. Blocks are 16-byte aligned. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/view.h"

struct arena_block;

struct arena {
    struct arena_block *blocks;
    size_t used_bytes;
    size_t max_bytes;
};

void arena_init(struct arena *arena, size_t max_bytes);
void arena_done(struct arena *arena);
/* Forgets all allocations but keeps the first block's memory for the next use. */
void arena_clear(struct arena *arena);

/* NULL when the maximum would be passed or memory is short. */
void *arena_alloc(struct arena *arena, size_t len);
void *arena_calloc(struct arena *arena, size_t len);

/* A copy, with a NUL byte behind it that does not count. The absent view (ptr NULL) on failure. */
struct view arena_copy(struct arena *arena, struct view v);
struct view arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
