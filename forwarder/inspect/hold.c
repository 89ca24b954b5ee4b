/* See hold.h. */
#include "inspect/hold.h"

#define LOOK_MS 20u

static void let_go(struct holds *holds, struct hold *hold) {
    list_remove(&hold->node);
    MHD_resume_connection(hold->connection);
    mhd_loop_kick(holds->mhd);
}

static bool is_over(const struct hold *hold, uint64_t now_ms) {
    return now_ms >= hold->until_ms || (hold->is_over && hold->is_over(hold->ctx));
}

/* Whether any is left. */
static bool look(struct holds *holds) {
    uint64_t now_ms = loop_now(holds->loop);
    for (struct list *node = holds->list.next, *next; node != &holds->list; node = next) {
        struct hold *hold = LIST_ENTRY(node, struct hold, node);
        next = node->next;
        if (is_over(hold, now_ms)) let_go(holds, hold);
    }
    return !list_empty(&holds->list);
}

void holds_stop(struct holds *holds) {
    timer_stop(&holds->loop->timers, &holds->timer);
    while (!list_empty(&holds->list)) let_go(holds, LIST_ENTRY(holds->list.next, struct hold, node));
}

static void on_time(struct timer *timer) {
    struct holds *holds = LIST_ENTRY(timer, struct holds, timer);
    if (look(holds) && !timer_start(&holds->loop->timers, &holds->timer, LOOK_MS)) holds_stop(holds);
}

void holds_init(struct holds *holds, struct loop *loop, struct mhd_loop *mhd) {
    *holds = (struct holds){.loop = loop, .mhd = mhd};
    list_init(&holds->list);
    timer_init(&holds->timer, on_time);
}

void hold_init(struct hold *hold) {
    *hold = (struct hold){0};
    list_init(&hold->node);
}

void hold_begin(struct holds *holds, struct hold *hold, uint64_t most_ms) {
    hold->until_ms = loop_now(holds->loop) + most_ms;
    list_append(&holds->list, &hold->node);
    MHD_suspend_connection(hold->connection);
    if (!timer_start(&holds->loop->timers, &holds->timer, LOOK_MS)) holds_stop(holds);
}

void hold_done(struct hold *hold) {
    list_remove(&hold->node);
}
