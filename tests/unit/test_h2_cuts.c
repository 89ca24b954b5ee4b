/* Connections of visitors that speak HTTP/2, whose socket takes a part of what is said, nothing, or fails
 * (h2_conn.c). */
#include <sys/syscall.h>

#include "base/log.h"
#include "cut_writes.h"
#include "h2_peer.h"
#include "public/h2_visit.h"

static int ended_fd; /* the last one of which we have ended our direction */

int shutdown(int fd, int how) {
    ended_fd = fd;
    return (int)syscall(SYS_shutdown, fd, how);
}

static void leave(void) {
    cuts.fd = -1;
    peer_leave();
}

/* ---- a socket that takes little ---- */

static void test_an_answer_cut_anywhere(void **state) {
    (void)state;
    static const size_t rows[] = {1, 2, 3, 5, 9};
    for (size_t i = 0; i < COUNT(rows); i++) {
        peer_come();
        struct h2_conn *conn = conn_of_peer();
        struct peer_stream *stream = peer_visits("GET /", NULL, false);
        assert_int_equal(conn->events, UV_READABLE);
        cut_writes(conn->conn.fd, rows[i], rows[i]);
        answer_200(10);
        data(VIEW("0123456789"));
        end();
        turn();
        assert_true(conn->is_blocked);
        assert_int_equal(conn->events, UV_READABLE | UV_WRITABLE);
        PEER_UNTIL(stream->has_ended);
        assert_int_equal(stream->status, 200);
        assert_body(stream, "0123456789");
        PEER_UNTIL(!conn->is_blocked && conn->events == UV_READABLE);
        assert_int_equal(conn->out.len, 0);
        leave();
    }
}

/* Nothing is lost of what waits for the socket, and nothing more is made before that has left. */
static void test_a_socket_that_is_full(void **state) {
    (void)state;
    peer_come();
    struct h2_conn *conn = conn_of_peer();
    struct peer_stream *stream = peer_visits("GET /", NULL, false);
    cut_writes(conn->conn.fd, 0, 0);
    answer_200(LENGTH_UNKNOWN);
    turn();
    size_t waits = conn->out.len;
    assert_true(waits > 0 && conn->is_blocked);
    data(VIEW("hello"));
    for (int i = 0; i < 3; i++) turn();
    assert_int_equal(conn->out.len, waits);
    assert_true(list_empty(&core.visitors->h2.late)); /* it is the socket that it waits for */
    assert_int_equal(stream->status, 0);
    cuts.fd = -1;
    PEER_UNTIL(stream->body.len == 5);
    end();
    PEER_UNTIL(stream->has_ended);
    assert_body(stream, "hello");
    leave();
}

static bool has_unread(const struct h2_conn *conn) {
    struct pollfd one = {.fd = conn->conn.fd, .events = POLLIN};
    return poll(&one, 1, 20000) == 1;
}

/* It is readable as well, by what asks for nothing: what waits is written in the same turn. */
static void test_a_socket_that_is_ready_both_ways(void **state) {
    (void)state;
    peer_come();
    struct h2_conn *conn = conn_of_peer();
    peer_visits("GET /", NULL, false);
    cut_writes(conn->conn.fd, 0, 0);
    answer_200(LENGTH_UNKNOWN);
    turn();
    assert_true(conn->is_blocked && conn->out.len > 0);
    assert_int_equal(send(peer.fd, "", 1, MSG_NOSIGNAL), 1); /* of a frame's head */
    assert_true(has_unread(conn));
    cuts.fd = -1;
    turn();
    assert_false(conn->is_blocked || conn->out.len > 0);
    leave();
}

static void test_a_socket_that_fails(void **state) {
    (void)state;
    peer_come();
    peer_visits("GET /", NULL, false);
    cut_writes(conn_of_peer()->conn.fd, 0, 0);
    cuts.error = EPIPE;
    answer_200(LENGTH_UNKNOWN);
    turn();
    assert_true(is_closed());
    assert_int_equal(core.cancelled, 1);
    leave();
}

static void test_what_polling_says_of_a_socket(void **state) {
    (void)state;
    peer_come();
    peer_visits("GET /", NULL, false);
    struct h2_conn *conn = conn_of_peer();
    conn->poll.poll_cb(&conn->poll, UV_EBADF, 0);
    assert_true(is_closed());
    assert_int_equal(core.cancelled, 1);
    leave();
}

