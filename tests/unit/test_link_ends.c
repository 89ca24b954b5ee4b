/* How streams end while something of them is still under way: told, let go of, reset, or closed with their
 * link; and what a peer may do meanwhile. */
#include "test_link_peer.h"

#define KIB ((size_t)1024)

static char zeros[256 * 1024];

static void at_once(void) {
    pair.piece_max = (size_t)1 << 40;
}

/* ---- what a peer may do ---- */

static void test_small_pieces_are_no_noise(void **state) {
    (void)state;
    begin(LINK_ANSWERS);
    pair.answers.next = (struct tap){.quiet = true};
    headers(3, 0, POST);
    for (int i = 0; i < 2000; i++) frame(NGHTTP2_DATA, 0, 3, VIEW("x"));
    assert_link_lives();
    assert_int_equal(last_tap(subject)->received, 2000);
    end();
}

/* The connection's window is 64 MiB, and opens again by half of it. */
static void test_the_connections_window_opens_again(void **state) {
    (void)state;
    begin(LINK_ANSWERS);
    at_once();
    pair.answers.next = (struct tap){.quiet = true};
    headers(3, 0, POST);
    for (size_t mib = 0; mib < 40; mib++) {
        for (int i = 0; i < 8; i++) frame(NGHTTP2_DATA, 0, 3, view_of(zeros, 128 * KIB));
        run();
        buf_clear(&subject->pipe);
    }
    assert_int_equal(subject->status, STATUS_OK);
    assert_int_equal(last_tap(subject)->received, 40 * KIB * KIB);
    assert_true(nghttp2_session_get_effective_recv_data_length(subject->session->h2) <
                (int32_t)(32 * KIB * KIB));
    end();
}

static void test_a_link_that_only_has_its_control_stream_keeps_no_head(void **state) {
    (void)state;
    begin(LINK_ANSWERS);
    assert_null(subject->session->head.kept);
    pair.answers.next = (struct tap){.quiet = true};
    headers(3, 0, POST);
    assert_link_lives();
    assert_non_null(subject->session->head.kept);
    end();
}

static void test_a_goaway_without_words(void **state) {
    (void)state;
    begin(LINK_OPENS);
    goaway(1, NGHTTP2_INTERNAL_ERROR, "");
    run();
    assert_int_equal(subject->status, STATUS_GONE);
    assert_string_equal(link_error(subject->session), "the other side ended the link: INTERNAL_ERROR");
    end();
}

/* Answers and resets that it does not fetch: 4096, and two for each stream that there may be. */
static void test_a_peer_that_does_not_read(void **state) {
    (void)state;
    struct link_limits limits = LINK_LIMITS_DEFAULT;
    limits.streams_max = 5;
    begin_with(LINK_ANSWERS, &limits);
    pair.answers.next = (struct tap){.quiet = true};
    say(MAGIC, 24);
    setting(NGHTTP2_SETTINGS_ENABLE_PUSH, 0);
    headers(1, 0, CONTROL);
    run();
    size_t queued = 0, before = 0;
    for (uint32_t id = 3; subject->status == STATUS_OK; id += 2) {
        assert_true(id < 20000);
        before = queued;
        headers(id, 0, POST);
        side_receive(subject, peer);
        queued = nghttp2_session_get_outbound_queue_size(subject->session->h2);
    }
    assert_int_equal(subject->status, STATUS_OVERLOADED);
    assert_int_equal(before, 4096 + 10);
    end();
}

/* A peer that has heard of no reset may go on, but not for ever; its ids may be large by then. */
static void test_late_frames_of_a_stream_with_a_large_id(void **state) {
    (void)state;
    const uint32_t id = 0x01020305;
    const size_t allowed = 320 * KIB;
    for (int more = 0; more < 2; more++) {
        begin(LINK_OPENS);
        at_once();
        assert_int_equal(nghttp2_session_set_next_stream_id(subject->session->h2, (int32_t)id), 0);
        struct tap *tap = open_one();
        link_stream_reset(tap->stream, false);
        tap->stream = NULL;
        run();
        for (int i = 0; i < 2; i++) frame(NGHTTP2_DATA, 0, id, view_of(zeros, 100000));
        frame(NGHTTP2_DATA, 0, id, view_of(zeros, allowed - 200001));
        frame(NGHTTP2_DATA, 0, id, VIEW("")); /* counts as one */
        if (!more) {
            assert_link_lives();
        } else {
            frame(NGHTTP2_DATA, 0, id, VIEW(""));
            frame(NGHTTP2_DATA, 0, 1, VIEW("not told\n"));
            assert_link_lost(NGHTTP2_STREAM_CLOSED);
            assert_int_equal(subject->control.len, 0);
        }
        end();
    }
}

