/* Timers over a clock that the test moves: order, stopping, moving, restarting inside a call, notices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/list.h"
#include "base/timers.h"

enum { MANY = 1000 };

struct item {
    struct timer timer;
    uint64_t due_ms;
    struct timers *restart_in;
    struct timer *stops;
    bool frees_itself;
};

static uint64_t now;
static int told;
static size_t fired;
static uint64_t last_due;

static uint64_t read_clock(void *ctx) {
    (void)ctx;
    return now;
}

static void on_earlier(void *ctx) {
    (void)ctx;
    told++;
}

static void on_fire(struct timer *timer) {
    struct item *item = LIST_ENTRY(timer, struct item, timer);
    assert_false(timer_armed(timer));
    assert_true(item->due_ms <= now);
    assert_true(item->due_ms >= last_due);
    last_due = item->due_ms;
    fired++;
    if (item->restart_in) assert_true(timer_start(item->restart_in, timer, 0));
    if (item->stops && item->restart_in) timer_stop(item->restart_in, item->stops);
    if (item->frees_itself) free(item);
}

static int setup(void **state) {
    (void)state;
    now = 1000;
    told = 0;
    fired = 0;
    last_due = 0;
    return 0;
}

static void start(struct timers *timers, struct item *item, uint64_t in_ms) {
    item->due_ms = now + in_ms;
    assert_true(timer_start(timers, &item->timer, in_ms));
}

static void check_heap(const struct timers *timers) {
    for (size_t i = 0; i < timers->count; i++) {
        assert_int_equal(timers->heap[i]->slot, i + 1);
        if (i) assert_true(timers->heap[(i + 1) / 2 - 1]->deadline_ms <= timers->heap[i]->deadline_ms);
    }
}

static void test_random_timers_fire_in_order(void **state) {
    (void)state;
    static struct item items[MANY];
    struct timers timers;
    size_t stopped = 0, before;
    srand(11);
    timers_init(&timers, read_clock, NULL, NULL);
    for (size_t i = 0; i < MANY; i++) {
        items[i] = (struct item){.due_ms = 0};
        timer_init(&items[i].timer, on_fire);
        start(&timers, &items[i], (uint64_t)rand() % 5000);
    }
    for (size_t i = 0; i < MANY; i += 3) start(&timers, &items[i], (uint64_t)rand() % 5000);
    check_heap(&timers);
    for (size_t i = 0; i < MANY; i += 7) {
        timer_stop(&timers, &items[i].timer);
        timer_stop(&timers, &items[i].timer);
        stopped++;
    }
    check_heap(&timers);
    while (timers.count > 0) {
        before = fired;
        now += (uint64_t)timers_next_ms(&timers);
        assert_int_equal(timers_next_ms(&timers), 0);
        timers_run(&timers);
        assert_true(fired > before);
        assert_true(timers_next_ms(&timers) != 0);
        check_heap(&timers);
    }
    assert_int_equal(fired, MANY - stopped);
    assert_int_equal(timers_next_ms(&timers), -1);
    timers_done(&timers);
}

static void test_next_and_overflow(void **state) {
    (void)state;
    struct timers timers;
    struct item item = {.due_ms = 0};
    timers_init(&timers, read_clock, NULL, NULL);
    timer_init(&item.timer, on_fire);
    assert_int_equal(timers_next_ms(&timers), -1);
    timers_run(&timers);
    start(&timers, &item, 50);
    assert_int_equal(timers_next_ms(&timers), 50);
    now += 49;
    timers_run(&timers);
    assert_int_equal(fired, 0);
    now += 100;
    assert_int_equal(timers_next_ms(&timers), 0);
    assert_true(timer_start(&timers, &item.timer, UINT64_MAX));
    assert_true(timers_next_ms(&timers) == INT64_MAX);
    timers_run(&timers);
    assert_int_equal(fired, 0);
    timer_stop(&timers, &item.timer);
    timers_done(&timers);
}

static void test_notices(void **state) {
    (void)state;
    struct timers timers;
    struct item a = {.due_ms = 0}, b = {.due_ms = 0};
    timers_init(&timers, read_clock, on_earlier, NULL);
    timer_init(&a.timer, on_fire);
    timer_init(&b.timer, on_fire);
    start(&timers, &a, 100);
    assert_int_equal(told, 1);
    start(&timers, &b, 100);
    start(&timers, &b, 200);
    assert_int_equal(told, 1);
    start(&timers, &b, 10);
    assert_int_equal(told, 2);
    start(&timers, &b, 20);
    assert_int_equal(told, 2);
    timer_stop(&timers, &a.timer);
    timer_stop(&timers, &b.timer);
    assert_true(timer_start(&timers, &a.timer, UINT64_MAX));
    assert_int_equal(told, 3);
    timer_stop(&timers, &a.timer);
    timers_done(&timers);
}

static void test_restart_inside_does_not_loop(void **state) {
    (void)state;
    struct timers timers;
    struct item again = {.restart_in = &timers}, other = {.due_ms = 0};
    timers_init(&timers, read_clock, NULL, NULL);
    timer_init(&again.timer, on_fire);
    timer_init(&other.timer, on_fire);
    start(&timers, &again, 0);
    start(&timers, &other, 0);
    timers_run(&timers);
    assert_true(fired <= 2);
    assert_int_equal(timers_next_ms(&timers), 0);
    timers_run(&timers);
    assert_false(timer_armed(&other.timer));
    timer_stop(&timers, &again.timer);
    timers_done(&timers);
}

static void test_stop_and_free_inside(void **state) {
    (void)state;
    struct timers timers;
    struct item victim = {.due_ms = 0}, killer = {.restart_in = &timers, .stops = &victim.timer};
    struct item *suicidal = calloc(1, sizeof(*suicidal));
    timers_init(&timers, read_clock, NULL, NULL);
    timer_init(&victim.timer, on_fire);
    timer_init(&killer.timer, on_fire);
    timer_init(&suicidal->timer, on_fire);
    suicidal->frees_itself = true;
    start(&timers, suicidal, 1);
    start(&timers, &killer, 2);
    start(&timers, &victim, 3);
    now += 10;
    timers_run(&timers);
    assert_false(timer_armed(&victim.timer));
    assert_int_equal(last_due, killer.due_ms);
    timer_stop(&timers, &killer.timer);
    assert_int_equal(timers.count, 0);
    timers_done(&timers);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_random_timers_fire_in_order, setup),
        cmocka_unit_test_setup(test_next_and_overflow, setup),
        cmocka_unit_test_setup(test_notices, setup),
        cmocka_unit_test_setup(test_restart_inside_does_not_loop, setup),
        cmocka_unit_test_setup(test_stop_and_free_inside, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
