/* The link's bounds, met exactly and passed by one: with a peer made by hand, and between two sessions. */
#include "test_link_peer.h"

#define KIB ((size_t)1024)

/* What the peer has said comes in one piece. */
static void at_once(void) {
    pair.piece_max = (size_t)1 << 40;
}

/* ---- reasons ---- */

/* A peer's words are shortened to what a log can have. */
static void test_a_reason_is_printable_and_short(void **state) {
    (void)state;
    char payload[8 + 200] = "\0\0\0\1\0\0\0\2";
    memset(payload + 8, 'r', 200);
    memcpy(payload + 8, "~\x7f \x1f\n\xff", 6);
    begin(LINK_OPENS);
    frame(NGHTTP2_GOAWAY, 0, 0, view_of(payload, sizeof(payload)));
    run();
    assert_int_equal(subject->status, STATUS_GONE);
    const char *error = link_error(subject->session);
    assert_int_equal(strlen(error), 127);
    assert_memory_equal(error, "the other side ended the link: ~? ???rrr", 40);
    for (size_t i = 40; i < 127; i++) assert_int_equal(error[i], 'r');
    end();
}

/* ---- control lines ---- */

static void test_a_control_line_may_be_so_long(void **state) {
    (void)state;
    static char line[64 * 1024 + 2];
    memset(line, 'x', sizeof(line));
    for (size_t more = 0; more < 2; more++) {
        begin(LINK_OPENS);
        at_once();
        size_t len = 64 * KIB + more;
        line[len] = '\n';
        frame(NGHTTP2_DATA, 0, 1, view_of(line, len + 1));
        if (more) {
            assert_link_lost(NGHTTP2_ENHANCE_YOUR_CALM);
            assert_int_equal(subject->control.len, 0);
        } else {
            assert_link_lives();
            assert_int_equal(subject->control.len, len + 1);
        }
        line[len] = 'x';
        end();
    }
}

static void test_control_lines_in_pieces(void **state) {
    (void)state;
    begin(LINK_OPENS);
    frame(NGHTTP2_DATA, 0, 1, VIEW("h"));
    run();
    frame(NGHTTP2_DATA, 0, 1, VIEW("i\n\nth"));
    run();
    frame(NGHTTP2_DATA, 0, 1, VIEW("ere\n"));
    assert_link_lives();
    assert_true(view_eq(buf_view(&subject->control), VIEW("hi|there|")));
    assert_int_equal(subject->budget.held_bytes, 0);
    end();
}

/* 1 MiB of them waits, newlines included. */
static void test_control_lines_wait_so_long(void **state) {
    (void)state;
    static char line[1024];
    memset(line, 'x', sizeof(line));
    begin(LINK_OPENS);
    for (int i = 0; i < 1023; i++)
        assert_int_equal(link_control(subject->session, view_of(line, 1023)), STATUS_OK);
    assert_int_equal(link_control(subject->session, view_of(line, 1024)), STATUS_OVERLOADED);
    assert_int_equal(link_control(subject->session, view_of(line, 1023)), STATUS_OK);
    assert_int_equal(link_control(subject->session, VIEW("")), STATUS_OVERLOADED);
    assert_link_lives();
    assert_int_equal(code_sent(1), -1);
    end();
}

/* ---- heads ---- */

/* `:authority`, `:method` and `:scheme` of GET are 8 bytes, its fields none. */
static void test_a_heads_pseudo_fields_may_be_so_long(void **state) {
    (void)state;
    static char fields[1200];
    struct link_limits limits = LINK_LIMITS_DEFAULT;
    limits.headers_bytes = 1000;
    begin_with(LINK_ANSWERS, &limits);
    say(MAGIC, 24);
    setting(NGHTTP2_SETTINGS_ENABLE_PUSH, 0);
    headers(1, 0, CONTROL);
    pair.answers.next = (struct tap){.quiet = true};
    for (uint32_t i = 0; i < 4; i++) { /* twice: nothing of the one before counts */
        size_t path_len = 1000 - 8 + i % 2;
        int at = snprintf(fields, sizeof(fields), ":method: GET\n:scheme: http\n:authority: a\n:path: /");
        memset(fields + at, 'p', path_len - 1);
        fields[(size_t)at + path_len - 1] = '\0';
        headers(3 + 2 * i, END, fields);
        assert_link_lives();
        assert_int_equal(subject->tap_count, i / 2 + 1);
    }
    assert_int_equal(code_sent(3), -1);
    assert_int_not_equal(code_sent(5), -1);
    assert_int_equal(code_sent(7), -1);
    end();
}

/* ---- what waits for a peer that does not read ---- */

static void test_so_many_pings_may_wait_to_be_answered(void **state) {
    (void)state;
    begin(LINK_OPENS);
    for (int i = 0; i < 499; i++) frame(NGHTTP2_PING, 0, 0, VIEW("12345678"));
    side_receive(subject, peer);
    assert_int_equal(subject->status, STATUS_OK);
    for (int i = 0; i < 10; i++) frame(NGHTTP2_PING, 0, 0, VIEW("12345678"));
    side_receive(subject, peer);
    assert_int_equal(subject->status, STATUS_OVERLOADED);
    end();
}

/* ---- late frames ---- */

/* What a peer sent before it heard of our reset: a window of it, and a head. */
static void late_data(enum link_role role, size_t len, bool lives) {
    static char zeros[256 * 1024];
    begin(role);
    at_once();
    pair.answers.next = (struct tap){.quiet = true};
    if (role == LINK_ANSWERS) headers(3, 0, POST);
    struct tap *tap = role == LINK_OPENS ? open_one() : NULL;
    run();
    if (!tap) tap = last_tap(subject);
    link_stream_reset(tap->stream, false);
    tap->stream = NULL;
    run();
    for (size_t part; len > 0; len -= part) {
        part = len < 16 * KIB ? len : 16 * KIB;
        frame(NGHTTP2_DATA, 0, 3, view_of(zeros, part));
    }
    if (lives)
        assert_link_lives();
    else
        assert_link_lost(NGHTTP2_STREAM_CLOSED);
    end();
}

