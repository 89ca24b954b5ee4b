/* Do several want the same at this time? Whoever takes of it is noted, and for a moment after two have taken
 * in turn there are rivals. One that is alone may then do more at one go, which costs less. */
#ifndef BASE_RIVALS_H
#define BASE_RIVALS_H

#include <stdbool.h>
#include <stdint.h>

#define RIVALS_MS 100

/* All zero: nobody was there. */
struct rivals {
    uintptr_t last; /* who, as any number but 0 */
    uint64_t until_ms;
};

static inline void rivals_note(struct rivals *rivals, uintptr_t who, uint64_t now_ms) {
    if (rivals->last && rivals->last != who) rivals->until_ms = now_ms + RIVALS_MS;
    rivals->last = who;
}

static inline bool rivals_any(const struct rivals *rivals, uint64_t now_ms) {
    return now_ms < rivals->until_ms;
}

#endif
