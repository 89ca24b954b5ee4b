/* Deadlines: a binary heap of intrusive timers over a clock that the host reads for us. The host keeps one
 * timer of its loop armed for timers_next_ms() and calls timers_run(). Times are milliseconds of a monotonic
 * clock. */
#ifndef BASE_TIMERS_H
#define BASE_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timer {
    uint64_t deadline_ms;
    size_t slot; /* 1-based place in the heap, 0 when not armed */
    void (*fn)(struct timer *timer);
};

struct timers {
    struct timer **heap;
    size_t count, cap;
    uint64_t (*now_ms)(void *ctx);
    void (*on_earlier)(void *ctx); /* the earliest deadline moved forward: arm again; may be NULL */
    void *ctx;
};

void timers_init(struct timers *timers, uint64_t (*now_ms)(void *ctx), void (*on_earlier)(void *ctx),
                 void *ctx);
/* No timer may be armed any more. */
void timers_done(struct timers *timers);

void timer_init(struct timer *timer, void (*fn)(struct timer *timer));
/* Arms, or moves, the timer. False without memory (the timer is then not armed). */
bool timer_start(struct timers *timers, struct timer *timer, uint64_t in_ms);
/* Harmless when not armed. */
void timer_stop(struct timers *timers, struct timer *timer);
static inline bool timer_armed(const struct timer *timer) {
    return timer->slot != 0;
}

/* Milliseconds until the earliest deadline (0: due), or -1 when none is armed. */
int64_t timers_next_ms(const struct timers *timers);
/* Fires all that are due. A timer is not armed any more when its fn is called, and may be started or freed
 * there. */
void timers_run(struct timers *timers);

#endif
