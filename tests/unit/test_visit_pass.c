/* Visitors' connections that another process takes over, as this one's successor: who is between two requests
 * goes at once, who has asked is answered first. And who is cut where memory is short. */
#include "visit_scene.h"

#define GET "GET / HTTP/1.1\r\n" HOST

static int passed[4];
static size_t passed_count;
static int refusal; /* 0: none */

/* Keeps it, as the other process would. */
static bool pass(void *ctx, int fd) {
    assert_ptr_equal(ctx, passed);
    errno = refusal;
    if (refusal) return false;
    assert_true(passed_count < COUNT(passed));
    passed[passed_count++] = dup(fd);
    return true;
}

static void hand_over(void) {
    passed_count = 0;
    visitors_hand_over(core.visitors, pass, passed);
}

static void answer_no_content(void) {
    answer((struct answer_head){.status = 204, .content_length = LENGTH_UNKNOWN}, NULL);
    end();
}

/* What the visitor sends from now on is the other's. */
static void is_the_others(int fd) {
    char text[4] = "";
    assert_true(list_empty(&core.visitors->all));
    assert_int_equal(core.clients.count, 0);
    assert_int_equal(passed_count, 1);
    say(fd, "GET");
    UNTIL(recv(passed[0], text, sizeof(text), MSG_DONTWAIT) == 3);
    assert_memory_equal(text, "GET", 3);
    close(passed[0]);
    close(fd);
}

static void test_a_new_one(void **state) {
    (void)state;
    int fd = come();
    hand_over();
    is_the_others(fd);
}

static void test_an_idle_one(void **state) {
    (void)state;
    int fd = come();
    struct visit *visit = ask(fd, GET);
    answer_no_content();
    UNTIL(visit->phase == VISIT_IDLE);
    hear(fd, "HTTP/1.1 204");
    hand_over();
    static char rest[1000];
    while (recv(fd, rest, sizeof(rest), MSG_DONTWAIT) > 0) continue;
    is_the_others(fd);
}

static void passes_once_answered(int fd) {
    answer_no_content();
    UNTIL(passed_count == 1);
    hear(fd, "HTTP/1.1 204");
    static char rest[1000];
    while (recv(fd, rest, sizeof(rest), MSG_DONTWAIT) > 0) continue;
    is_the_others(fd);
}

static void test_one_that_has_asked(void **state) {
    (void)state;
    int fd = come();
    ask(fd, GET);
    hand_over();
    assert_int_equal(passed_count, 0);
    passes_once_answered(fd);
}

/* It counts as busy, and may ask here as before. */
static void test_while_there_is_no_room(void **state) {
    (void)state;
    int fd = come();
    refusal = EAGAIN;
    hand_over();
    ask(fd, GET);
    answer_no_content();
    UNTIL(last_visit()->phase == VISIT_IDLE);
    hear(fd, "HTTP/1.1 204");
    static char rest[1000];
    while (recv(fd, rest, sizeof(rest), MSG_DONTWAIT) > 0) continue;
    assert_true(visitors_busy(core.visitors) > 0);
    refusal = 0;
    UNTIL(passed_count == 1);
    assert_int_equal(visitors_busy(core.visitors), 0);
    is_the_others(fd);
}

static void test_one_that_does_not_get_through(void **state) {
    (void)state;
    int fd = come();
    char byte;
    refusal = EPIPE;
    hand_over();
    refusal = 0;
    assert_true(list_empty(&core.visitors->all));
    assert_int_equal(visitors_busy(core.visitors), 0);
    UNTIL(recv(fd, &byte, 1, MSG_DONTWAIT) == 0);
    close(fd);
}

/* What was read is gone from the socket: it is answered here. */
static void test_one_that_has_begun_to_ask(void **state) {
    (void)state;
    int fd = come();
    struct visit *visit = last_visit();
    say(fd, "GET / HT");
    UNTIL(visit->phase == VISIT_HEAD);
    hand_over();
    assert_int_equal(passed_count, 0);
    int before = core.asked;
    say(fd, "TP/1.1\r\n" HOST);
    UNTIL(core.asked > before);
    passes_once_answered(fd);
}

/* What began with bytes that only this process has seen (TLS) nobody else can go on with: who has not asked
 * yet may ask, who waits between two requests is let go. */
static void test_one_that_is_ours(void **state) {
    (void)state;
    int fresh = come();
    last_visit()->conn.is_ours = true;
    int fd = come();
    struct visit *visit = last_visit();
    visit->conn.is_ours = true;
    ask(fd, GET);
    answer_no_content();
    UNTIL(visit->phase == VISIT_IDLE);
    hear(fd, "HTTP/1.1 204");
    hand_over();
    assert_int_equal(passed_count, 0);
    assert_int_equal(core.clients.count, 1); /* the fresh one */
    static char rest[1000];
    UNTIL(recv(fd, rest, sizeof(rest), MSG_DONTWAIT) == 0);
    assert_int_equal(last_visit()->phase, VISIT_NEW);
    ask(fresh, GET);
    answer_no_content();
    UNTIL(core.clients.count == 0);
    assert_int_equal(passed_count, 0);
    hear(fresh, "HTTP/1.1 204");
    close(fresh);
    close(fd);
}

/* ---- without memory for more ---- */

static struct visit *reads_nothing(int fd, size_t more) {
    static const char bytes[512 * 1024];
    struct visit *visit = ask(fd, GET);
    answer_200(LENGTH_UNKNOWN);
    block(visit);
    for (size_t i = 0; i < more; i++) data(view_of(bytes, sizeof(bytes)));
    turn();
    return visit;
}

/* Whoever holds most of it, the first or the last that came. */
static void test_who_holds_most_is_cut(void **state) {
    (void)state;
    for (size_t first = 0; first < 2; first++) {
        int idle = come();
        assert_false(visitors_shed(core.visitors));
        int fds[2] = {come(), -1};
        struct visit *visits[2] = {reads_nothing(fds[0], first ? 0 : 4), NULL};
        fds[1] = come();
        visits[1] = reads_nothing(fds[1], first ? 4 : 0);
        int before = core.cancelled;
        assert_true(visits[first]->out.cap > visits[!first]->out.cap);
        assert_true(visitors_shed(core.visitors));
        assert_int_equal(core.cancelled, before + 1);
        assert_int_equal(visits[!first]->phase, VISIT_ASKED);
        assert_true(visitors_shed(core.visitors));
        assert_int_equal(core.cancelled, before + 2);
        assert_false(visitors_shed(core.visitors)); /* the idle one holds nothing */
        close(idle);
        UNTIL(core.clients.count == 0);
        close(fds[0]);
        close(fds[1]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_a_new_one),
        TEST(test_an_idle_one),
        TEST(test_one_that_has_asked),
        TEST(test_one_that_has_begun_to_ask),
        TEST(test_one_that_is_ours),
        TEST(test_while_there_is_no_room),
        TEST(test_one_that_does_not_get_through),
        TEST(test_who_holds_most_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
