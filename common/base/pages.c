/* See pages.h. */
#include "base/pages.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t page_bytes(void) {
    static size_t bytes;
    if (bytes == 0) bytes = (size_t)sysconf(_SC_PAGESIZE);
    return bytes;
}

void *pages_alloc(size_t size) {
    void *block = NULL;
    if (size < PAGES_LEAST) return malloc(size);
    return posix_memalign(&block, page_bytes(), size) == 0 ? block : NULL;
}

void pages_rest(void *block, size_t size) {
    size_t whole = size / page_bytes() * page_bytes();
    if (!block || size < PAGES_LEAST) return;
#ifdef MADV_DONTNEED /* elsewhere it may mean less than that the memory is free, which is no harm */
    madvise(block, whole, MADV_DONTNEED);
#else
    (void)whole;
#endif
}
