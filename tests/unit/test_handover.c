/* Words that come while a successor ends or cannot be started (handover.c). */
#include <signal.h>
#include <sys/wait.h>

#include "by_hand.h"
#include "handover.h"

static struct handover handover;
static struct listener *none;

static bool may(void *ctx) {
    (void)ctx;
    return true;
}

static void ready(void *ctx) {
    (void)ctx;
    fail_msg("nobody is ready");
}

static void begin(char **argv) {
    struct handover_parts parts = {.loop = &loop, .argv = argv, .may = may, .ready = ready};
    for (size_t i = 0; i < HANDOVER_PORTS; i++) {
        parts.ports[i].name = "public";
        parts.ports[i].listener = &none;
    }
    assert_true(loop_init(&loop));
    handover_init(&handover, &parts);
}

static void end(void) {
    handover_stop(&handover);
    loop_done(&loop);
}

/* All of them are told of in one turn of the loop. */
static void test_twice_in_one_turn(void **state) {
    (void)state;
    char *argv[] = {"/nonexistent/ttf-gateway", NULL};
    begin(argv);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 3; i++) raise(SIGUSR2);
        for (int i = 0; i < 3; i++) turn();
        assert_int_equal(handover.state, HANDOVER_NO);
        assert_int_equal(handover.end, -1);
    }
    end();
}

/* In the turn that hears of its end it is too soon for another. */
static void test_while_the_successor_ends(void **state) {
    (void)state;
    char *argv[] = {"/bin/sh", "-c", "exit 1", NULL};
    begin(argv);
    for (int round = 0; round < 3; round++) {
        raise(SIGUSR2);
        UNTIL(handover.state == HANDOVER_STARTED);
        siginfo_t about;
        assert_int_equal(waitid(P_PID, (id_t)handover.process.pid, &about, WEXITED | WNOWAIT), 0);
        raise(SIGCHLD);
        raise(SIGUSR2);
        UNTIL(handover.state == HANDOVER_NO);
        for (int i = 0; i < 3; i++) turn();
        UNTIL(handover.state == HANDOVER_NO);
    }
    end();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_twice_in_one_turn),
        cmocka_unit_test(test_while_the_successor_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
