#include "run_loop.h"

#include <assert.h>
#include <signal.h>
#include <time.h>

enum { TASK_ROUNDS = 64 }; /* more than this in one turn and I/O gets its chance */

static uint64_t now_ms(void *ctx) {
    return run_loop_now_ms(ctx);
}

uint64_t run_loop_wall_ms(void *ctx) {
    (void)ctx;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void on_timer(uv_timer_t *timer) {
    struct run_loop *loop = timer->data;
    timers_run(&loop->timers);
}

static void on_idle(uv_idle_t *idle) {
    (void)idle; /* its being active is what makes the loop not wait */
}

static void turn(struct run_loop *loop) {
    bool more = true;
    for (int i = 0; more && i < TASK_ROUNDS; i++) more = tasks_run(&loop->tasks);
    if (more)
        uv_idle_start(&loop->idle, on_idle);
    else
        uv_idle_stop(&loop->idle);
    int64_t next = timers_next_ms(&loop->timers);
    if (next >= 0)
        uv_timer_start(&loop->timer, on_timer, (uint64_t)next, 0);
    else
        uv_timer_stop(&loop->timer);
}

static void on_prepare(uv_prepare_t *prepare) {
    turn(prepare->data);
}

static void on_check(uv_check_t *check) {
    turn(check->data);
}

bool run_loop_init(struct run_loop *loop) {
    *loop = (struct run_loop){0};
    if (uv_loop_init(&loop->uv) != 0) return false;
    tasks_init(&loop->tasks, NULL, NULL);
    timers_init(&loop->timers, now_ms, NULL, loop);
    uv_prepare_init(&loop->uv, &loop->prepare);
    uv_check_init(&loop->uv, &loop->check);
    uv_idle_init(&loop->uv, &loop->idle);
    uv_timer_init(&loop->uv, &loop->timer);
    loop->prepare.data = loop->check.data = loop->idle.data = loop->timer.data = loop;
    uv_prepare_start(&loop->prepare, on_prepare);
    uv_check_start(&loop->check, on_check);
    signal(SIGPIPE, SIG_IGN);
    return true;
}

void run_loop_done(struct run_loop *loop) {
    uv_close((uv_handle_t *)&loop->prepare, NULL);
    uv_close((uv_handle_t *)&loop->check, NULL);
    uv_close((uv_handle_t *)&loop->idle, NULL);
    uv_close((uv_handle_t *)&loop->timer, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    int status = uv_loop_close(&loop->uv);
    assert(status == 0);
    (void)status;
    timers_done(&loop->timers);
}

void run_loop_run(struct run_loop *loop) {
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void run_loop_quit(struct run_loop *loop) {
    uv_stop(&loop->uv);
}
