/* Turns by tunnel: how much of one there is, and what is held until the next. */
#include "agents/held.h"
#include "by_hand.h"
#include "net/turns.h"

static struct turns turns;

static int setup(void **state) {
    (void)state;
    memset(&turns, 0, sizeof(turns));
    assert_true(loop_init(&loop));
    turns.loop = &loop;
    loop.turn = 1;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    loop_done(&loop);
    return 0;
}

/* Two that take in turn; nobody takes little. */
static void meet(void) {
    for (unsigned i = 0; i < TURN_SHARES; i++) turns.shares[i].heavy_until_ms = UINT64_MAX;
    turns.rivals.light_until_ms = 0;
    turns_spend(&turns, 1001, TURN_IN, 0);
    turns_spend(&turns, 1002, TURN_IN, 0);
}

/* Another one, for once. */
static void come_lightly(unsigned share) {
    turns.shares[share].heavy_until_ms = 0;
    turns_spend(&turns, share, TURN_IN, 0);
}

static size_t steps(unsigned share, enum turn_way way, size_t bytes) {
    size_t count = 0;
    for (; count < 1000 && turns_may(&turns, share, way); count++) turns_spend(&turns, share, way, bytes);
    return count;
}

/* ---- shares ---- */

static void a_turn_is_so_much(void **state) {
    (void)state;
    meet();
    assert_int_equal(steps(1, TURN_OUT, 0), TURN_BYTES / TURN_STEP_BYTES);
    assert_int_equal(steps(2, TURN_OUT, TURN_BYTES), 1);
    assert_int_equal(steps(1, TURN_OUT, 0), 0);
    loop.turn++;
    assert_int_equal(steps(1, TURN_OUT, 0), TURN_BYTES / TURN_STEP_BYTES);
}

/* Nobody waits for it. */
static void one_that_is_alone_has_more(void **state) {
    (void)state;
    assert_int_equal(steps(1, TURN_OUT, 0), TURN_ALONE * TURN_BYTES / TURN_STEP_BYTES);
    loop.turn++;
    assert_int_equal(steps(1, TURN_OUT, 0), TURN_ALONE * TURN_BYTES / TURN_STEP_BYTES);
    loop.turn += TURN_ALONE;
    meet();
    assert_int_equal(steps(1, TURN_OUT, 0), TURN_BYTES / TURN_STEP_BYTES);
    turns.rivals.until_ms = loop_now(&loop); /* a while later */
    loop.turn++;
    assert_int_equal(steps(1, TURN_OUT, 0), TURN_ALONE * TURN_BYTES / TURN_STEP_BYTES);
}

/* Who would notice each wait. */
static void beside_one_that_takes_little_a_turn_is_less(void **state) {
    (void)state;
    meet();
    come_lightly(3);
    for (int i = 0; i < 3; i++, loop.turn++) {
        assert_int_equal(steps(1, TURN_OUT, 0), TURN_FEW_BYTES / TURN_STEP_BYTES);
        assert_int_equal(steps(2, TURN_IN, 0), TURN_FEW_BYTES / TURN_STEP_BYTES);
    }
    turns.rivals.light_until_ms = loop_now(&loop); /* a while later */
    loop.turn++;
    assert_int_equal(steps(1, TURN_OUT, 0), TURN_BYTES / TURN_STEP_BYTES);
}

/* By what it took in the turn that it was looked at last. */
static void who_takes_much_is_behind_who_takes_little(void **state) {
    (void)state;
    static const struct {
        const char *name;
        enum turn_way way;
        size_t bytes;
        bool is_behind;
    } rows[] = {
        {"little", TURN_OUT, TURN_FEW_BYTES - TURN_STEP_BYTES - 1, false},
        {"much, out", TURN_OUT, TURN_FEW_BYTES - TURN_STEP_BYTES, true},
        {"much, in", TURN_IN, TURN_FEW_BYTES - TURN_STEP_BYTES, true},
    };
    for (unsigned i = 0; i < COUNT(rows); i++) {
        unsigned share = 10 + i;
        come_lightly(3);
        turns_spend(&turns, share, rows[i].way, rows[i].bytes);
        assert_false(turns_is_behind(&turns, share)); /* not before its turn is over */
        loop.turn++;
        turns_may(&turns, share, TURN_IN);
        if (turns_is_behind(&turns, share) != rows[i].is_behind) fail_msg("%s", rows[i].name);
        assert_false(turns_is_behind(&turns, 3));
    }
    assert_false(turns_is_behind(&turns, 0));
    loop.turn++;
    turns_may(&turns, 11, TURN_IN); /* it took nothing this time, and is known for what it is for a while */
    assert_true(turns_is_behind(&turns, 11));
    turns.shares[11].heavy_until_ms = loop_now(&loop);
    assert_false(turns_is_behind(&turns, 11));
    turns.rivals.light_until_ms = 0;
    loop.turn++;
    turns_may(&turns, 11, TURN_IN); /* it is one of those that take little */
    assert_int_equal(turns.rivals.light_until_ms, loop_now(&loop) + RIVALS_MS);
}

