/* See coding_memory.h. */
#include "coding/coding_memory.h"

#include <stdlib.h>

/* Before each block, which stays aligned. */
union block {
    size_t size;
    max_align_t align;
};

static size_t bytes_in_use;

size_t coding_memory_bytes(void) {
    return bytes_in_use;
}

bool coding_memory_is_short(const struct coding_memory *share) {
    return share->bytes > CODING_MEMORY_SHARE_MAX / 2 || bytes_in_use > CODING_MEMORY_MAX / 2;
}

void *coding_memory_take(void *share, size_t size) {
    struct coding_memory *memory = share;
    union block *block = NULL;
    if (size <= CODING_MEMORY_SHARE_MAX - memory->bytes && size <= CODING_MEMORY_MAX - bytes_in_use)
        block = malloc(sizeof(*block) + size);
    if (!block) return NULL;
    block->size = size;
    memory->bytes += size;
    bytes_in_use += size;
    return block + 1;
}

void *coding_memory_take_items(void *share, unsigned count, unsigned size) {
    return coding_memory_take(share, (size_t)count * size);
}

void coding_memory_give(void *share, void *memory) {
    if (!memory) return;
    union block *block = (union block *)memory - 1;
    ((struct coding_memory *)share)->bytes -= block->size;
    bytes_in_use -= block->size;
    free(block);
}
