/* Do several want the same at this time? Whoever takes of it is noted, and for a moment after two have taken
 * in turn there are rivals. One that is alone may then do more at one go, which costs less; and beside one
 * that takes little, who would notice each wait, each does less at one go. */
#ifndef BASE_RIVALS_H
#define BASE_RIVALS_H

#include <stdint.h>

#define RIVALS_MS 1000
/* How much may be done at one go, in quarters of what is usual. */
#define RIVALS_QUARTERS 4
#define RIVALS_ALONE (4 * RIVALS_QUARTERS)

/* All zero: nobody was there. */
struct rivals {
    uintptr_t last; /* who, as any number but 0 */
    uint64_t until_ms, light_until_ms;
};

static inline void rivals_note(struct rivals *rivals, uintptr_t who, uint64_t now_ms) {
    if (rivals->last && rivals->last != who) rivals->until_ms = now_ms + RIVALS_MS;
    rivals->last = who;
}

/* And that was one that takes little. */
static inline void rivals_note_light(struct rivals *rivals, uint64_t now_ms) {
    rivals->light_until_ms = now_ms + RIVALS_MS;
}

static inline unsigned rivals_quarters(const struct rivals *rivals, uint64_t now_ms) {
    if (now_ms >= rivals->until_ms) return RIVALS_ALONE;
    return now_ms < rivals->light_until_ms ? 1 : RIVALS_QUARTERS;
}

#endif
