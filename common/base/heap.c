/* See heap.h. */
#include "base/heap.h"

#include <stdlib.h>

#include "base/log.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#define LARGE_BYTES (128 * 1024)
#define KEPT_BYTES (4 * 1024 * 1024)

void heap_init(void) {
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
#endif
}

size_t heap_used_bytes(void) {
#ifdef __GLIBC__
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
#else
    return 0;
#endif
}

void *heap_alloc_owed(size_t size) {
    void *owed = calloc(1, size);
    if (owed) return owed;
    log_error("heap", "out of memory");
    abort();
}