/* Declining the rest of a request that is answered is fair (RFC 9113 8.1); breaking off an answer is not. */
static void test_only_fair_resets_are_free(void **state) {
    (void)state;
    for (int fair = 0; fair < 2; fair++) {
        struct link_limits limits = LINK_LIMITS_DEFAULT;
        limits.streams_max = 5;
        begin_with(LINK_OPENS, &limits);
        setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1000);
        frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, VIEW(""));
        headers(1, 0, ":status: 200\n");
        run();
        uint32_t id = 3;
        for (; id < 3 + 2 * 210 && subject->status == STATUS_OK; id += 2) {
            struct headers none = {.count = 0};
            struct stream_head head = get_head(&none);
            pair_open_head(&pair, &head, true);
            run();
            if (fair) headers(id, END, ":status: 200\n");
            frame32(NGHTTP2_RST_STREAM, id, NGHTTP2_NO_ERROR);
            run();
        }
        assert_int_equal(subject->status, fair ? STATUS_OK : STATUS_OVERLOADED);
        if (!fair) assert_int_equal(id, 3 + 2 * 201);
        end();
    }
}

/* ---- resets that cross ---- */

static void test_an_answer_crosses_a_reset(void **state) {
    (void)state;
    static const char *const heads[] = {":status: 200\n", ":status: 100\n"};
    for (size_t i = 0; i < COUNT(heads); i++) {
        begin(LINK_OPENS);
        struct tap *tap = open_one();
        link_stream_reset(tap->stream, false);
        tap->stream = NULL;
        headers(3, 0, heads[i]); /* before the reset has left */
        if (i == 0) frame(NGHTTP2_DATA, 0, 3, VIEW("late"));
        side_receive(subject, peer);
        assert_false(tap->headed);
        assert_int_equal(tap->informational, 0);
        assert_int_equal(subject->budget.held_bytes, 0);
        assert_link_lives();
        end();
    }
}

static void test_a_request_crosses_a_drain(void **state) {
    (void)state;
    begin(LINK_ANSWERS);
    link_drain(subject->session);
    headers(3, 0, POST); /* before the GOAWAY has left */
    run();
    assert_int_equal(subject->status, STATUS_OK);
    assert_int_equal(subject->tap_count, 0);
    assert_int_equal(code_sent(3), NGHTTP2_REFUSED_STREAM);
    assert_int_equal(code_sent(0), NGHTTP2_NO_ERROR);
    end();
}

/* ---- what is told, and when ---- */

static unsigned sent_calls;

static void on_sent_counted(void *ctx, size_t bytes) {
    sent_calls++;
    on_sent(ctx, bytes);
}

/* Not harmless, as the other tests' is. */
static void on_done_only(void *ctx) {
    struct tap *tap = ctx;
    tap->done = true;
    tap->stream = NULL;
}

static struct tap *open_body(const struct stream_events *events) {
    struct headers none = {.count = 0};
    struct stream_head head = get_head(&none);
    head.method = VIEW("POST");
    struct tap *tap = pair_open_head(&pair, &head, true);
    link_stream_attach(tap->stream, events, tap);
    run();
    return tap;
}

static void test_each_message_tells_what_of_a_body_has_left(void **state) {
    (void)state;
    struct stream_events events = tap_events;
    events.sent = on_sent_counted;
    events.done = on_done_only;
    struct buf out;
    begin(LINK_OPENS);
    struct tap *tap = open_body(&events);
    sent_calls = 0;
    tap_say(tap, VIEW("hello"));
    subject->writable = false;
    buf_init(&out, 14); /* a frame's head and five bytes: exactly */
    assert_int_equal(link_send(subject->session, &out), STATUS_OK);
    assert_int_equal(out.len, 14);
    assert_int_equal(sent_calls, 1);
    assert_int_equal(tap->unsent, 0);
    buf_done(&out);
    tap_say(tap, VIEW("world"));
    link_stream_end(tap->stream, NULL);
    headers(3, END, ":status: 200\n");
    assert_link_lives();
    assert_int_equal(sent_calls, 2);
    assert_int_equal(tap->unsent, 0);
    assert_true(tap->ended && tap->done);
    assert_int_equal(link_stream_count(subject->session), 0);
    end();
}

/* The last of a body leaves, which closes the stream, while the answer's reader lags: its owner hears first
 * what has left, and may give up in that. */
