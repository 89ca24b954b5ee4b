/* See spares.h. */
#include "base/spares.h"

#include <stdlib.h>

#include "base/checked.h"

struct spare {
    struct spare *next;
};

static struct spare *pop(struct spares *spares) {
    struct spare *spare = spares->first;
    if (!spare) return NULL;
    ASAN_UNPOISON_MEMORY_REGION(spare, spares->size);
    spares->first = spare->next;
    spares->count--;
    return spare;
}

void *spares_take(struct spares *spares) {
    struct spare *spare = pop(spares);
    return spare ? spare : malloc(spares->size);
}

void spares_give(struct spares *spares, void *block) {
    struct spare *spare = block;
    if (!spare) return;
    if (spares->count >= spares->most) {
        free(spare);
        return;
    }
    spare->next = spares->first;
    spares->first = spare;
    spares->count++;
    ASAN_POISON_MEMORY_REGION(spare + 1, spares->size - sizeof(*spare)); /* LeakSanitizer follows `next` */
}

void spares_trim(struct spares *spares) {
    struct spare *spare;
    while ((spare = pop(spares))) free(spare);
}
