/* malloc() for small blocks that come and go many at a time, as when a message of the link brings thirty
 * requests: glibc keeps seven of each size at hand, and what is beyond them costs it some 200 instructions to
 * give and as many to take back. Here up to 64 of each size are kept, at most 128 KiB in all; elsewhere, and
 * with AddressSanitizer, it is malloc() and free(). Blocks are malloc()'s: each may be given to free() and
 * realloc(), too. One thread has nothing of another's. */
#ifndef BASE_QUICK_H
#define BASE_QUICK_H

#include <stddef.h>

/* Its bytes are whatever they were. NULL without memory. */
void *quick_alloc(size_t size);
/* The same, all zeros. */
void *quick_calloc(size_t size);
/* Any block of malloc()'s. NULL is fine. */
void quick_free(void *block);

#endif
