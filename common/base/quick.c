/* See quick.h. A list for each size that malloc() makes on 64-bit systems: 24 bytes, 40, 56, ... */
#include "base/quick.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

#if defined(__GLIBC__) && !defined(IS_CHECKED)
#include <assert.h>
#include <malloc.h>

#define LEAST ((size_t)24)
#define STEP ((size_t)16)
#define SIZES ((size_t)64) /* the largest is 1032 bytes */
#define EACH_MAX 64
#define ALL_MAX_BYTES ((size_t)128 * 1024)

struct free_block {
    struct free_block *next;
};

struct size_list {
    struct free_block *first;
    size_t count;
};

static _Thread_local struct size_list lists[SIZES];
static _Thread_local size_t kept_bytes;

static size_t list_bytes(size_t index) {
    return LEAST + index * STEP;
}

void *quick_alloc(size_t size) {
    size_t index = size <= LEAST ? 0 : (size - LEAST + STEP - 1) / STEP;
    struct free_block *block = index < SIZES ? lists[index].first : NULL;
    if (!block) return malloc(size);
    lists[index].first = block->next;
    lists[index].count--;
    kept_bytes -= list_bytes(index);
    return block;
}

void quick_free(void *memory) {
    struct free_block *block = memory;
    if (!block) return;
    size_t usable = malloc_usable_size(memory);
    size_t index = usable < LEAST ? SIZES : (usable - LEAST) / STEP;
    if (index >= SIZES || lists[index].count >= EACH_MAX || kept_bytes + list_bytes(index) > ALL_MAX_BYTES) {
        free(memory);
        return;
    }
    assert(block != lists[index].first); /* freed twice */
    block->next = lists[index].first;
    lists[index].first = block;
    lists[index].count++;
    kept_bytes += list_bytes(index);
}
#else
void *quick_alloc(size_t size) {
    return malloc(size);
}

void quick_free(void *memory) {
    free(memory);
}
#endif

void *quick_calloc(size_t size) {
    void *block = quick_alloc(size);
    if (block) memset(block, 0, size);
    return block;
}
