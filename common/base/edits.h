/* How far a word is from another: for "did you mean". */
#ifndef BASE_EDITS_H
#define BASE_EDITS_H

#include "base/view.h"

/* Bytes to insert, delete or replace until one is the other. Only the first 64 bytes of each count. */
size_t edit_distance(struct view a, struct view b);

/* So many edits, and no more, may a command have been mistyped by: less than half of it, and two at most. */
static inline size_t edits_allowed(struct view word) {
    return word.len < 6 ? (word.len ? (word.len - 1) / 2 : 0) : 2;
}

/* Which name was probably meant by a word, of those that are offered one by one. */
struct nearest {
    struct view word;
    size_t most;      /* edits that it may be away, and no more */
    const char *name; /* the first of the nearest so far; NULL: none is near enough */
    size_t edits;     /* that it is away */
};

void nearest_offer(struct nearest *nearest, const char *name);

#endif