/* ---- ends ---- */

/* Who is told goodbye and does not hear it is waited for, but for a moment only. */
static void test_last_words_that_nobody_takes(void **state) {
    (void)state;
    for (int is_heard = 0; is_heard < 2; is_heard++) {
        peer_come();
        struct h2_conn *conn = conn_of_peer();
        int fd = conn->conn.fd;
        cut_writes(fd, 0, 0);
        uint64_t now = loop_now(&loop);
        h2_drain(core.visitors);
        assert_int_equal(conn->deadline_ms, now + 2000);
        conn->deadline_ms += 1000000; /* however slow this machine is */
        turn();
        assert_false(is_closed());
        assert_true(conn->out.len > 0);
        assert_int_equal(h2_busy(core.visitors), 1);
        uint64_t deadline_ms = conn->deadline_ms -= 100;
        h2_drain(core.visitors); /* again: it has no more time */
        assert_int_equal(conn->deadline_ms, deadline_ms);
        if (is_heard) {
            cuts.fd = -1;
            ended_fd = -1;
            PEER_UNTIL(peer.is_gone);
            assert_true(peer.has_goaway);
            assert_int_equal(ended_fd, fd);
        } else {
            h2_sweep(core.visitors, deadline_ms - 1);
            assert_false(is_closed());
            h2_sweep(core.visitors, deadline_ms);
        }
        assert_true(is_closed());
        leave();
    }
}

/* So is who has all his answers, but not out of here. */
static void test_a_last_answer_that_nobody_takes(void **state) {
    (void)state;
    peer_come();
    struct h2_conn *conn = conn_of_peer();
    struct peer_stream *stream = peer_visits("GET /", NULL, false);
    h2_drain(core.visitors);
    conn->deadline_ms += 1000000; /* however slow this machine is */
    uint64_t deadline_ms = conn->deadline_ms;
    PEER_UNTIL(peer.has_goaway);
    cut_writes(conn->conn.fd, 0, 0);
    answer((struct answer_head){.status = 204, .content_length = LENGTH_UNKNOWN}, NULL);
    end();
    UNTIL(conn->count == 0);
    assert_true(conn->out.len > 0);
    assert_int_equal(conn->deadline_ms, deadline_ms);
    assert_true(list_empty(&conn->waiting));
    cuts.fd = -1;
    PEER_UNTIL(peer.is_gone);
    assert_true(stream->has_ended);
    leave();
}

static char logged[200];

static void note_log(void *ctx, enum log_level level, const char *component, struct view line) {
    (void)ctx;
    if (level == LOG_LEVEL_DEBUG && strcmp(component, "h2") == 0) view_copy_to(line, logged, sizeof(logged));
}

/* Why it is ended is said, if the socket takes it at once, and logged; and nothing of it waits for anything,
 * but to be thrown away. */
static void test_who_makes_noise(void **state) {
    (void)state;
    for (int is_full = 0; is_full < 2; is_full++) {
        log_set_level(LOG_LEVEL_DEBUG);
        log_set_sink(note_log, NULL);
        logged[0] = '\0';
        peer_come();
        struct h2_conn *conn = conn_of_peer();
        assert_false(list_empty(&conn->waiting));
        if (is_full) {
            cut_writes(conn->conn.fd, 0, 0);
            nghttp2_submit_ping(peer.session, 0, NULL);
            PEER_UNTIL(conn->is_blocked);
        }
        peer_makes_noise(600);
        UNTIL(!conn->session);
        conn->deadline_ms += 1000000; /* however slow this machine is */
        assert_false(is_closed());
        assert_int_equal(conn->out.len, 0);
        assert_int_equal(conn->events, UV_READABLE);
        assert_true(list_empty(&conn->waiting));
        assert_false(h2_spare(core.visitors));
        PEER_UNTIL(peer.is_gone);
        assert_int_equal(peer.has_goaway, !is_full);
        if (!is_full) assert_int_equal(peer.goaway_error, NGHTTP2_ENHANCE_YOUR_CALM);
        assert_non_null(strstr(logged, "too many frames that carry nothing"));
        leave();
    }
}

