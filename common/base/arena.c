/* The arena: a chain of blocks, the first of which serves the allocations. Blocks double up to BLOCK_MAX;
 * what is larger gets a block of its own behind the first, whose free room thus stays in use. With
 * AddressSanitizer nothing of a block may be touched but what was asked for, so that it sees a byte too many.
 * Most arenas live for a request and need one block: those of that size are kept for the next ones. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/checked.h"
#include "base/spares.h"

#define ALIGNMENT ((size_t)16)
#define BLOCK_FIRST ((size_t)4096)
#define BLOCK_MAX ((size_t)64 * 1024)
#define SPARE_BLOCKS 64

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    alignas(16) char bytes[];
};

static _Thread_local struct spares first_blocks = {.size = BLOCK_FIRST, .most = SPARE_BLOCKS};

static struct arena_block *block_new(size_t size) {
    struct arena_block *block;
    bool is_first_size = size == BLOCK_FIRST - sizeof(*block);
    block = is_first_size ? spares_take(&first_blocks) : malloc(sizeof(*block) + size);
    if (!block) return NULL;
    ASAN_POISON_MEMORY_REGION(block->bytes, size);
    block->used = 0;
    block->size = size;
    return block;
}

static void block_free(struct arena_block *block) {
    ASAN_UNPOISON_MEMORY_REGION(block->bytes, block->size);
    if (block->size == BLOCK_FIRST - sizeof(*block))
        spares_give(&first_blocks, block);
    else
        free(block);
}

void arena_init(struct arena *arena, size_t max_bytes) {
    *arena = (struct arena){.max_bytes = max_bytes};
}

void arena_done(struct arena *arena) {
    struct arena_block *block = arena->blocks;
    while (block) {
        struct arena_block *next = block->next;
        block_free(block);
        block = next;
    }
    arena_init(arena, arena->max_bytes);
}

void arena_clear(struct arena *arena) {
    struct arena_block *block = arena->blocks;
    while (block && block->next) {
        struct arena_block *next = block->next;
        block_free(block);
        block = next;
    }
    size_t max_bytes = arena->max_bytes;
    if (block && block->size > BLOCK_MAX) {
        block_free(block);
        block = NULL;
    }
    if (block) {
        block->used = 0;
        ASAN_POISON_MEMORY_REGION(block->bytes, block->size);
    }
    *arena = (struct arena){.blocks = block, .max_bytes = max_bytes};
}

static size_t next_size(const struct arena *arena, size_t len) {
    const struct arena_block *first = arena->blocks;
    size_t size = first ? (first->size + sizeof(*first)) * 2 : BLOCK_FIRST;
    size = (size > BLOCK_MAX ? BLOCK_MAX : size) - sizeof(*first);
    size_t left = arena->max_bytes - arena->used_bytes;
    if (size > left) size = left;
    return size < len ? len : size;
}

static struct arena_block *add_block(struct arena *arena, size_t len) {
    size_t size = next_size(arena, len);
    struct arena_block *block = block_new(size), *first = arena->blocks;
    if (!block) return NULL;
    if (first && first->size - first->used > size - len) {
        block->next = first->next;
        first->next = block;
    } else {
        block->next = first;
        arena->blocks = block;
    }
    return block;
}

void *arena_alloc(struct arena *arena, size_t len) {
    size_t left = arena->max_bytes - arena->used_bytes;
    if (len > left || len > SIZE_MAX / 2) return NULL;
    size_t rounded = len ? (len + ALIGNMENT - 1) & ~(ALIGNMENT - 1) : ALIGNMENT;
    if (rounded > left) return NULL;
    struct arena_block *block = arena->blocks;
    if (!block || rounded > block->size - block->used) block = add_block(arena, rounded);
    if (!block) return NULL;
    void *bytes = block->bytes + block->used;
    ASAN_UNPOISON_MEMORY_REGION(bytes, len);
    block->used += rounded;
    arena->used_bytes += rounded;
    return bytes;
}

void *arena_calloc(struct arena *arena, size_t len) {
    void *bytes = arena_alloc(arena, len);
    if (bytes) memset(bytes, 0, len);
    return bytes;
}

struct view arena_copy(struct arena *arena, struct view v) {
    char *copy = v.len < SIZE_MAX ? arena_alloc(arena, v.len + 1) : NULL;
    if (!copy) return (struct view){NULL, 0};
    if (v.len) memcpy(copy, v.ptr, v.len);
    copy[v.len] = '\0';
    return (struct view){copy, v.len};
}

struct view arena_printf(struct arena *arena, const char *format, ...) {
    char text[256];
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    struct view out = {NULL, 0};
    if (len >= 0 && (size_t)len < sizeof(text)) {
        out = arena_copy(arena, view_of(text, (size_t)len));
    } else if (len >= 0) {
        char *whole = arena_alloc(arena, (size_t)len + 1);
        if (whole) vsnprintf(whole, (size_t)len + 1, format, again);
        if (whole) out = view_of(whole, (size_t)len);
    }
    va_end(again);
    return out;
}
