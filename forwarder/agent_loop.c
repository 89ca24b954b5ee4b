#include "agent_loop.h"

static uint64_t now_ms(void *ctx) {
    struct agent_loop *loop = ctx;
    return uv_now(&loop->uv);
}

static void on_deadline(uv_timer_t *handle);

static void arm(void *ctx) {
    struct agent_loop *loop = ctx;
    int64_t next = timers_next_ms(&loop->timers);
    if (next < 0)
        uv_timer_stop(&loop->deadline);
    else
        uv_timer_start(&loop->deadline, on_deadline, (uint64_t)next, 0);
}

static void on_deadline(uv_timer_t *handle) {
    struct agent_loop *loop = handle->data;
    timers_run(&loop->timers);
    arm(loop);
}

static void on_turn(uv_idle_t *handle) {
    struct agent_loop *loop = handle->data;
    if (!tasks_run(&loop->tasks)) uv_idle_stop(handle);
}

static void on_work(void *ctx) {
    struct agent_loop *loop = ctx;
    uv_idle_start(&loop->turn, on_turn);
}

int agent_loop_init(struct agent_loop *loop) {
    int error = uv_loop_init(&loop->uv);
    if (error) return error;
    uv_timer_init(&loop->uv, &loop->deadline);
    uv_idle_init(&loop->uv, &loop->turn);
    loop->deadline.data = loop->turn.data = loop;
    timers_init(&loop->timers, now_ms, arm, loop);
    tasks_init(&loop->tasks, on_work, loop);
    return 0;
}

void agent_loop_run(struct agent_loop *loop) {
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

static void on_give_up(uv_timer_t *handle) {
    uv_stop(handle->loop);
}

bool agent_loop_done(struct agent_loop *loop, uint64_t max_ms) {
    uv_close((uv_handle_t *)&loop->turn, NULL);
    uv_update_time(&loop->uv);
    uv_timer_start(&loop->deadline, on_give_up, max_ms, 0);
    uv_unref((uv_handle_t *)&loop->deadline); /* waits for the others only */
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    uv_ref((uv_handle_t *)&loop->deadline);
    uv_close((uv_handle_t *)&loop->deadline, NULL);
    uv_run(&loop->uv, UV_RUN_NOWAIT);
    timers_done(&loop->timers);
    return uv_loop_close(&loop->uv) == 0;
}
