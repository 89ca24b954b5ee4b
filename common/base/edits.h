/* How far a word is from another: for "did you mean". */
#ifndef BASE_EDITS_H
#define BASE_EDITS_H

#include "base/view.h"

/* Bytes to insert, delete or replace until one is the other. Only the first 64 bytes of each count. */
size_t edit_distance(struct view a, struct view b);

#endif
