/* The memory of what decodes and encodes. How much it takes is up to who sends, so it is counted, for each
 * tunnel and for the process: what would need more gets none. All of one thread. */
#ifndef CODING_CODING_MEMORY_H
#define CODING_CODING_MEMORY_H

#include "base/view.h"

#define CODING_MEMORY_MAX ((size_t)128 * 1024 * 1024)
/* Of one tunnel, so that it leaves something for others. */
#define CODING_MEMORY_SHARE_MAX (CODING_MEMORY_MAX / 4)

/* A tunnel's; zero at first. It outlives whatever takes of it. */
struct coding_memory {
    size_t bytes;
};

/* What the libraries call; `share` is a struct coding_memory. NULL where it would be too much. */
void *coding_memory_take(void *share, size_t size);
void *coding_memory_take_items(void *share, unsigned count, unsigned size);
void coding_memory_give(void *share, void *memory); /* NULL is fine */

/* In use, of all tunnels. */
size_t coding_memory_bytes(void);

/* Half of what there is, of the tunnel's or in all, is in use: who can do with less should. */
bool coding_memory_is_short(const struct coding_memory *share);

#endif
