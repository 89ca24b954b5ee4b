/* Connections of visitors that speak HTTP/2: how long they may be idle, how they go, who is cut for others,
 * and what visitors owe. Deadlines are looked at by the test, at times of its own. */
#include "h2_peer.h"
#include "public/h2_visit.h"

/* Some time may pass while a test runs. */
static void assert_about(uint64_t deadline_ms, uint64_t in_ms) {
    uint64_t now = loop_now(&loop);
    if (deadline_ms > now + in_ms || deadline_ms + 20000 < now + in_ms)
        fail_msg("in %lld ms, not %llu", (long long)(deadline_ms - now), (unsigned long long)in_ms);
}

/* ---- idle ones ---- */

static void test_an_idle_one_is_told_to_go(void **state) {
    (void)state;
    peer_come();
    struct h2_conn *conn = conn_of_peer();
    uint64_t deadline_ms = conn->deadline_ms;
    assert_about(deadline_ms, HEADER_MS);
    h2_sweep(core.visitors, deadline_ms - 1);
    peer_idles();
    assert_false(is_closed() || peer.has_goaway);
    h2_sweep(core.visitors, deadline_ms);
    PEER_UNTIL(is_closed() && peer.is_gone);
    assert_true(peer.has_goaway);
    assert_int_equal(peer.goaway_error, NGHTTP2_NO_ERROR);
    peer_leave();
}

static void test_between_two_requests(void **state) {
    (void)state;
    core.visitors->settings.keepalive_timeout_ms = 1000000;
    peer_come();
    struct h2_conn *conn = conn_of_peer();
    answers_shortly(peer_visits("GET /", NULL, false));
    PEER_UNTIL(conn->count == 0);
    assert_about(conn->deadline_ms, 1000000);
    struct peer_stream *stream = peer_visits("GET /", NULL, false);
    assert_int_equal(conn->deadline_ms, 0);
    assert_true(list_empty(&conn->waiting));
    h2_sweep(core.visitors, UINT64_MAX / 2);
    peer_idles();
    assert_false(peer.has_goaway);
    answers_shortly(stream);
    PEER_UNTIL(conn->count == 0);
    assert_false(list_empty(&conn->waiting));
    peer_leave();
}

static void test_the_longest_idle_one_is_spared_first(void **state) {
    (void)state;
    int fds[2];
    assert_false(h2_spare(core.visitors));
    fds[0] = come_by_h2();
    struct h2_conn *first = conn_of_peer();
    peer_come();
    struct h2_conn *busy = conn_of_peer();
    fds[1] = come_by_h2();
    struct peer_stream *stream = peer_visits("GET /", NULL, false);
    struct h2_conn *last = conn_of_peer();
    assert_true(first != last && busy != last);
    assert_true(h2_spare(core.visitors));
    assert_ptr_equal(LIST_ENTRY(core.visitors->h2.all.next, struct h2_conn, node), busy);
    assert_true(visitors_spare(core.visitors));
    assert_ptr_equal(conn_of_peer(), busy);
    assert_false(h2_spare(core.visitors));
    assert_false(visitors_spare(core.visitors)); /* it has not stalled */
    answers_shortly(stream);
    close(fds[0]);
    close(fds[1]);
    peer_leave();
}

/* However little comes at a time. */
static void test_a_slow_beginning(void **state) {
    (void)state;
    static const char hello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
                                "\0\0\6\1\5\0\0\0\1\x82\x84\x87\x41\1"
                                "a";
    int fd = come_by_h2();
    for (size_t i = 0; i < sizeof(hello) - 1; i++) {
        assert_int_equal(core.asked, 0);
        assert_int_equal(send(fd, &hello[i], 1, MSG_NOSIGNAL), 1);
        for (int turns = 0; turns < 3; turns++) turn();
        assert_false(is_closed());
    }
    UNTIL(core.asked == 1);
    close(fd);
    UNTIL(is_closed());
    assert_int_equal(core.cancelled, 1);
}

/* As time passes more of it is allowed: by the sweep's clock, and by that of the turn in which it is heard.
 */
