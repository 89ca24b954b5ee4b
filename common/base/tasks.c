/* The queue of calls put off. A run takes the whole queue first: what its calls post waits for the next run,
 * and what they cancel leaves the batch, because a node takes itself out of whichever list holds it. */
#include "base/tasks.h"

void tasks_init(struct tasks *tasks, void (*on_work)(void *ctx), void *ctx) {
    list_init(&tasks->queue);
    tasks->on_work = on_work;
    tasks->ctx = ctx;
}

void task_init(struct task *task, void (*fn)(struct task *task)) {
    list_init(&task->node);
    task->fn = fn;
}

void tasks_post(struct tasks *tasks, struct task *task) {
    if (task_pending(task)) return;
    bool was_empty = list_empty(&tasks->queue);
    list_append(&tasks->queue, &task->node);
    if (was_empty && tasks->on_work) tasks->on_work(tasks->ctx);
}

void task_cancel(struct task *task) {
    list_remove(&task->node);
}

bool tasks_run(struct tasks *tasks) {
    struct list batch, *node;
    list_init(&batch);
    list_move_all(&batch, &tasks->queue);
    while ((node = list_pop(&batch))) {
        struct task *task = LIST_ENTRY(node, struct task, node);
        task->fn(task);
    }
    return !list_empty(&tasks->queue);
}
