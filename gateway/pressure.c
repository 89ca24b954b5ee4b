/* See pressure.h. The allocator's own account is the one that nothing is missing from: buffers, messages,
 * claims. */
#include "pressure.h"

#include "base/heap.h"
#include "base/log.h"
#include "config/machine.h"

#define LOOK_MS 500
#define CUTS_A_LOOK 16

static bool is_above(const struct pressure *pressure, unsigned percent) {
    return pressure->limit_bytes && heap_used_bytes() > pressure->limit_bytes / 100 * percent;
}

static void on_look(struct timer *timer) {
    struct pressure *pressure = LIST_ENTRY(timer, struct pressure, look);
    bool is_high = is_above(pressure, 80);
    if (is_high != pressure->is_high) {
        log_warn("gateway", is_high ? "memory is short: new requests are refused" : "memory is there again");
        core_refuse_new(pressure->core, is_high);
    }
    pressure->is_high = is_high;
    for (int i = 0; i < CUTS_A_LOOK && is_above(pressure, 95); i++)
        if (!visitors_shed(pressure->visitors)) break;
    timer_start(&pressure->loop->timers, &pressure->look, LOOK_MS);
}

void pressure_start(struct pressure *pressure, struct loop *loop, struct core *core,
                    struct visitors *visitors, uint64_t limit_bytes) {
    if (!limit_bytes) limit_bytes = machine_memory_bytes() / 4 * 3;
    *pressure =
        (struct pressure){.loop = loop, .core = core, .visitors = visitors, .limit_bytes = limit_bytes};
    timer_init(&pressure->look, on_look);
    timer_start(&loop->timers, &pressure->look, LOOK_MS);
}

void pressure_stop(struct pressure *pressure) {
    if (pressure->loop) timer_stop(&pressure->loop->timers, &pressure->look);
}
