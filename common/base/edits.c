/* See edits.h. One row of the table of Wagner and Fischer, from top to bottom. */
#include "base/edits.h"

size_t edit_distance(struct view a, struct view b) {
    size_t row[65];
    a = view_slice(a, 0, 64);
    b = view_slice(b, 0, 64);
    for (size_t j = 0; j <= b.len; j++) row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t best = corner + (a.ptr[i - 1] != b.ptr[j - 1]);
            corner = row[j];
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b.len];
}

void nearest_offer(struct nearest *nearest, const char *name) {
    size_t edits = edit_distance(nearest->word, view_from_cstr(name));
    if (edits > nearest->most || (nearest->name && edits >= nearest->edits)) return;
    nearest->name = name;
    nearest->edits = edits;
}
