/* See loop.h. */
#include "net/loop.h"

#include <assert.h>
#include <signal.h>
#include <time.h>

#include "base/platform.h"

#define TASK_ROUNDS 64 /* tasks that post tasks: more than this in one turn and I/O gets its chance */
#define HOOK_ROUNDS 8

static uint64_t now_ms(void *ctx) {
    return loop_now(ctx);
}

uint64_t loop_wall_ms(void *ctx) {
    (void)ctx;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void on_timer(uv_timer_t *timer) {
    struct loop *loop = timer->data;
    loop->armed_ms = 0;
    timers_run(&loop->timers);
}

static void on_idle(uv_idle_t *idle) {
    (void)idle; /* its being active is what makes the loop not wait */
}

static void arm_timer(struct loop *loop) {
    int64_t next = timers_next_ms(&loop->timers);
    if (next < 0) {
        if (loop->armed_ms) uv_timer_stop(&loop->timer);
        loop->armed_ms = 0;
        return;
    }
    uint64_t at = loop_now(loop) + (uint64_t)next;
    if (loop->armed_ms == at) return;
    loop->armed_ms = at;
    uv_timer_start(&loop->timer, on_timer, (uint64_t)next, 0);
}

static void set_idle(struct loop *loop, bool active) {
    if (active == loop->idle_active) return;
    loop->idle_active = active;
    if (active)
        uv_idle_start(&loop->idle, on_idle);
    else
        uv_idle_stop(&loop->idle);
}

static bool run_tasks(struct loop *loop) {
    for (int i = 0; i < TASK_ROUNDS; i++)
        if (!tasks_run(&loop->tasks)) return false;
    return true;
}

static bool run_hooks(struct loop *loop) {
    bool more = false;
    for (struct list *node = loop->hooks.next, *next; node != &loop->hooks; node = next) {
        next = node->next;
        struct loop_hook *hook = LIST_ENTRY(node, struct loop_hook, node);
        if (hook->fn(hook)) more = true;
    }
    return more;
}

static void turn(struct loop *loop) {
    bool more = true;
    loop->is_hurried = false;
    for (int i = 0; more && i < HOOK_ROUNDS; i++) {
        more = run_tasks(loop);
        more |= run_hooks(loop);
        more |= !list_empty(&loop->tasks.queue);
    }
    set_idle(loop, more || loop->is_hurried);
    arm_timer(loop);
}

static void on_prepare(uv_prepare_t *prepare) {
    struct loop *loop = prepare->data;
    turn(loop);
    loop->turn++;
}

static void on_check(uv_check_t *check) {
    turn(check->data);
}

static void on_signal(uv_signal_t *handle, int number) {
    struct loop *loop = handle->data;
    loop->on_stop(loop->stop_ctx, ++loop->stops, number);
}

bool loop_init(struct loop *loop) {
    *loop = (struct loop){.armed_ms = 0};
    if (uv_loop_init(&loop->uv) != 0) return false;
    tasks_init(&loop->tasks, NULL, NULL);
    timers_init(&loop->timers, now_ms, NULL, loop);
    list_init(&loop->hooks);
    uv_prepare_init(&loop->uv, &loop->prepare);
    uv_check_init(&loop->uv, &loop->check);
    uv_idle_init(&loop->uv, &loop->idle);
    uv_timer_init(&loop->uv, &loop->timer);
    loop->prepare.data = loop->check.data = loop->idle.data = loop->timer.data = loop;
    uv_prepare_start(&loop->prepare, on_prepare);
    uv_check_start(&loop->check, on_check);
    platform_ignore_broken_pipes();
    return true;
}

static void on_give_up(uv_timer_t *timer) {
    uv_stop(timer->loop);
}

/* By closing them libuv gives the signals back to the system, whose way with them is to kill: a second
 * `systemctl stop` would tell of a failure of a process that is about to end well. */
static void close_signals(struct loop *loop) {
    if (!loop->on_stop) return;
    platform_hold_signals();
    for (int i = 0; i < 2; i++) uv_close((uv_handle_t *)&loop->signals[i], NULL);
    platform_ignore_signals();
}

bool loop_done_within(struct loop *loop, uint64_t max_ms) {
    uv_close((uv_handle_t *)&loop->prepare, NULL);
    uv_close((uv_handle_t *)&loop->check, NULL);
    uv_close((uv_handle_t *)&loop->idle, NULL);
    close_signals(loop);
    uv_update_time(&loop->uv);
    uv_timer_start(&loop->timer, on_give_up, max_ms, 0);
    uv_unref((uv_handle_t *)&loop->timer); /* waits for the others only */
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&loop->timer, NULL);
    uv_run(&loop->uv, UV_RUN_NOWAIT);
    timers_done(&loop->timers);
    return uv_loop_close(&loop->uv) == 0;
}

void loop_done(struct loop *loop) {
    bool closed = loop_done_within(loop, UINT64_MAX);
    assert(closed);
    (void)closed;
}

void loop_on_stop(struct loop *loop, loop_stop_fn *fn, void *ctx) {
    static const int numbers[2] = {SIGTERM, SIGINT};
    loop->on_stop = fn;
    loop->stop_ctx = ctx;
    for (int i = 0; i < 2; i++) {
        uv_signal_init(&loop->uv, &loop->signals[i]);
        loop->signals[i].data = loop;
        uv_signal_start(&loop->signals[i], on_signal, numbers[i]);
    }
}

void loop_hook_init(struct loop_hook *hook, bool (*fn)(struct loop_hook *hook)) {
    list_init(&hook->node);
    hook->fn = fn;
}

void loop_hook_add(struct loop *loop, struct loop_hook *hook) {
    list_append(&loop->hooks, &hook->node);
}

void loop_hook_add_first(struct loop *loop, struct loop_hook *hook) {
    list_append(loop->hooks.next, &hook->node);
}

void loop_hook_remove(struct loop_hook *hook) {
    list_remove(&hook->node);
}

void loop_again(struct loop *loop) {
    loop->is_hurried = true;
}

void loop_run(struct loop *loop) {
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_quit(struct loop *loop) {
    if (loop->on_stop) platform_hold_signals();
    uv_stop(&loop->uv);
}
