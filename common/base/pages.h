/* Large buffers of libraries that are used now and then and live for hours: whole pages that can be given
 * back to the system while nothing in them counts. */
#ifndef BASE_PAGES_H
#define BASE_PAGES_H

#include <stddef.h>

#define PAGES_LEAST ((size_t)16 * 1024)

/* As malloc, but on a page of its own from PAGES_LEAST bytes on. To be freed with free(). */
void *pages_alloc(size_t size);
/* What is in a block of pages_alloc() counts no more (it reads as zeros, or as it was); it stays allocated,
 * and costs memory again as soon as it is written to. NULL, and small blocks, are fine. */
void pages_rest(void *block, size_t size);

#endif
