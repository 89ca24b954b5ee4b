/* Blocks of one size that are needed again and again, each for a short while: a few are kept instead of
 * freed. malloc() takes some 300 instructions for what is larger than 1 KiB, and as many to get it back. */
#ifndef BASE_SPARES_H
#define BASE_SPARES_H

#include <stddef.h>

struct spares {
    struct spare *first; /* the one that was given last, which is the warmest */
    size_t size;         /* bytes of each block; at least a pointer's */
    size_t count, most;
};

/* Usable as it is: {.size = …, .most = …}. Not for several threads. */

/* Its bytes are whatever they were. NULL without memory. From then on it may also be free()d. */
void *spares_take(struct spares *spares);
/* Keeps it, or frees it where there are `most`. NULL is fine. */
void spares_give(struct spares *spares, void *block);
/* Frees all that are kept. */
void spares_trim(struct spares *spares);

#endif