static void test_how_much_noise_there_may_be(void **state) {
    (void)state;
    for (int sweeps = 0; sweeps < 2; sweeps++) {
        peer_come();
        struct h2_conn *conn = conn_of_peer();
        peer_makes_noise(400);
        answers_shortly(peer_visits("GET /", NULL, false));
        if (sweeps) h2_sweep(core.visitors, loop_now(&loop) + 4000);
        peer_makes_noise(250);
        struct pollfd one = {.fd = conn->conn.fd, .events = POLLIN};
        assert_int_equal(poll(&one, 1, 20000), 1);
        if (!sweeps) loop.uv.time += 4000;
        conn->poll.poll_cb(&conn->poll, 0, UV_READABLE);
        answers_shortly(peer_visits("GET /", NULL, false));
        assert_false(peer.has_goaway);
        peer_leave();
    }
}

/* ---- going down ---- */

static void test_draining_answers_what_was_asked(void **state) {
    (void)state;
    peer_come();
    struct peer_stream *stream = peer_visits("GET /", NULL, false);
    visitors_drain(core.visitors);
    PEER_UNTIL(peer.has_goaway);
    assert_false(peer.is_gone);
    assert_int_equal(visitors_busy(core.visitors), 1);
    h2_sweep(core.visitors, UINT64_MAX / 2); /* as long as it takes */
    assert_false(is_closed());
    answers_shortly(stream);
    assert_int_equal(stream->status, 204);
    PEER_UNTIL(is_closed() && peer.is_gone);
    peer_leave();
}

static void test_draining_an_idle_one(void **state) {
    (void)state;
    peer_come();
    assert_int_equal(visitors_busy(core.visitors), 0);
    visitors_drain(core.visitors);
    PEER_UNTIL(is_closed() && peer.is_gone);
    assert_true(peer.has_goaway);
    peer_leave();
}

/* Who has asked is told to ask elsewhere from now on; who has not may still ask. */
static void test_closing_after_a_request(void **state) {
    (void)state;
    peer_come();
    visitors_close_after(core.visitors);
    peer_idles();
    assert_false(peer.has_goaway);
    struct peer_stream *stream = peer_visits("GET /", NULL, false);
    PEER_UNTIL(peer.has_goaway);
    answers_shortly(stream);
    PEER_UNTIL(is_closed() && peer.is_gone);
    peer_leave();
}

static void test_a_visitor_says_goodbye(void **state) {
    (void)state;
    peer_come();
    struct peer_stream *stream = peer_visits("GET /", NULL, false);
    assert_int_equal(nghttp2_submit_goaway(peer.session, 0, 0, NGHTTP2_NO_ERROR, NULL, 0), 0);
    PEER_UNTIL(peer.has_goaway);
    answers_shortly(stream);
    PEER_UNTIL(is_closed() && peer.is_gone);
    peer_leave();
}

/* ---- what breaks it ---- */

/* Why is said, and not taken back by a reset: what comes is thrown away for a moment. */
static void test_what_is_no_frame(void **state) {
    (void)state;
    static const char junk[] = "\0\0\1\6\0\0\0\0\0x"; /* a ping of one byte */
    peer_come();
    struct h2_conn *conn = conn_of_peer();
    peer_visits("POST /", NULL, true);
    assert_int_equal(send(peer.fd, junk, sizeof(junk) - 1, MSG_NOSIGNAL), sizeof(junk) - 1);
    PEER_UNTIL(peer.has_goaway && peer.is_gone);
    assert_int_equal(peer.goaway_error, NGHTTP2_FRAME_SIZE_ERROR);
    assert_int_equal(core.cancelled, 1);
    assert_false(is_closed());
    assert_null(conn->session);
    assert_int_equal(conn->count, 0);
    assert_true(list_empty(&conn->waiting));
    assert_about(conn->deadline_ms, 2000);
    assert_int_equal(h2_busy(core.visitors), 0);
    assert_false(h2_spare_stalled(core.visitors, 0));
    flood(peer.fd, 1000000);
    assert_false(is_closed());
    h2_sweep(core.visitors, conn->deadline_ms - 1);
    assert_false(is_closed());
    h2_sweep(core.visitors, conn->deadline_ms);
    assert_true(is_closed());
    peer_leave();
}

static void test_it_goes_after_what_broke_it(void **state) {
    (void)state;
    peer_come();
    say(peer.fd, "no frame, but what may be a long one");
    PEER_UNTIL(peer.is_gone);
    assert_false(is_closed());
    peer_leave();
}

static void test_stopping(void **state) {
    (void)state;
    peer_come();
    peer_visits("GET /", NULL, false);
    h2_stop(core.visitors);
    assert_true(is_closed());
    assert_int_equal(core.cancelled, 1);
    PEER_UNTIL(peer.is_gone);
    peer_leave();
}