/* Who goes is in none of the lists of what is still to be done. */
static void test_who_goes_is_in_no_list(void **state) {
    (void)state;
    struct h2_side *side = &core.visitors->h2;
    close(come_by_h2());
    assert_false(list_empty(&side->idle));
    UNTIL(is_closed());
    assert_true(list_empty(&side->idle));
    int fd = come_by_h2();
    for (int i = 0; i < 3; i++) turn();
    struct h2_conn *conn = conn_of_peer();
    list_append(&side->unread, &conn->unread);
    h2_wake(conn);
    h2_cut(conn);
    assert_true(list_empty(&side->unread) && list_empty(&side->changed) && list_empty(&side->idle));
    close(fd);
}

/* What comes behind its end is thrown away, be it one byte; his end is noticed. */
static void test_a_byte_behind_the_end(void **state) {
    (void)state;
    peer_come();
    struct h2_conn *conn = conn_of_peer();
    say(peer.fd, "no frame, but what may be a long one");
    PEER_UNTIL(peer.is_gone);
    assert_null(conn->session);
    conn->deadline_ms += 1000000; /* however slow this machine is */
    for (int i = 0; i < 5; i++) {
        say(peer.fd, "x");
        turn();
        assert_false(is_closed());
    }
    leave();
}

/* ---- all of them ---- */

static void test_what_all_may_hold(void **state) {
    (void)state;
    assert_int_equal(core.visitors->h2.budget.max_bytes, 32u * 1024 * 1024);
}

/* Whoever of them has stalled, not the first one. */
static void test_another_one_has_stalled(void **state) {
    (void)state;
    int idle = come_by_h2();
    struct h2_conn *first = conn_of_peer();
    peer_come();
    peer_stalls();
    assert_true(h2_spare_stalled(core.visitors, 100));
    assert_ptr_equal(conn_of_peer(), first);
    assert_false(h2_spare_stalled(core.visitors, 0));
    close(idle);
    leave();
}

/* Of two that do not read. */
static void test_which_one_is_the_fullest(void **state) {
    (void)state;
    static const char bytes[PEER_WINDOW * 3];
    size_t most;
    int fd = come_by_h2();
    struct h2_conn *idle = conn_of_peer();
    assert_null(h2_fullest(core.visitors, &most));
    assert_int_equal(most, 0);
    peer_come();
    peer_visits("GET /", NULL, false);
    struct exchange *first = core.exchange;
    struct h2_conn *conn = conn_of_peer();
    peer.reads_nothing = true;
    answer_200(LENGTH_UNKNOWN);
    data(view_of(bytes, sizeof(bytes)));
    assert_ptr_equal(h2_fullest(core.visitors, &most), conn);
    size_t before = most;
    assert_true(before > 0);
    int last = come_by_h2(); /* behind it, and empty */
    assert_ptr_equal(h2_fullest(core.visitors, &most), conn);
    assert_int_equal(most, before);
    assert_ptr_equal(core.exchange, first);
    assert_ptr_not_equal(conn, idle);
    close(fd);
    close(last);
    leave();
}

/* It speaks first, and not only when it was spoken to. */
static void test_it_speaks_first(void **state) {
    (void)state;
    int fd = come_by_h2();
    struct buf heard;
    buf_init(&heard, 4096);
    assert_int_equal(hear_into(fd, &heard, 9), 0);
    assert_int_equal(buf_view(&heard).ptr[3], NGHTTP2_SETTINGS);
    buf_done(&heard);
    close(fd);
    UNTIL(is_closed());
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CUT_TEST(test_an_answer_cut_anywhere),
        CUT_TEST(test_a_socket_that_is_full),
        CUT_TEST(test_a_socket_that_is_ready_both_ways),
        CUT_TEST(test_a_socket_that_fails),
        CUT_TEST(test_what_polling_says_of_a_socket),
        CUT_TEST(test_last_words_that_nobody_takes),
        CUT_TEST(test_a_last_answer_that_nobody_takes),
        CUT_TEST(test_who_makes_noise),
        CUT_TEST(test_who_goes_is_in_no_list),
        CUT_TEST(test_a_byte_behind_the_end),
        CUT_TEST(test_what_all_may_hold),
        CUT_TEST(test_another_one_has_stalled),
        CUT_TEST(test_which_one_is_the_fullest),
        CUT_TEST(test_it_speaks_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
