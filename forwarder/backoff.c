#include "backoff.h"

void backoff_reset(struct backoff *backoff) {
    backoff->ceiling_ms = 0;
}

uint32_t backoff_next_ms(struct backoff *backoff, uint32_t random) {
    if (!backoff->ceiling_ms)
        backoff->ceiling_ms = BACKOFF_FIRST_MS;
    else
        backoff->ceiling_ms =
            backoff->ceiling_ms >= BACKOFF_MAX_MS / 2 ? BACKOFF_MAX_MS : backoff->ceiling_ms * 2;
    uint32_t span = backoff->ceiling_ms - BACKOFF_MIN_MS + 1;
    return BACKOFF_MIN_MS + (uint32_t)(((uint64_t)random * span) >> 32);
}
