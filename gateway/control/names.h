/* The names that are held: by agents that are connected, and for owners who are away. A page at a time, in no
 * order; a name may come twice while others come and go, and a page may be short before the last one. */
#ifndef CONTROL_NAMES_H
#define CONTROL_NAMES_H

#include "control/control.h"
#include "store/store_memory.h"

struct names_source {
    struct tasks *tasks;
    struct store_redis *redis; /* NULL: the next */
    const struct store_memory *memory;
};

/* `cursor`: 0 for the first page, then result->next, a number. `done` fires later; rows are as docs/
 * ADMINISTRATION.md has them. */
void names_list(const struct names_source *source, uint64_t cursor, size_t limit, control_done_fn *done,
                void *ctx);

#endif
