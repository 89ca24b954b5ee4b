/* When the link is asked, and when it counts as dead. */
#include "cmocka_setup.h"
#include "heartbeat.h"

struct world {
    struct loop loop;
    struct heartbeat heartbeat;
    struct timer timer, limit;
    uint64_t heard_ms, moved_ms, silent_ms;
    unsigned asked;
    bool answers, is_busy;
};

static void ask(void *ctx) {
    struct world *world = ctx;
    world->asked++;
    if (world->answers) world->heard_ms = loop_now(&world->loop);
}

static uint64_t heard_ms(void *ctx) {
    const struct world *world = ctx;
    return world->is_busy ? loop_now(&world->loop) : world->heard_ms;
}

static uint64_t moved_ms(void *ctx) {
    const struct world *world = ctx;
    return world->moved_ms;
}

static void on_silent(void *ctx, uint64_t for_ms) {
    struct world *world = ctx;
    world->silent_ms = for_ms;
    loop_quit(&world->loop);
}

static void on_limit(struct timer *timer) {
    loop_quit(&LIST_ENTRY(timer, struct world, limit)->loop);
}

static void on_hear(struct timer *timer) {
    struct world *world = LIST_ENTRY(timer, struct world, timer);
    world->heard_ms = loop_now(&world->loop);
}

static void run(struct world *world, uint64_t interval_ms, uint64_t limit_ms) {
    const struct heartbeat_host host = {
        .ctx = world, .ask = ask, .heard_ms = heard_ms, .moved_ms = moved_ms, .silent = on_silent};
    assert_true(loop_init(&world->loop));
    timer_init(&world->limit, on_limit);
    timer_init(&world->timer, on_hear);
    heartbeat_init(&world->heartbeat, &world->loop, interval_ms, &host);
    heartbeat_doubt(&world->heartbeat); /* not started: nothing */
    world->heard_ms = loop_now(&world->loop);
    heartbeat_start(&world->heartbeat);
    timer_start(&world->loop.timers, &world->limit, limit_ms);
}

static void end(struct world *world) {
    heartbeat_stop(&world->heartbeat);
    timer_stop(&world->loop.timers, &world->limit);
    timer_stop(&world->loop.timers, &world->timer);
    loop_done(&world->loop);
}

/* Two intervals after what was heard last, also when that was just behind a beat. */
static void silence_is_noticed_after_two_intervals(void **state) {
    (void)state;
    struct world world = {0};
    run(&world, 1000, 20000);
    timer_start(&world.loop.timers, &world.timer, 1050);
    loop_run(&world.loop);
    assert_in_range(world.silent_ms, 2000, 2950);
    assert_in_range(world.asked, 1, 3);
    end(&world);
}

static void on_move(struct timer *timer) {
    struct world *world = LIST_ENTRY(timer, struct world, timer);
    world->moved_ms = loop_now(&world->loop);
}

/* Nothing is heard, but what is being sent goes out: two intervals behind the last of it. */
static void what_goes_out_slowly_keeps_it_alive(void **state) {
    (void)state;
    struct world world = {0};
    run(&world, 1000, 20000);
    timer_init(&world.timer, on_move);
    timer_start(&world.loop.timers, &world.timer, 1600);
    uint64_t begun_ms = loop_now(&world.loop);
    loop_run(&world.loop);
    assert_in_range(world.silent_ms, 2000, 2950);
    assert_true(loop_now(&world.loop) - begun_ms >= 3600);
    end(&world);
}

static void an_answer_keeps_it_alive(void **state) {
    (void)state;
    struct world world = {.answers = true};
    run(&world, 500, 3400);
    loop_run(&world.loop);
    assert_int_equal(world.silent_ms, 0);
    assert_in_range(world.asked, 2, 7);
    end(&world);
}

/* Who always hears something has no reason to ask, unless what a ping takes is to be known. */
static void a_busy_link_is_asked_where_that_is_free(void **state) {
    (void)state;
    for (int always = 0; always < 2; always++) {
        struct world world = {.is_busy = true};
        run(&world, 500, 3400);
        world.heartbeat.asks_always = always;
        loop_run(&world.loop);
        assert_int_equal(world.silent_ms, 0);
        if (always)
            assert_true(world.asked >= 1);
        else
            assert_int_equal(world.asked, 0);
        end(&world);
    }
}

/* Long before the beat would have asked. */
static void a_doubt_asks_at_once(void **state) {
    (void)state;
    struct world world = {0};
    run(&world, 300000, 12000);
    heartbeat_doubt(&world.heartbeat);
    assert_int_equal(world.asked, 1);
    world.heard_ms = 0; /* before it was asked */
    loop_run(&world.loop);
    assert_in_range(world.silent_ms, 5000, 11000);
    end(&world);
}

static uint64_t slept_ms;

static uint64_t boot_ms(void) {
    return 1000000 + slept_ms;
}

/* The clock that goes on has jumped. */
static void a_machine_that_slept_waits_for_a_second(void **state) {
    (void)state;
    struct world world = {0};
    slept_ms = 0;
    run(&world, 300000, 12000);
    world.heartbeat.boot_ms = boot_ms;
    heartbeat_start(&world.heartbeat);
    slept_ms = 60000;
    uint64_t begun_ms = loop_now(&world.loop);
    loop_run(&world.loop);
    assert_int_equal(world.asked, 1);
    assert_in_range(world.silent_ms, 1000, 3500);
    assert_in_range(loop_now(&world.loop) - begun_ms, 1000, 6000);
    end(&world);
}

static void one_that_is_known_to_be_dead_is_given_up_at_once(void **state) {
    (void)state;
    struct world world = {0};
    run(&world, 300000, 5000);
    heartbeat_give_up(&world.heartbeat);
    assert_int_equal(world.silent_ms, 0);
    world.silent_ms = 1;
    uint64_t begun_ms = loop_now(&world.loop);
    loop_run(&world.loop);
    assert_int_equal(world.asked, 0);
    assert_in_range(loop_now(&world.loop) - begun_ms, 0, 900);
    assert_false(world.heartbeat.is_on);
    end(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_is_noticed_after_two_intervals),
        cmocka_unit_test(what_goes_out_slowly_keeps_it_alive),
        cmocka_unit_test(an_answer_keeps_it_alive),
        cmocka_unit_test(a_busy_link_is_asked_where_that_is_free),
        cmocka_unit_test(a_doubt_asks_at_once),
        cmocka_unit_test(a_machine_that_slept_waits_for_a_second),
        cmocka_unit_test(one_that_is_known_to_be_dead_is_given_up_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
