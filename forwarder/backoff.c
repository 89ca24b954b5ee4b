#include "backoff.h"

void backoff_reset(struct backoff *backoff) {
    *backoff = (struct backoff){0};
}

uint32_t backoff_next_ms(struct backoff *backoff, uint32_t random, uint64_t now_ms) {
    if (!backoff->ceiling_ms) backoff->since_ms = now_ms;
    uint32_t max = now_ms - backoff->since_ms < BACKOFF_SOON_MS ? BACKOFF_SOON_MAX_MS : BACKOFF_MAX_MS;
    uint32_t next = backoff->ceiling_ms ? backoff->ceiling_ms * 2 : BACKOFF_FIRST_MS;
    backoff->ceiling_ms = next < max ? next : max;
    uint32_t span = backoff->ceiling_ms - BACKOFF_MIN_MS + 1;
    return BACKOFF_MIN_MS + (uint32_t)(((uint64_t)random * span) >> 32);
}
