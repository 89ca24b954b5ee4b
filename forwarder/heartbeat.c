#include "heartbeat.h"

#include <time.h>

#include "base/log.h"

#define WATCH_MS 1000
#define DOUBT_MS 5000
#define SLEPT_MS 5000
#define DOUBT_SLEPT_MS 1000 /* there is nothing under way that could delay the answer */

/* The wall clock does, too, where there is no other; but people set it. */
static uint64_t boot_ms(void) {
#ifdef CLOCK_BOOTTIME
    struct timespec now;
    if (clock_gettime(CLOCK_BOOTTIME, &now) == 0)
        return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
#endif
    return loop_wall_ms(NULL);
}

static int64_t clock_offset_ms(const struct heartbeat *heartbeat) {
    return (int64_t)heartbeat->boot_ms() - (int64_t)loop_now(heartbeat->loop);
}

static void fall_silent(struct heartbeat *heartbeat, uint64_t for_ms) {
    heartbeat_stop(heartbeat);
    heartbeat->host.silent(heartbeat->host.ctx, for_ms);
}

static void on_beat(struct timer *timer) {
    struct heartbeat *heartbeat = LIST_ENTRY(timer, struct heartbeat, beat);
    uint64_t interval_ms = heartbeat->interval_ms;
    uint64_t alive_ms = heartbeat->host.heard_ms(heartbeat->host.ctx);
    uint64_t moved_ms = heartbeat->host.moved_ms(heartbeat->host.ctx);
    uint64_t quiet_ms = loop_now(heartbeat->loop) - (moved_ms > alive_ms ? moved_ms : alive_ms);
    if (quiet_ms >= 2 * interval_ms) {
        fall_silent(heartbeat, quiet_ms);
        return;
    }
    if (quiet_ms >= interval_ms || heartbeat->asks_always) heartbeat->host.ask(heartbeat->host.ctx);
    timer_start(&heartbeat->loop->timers, &heartbeat->beat, interval_ms - quiet_ms % interval_ms);
}

static void doubt(struct heartbeat *heartbeat, uint64_t patience_ms) {
    if (!heartbeat->is_on) return;
    if (!heartbeat->asked_ms) heartbeat->asked_ms = loop_now(heartbeat->loop);
    heartbeat->patience_ms = patience_ms;
    heartbeat->host.ask(heartbeat->host.ctx);
}

/* The loop's clock stands still while the machine sleeps; and the link rarely survives it. */
static void on_watch(struct timer *timer) {
    struct heartbeat *heartbeat = LIST_ENTRY(timer, struct heartbeat, watch);
    uint64_t now_ms = loop_now(heartbeat->loop);
    if (heartbeat->patience_ms && heartbeat->asked_ms &&
        heartbeat->host.heard_ms(heartbeat->host.ctx) >= heartbeat->asked_ms)
        heartbeat->asked_ms = 0;
    if (heartbeat->asked_ms && now_ms - heartbeat->asked_ms >= heartbeat->patience_ms) {
        fall_silent(heartbeat, now_ms - heartbeat->asked_ms);
        return;
    }
    int64_t offset_ms = clock_offset_ms(heartbeat);
    if (offset_ms - heartbeat->clock_offset_ms > SLEPT_MS) {
        log_debug("heartbeat", "the machine slept; asking whether the link still lives");
        doubt(heartbeat, DOUBT_SLEPT_MS);
    }
    heartbeat->clock_offset_ms = offset_ms;
    timer_start(&heartbeat->loop->timers, &heartbeat->watch, WATCH_MS);
}

void heartbeat_init(struct heartbeat *heartbeat, struct loop *loop, uint64_t interval_ms,
                    const struct heartbeat_host *host) {
    *heartbeat =
        (struct heartbeat){.loop = loop, .host = *host, .interval_ms = interval_ms, .boot_ms = boot_ms};
    timer_init(&heartbeat->beat, on_beat);
    timer_init(&heartbeat->watch, on_watch);
}

void heartbeat_start(struct heartbeat *heartbeat) {
    heartbeat->is_on = true;
    heartbeat->asked_ms = 0;
    heartbeat->clock_offset_ms = clock_offset_ms(heartbeat);
    timer_start(&heartbeat->loop->timers, &heartbeat->beat, heartbeat->interval_ms);
    timer_start(&heartbeat->loop->timers, &heartbeat->watch, WATCH_MS);
}

void heartbeat_doubt(struct heartbeat *heartbeat) {
    doubt(heartbeat, DOUBT_MS);
}

void heartbeat_give_up(struct heartbeat *heartbeat) {
    if (!heartbeat->is_on) return;
    heartbeat->asked_ms = loop_now(heartbeat->loop);
    heartbeat->patience_ms = 0;
    timer_start(&heartbeat->loop->timers, &heartbeat->watch, 0);
}

void heartbeat_stop(struct heartbeat *heartbeat) {
    heartbeat->is_on = false;
    timer_stop(&heartbeat->loop->timers, &heartbeat->beat);
    timer_stop(&heartbeat->loop->timers, &heartbeat->watch);
}