static void test_a_reset_inside_what_a_closed_stream_tells(void **state) {
    (void)state;
    for (int resets = 0; resets < 2; resets++) {
        begin(LINK_OPENS);
        struct tap *tap = open_body(&tap_events);
        tap->hold = true;
        headers(3, 0, ":status: 200\n");
        frame(NGHTTP2_DATA, END, 3, VIEW("0123456789"));
        assert_link_lives();
        assert_int_equal(tap->held, 10);
        tap_say(tap, VIEW("last"));
        link_stream_end(tap->stream, NULL);
        if (resets) tap->reset_in = IN_SENT;
        run();
        assert_int_equal(tap->unsent, 0);
        if (resets) {
            assert_null(tap->stream);
        } else {
            assert_false(tap->done);
            tap_drain(tap, 10);
            run();
            assert_true(tap->done);
        }
        assert_int_equal(subject->budget.held_bytes, 0);
        assert_int_equal(link_stream_count(subject->session), 0);
        end();
    }
}

static void test_letting_go_of_a_stream_that_is_done(void **state) {
    (void)state;
    begin(LINK_OPENS);
    struct tap *tap = open_one();
    tap->hold = true;
    headers(3, 0, ":status: 200\n");
    frame(NGHTTP2_DATA, END, 3, VIEW("0123456789"));
    assert_link_lives();
    tap_drain(tap, 10); /* `done` is due */
    link_stream_attach(tap->stream, NULL, NULL);
    tap->stream = NULL;
    run();
    assert_false(tap->done);
    assert_int_equal(link_stream_count(subject->session), 0);
    assert_int_equal(subject->budget.held_bytes, 0);
    end();
}

/* What was written leaves, also where it had to wait for its turn. */
static void test_letting_go_of_a_stream_that_waits_for_its_turn(void **state) {
    (void)state;
    begin(LINK_OPENS);
    setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 24);
    setting(NGHTTP2_SETTINGS_MAX_FRAME_SIZE, 1 << 17);
    frame32(NGHTTP2_WINDOW_UPDATE, 0, 1 << 24);
    run();
    struct tap *taps[2] = {open_body(&tap_events), open_body(&tap_events)};
    struct link_stream *streams[2] = {taps[0]->stream, taps[1]->stream};
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 4; j++) tap_say(taps[i], view_of(zeros, 64 * KIB));
    subject->writable = false;
    struct buf out;
    buf_init(&out, 100 * KIB); /* one frame of one, and a piece of another */
    assert_int_equal(link_send(subject->session, &out), STATUS_OK);
    buf_done(&out);
    for (int i = 0; i < 2; i++) {
        assert_true(streams[i]->out.bytes > 0);
        link_stream_attach(streams[i], NULL, NULL);
        taps[i]->stream = NULL;
    }
    subject->writable = true;
    run();
    assert_int_equal(streams[0]->out.bytes, 0);
    assert_int_equal(streams[1]->out.bytes, 0);
    end();
}

static void test_trailers_that_have_not_left(void **state) {
    (void)state;
    struct header field = {VIEW("x-sum"), VIEW("1")};
    struct headers trailers = {.fields = &field, .count = 1, .bytes = 10};
    begin(LINK_OPENS);
    struct tap *tap = open_body(&tap_events);
    tap_say(tap, VIEW("x"));
    assert_int_equal(link_stream_end(tap->stream, &trailers), STATUS_OK);
    side_close(subject); /* the sanitizers see what is kept */
    assert_true(tap->lost);
    end();
}

/* `writable` is not fired inside a callback, where link_send() may not be called. */
static void on_data_that_writes(void *ctx, struct view data) {
    struct tap *tap = ctx;
    bool was_writable = subject->writable;
    on_data(tap, data);
    tap_say(tap, VIEW("echo"));
    assert_int_equal(subject->writable, was_writable);
}

static void on_sent_that_writes(void *ctx, size_t bytes) {
    struct tap *tap = ctx;
    bool was_writable = subject->writable;
    on_sent(tap, bytes);
    if (tap->written++ == 0) tap_say(tap, VIEW("more"));
    assert_int_equal(subject->writable, was_writable);
}

static void test_writable_is_told_outside_of_callbacks(void **state) {
    (void)state;
    struct stream_events events = tap_events;
    events.data = on_data_that_writes;
    events.sent = on_sent_that_writes;
    begin(LINK_OPENS);
    struct tap *tap = open_body(&events);
    headers(3, 0, ":status: 200\n");
    frame(NGHTTP2_DATA, 0, 3, VIEW("x"));
    side_receive(subject, peer);
    assert_true(subject->writable);
    run();
    assert_int_equal(tap->unsent, 0);
    end();
}

