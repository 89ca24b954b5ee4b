/* The one libuv loop of ttf, with the deadlines and the put-off calls of common/base hung on it. */
#ifndef FORWARDER_AGENT_LOOP_H
#define FORWARDER_AGENT_LOOP_H

#include <uv.h>

#include "base/tasks.h"
#include "base/timers.h"

struct agent_loop {
    uv_loop_t uv;
    uv_timer_t deadline; /* armed for the earliest of `timers` */
    uv_idle_t turn;      /* active while `tasks` hold work */
    struct timers timers;
    struct tasks tasks;
};

/* Zero, or a libuv error. */
int agent_loop_init(struct agent_loop *loop);
/* Runs until uv_stop(). */
void agent_loop_run(struct agent_loop *loop);
/* Closes our own handles and runs until nothing is left on the loop, but for no longer than `max_ms`. False
 * when something is (a name being looked up): then the process must leave by _exit(), because libuv waits for
 * its threads. */
bool agent_loop_done(struct agent_loop *loop, uint64_t max_ms);

/* Milliseconds of a monotonic clock, as of the turn of the loop. */
static inline uint64_t agent_loop_now_ms(const struct agent_loop *loop) {
    return uv_now(&loop->uv);
}

#endif
