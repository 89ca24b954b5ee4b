/* The task queue: order, posting and cancelling from within a run, and telling the host once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/tasks.h"

struct step {
    struct task task;
    int value;
    struct tasks *repost_to;
    struct task *cancels;
    bool frees_itself;
};

static int trace[16];
static size_t traced;
static int told;

static void on_work(void *ctx) {
    (void)ctx;
    told++;
}

static void run_step(struct task *task) {
    struct step *step = LIST_ENTRY(task, struct step, task);
    assert_false(task_pending(task));
    trace[traced++] = step->value;
    if (step->repost_to) tasks_post(step->repost_to, task);
    if (step->cancels) task_cancel(step->cancels);
    if (step->frees_itself) free(step);
}

static int setup(void **state) {
    (void)state;
    traced = 0;
    told = 0;
    return 0;
}

static void init_steps(struct step *steps, size_t count) {
    for (size_t i = 0; i < count; i++) {
        steps[i] = (struct step){.value = (int)i};
        task_init(&steps[i].task, run_step);
    }
}

static void test_order_and_single_notice(void **state) {
    (void)state;
    struct tasks tasks;
    struct step steps[3];
    tasks_init(&tasks, on_work, NULL);
    init_steps(steps, 3);
    assert_false(tasks_run(&tasks));
    for (int i = 0; i < 3; i++) tasks_post(&tasks, &steps[i].task);
    tasks_post(&tasks, &steps[0].task);
    assert_int_equal(told, 1);
    assert_int_equal(traced, 0);
    assert_true(task_pending(&steps[2].task));
    assert_false(tasks_run(&tasks));
    assert_int_equal(traced, 3);
    for (int i = 0; i < 3; i++) assert_int_equal(trace[i], i);
    tasks_post(&tasks, &steps[1].task);
    assert_int_equal(told, 2);
    tasks_run(&tasks);
}

static void test_posted_meanwhile_waits(void **state) {
    (void)state;
    struct tasks tasks;
    struct step steps[2];
    tasks_init(&tasks, on_work, NULL);
    init_steps(steps, 2);
    steps[0].repost_to = &tasks;
    tasks_post(&tasks, &steps[0].task);
    tasks_post(&tasks, &steps[1].task);
    assert_true(tasks_run(&tasks));
    assert_int_equal(traced, 2);
    assert_int_equal(told, 2);
    steps[0].repost_to = NULL;
    assert_false(tasks_run(&tasks));
    assert_int_equal(traced, 3);
    assert_int_equal(trace[2], 0);
}

static void test_cancel(void **state) {
    (void)state;
    struct tasks tasks;
    struct step steps[4];
    tasks_init(&tasks, NULL, NULL);
    init_steps(steps, 4);
    task_cancel(&steps[0].task);
    for (int i = 0; i < 4; i++) tasks_post(&tasks, &steps[i].task);
    task_cancel(&steps[0].task);
    steps[1].cancels = &steps[2].task;
    assert_false(tasks_run(&tasks));
    assert_int_equal(traced, 2);
    assert_int_equal(trace[0], 1);
    assert_int_equal(trace[1], 3);
    assert_false(task_pending(&steps[2].task));
}

static void test_a_task_may_free_itself(void **state) {
    (void)state;
    struct tasks tasks;
    tasks_init(&tasks, NULL, NULL);
    for (int i = 0; i < 3; i++) {
        struct step *step = calloc(1, sizeof(*step));
        step->value = i;
        step->frees_itself = true;
        task_init(&step->task, run_step);
        tasks_post(&tasks, &step->task);
    }
    assert_false(tasks_run(&tasks));
    assert_int_equal(traced, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_order_and_single_notice, setup),
        cmocka_unit_test_setup(test_posted_meanwhile_waits, setup),
        cmocka_unit_test_setup(test_cancel, setup),
        cmocka_unit_test_setup(test_a_task_may_free_itself, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
