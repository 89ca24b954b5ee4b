/* Calls put off to the next safe point: a completion never fires inside the call that asked for it.
 * The host runs the queue at the end of each turn of its loop, and asks to be told when the queue becomes
 * non-empty. */
#ifndef BASE_TASKS_H
#define BASE_TASKS_H

#include "base/list.h"

/* Embedded by whoever wants to be called; in at most one queue at a time. */
struct task {
    struct list node;
    void (*fn)(struct task *task);
};

struct tasks {
    struct list queue;
    void (*on_work)(void *ctx); /* the queue was empty and is not any more; may be NULL */
    void *ctx;
};

void tasks_init(struct tasks *tasks, void (*on_work)(void *ctx), void *ctx);
void task_init(struct task *task, void (*fn)(struct task *task));
/* Posting a task that waits already does nothing. */
void tasks_post(struct tasks *tasks, struct task *task);
/* Harmless when the task does not wait. */
void task_cancel(struct task *task);
static inline bool task_pending(const struct task *task) {
    return !list_empty(&task->node);
}
/* Runs what waits now; tasks posted meanwhile wait for the next call. Returns whether any are left. */
bool tasks_run(struct tasks *tasks);

#endif