/* ---- streams to be used again ---- */

static void test_streams_are_used_again(void **state) {
    (void)state;
    begin(LINK_OPENS);
    for (uint32_t i = 0; i < 70; i++) pair_open(&pair, 0);
    run();
    for (uint32_t i = 0; i < 70; i++) headers(3 + 2 * i, END, ":status: 200\n");
    assert_link_lives();
    assert_int_equal(subject->session->spare_streams.count, 64);
    pair_open(&pair, 0);
    assert_int_equal(subject->session->spare_streams.count, 63);
    run();
    headers(3 + 2 * 70, END, ":status: 200\n");
    assert_link_lives();
    assert_int_equal(subject->session->spare_streams.count, 64);
    link_tick(subject->session, pair.now_ms += 500000); /* long after the first ones */
    assert_int_equal(subject->session->spare_streams.count, 0);
    pair_open(&pair, 0);
    run();
    headers(3 + 2 * 71, END, ":status: 200\n");
    assert_link_lives();
    link_tick(subject->session, pair.now_ms += 9000);
    assert_int_equal(subject->session->spare_streams.count, 1);
    end();
}

static void test_a_head_that_is_too_long_costs_no_place(void **state) {
    (void)state;
    static char value[256 * 1024];
    memset(value, 'v', sizeof(value));
    struct header field = {VIEW("n"), view_of(value, sizeof(value))};
    struct headers large = {.fields = &field, .count = 1, .bytes = sizeof(value) + 5};
    struct stream_head head = get_head(&large);
    struct link_limits limits = LINK_LIMITS_DEFAULT;
    enum status status;
    limits.streams_max = 2;
    begin_with(LINK_OPENS, &limits);
    for (int i = 0; i < 5; i++) {
        assert_null(link_open(subject->session, &head, false, &tap_events, NULL, &status));
        assert_int_equal(status, STATUS_TOO_LARGE);
    }
    assert_int_equal(subject->session->live_count, 0);
    assert_int_equal(link_stream_count(subject->session), 0);
    for (int i = 0; i < 2; i++) pair_open(&pair, 0);
    end();
}

/* One of those that the other side admits is the control stream. */
static void test_so_many_are_admitted(void **state) {
    (void)state;
    static const struct {
        uint32_t said;
        size_t opened;
    } rows[] = {{0, 0}, {1, 0}, {2, 1}, {4, 3}, {5, 4}, {6, 5}, {7, 5}, {100, 5}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct link_limits limits = LINK_LIMITS_DEFAULT;
        struct headers none = {.count = 0};
        struct stream_head head = get_head(&none);
        enum status status = STATUS_OK;
        size_t opened = 0;
        limits.streams_max = 5;
        begin_with(LINK_OPENS, &limits);
        setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, rows[i].said);
        run();
        while (status == STATUS_OK) {
            struct tap *tap = tap_new(&pair.opens);
            tap->stream = link_open(subject->session, &head, false, &tap_events, tap, &status);
            opened += tap->stream != NULL;
        }
        assert_int_equal(status, STATUS_OVERLOADED);
        assert_int_equal(opened, rows[i].opened);
        end();
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_pieces_are_no_noise),
        cmocka_unit_test(test_the_connections_window_opens_again),
        cmocka_unit_test(test_a_link_that_only_has_its_control_stream_keeps_no_head),
        cmocka_unit_test(test_a_goaway_without_words),
        cmocka_unit_test(test_a_peer_that_does_not_read),
        cmocka_unit_test(test_late_frames_of_a_stream_with_a_large_id),
        cmocka_unit_test(test_only_fair_resets_are_free),
        cmocka_unit_test(test_an_answer_crosses_a_reset),
        cmocka_unit_test(test_a_request_crosses_a_drain),
        cmocka_unit_test(test_each_message_tells_what_of_a_body_has_left),
        cmocka_unit_test(test_a_reset_inside_what_a_closed_stream_tells),
        cmocka_unit_test(test_letting_go_of_a_stream_that_is_done),
        cmocka_unit_test(test_letting_go_of_a_stream_that_waits_for_its_turn),
        cmocka_unit_test(test_trailers_that_have_not_left),
        cmocka_unit_test(test_writable_is_told_outside_of_callbacks),
        cmocka_unit_test(test_streams_are_used_again),
        cmocka_unit_test(test_a_head_that_is_too_long_costs_no_place),
        cmocka_unit_test(test_so_many_are_admitted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
