/* Waits between attempts to connect: a ceiling of 1 s that doubles to 8 s for the first five minutes, for a
 * gateway that is started again is back by then and its agents should be soon after, and to 60 s later; and a
 * wait anywhere below it
 * ("full jitter", so that the agents of a gateway that went away do not come back all at once). No clock of
 * its own. */
#ifndef FORWARDER_BACKOFF_H
#define FORWARDER_BACKOFF_H

#include <stdint.h>

#define BACKOFF_FIRST_MS 1000u
#define BACKOFF_SOON_MAX_MS 8000u
#define BACKOFF_SOON_MS 300000u
#define BACKOFF_MAX_MS 60000u
#define BACKOFF_MIN_MS 100u

struct backoff {
    uint32_t ceiling_ms; /* 0: not begun */
    uint64_t since_ms;   /* of the first wait */
};

void backoff_reset(struct backoff *backoff);
/* The next wait, in [BACKOFF_MIN_MS, ceiling]; `random` is any 32 random bits, `now_ms` a monotonic clock's.
 */
uint32_t backoff_next_ms(struct backoff *backoff, uint32_t random, uint64_t now_ms);

#endif