/* What has come and was just granted goes nowhere any more. */
static void test_stopping_with_a_body(void **state) {
    (void)state;
    peer_come();
    struct peer_stream *stream = peer_visits("POST /", NULL, true);
    peer_says(stream, VIEW("hello"), false);
    PEER_UNTIL(stream->to_send.len == 0);
    peer_idles();
    grant(2);
    h2_stop(core.visitors);
    assert_int_equal(core.cancelled, 1);
    PEER_UNTIL(peer.is_gone);
    peer_leave();
}

/* ---- what visitors owe ---- */

static void test_a_body_that_does_not_come(void **state) {
    (void)state;
    uint64_t now = loop_now(&loop) + 1000;
    peer_come();
    struct peer_stream *stream = peer_visits("POST /", NULL, true);
    h2_sweep(core.visitors, now);
    h2_sweep(core.visitors, now + 100);
    assert_int_equal(core.exchange->stalled_ms, 0); /* nothing was granted */
    grant(10);
    h2_sweep(core.visitors, now + 200);
    assert_int_equal(core.exchange->stalled_ms, 0);
    h2_sweep(core.visitors, now + 300);
    assert_int_equal(core.exchange->stalled_ms, now + 200);
    peer_says(stream, VIEW("four"), false);
    PEER_UNTIL(core.exchange->body.len == 4);
    h2_sweep(core.visitors, now + 400);
    assert_int_equal(core.exchange->stalled_ms, 0);
    h2_sweep(core.visitors, now + 500);
    assert_int_equal(core.exchange->stalled_ms, now + 400);
    h2_sweep(core.visitors, now + 400 + BODY_IDLE_MS);
    assert_int_equal(core.cancelled, 0);
    h2_sweep(core.visitors, now + 401 + BODY_IDLE_MS);
    assert_int_equal(core.cancelled, 1);
    PEER_UNTIL(stream->status == 408);
    assert_non_null(strstr(stream->fields, "x-tunnel-error: request_timeout"));
    PEER_UNTIL(stream->has_ended && conn_of_peer()->count == 0);
    peer_leave();
}

static void test_what_is_no_debt(void **state) {
    (void)state;
    uint64_t now = loop_now(&loop) + 1000;
    static const char bytes[4 * PEER_WINDOW];
    peer_come();
    struct peer_stream *stream = peer_visits("POST /", NULL, true);
    grant(10);
    peer_says(stream, VIEW("all"), true);
    PEER_UNTIL(core.exchange->has_body_end); /* all of it is here */
    for (uint64_t i = 0; i < 3; i++) h2_sweep(core.visitors, now + i * 100);
    assert_int_equal(core.exchange->stalled_ms, 0);
    answers_shortly(stream);
    stream = peer_visits("CONNECT /", ":protocol: websocket", true);
    core.exchange->has_body_end = false;
    grant(10);
    for (uint64_t i = 3; i < 6; i++) h2_sweep(core.visitors, now + i * 100);
    assert_int_equal(core.exchange->stalled_ms, 0);
    answer_101("websocket");
    PEER_UNTIL(stream->status == 200);
    peer.reads_nothing = true;
    data(view_of(bytes, sizeof(bytes)));
    for (uint64_t i = 6; i < 9; i++) h2_sweep(core.visitors, now + i * 100);
    assert_int_equal(core.exchange->stalled_ms, 0);
    peer.reads_nothing = false;
    end();
    PEER_UNTIL(stream->has_ended);
    peer_says(stream, (struct view){0}, true);
    PEER_UNTIL(conn_of_peer()->count == 0);
    peer_leave();
}

static void test_an_answer_that_is_not_read(void **state) {
    (void)state;
    static const char bytes[4 * PEER_WINDOW];
    uint64_t now = loop_now(&loop) + 1000;
    peer_come();
    struct peer_stream *stream = peer_visits("GET /", NULL, false);
    peer.reads_nothing = true;
    answer_200(LENGTH_UNKNOWN);
    data(view_of(bytes, sizeof(bytes)));
    PEER_UNTIL(core.exchange->drained == PEER_WINDOW);
    peer_idles();
    h2_sweep(core.visitors, now);
    h2_sweep(core.visitors, now + 100);
    assert_int_equal(core.exchange->stalled_ms, now);
    assert_false(h2_visits_have_stalled(conn_of_peer(), now + 99, 100));
    assert_true(h2_visits_have_stalled(conn_of_peer(), now + 100, 100));
    h2_sweep(core.visitors, now + BODY_IDLE_MS);
    assert_int_equal(core.cancelled, 0);
    h2_sweep(core.visitors, now + BODY_IDLE_MS + 1);
    assert_int_equal(core.cancelled, 1);
    peer.reads_nothing = false;
    PEER_UNTIL(stream->is_reset);
    assert_non_null(strstr(core.access, " cut"));
    peer_leave();
}

