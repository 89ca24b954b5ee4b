/* How the process' heap behaves. */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stddef.h>

/* To be called once, at the start. From now on large blocks (whole bodies of v1, messages) go back to the
 * system when they are freed. glibc would otherwise raise its threshold with the first of them, and keep
 * every later one. Does nothing with other C libraries. */
void heap_init(void);

/* What the heap has given out and not been given back; 0 with other C libraries, and with sanitizers. Walks
 * its free blocks. */
size_t heap_used_bytes(void);

/* Zeroed memory, to be freed, for what owes somebody a completion. Never NULL: without it whoever waits would
 * wait for ever, so the process ends, and says why. */
void *heap_alloc_owed(size_t size);

#endif
