/* Timers in a binary heap; each knows its place, so that stopping one needs no search. Slot s is heap[s - 1].
 */
#include "base/timers.h"

#include <assert.h>
#include <stdlib.h>

#define FIRST_CAP 64

void timers_init(struct timers *timers, uint64_t (*now_ms)(void *ctx), void (*on_earlier)(void *ctx),
                 void *ctx) {
    *timers = (struct timers){.now_ms = now_ms, .on_earlier = on_earlier, .ctx = ctx};
}

void timers_done(struct timers *timers) {
    assert(timers->count == 0);
    free(timers->heap);
    timers->heap = NULL;
    timers->cap = 0;
}

void timer_init(struct timer *timer, void (*fn)(struct timer *timer)) {
    *timer = (struct timer){.fn = fn};
}

static struct timer *at_slot(const struct timers *timers, size_t slot) {
    return timers->heap[slot - 1];
}

static void place(struct timers *timers, struct timer *timer, size_t slot) {
    timers->heap[slot - 1] = timer;
    timer->slot = slot;
}

static size_t sift_up(struct timers *timers, struct timer *timer, size_t slot) {
    while (slot > 1 && at_slot(timers, slot / 2)->deadline_ms > timer->deadline_ms) {
        place(timers, at_slot(timers, slot / 2), slot);
        slot /= 2;
    }
    return slot;
}

static size_t sift_down(struct timers *timers, struct timer *timer, size_t slot) {
    for (size_t child; (child = slot * 2) <= timers->count; slot = child) {
        if (child < timers->count &&
            at_slot(timers, child + 1)->deadline_ms < at_slot(timers, child)->deadline_ms)
            child++;
        if (at_slot(timers, child)->deadline_ms >= timer->deadline_ms) break;
        place(timers, at_slot(timers, child), slot);
    }
    return slot;
}

static void settle(struct timers *timers, struct timer *timer, size_t slot) {
    slot = sift_up(timers, timer, slot);
    place(timers, timer, sift_down(timers, timer, slot));
}

static bool make_room(struct timers *timers) {
    if (timers->count < timers->cap) return true;
    size_t cap = timers->cap ? timers->cap * 2 : FIRST_CAP;
    struct timer **heap = realloc(timers->heap, cap * sizeof(struct timer *));
    if (!heap) return false;
    timers->heap = heap;
    timers->cap = cap;
    return true;
}

static uint64_t earliest(const struct timers *timers) {
    return timers->count ? at_slot(timers, 1)->deadline_ms : UINT64_MAX;
}

bool timer_start(struct timers *timers, struct timer *timer, uint64_t in_ms) {
    uint64_t now = timers->now_ms(timers->ctx), before = earliest(timers);
    bool was_idle = timers->count == 0;
    if (!timer_armed(timer)) {
        if (!make_room(timers)) return false;
        timer->slot = ++timers->count;
    }
    timer->deadline_ms = in_ms > UINT64_MAX - now ? UINT64_MAX : now + in_ms;
    settle(timers, timer, timer->slot);
    if (timers->on_earlier && (was_idle || earliest(timers) < before)) timers->on_earlier(timers->ctx);
    return true;
}

void timer_stop(struct timers *timers, struct timer *timer) {
    if (!timer_armed(timer)) return;
    size_t slot = timer->slot;
    timer->slot = 0;
    struct timer *last = timers->heap[--timers->count];
    if (last != timer) settle(timers, last, slot);
}

int64_t timers_next_ms(const struct timers *timers) {
    if (timers->count == 0) return -1;
    uint64_t now = timers->now_ms(timers->ctx), deadline = earliest(timers);
    uint64_t left = deadline > now ? deadline - now : 0;
    return left > INT64_MAX ? INT64_MAX : (int64_t)left;
}

void timers_run(struct timers *timers) {
    uint64_t now = timers->now_ms(timers->ctx);
    /* Bounded by what is armed now: a timer that starts itself again with 0 must not keep us here. */
    for (size_t left = timers->count; left > 0 && timers->count > 0 && earliest(timers) <= now; left--) {
        struct timer *timer = at_slot(timers, 1);
        timer_stop(timers, timer);
        timer->fn(timer);
    }
}
