/* How fast visitors give what they owe (visit_pace.c), and who is spared for others. */
#include "visit_scene.h"

#define GRACE_MS 4000
#define GET "GET / HTTP/1.1\r\n" HOST
#define POST "POST / HTTP/1.1\r\nContent-Length: 100000\r\n" HOST

static int setup_rate(void **state) {
    if (setup(state) != 0) return -1;
    core.visitors->settings.min_rate = 100;
    core.visitors->settings.min_rate_grace_ms = GRACE_MS;
    return 0;
}

static uint64_t now;

/* A second passes. False: he has been too slow. */
static bool look(struct visit *visit) {
    return visit_look(visit, now += 1000);
}

static struct visit *upload(int fd) {
    struct visit *visit = ask(fd, POST);
    grant(100000);
    turn();
    now = loop_now(&loop);
    assert_true(visit_look(visit, now));
    return visit;
}

static void send_some(int fd, size_t len) {
    static const char bytes[4096];
    uint64_t before = core.exchange->body.len;
    assert_int_equal(send(fd, bytes, len, 0), (ssize_t)len);
    UNTIL(core.exchange->body.len == before + len);
}

static void test_silence_uses_up_the_grace(void **state) {
    (void)state;
    int fd = come();
    struct visit *visit = upload(fd);
    for (int i = 0; i < 3; i++) assert_true(look(visit));
    assert_int_equal(core.exchange->stalled_ms, now - 3000);
    assert_false(look(visit));
    visit_cut(visit);
    close(fd);
}

static void test_the_rate_is_an_average(void **state) {
    (void)state;
    int fd = come();
    struct visit *visit = upload(fd);
    for (int i = 0; i < 20; i++) { /* 100 bytes a second, in lumps */
        if (i % 2) send_some(fd, 200);
        assert_true(look(visit));
        assert_int_equal(core.exchange->stalled_ms, i % 2 ? 0 : now - 1000);
    }
    send_some(fd, 4000); /* nothing is saved up beyond the grace */
    for (int i = 0; i < 3; i++) assert_true(look(visit));
    for (int i = 0; i < 20 && look(visit); i++) send_some(fd, 50); /* too slow */
    assert_int_equal(visit->pace.patience_ms, 0);
    visit_cut(visit);
    close(fd);
}

/* Whom the service keeps waiting owes nothing. */
static void test_only_what_is_owed_counts(void **state) {
    (void)state;
    int fd = come();
    struct visit *visit = ask(fd, POST);
    now = loop_now(&loop);
    for (int i = 0; i < 20; i++) assert_true(look(visit));
    grant(10);
    turn();
    assert_true(look(visit));
    for (int i = 0; i < 3; i++) assert_true(look(visit));
    send_some(fd, 10);
    for (int i = 0; i < 20; i++) assert_true(look(visit));
    visit_cut(visit);
    close(fd);
}

static void test_who_does_not_read_is_cut(void **state) {
    (void)state;
    int fd = come();
    struct visit *visit = ask(fd, GET);
    answer_200(LENGTH_UNKNOWN);
    block(visit);
    now = loop_now(&loop);
    for (int i = 0; i < 4; i++) assert_true(look(visit));
    assert_int_equal(core.exchange->stalled_ms, now - 3000);
    assert_false(look(visit));
    visit_cut(visit);
    close(fd);
}

static void test_event_streams_may_idle(void **state) {
    (void)state;
    int fd = come();
    struct visit *visit = ask(fd, GET);
    answer(
        (struct answer_head){
            .status = 200, .content_length = LENGTH_UNKNOWN, .has_body = true, .may_idle = true},
        NULL);
    block(visit);
    now = loop_now(&loop);
    for (int i = 0; i < 50; i++) assert_true(look(visit));
    assert_int_equal(core.exchange->stalled_ms, 0);
    visit_cut(visit);
    close(fd);
}

static void test_a_slow_body_is_told(void **state) {
    (void)state;
    int fd = come();
    struct visit *visit = upload(fd);
    visit->pace.patience_ms = 1;
    visit->pace.looked_ms -= 1000;
    visit_tick(visit, loop_now(&loop));
    turn();
    char answered[512] = "";
    UNTIL(recv(fd, answered, sizeof(answered) - 1, MSG_DONTWAIT) > 0);
    assert_non_null(strstr(answered, "HTTP/1.1 408 "));
    close(fd);
    UNTIL(core.clients.count == 0);
}

/* Idle ones first, then who has stalled; who has not is left alone. */
static void test_who_is_spared(void **state) {
    (void)state;
    int idle = come(), busy = come();
    core.visitors->settings.min_rate = 0;
    struct visit *visit = upload(busy);
    assert_true(visitors_spare(core.visitors));
    assert_int_equal(core.clients.count, 1);
    assert_false(visitors_spare(core.visitors));
    visit->pace.looked_ms = loop_now(&loop) - 4999;
    assert_true(visit_look(visit, loop_now(&loop)));
    assert_false(visitors_spare(core.visitors));
    visit->pace.stalled_ms -= 1;
    assert_true(visitors_spare(core.visitors));
    assert_int_equal(core.clients.count, 0);
    close(idle);
    close(busy);
}

static void test_whose_request_it_is(void **state) {
    (void)state;
    trust(0);
    int fd = come();
    ask(fd, "GET / HTTP/1.1\r\nX-Forwarded-For: 192.0.2.7\r\n" HOST);
    assert_int_equal(core.exchange->visitor, 0x1c0000207);
    visit_cut(last_visit());
    close(fd);
    fd = come();
    ask(fd, GET);
    assert_int_equal(core.exchange->visitor, 0);
    visit_cut(last_visit());
    close(fd);
}

#define RATED(name) cmocka_unit_test_setup_teardown(name, setup_rate, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        RATED(test_silence_uses_up_the_grace),
        RATED(test_the_rate_is_an_average),
        RATED(test_only_what_is_owed_counts),
        RATED(test_who_does_not_read_is_cut),
        RATED(test_event_streams_may_idle),
        RATED(test_a_slow_body_is_told),
        RATED(test_who_is_spared),
        RATED(test_whose_request_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
