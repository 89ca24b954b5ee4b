/* The one loop of a process: a uv loop that drives our tasks and timers and the hooks of the adapters. At the
 * end of each turn (before it waits, and after what it waited for was handled) all tasks are run until none
 * is left, then the hooks, and again while any of them made work; so nothing put off ever waits for a poll.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <uv.h>

#include "base/tasks.h"
#include "base/timers.h"

/* Embedded by an adapter that wants to work once a turn rather than once an event. */
struct loop_hook {
    struct list node;
    /* True: call again in this turn, there is more to do. */
    bool (*fn)(struct loop_hook *hook);
};

/* `times` counts from 1, `number` is SIGTERM or SIGINT. */
typedef void loop_stop_fn(void *ctx, unsigned times, int number);

struct loop {
    uv_loop_t uv;
    struct tasks tasks;
    struct timers timers;
    struct list hooks;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    uv_timer_t timer;
    uv_signal_t signals[2];
    uint64_t armed_ms; /* when `timer` fires, 0: not armed */
    uint32_t turn;     /* how many there were: one begins with each look at what has come */
    unsigned stops;    /* how often the process was asked to stop */
    loop_stop_fn *on_stop;
    void *stop_ctx;
    bool idle_active;
    bool is_hurried; /* by loop_again() */
};

/* Ignores SIGPIPE, for the whole process. False when the system gives no loop. */
bool loop_init(struct loop *loop);
/* After loop_run has returned for the last time; closes what is ours, waits for every close callback. */
void loop_done(struct loop *loop);
/* The same, but waits no longer than `max_ms`. False when something is left (a name being looked up): then
 * the process must leave by _exit(), because libuv waits for its threads. */
bool loop_done_within(struct loop *loop, uint64_t max_ms);

/* From now on (once) SIGTERM and SIGINT do not end the process, and are told in the loop; from loop_quit on
 * they, SIGHUP and SIGUSR2 wait, and after loop_done they are ignored. */
void loop_on_stop(struct loop *loop, loop_stop_fn *fn, void *ctx);
void loop_hook_init(struct loop_hook *hook, bool (*fn)(struct loop_hook *hook));
void loop_hook_add(struct loop *loop, struct loop_hook *hook);
/* It is called before those that are there. */
void loop_hook_add_first(struct loop *loop, struct loop_hook *hook);
void loop_hook_remove(struct loop_hook *hook);
/* From a hook: something was put off to the next turn, which comes without waiting for anything. */
void loop_again(struct loop *loop);

/* Until loop_quit. */
void loop_run(struct loop *loop);
void loop_quit(struct loop *loop);

/* Milliseconds of the monotonic clock, as of the begin of this turn. */
static inline uint64_t loop_now(const struct loop *loop) {
    return uv_now(&loop->uv);
}
/* Milliseconds since 1970; fits `wall_ms` of the clock port. */
uint64_t loop_wall_ms(void *ctx);

#endif
