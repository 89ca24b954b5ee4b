/* The one loop of the Lambda: a uv loop that drives tasks and timers, as the gateway's does, without what a
 * server needs beside it. At the end of each turn all tasks are run until none is left. */
#ifndef AWS_ADAPTER_RUN_LOOP_H
#define AWS_ADAPTER_RUN_LOOP_H

#include <uv.h>

#include "base/tasks.h"
#include "base/timers.h"

struct run_loop {
    uv_loop_t uv;
    struct tasks tasks;
    struct timers timers;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    uv_timer_t timer;
};

/* False when the system gives no loop. */
bool run_loop_init(struct run_loop *loop);
/* After run_loop_run() has returned for the last time; waits for every close callback. */
void run_loop_done(struct run_loop *loop);

/* Until run_loop_quit(). */
void run_loop_run(struct run_loop *loop);
void run_loop_quit(struct run_loop *loop);

static inline uint64_t run_loop_now_ms(const struct run_loop *loop) {
    return uv_now(&loop->uv);
}
/* Milliseconds since 1970; fits `wall_ms` of the clock port. */
uint64_t run_loop_wall_ms(void *ctx);

#endif