static void test_late_frames_are_counted(void **state) {
    (void)state;
    const size_t allowed = 256 * KIB + 64 * KIB;
    late_data(LINK_OPENS, allowed, true);
    late_data(LINK_OPENS, allowed + 1, false);
    late_data(LINK_ANSWERS, allowed, true);
    late_data(LINK_ANSWERS, allowed + 1, false);
}

/* ---- rest ---- */

static void test_memory_is_given_back_after_ten_seconds(void **state) {
    (void)state;
    begin(LINK_OPENS);
    struct tap *tap = open_one();
    headers(3, END, ":status: 200\n");
    assert_link_lives();
    assert_true(tap->done);
    struct link_session *session = subject->session;
    uint64_t at = session->active_ms;
    assert_true(session->frame.size >= 16 * KIB && session->frame.size < 16 * KIB + 64);
    assert_int_equal(session->spare_streams.count, 1);
    link_tick(session, at + 9999);
    assert_int_equal(session->spare_streams.count, 1);
    assert_true(session->frame.is_touched);
    link_tick(session, at + 10000);
    assert_int_equal(session->spare_streams.count, 0);
    assert_false(session->frame.is_touched);
    end();
}

/* Half of a frame waits for room in a message: the other half is still there after hours. */
static void test_a_frame_that_has_half_left_is_kept(void **state) {
    (void)state;
    struct buf out;
    begin(LINK_OPENS);
    link_ping(subject->session);
    subject->writable = false;
    buf_init(&out, 10);
    assert_int_equal(link_send(subject->session, &out), STATUS_OK);
    assert_int_equal(out.len, 10);
    link_tick(subject->session, pair.now_ms + 3600 * 1000);
    buf_done(&out);
    buf_init(&out, 100);
    subject->writable = false;
    assert_int_equal(link_send(subject->session, &out), STATUS_OK);
    assert_int_equal(out.len, 7); /* of 17 */
    assert_true(subject->session->frame.is_known);
    buf_done(&out);
    end();
}

/* ---- the end ---- */

static struct tap *other_tap;
static struct link_session *dying;

/* The owner of one stream has another one, and does not know yet that the link has ended. */
static void on_lost_with_others(void *ctx, enum stream_end why) {
    struct tap *tap = ctx;
    struct headers none = {.count = 0};
    struct stream_head head = get_head(&none);
    enum status status;
    on_lost(tap, why);
    if (other_tap && other_tap->stream) link_stream_consumed(other_tap->stream, other_tap->held);
    assert_null(link_open(dying, &head, false, &tap_events, tap, &status));
    assert_int_equal(status, STATUS_GONE);
    assert_int_equal(link_control(dying, VIEW("x")), STATUS_GONE);
    link_ping(dying);
    link_drain(dying);
}

static void test_nothing_is_asked_of_a_link_that_ends(void **state) {
    (void)state;
    static char zeros[16 * 1024];
    struct stream_events events = tap_events;
    events.lost = on_lost_with_others;
    for (int i = 0; i < 2; i++) {
        begin(LINK_OPENS);
        struct tap *tap = open_one();
        other_tap = open_one();
        other_tap->hold = true;
        dying = subject->session;
        link_stream_attach(tap->stream, &events, tap);
        headers(5, 0, ":status: 200\n");
        for (int j = 0; j < 8; j++) frame(NGHTTP2_DATA, 0, 5, view_of(zeros, sizeof(zeros)));
        assert_link_lives();
        assert_int_equal(other_tap->held, 128 * KIB);
        assert_false(subject->writable);
        if (i) link_set_loss(subject->session, STREAM_SEVERED);
        side_close(subject);
        assert_false(subject->writable);
        assert_true(tap->lost && other_tap->lost);
        assert_int_equal(tap->why, i ? STREAM_SEVERED : STREAM_LOST);
        end();
    }
}

static void test_a_link_drains_once(void **state) {
    (void)state;
    begin(LINK_OPENS);
    assert_false(link_wants_send(subject->session));
    link_drain(subject->session);
    assert_true(subject->writable);
    run();
    assert_int_equal(code_sent(0), NGHTTP2_NO_ERROR);
    link_drain(subject->session);
    assert_false(link_wants_send(subject->session));
    end();
    begin(LINK_OPENS); /* nor once it has failed */
    goaway(1, NGHTTP2_INTERNAL_ERROR, "x");
    run();
    assert_int_equal(subject->status, STATUS_GONE);
    bool wants = link_wants_send(subject->session);
    link_drain(subject->session);
    assert_int_equal(link_wants_send(subject->session), wants);
    end();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_reason_is_printable_and_short),
        cmocka_unit_test(test_a_control_line_may_be_so_long),
        cmocka_unit_test(test_control_lines_in_pieces),
        cmocka_unit_test(test_control_lines_wait_so_long),
        cmocka_unit_test(test_a_heads_pseudo_fields_may_be_so_long),
        cmocka_unit_test(test_so_many_pings_may_wait_to_be_answered),
        cmocka_unit_test(test_late_frames_are_counted),
        cmocka_unit_test(test_memory_is_given_back_after_ten_seconds),
        cmocka_unit_test(test_a_frame_that_has_half_left_is_kept),
        cmocka_unit_test(test_nothing_is_asked_of_a_link_that_ends),
        cmocka_unit_test(test_a_link_drains_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