/* Order costs, and is of use to nobody else. */
static void nobody_is_behind_where_all_take_much(void **state) {
    (void)state;
    turns_spend(&turns, 1, TURN_IN, TURN_BYTES);
    loop.turn++;
    turns_may(&turns, 1, TURN_IN);
    assert_false(turns_is_behind(&turns, 1)); /* alone */
    meet();
    assert_false(turns_is_behind(&turns, 1));
    come_lightly(3);
    assert_true(turns_is_behind(&turns, 1));
}

static void each_way_and_tunnel_has_its_own(void **state) {
    (void)state;
    meet();
    assert_true(steps(1, TURN_OUT, 0) > 0);
    assert_true(turns_may(&turns, 1, TURN_IN));
    assert_true(turns_may(&turns, 2, TURN_OUT));
}

static void who_has_taken_more_has_less_later(void **state) {
    (void)state;
    meet();
    turns_spend(&turns, 1, TURN_IN, 4 * TURN_BYTES + 2 * TURN_STEP_BYTES);
    for (int i = 0; i < 4; i++, loop.turn++) assert_false(turns_may(&turns, 1, TURN_IN));
    assert_int_equal(steps(1, TURN_IN, 0), TURN_BYTES / TURN_STEP_BYTES - 3);
    turns_spend(&turns, 1, TURN_IN, SIZE_MAX / 2); /* a debt has an end */
    loop.turn += 1000;
    assert_true(turns_may(&turns, 1, TURN_IN));
}

static void nobody_s_has_no_bound(void **state) {
    (void)state;
    assert_int_equal(turns_share(0), 0);
    assert_int_equal(turns_share(TURN_SHARES - 2), TURN_SHARES - 1);
    assert_int_equal(steps(0, TURN_IN, TURN_BYTES), 1000);
    for (uint64_t key = 1; key < 5000; key++)
        assert_in_range(turns_share(key * UINT64_C(0x9E3779B97F4A7C15)), 1, TURN_SHARES - 1);
}

/* The turns of the loop wrap round. */
static void numbers_of_turns_wrap(void **state) {
    (void)state;
    meet();
    loop.turn = UINT32_MAX;
    assert_true(steps(1, TURN_IN, 0) > 0);
    assert_false(turns_may(&turns, 1, TURN_IN));
    loop.turn++;
    assert_true(turns_may(&turns, 1, TURN_IN));
}

/* ---- held ---- */

static struct {
    struct holding holding;
    struct held held;
    struct buf got;
    size_t keeps; /* of what comes, holds so much again */
    int times;
} scene;

static void on_due(struct held *held, struct buf *bytes) {
    size_t kept = bytes->len < scene.keeps ? bytes->len : scene.keeps;
    assert_ptr_equal(held, &scene.held);
    assert_true(buf_append_view(&scene.got, view_slice(buf_view(bytes), 0, bytes->len - kept)));
    buf_consume(bytes, bytes->len - kept);
    if (kept) held_put_back(&scene.holding, held, bytes);
    scene.times++;
    scene.keeps = scene.keeps ? scene.keeps - 1 : 0;
}

static void begin_holding(void) {
    memset(&scene, 0, sizeof(scene));
    buf_init(&scene.got, 100);
    held_init(&scene.held, 8);
    holding_init(&scene.holding, &loop, on_due);
}

static void end_holding(void) {
    held_done(&scene.held);
    holding_done(&scene.holding);
    buf_done(&scene.got);
}

/* Nothing else happens: the loop must not wait. */
static void what_is_held_comes_in_the_next_turn(void **state) {
    (void)state;
    begin_holding();
    scene.keeps = 2;
    assert_true(held_add(&scene.holding, &scene.held, VIEW("abc")));
    assert_true(held_add(&scene.holding, &scene.held, VIEW("def")));
    assert_true(held_any(&scene.held));
    for (int i = 1; i <= 3; i++) {
        uv_run(&loop.uv, UV_RUN_ONCE);
        assert_int_equal(scene.times, i);
    }
    assert_true(view_eq(buf_view(&scene.got), VIEW("abcdef")));
    assert_false(held_any(&scene.held));
    for (int i = 0; i < 3; i++) turn();
    assert_int_equal(scene.times, 3);
    end_holding();
}

static void what_is_held_has_a_bound(void **state) {
    (void)state;
    begin_holding();
    assert_true(held_add(&scene.holding, &scene.held, VIEW("12345678")));
    assert_false(held_add(&scene.holding, &scene.held, VIEW("9")));
    held_done(&scene.held); /* nothing is due any more */
    for (int i = 0; i < 3; i++) turn();
    assert_int_equal(scene.times, 0);
    end_holding();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_turn_is_so_much, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_is_alone_has_more, setup, teardown),
        cmocka_unit_test_setup_teardown(beside_one_that_takes_little_a_turn_is_less, setup, teardown),
        cmocka_unit_test_setup_teardown(who_takes_much_is_behind_who_takes_little, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_is_behind_where_all_take_much, setup, teardown),
        cmocka_unit_test_setup_teardown(each_way_and_tunnel_has_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(who_has_taken_more_has_less_later, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_s_has_no_bound, setup, teardown),
        cmocka_unit_test_setup_teardown(numbers_of_turns_wrap, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_held_comes_in_the_next_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_held_has_a_bound, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