/* All of its requests have: then it is ended for others. */
static void test_who_stalls_is_cut_for_others(void **state) {
    (void)state;
    peer_come();
    struct h2_conn *conn = conn_of_peer();
    uint64_t now = loop_now(&loop);
    assert_false(h2_visits_have_stalled(conn, now, 0)); /* there is none */
    struct peer_stream *stalls = peer_visits("POST /", NULL, true);
    grant(10);
    h2_sweep(core.visitors, now - 5000); /* as if it had begun earlier */
    h2_sweep(core.visitors, now - 4000);
    assert_int_equal(core.exchange->stalled_ms, now - 5000);
    struct exchange *first = core.exchange;
    peer_visits("GET /", NULL, false);
    assert_false(h2_spare_stalled(core.visitors, 100));
    struct peer_stream *other = &peer.streams[1];
    answers_shortly(other);
    core.exchange = first;
    PEER_UNTIL(conn->count == 1);
    assert_false(h2_spare_stalled(core.visitors, 100000));
    assert_true(h2_spare_stalled(core.visitors, 100));
    assert_true(is_closed());
    assert_int_equal(core.cancelled, 1);
    assert_false(stalls->has_ended);
    PEER_UNTIL(peer.is_gone);
    peer_leave();
}

/* Among so many it is looked for, and no more. */
static void test_who_stalls_behind_many(void **state) {
    (void)state;
    int fds[64];
    for (size_t i = 0; i < COUNT(fds); i++) fds[i] = come_by_h2();
    peer_come();
    peer_stalls();
    assert_false(h2_spare_stalled(core.visitors, 100));
    const struct list *first = core.visitors->h2.all.next;
    close(fds[0]);
    UNTIL(core.visitors->h2.all.next != first);
    assert_true(h2_spare_stalled(core.visitors, 100));
    assert_int_equal(core.cancelled, 1);
    for (size_t i = 1; i < COUNT(fds); i++) close(fds[i]);
    peer_leave();
}

/* Without memory for more who has most unread is cut. */
static void test_the_fullest_is_cut(void **state) {
    (void)state;
    static const char bytes[4 * PEER_WINDOW];
    int idle = come_by_h2();
    peer_come();
    struct h2_conn *conn = conn_of_peer();
    peer_visits("GET /", NULL, false);
    peer.reads_nothing = true;
    answer_200(LENGTH_UNKNOWN);
    assert_false(visitors_shed(core.visitors));
    data(view_of(bytes, sizeof(bytes)));
    size_t full;
    assert_ptr_equal(h2_fullest(core.visitors, &full), conn);
    assert_int_equal(full, sizeof(bytes));
    assert_true(visitors_shed(core.visitors));
    assert_int_equal(core.cancelled, 1);
    assert_false(is_closed()); /* the other one */
    close(idle);
    UNTIL(is_closed());
    peer_leave();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_an_idle_one_is_told_to_go),
        TEST(test_between_two_requests),
        TEST(test_the_longest_idle_one_is_spared_first),
        TEST(test_a_slow_beginning),
        TEST(test_how_much_noise_there_may_be),
        TEST(test_draining_answers_what_was_asked),
        TEST(test_draining_an_idle_one),
        TEST(test_closing_after_a_request),
        TEST(test_a_visitor_says_goodbye),
        TEST(test_what_is_no_frame),
        TEST(test_it_goes_after_what_broke_it),
        TEST(test_stopping),
        TEST(test_stopping_with_a_body),
        TEST(test_a_body_that_does_not_come),
        TEST(test_what_is_no_debt),
        TEST(test_an_answer_that_is_not_read),
        TEST(test_who_stalls_is_cut_for_others),
        TEST(test_who_stalls_behind_many),
        TEST(test_the_fullest_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
