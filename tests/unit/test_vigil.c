/* When the other side of a link could have answered a ping. */
#include "agents/vigil.h"
#include "cmocka_setup.h"

#define KIB ((uint64_t)1024)

static struct vigil begin(uint64_t written) {
    struct vigil vigil;
    vigil_init(&vigil, 1000);
    vigil_count(&vigil, written, 1000);
    return vigil;
}

/* At 2000: so much has been acknowledged and so much written before the ping. */
static void ask(struct vigil *vigil, struct tcp_state tcp) {
    vigil_count(vigil, vigil->written, 2000);
    vigil_ask(vigil, &tcp, 2000);
    vigil_place(vigil, &tcp);
}

static void an_idle_link_is_late_from_the_ping_on(void **state) {
    (void)state;
    struct vigil vigil = begin(0);
    assert_int_equal(vigil_late_ms(&vigil, 9000), 0); /* nothing was asked */
    ask(&vigil, (struct tcp_state){.acked = 500, .written = 500});
    assert_int_equal(vigil_late_ms(&vigil, 2000), 0);
    assert_int_equal(vigil_late_ms(&vigil, 4500), 2500);
    /* also when the ping itself never arrives, or is taken by a machine that sleeps otherwise */
    vigil_look(&vigil, &(struct tcp_state){.acked = 500, .written = 502, .is_in_flight = true}, 4000);
    vigil_look(&vigil, &(struct tcp_state){.acked = 502, .written = 502}, 4200);
    assert_int_equal(vigil_late_ms(&vigil, 4500), 2500);
    vigil_heard(&vigil, 4600);
    assert_int_equal(vigil_late_ms(&vigil, 9000), 0);
    assert_int_equal(vigil.heard_ms, 4600);
}

/* A slow line: 300 KiB are in front of the ping. */
static void what_is_taken_is_a_sign_of_life_until_the_ping_has_arrived(void **state) {
    (void)state;
    struct vigil vigil = begin(0);
    struct tcp_state tcp = {.acked = 0, .written = 300 * KIB, .is_in_flight = true};
    ask(&vigil, tcp);
    for (uint64_t now = 4000; now <= 22000; now += 2000) {
        tcp.acked += 30 * KIB;
        tcp.written += 40 * KIB; /* and more comes behind it */
        vigil_look(&vigil, &tcp, now);
        assert_int_equal(vigil_late_ms(&vigil, now + 1000), 1000);
    }
    tcp.acked += 1;
    vigil_look(&vigil, &tcp, 23000); /* with the ping; its program is as far behind, perhaps */
    assert_int_equal(vigil_late_ms(&vigil, 44000), 0);
    tcp.acked += 40 * KIB;
    vigil_look(&vigil, &tcp, 43000); /* that is no sign of life */
    assert_int_equal(vigil_late_ms(&vigil, 45000), 1000);
}

static void a_line_that_takes_nothing_is_late(void **state) {
    (void)state;
    struct vigil vigil = begin(4096 * KIB);
    struct tcp_state tcp = {.acked = 0, .written = 300 * KIB, .is_in_flight = true};
    ask(&vigil, tcp);
    tcp.acked = 10;
    vigil_look(&vigil, &tcp, 3000);
    vigil_look(&vigil, &tcp, 5000);
    assert_int_equal(vigil_late_ms(&vigil, 6000), 3000);
}

/* It was given 1280 KiB, and has read nothing of them: nor has its kernel room for more, or it has all. */
static void what_was_written_of_late_takes_its_time(void **state) {
    (void)state;
    const struct tcp_state full = {.acked = 100, .written = 300 * KIB},
                           taken = {.acked = 100, .written = 100};
    const struct tcp_state *states[] = {&full, &taken};
    for (size_t i = 0; i < 2; i++) {
        struct vigil vigil = begin(1280 * KIB); /* 10 s, of which one has passed */
        ask(&vigil, *states[i]);
        vigil_look(&vigil, states[i], 3000);
        assert_int_equal(vigil_late_ms(&vigil, 11000), 0);
        assert_in_range(vigil_late_ms(&vigil, 13000), 1500, 2500);
    }
    struct vigil vigil = begin(1280 * KIB);
    vigil_count(&vigil, 1280 * KIB, 15000); /* it was long ago */
    vigil_ask(&vigil, &taken, 15000);
    vigil_place(&vigil, &taken);
    assert_int_equal(vigil_late_ms(&vigil, 16000), 1000);
}

static void more_is_not_taken_into_account(void **state) {
    (void)state;
    struct vigil vigil = begin(1024 * 1024 * KIB);
    ask(&vigil, (struct tcp_state){.acked = 7, .written = 7});
    assert_int_equal(vigil_late_ms(&vigil, 2000 + 32000), 2000 + 32000 - vigil.since_ms);
    assert_in_range(vigil.since_ms, 2000 + 31000, 2000 + 32768);
}

/* It stands behind a message that its TCP takes none of. */
static void a_ping_that_cannot_be_written(void **state) {
    (void)state;
    struct vigil vigil = begin(0);
    struct tcp_state tcp = {.acked = 1, .written = 300 * KIB, .is_in_flight = true};
    vigil_ask(&vigil, &tcp, 2000);
    tcp.acked = 400 * KIB;
    vigil_look(&vigil, &tcp, 4000);
    assert_int_equal(vigil_late_ms(&vigil, 5000), 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_link_is_late_from_the_ping_on),
        cmocka_unit_test(what_is_taken_is_a_sign_of_life_until_the_ping_has_arrived),
        cmocka_unit_test(a_line_that_takes_nothing_is_late),
        cmocka_unit_test(what_was_written_of_late_takes_its_time),
        cmocka_unit_test(more_is_not_taken_into_account),
        cmocka_unit_test(a_ping_that_cannot_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
