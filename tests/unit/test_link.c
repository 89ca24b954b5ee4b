/* The link: resets, the ends of streams, control lines, drain, and who hears of what last. */
#include <sys/mman.h>

#include "link/link_state.h"
#include "test_link_pair.h"

static struct pair pair;

static int setup(void **state) {
    (void)state;
    pair_begin(&pair, NULL);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    pair_end(&pair);
    return 0;
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static enum status try_to_open(void) {
    struct headers none = {0};
    struct stream_head head = get_head(&none);
    enum status status;
    assert_null(link_open(pair.opens.session, &head, false, &tap_events, &pair, &status));
    return status;
}

/* ---- what one request costs ---- */

/* Counts what is under way, in messages of one frame of each type. */
static void assert_pipe(const struct side *side, size_t headers, size_t data) {
    struct view rest = buf_view(&side->pipe);
    size_t counts[256] = {0};
    while (rest.len > 0) {
        const unsigned char *at = (const unsigned char *)rest.ptr;
        counts[at[3]]++;
        rest = view_skip(rest, 9 + ((size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2]));
    }
    assert_int_equal(counts[NGHTTP2_HEADERS], headers);
    assert_int_equal(counts[NGHTTP2_DATA], data);
    for (size_t type = NGHTTP2_PRIORITY; type < COUNT(counts); type++) assert_int_equal(counts[type], 0);
}

/* The core lets go of an exchange's stream as soon as the answer has ended, in one way or the other. */
static void test_a_small_request_is_one_message_each_way(void **state) {
    (void)state;
    static const struct {
        size_t request, answer;
        enum event let_go_in;
    } rows[] = {{0, 0, IN_NOTHING},   {0, 0, IN_HEAD},    {0, 0, IN_END},   {0, 100, IN_END},
                {0, 100, IN_NOTHING}, {100, 100, IN_END}, {100, 0, IN_HEAD}};
    pair_open(&pair, 0);
    pair_run(&pair);
    for (size_t i = 0; i < COUNT(rows); i++) {
        pair.answers.next.to_write = rows[i].answer;
        struct tap *tap = pair_open(&pair, rows[i].request);
        tap->reset_in = (int)rows[i].let_go_in;
        assert_true(side_send(&pair.opens));
        assert_pipe(&pair.opens, 1, rows[i].request ? 1 : 0);
        side_receive(&pair.answers, &pair.opens);
        assert_true(side_send(&pair.answers));
        assert_pipe(&pair.answers, 1, rows[i].answer ? 1 : 0);
        side_receive(&pair.opens, &pair.answers);
        assert_false(side_send(&pair.opens));
        assert_false(side_send(&pair.answers));
        assert_null(tap->stream);
        assert_true(last_tap(&pair.answers)->done);
        assert_int_equal(link_stream_count(pair.opens.session), 0);
        assert_int_equal(link_stream_count(pair.answers.session), 0);
    }
    assert_int_equal(pair.opens.status, STATUS_OK);
    assert_int_equal(pair.answers.status, STATUS_OK);
}

/* ---- resets ---- */

static void test_resets(void **state) {
    (void)state;
    pair.answers.next.quiet = true;
    static const struct {
        bool opener, refused, answered;
        enum stream_end expected;
    } rows[] = {
        {true, false, false, STREAM_RESET},  {true, false, true, STREAM_RESET},
        {false, false, false, STREAM_RESET}, {false, true, false, STREAM_UNPROCESSED},
        {false, false, true, STREAM_RESET},  {false, true, true, STREAM_RESET}, /* too late to say so */
    };
    struct headers none = {0};
    struct stream_head answer = {.status = 200, .headers = &none};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tap *tap = pair_open(&pair, 1000);
        pair_run(&pair);
        struct tap *other = last_tap(&pair.answers);
        if (rows[i].answered) {
            link_stream_answer(other->stream, &answer, true);
            tap_put(other, 4000);
        }
        pair_run(&pair);
        struct tap *victim = rows[i].opener ? other : tap, *actor = rows[i].opener ? tap : other;
        if (!rows[i].opener && rows[i].answered) tap_put(other, 1000); /* not to leave any more */
        link_stream_reset(actor->stream, rows[i].refused);
        actor->stream = NULL;
        pair_run(&pair);
        assert_true(victim->lost);
        assert_int_equal(victim->why, rows[i].expected);
        assert_false(actor->lost || actor->done);
        if (rows[i].answered) assert_int_equal(tap->received, 4000);
    }
    assert_int_equal(link_stream_count(pair.opens.session), 0);
    assert_int_equal(link_stream_count(pair.answers.session), 0);
}

static void test_reset_before_the_request_has_left(void **state) {
    (void)state;
    pair_run(&pair);
    for (int i = 0; i < 50; i++) {
        struct tap *tap = pair_open(&pair, 1000);
        link_stream_reset(tap->stream, false);
        tap->stream = NULL;
    }
    assert_int_equal(link_stream_count(pair.opens.session), 0);
    pair_run(&pair);
    assert_int_equal(pair.answers.tap_count, 0);
    pair_open(&pair, 0);
    pair_run(&pair);
    assert_int_equal(pair.answers.tap_count, 1);
    assert_true(last_tap(&pair.opens)->done);
}

static void test_what_nobody_attaches_to_is_refused(void **state) {
    (void)state;
    pair.answers.refuse = true;
    struct tap *tap = pair_open(&pair, 100000);
    struct tap *bodyless = pair_open(&pair, 0);
    pair_run(&pair);
    assert_true(tap->lost && bodyless->lost);
    assert_int_equal(tap->why, STREAM_UNPROCESSED);
    assert_int_equal(bodyless->why, STREAM_UNPROCESSED);
    assert_int_equal(link_stream_count(pair.answers.session), 0);
    assert_int_equal(pair.answers.budget.held_bytes, 0);
}

static void test_reset_inside_callbacks(void **state) {
    (void)state;
    static const enum event opener[] = {IN_HEAD, IN_DATA, IN_END, IN_SENT};
    static const enum event answerer[] = {IN_REQUEST, IN_DATA, IN_END, IN_SENT};
    for (size_t i = 0; i < 4; i++) {
        pair.answers.next = (struct tap){.to_write = 300000};
        struct tap *tap = pair_open(&pair, 300000);
        tap->reset_in = (int)opener[i];
        pair_run(&pair);
        struct tap *other = last_tap(&pair.answers);
        assert_false(tap->done || tap->lost);
        assert_true(other->done || other->lost);

        pair.answers.next.reset_in = (int)answerer[i];
        tap = pair_open(&pair, 300000);
        pair_run(&pair);
        other = last_tap(&pair.answers);
        assert_true(tap->lost);
        assert_int_equal(tap->why, i == 0 ? STREAM_UNPROCESSED : STREAM_RESET);
        assert_false(other->done || other->lost);
        assert_null(other->stream);
    }
    assert_int_equal(pair.opens.status, STATUS_OK);
    assert_int_equal(link_stream_count(pair.opens.session), 0);
    assert_int_equal(pair.opens.budget.held_bytes, 0);
    assert_int_equal(pair.answers.budget.held_bytes, 0);
}

static void test_letting_go(void **state) {
    (void)state;
    pair.answers.next = (struct tap){.to_write = 1000000};
    struct tap *tap = pair_open(&pair, 1000);
    tap->hold = true;
    pair_run(&pair);
    assert_int_equal(tap->held, 256 * 1024);
    struct tap *other = last_tap(&pair.answers);
    link_stream_attach(tap->stream, NULL, NULL); /* what still comes is thrown away */
    tap->stream = NULL;
    assert_int_equal(pair.opens.budget.held_bytes, 0);
    assert_int_equal(link_stream_count(pair.opens.session), 0);
    pair_run(&pair);
    assert_true(other->done);
    pair.answers.next = (struct tap){.quiet = true};
    tap = pair_open(&pair, 0);
    pair_run(&pair);
    other = last_tap(&pair.answers);
    link_stream_attach(tap->stream, &tap_events, tap); /* once more: harmless */
    tap_answer(other, 200);
    link_stream_attach(other->stream, NULL, NULL); /* the answer leaves nevertheless */
    other->stream = NULL;
    pair_run(&pair);
    assert_true(tap->done && !other->done);
    assert_int_equal(link_stream_count(pair.answers.session), 0);
}

/* ---- the end of a stream ---- */

static void test_an_answer_that_is_whole_before_the_request(void **state) {
    (void)state;
    for (int body = 0; body < 2; body++) {
        pair.answers.next = (struct tap){.answered_early = true, .to_write = body ? 700000 : 0};
        struct tap *tap = pair_open(&pair, 3000000);
        tap->hold = body;
        pair_run(&pair);
        struct tap *other = last_tap(&pair.answers);
        if (body) {
            assert_false(tap->ended);
            while (tap->held) {
                tap_drain(tap, tap->held);
                pair_run(&pair);
            }
        }
        assert_true(tap->ended && tap->done && !tap->lost);
        assert_true(other->done && !other->lost);
        assert_int_equal(other->ended, body); /* with a body there was time for the request */
        assert_int_equal(tap->received, body ? 700000 : 0);
        assert_true(tap->hash == other->written_hash);
        if (!body) assert_true(tap->to_write > 0);
    }
    assert_all_done(&pair);
}

static void test_writes_after_the_other_side_wants_no_more(void **state) {
    (void)state;
    pair.answers.next = (struct tap){.answered_early = true, .to_write = 10};
    struct headers none = {0};
    struct stream_head head = get_head(&none);
    struct tap *tap = pair_open_head(&pair, &head, true);
    tap->hold = true;
    pair_run(&pair);
    assert_true(tap->ended && !tap->done && tap->stream);
    assert_int_equal(link_stream_write(tap->stream, VIEW("more")), STATUS_GONE);
    assert_int_equal(link_stream_end(tap->stream, NULL), STATUS_GONE);
    assert_int_equal(pair.opens.budget.held_bytes, 10);
    tap_drain(tap, 4);
    pair_run(&pair);
    assert_false(tap->done);
    tap_drain(tap, 6);
    assert_false(tap->done); /* not inside the call */
    pair_run(&pair);
    assert_true(tap->done);
    assert_all_done(&pair);
}

static void test_done_waits_for_the_reader(void **state) {
    (void)state;
    pair.answers.next = (struct tap){.to_write = 100000};
    for (int i = 0; i < 3; i++) {
        struct tap *tap = pair_open(&pair, 0);
        tap->hold = true;
        pair_run(&pair);
        assert_true(tap->ended && !tap->done && last_tap(&pair.answers)->done);
        assert_int_equal(pair.opens.budget.held_bytes, 100000);
        if (i == 0) tap_drain(tap, 100000);
        if (i == 1) {
            link_stream_reset(tap->stream, false);
            tap->stream = NULL;
            assert_int_equal(pair.opens.budget.held_bytes, 0);
        }
        if (i == 2) {
            tap_drain(tap, 100000);
            link_stream_reset(tap->stream, false); /* `done` was due */
            tap->stream = NULL;
        }
        pair_run(&pair);
        assert_int_equal(tap->done, i == 0);
        assert_int_equal(pair.opens.budget.held_bytes, 0);
    }
    assert_int_equal(link_stream_count(pair.opens.session), 0);
}

static void test_the_end_of_the_session(void **state) {
    (void)state;
    pair.answers.next = (struct tap){.to_write = 1000};
    struct tap *whole = pair_open(&pair, 0);
    whole->hold = true;
    pair_run(&pair);
    struct tap *unsent = pair_open(&pair, 0);
    pair.answers.next = (struct tap){.to_write = 2000000};
    struct tap *stalled = pair_open(&pair, 10000);
    stalled->hold = true;
    pair_run(&pair);
    pair.answers.next = (struct tap){.quiet = true};
    struct tap *waiting = pair_open(&pair, 2000000);
    pair_run(&pair);
    assert_true(unsent->done);
    struct tap *fresh = pair_open(&pair, 2000000); /* nothing of it has left */
    side_close(&pair.opens);
    assert_true(whole->done && !whole->lost);
    assert_true(stalled->lost && waiting->lost && fresh->lost);
    assert_int_equal(stalled->why, STREAM_LOST);
    assert_int_equal(fresh->why, STREAM_LOST);
    side_close(&pair.answers);
    assert_true(last_tap(&pair.answers)->lost);
    link_free(NULL);
}

/* ---- control ---- */

static void assert_control(const struct side *side, struct view lines) {
    assert_true(view_eq(buf_view(&side->control), lines));
}

static void test_control_lines(void **state) {
    (void)state;
    /* before anything has moved */
    assert_int_equal(link_control(pair.answers.session, VIEW("{\"type\":\"ready\"}")), STATUS_OK);
    assert_int_equal(link_control(pair.opens.session, VIEW("hello")), STATUS_OK);
    pair_run(&pair);
    assert_control(&pair.opens, VIEW("{\"type\":\"ready\"}|"));
    assert_control(&pair.answers, VIEW("hello|"));
    pair.piece_max = 3;
    link_control(pair.opens.session, VIEW("one"));
    link_control(pair.opens.session, VIEW("")); /* an empty line is none */
    link_control(pair.opens.session, VIEW("two"));
    pair_run(&pair);
    assert_control(&pair.answers, VIEW("hello|one|two|"));
    assert_int_equal(link_control(pair.opens.session, VIEW("a\nb")), STATUS_INVALID);
    assert_int_equal(pair.opens.budget.held_bytes, 0);
    assert_int_equal(pair.answers.budget.held_bytes, 0);
}

/* Each is worth more than its bytes. */
static void test_many_control_lines(void **state) {
    (void)state;
    link_tick(pair.opens.session, 1000);
    for (int i = 0; i < 900; i++) link_control(pair.answers.session, VIEW("x"));
    pair_run(&pair);
    assert_int_equal(pair.opens.status, STATUS_OK);
    assert_int_equal(pair.opens.control.len, 2 * 900);
    for (int i = 0; i < 101; i++) link_control(pair.answers.session, VIEW("x"));
    pair_run(&pair);
    assert_int_equal(pair.opens.status, STATUS_OVERLOADED);
}

static void test_long_control_lines(void **state) {
    (void)state;
    static char line[65537];
    memset(line, 'x', sizeof(line));
    assert_int_equal(link_control(pair.opens.session, view_of(line, 65537)), STATUS_TOO_LARGE);
    for (int i = 0; i < 9; i++)
        assert_int_equal(link_control(pair.opens.session, view_of(line, 65536)), STATUS_OK);
    pair_run(&pair);
    assert_int_equal(pair.answers.control.len, 9 * 65537);
    int sent = 0;
    while (link_control(pair.answers.session, view_of(line, 1023)) == STATUS_OK) sent++;
    assert_int_equal(sent, 1024);
    assert_int_equal(link_control(pair.answers.session, view_of(line, 1023)), STATUS_OVERLOADED);
    pair_run(&pair);
    assert_int_equal(pair.opens.control.len, 1024 * 1024);
    assert_int_equal(link_control(pair.answers.session, view_of(line, 1023)), STATUS_OK);
}

static void test_the_control_path_is_an_ordinary_one(void **state) {
    (void)state;
    struct headers none = {0};
    struct stream_head head = get_head(&none);
    head.method = VIEW("POST");
    head.path = VIEW("/.tunnel/control");
    pair.answers.next = (struct tap){.to_write = 10};
    struct tap *tap = pair_open_head(&pair, &head, true);
    tap_say(tap, VIEW("{}\n"));
    link_stream_end(tap->stream, NULL);
    pair_run(&pair);
    assert_int_equal(pair.answers.control.len, 0);
    assert_int_equal(last_tap(&pair.answers)->received, 3);
    assert_int_equal(tap->received, 10);
    assert_all_done(&pair);
}

/* ---- the link as a whole ---- */

static void test_drain(void **state) {
    (void)state;
    pair.answers.next = (struct tap){.quiet = true};
    struct tap *running = pair_open(&pair, 1000);
    pair_run(&pair);
    struct tap *other = last_tap(&pair.answers);
    struct tap *crossing = pair_open(&pair, 0);
    side_send(&pair.opens); /* under way when the other side starts to drain */
    link_drain(pair.answers.session);
    link_drain(pair.answers.session);
    struct tap *unsent = pair_open(&pair, 0);
    pair_run(&pair);
    assert_true(pair.opens.draining);
    assert_int_equal(pair.answers.tap_count, 1); /* the others were never told */
    assert_true(crossing->lost && unsent->lost);
    assert_int_equal(crossing->why, STREAM_UNPROCESSED);
    assert_int_equal(unsent->why, STREAM_UNPROCESSED);
    assert_int_equal(try_to_open(), STATUS_UNAVAILABLE);
    assert_int_equal(link_control(pair.opens.session, VIEW("still there")), STATUS_OK);
    other->to_write = 1000000;
    tap_answer(other, 200);
    pair_run(&pair);
    assert_true(running->done && other->done);
    assert_int_equal(running->received, 1000000);
    assert_control(&pair.answers, VIEW("still there|"));
    assert_int_equal(pair.opens.status, STATUS_OK);
}

static void test_drain_by_the_opening_side(void **state) {
    (void)state;
    struct tap *tap = pair_open(&pair, 1000);
    link_drain(pair.opens.session);
    assert_int_equal(try_to_open(), STATUS_UNAVAILABLE);
    pair_run(&pair);
    assert_true(pair.answers.draining);
    assert_true(tap->done || tap->lost);
}

static void test_ping(void **state) {
    (void)state;
    pair_run(&pair);
    link_ping(pair.opens.session);
    link_ping(pair.opens.session);
    assert_true(side_send(&pair.opens));
    assert_int_equal(pair.opens.pipe.len, 17);
    link_ping(pair.opens.session); /* one is under way */
    assert_false(link_wants_send(pair.opens.session));
    pair_run(&pair);
    assert_int_equal(pair.opens.pongs, 1);
    assert_int_equal(pair.answers.pongs, 0);
    link_ping(pair.opens.session);
    assert_true(link_wants_send(pair.opens.session));
    link_ping(pair.answers.session);
    pair_run(&pair);
    assert_int_equal(pair.opens.pongs, 2);
    assert_int_equal(pair.answers.pongs, 1);
}

static void test_too_many_streams(void **state) {
    (void)state;
    pair_end(&pair);
    struct link_limits limits = LINK_LIMITS_DEFAULT;
    limits.streams_max = 5;
    pair_begin(&pair, &limits);
    pair.answers.next = (struct tap){.quiet = true};
    for (int i = 0; i < 5; i++) pair_open(&pair, 0);
    assert_int_equal(try_to_open(), STATUS_OVERLOADED); /* before the other side has spoken */
    assert_int_equal(link_stream_count(pair.opens.session), 5);
    pair_run(&pair);
    assert_int_equal(try_to_open(), STATUS_OVERLOADED);
    tap_answer(pair.answers.taps[2], 200);
    assert_int_equal(try_to_open(), STATUS_OVERLOADED);
    pair_run(&pair);
    assert_true(pair.opens.taps[2]->done);
    pair_open(&pair, 0);
    pair_run(&pair);
    assert_int_equal(link_stream_count(pair.answers.session), 5);
    assert_int_equal(try_to_open(), STATUS_OVERLOADED);
    for (size_t i = 0; i < 6; i++)
        if (pair.answers.taps[i]->stream) tap_answer(pair.answers.taps[i], 200);
    pair_run(&pair);
    assert_all_done(&pair);
}

/* The answering side admits fewer than the opening side would open. */
static void test_the_other_side_admits_fewer(void **state) {
    (void)state;
    struct link_limits limits = LINK_LIMITS_DEFAULT;
    struct link_events events = {.ctx = &pair.answers,
                                 .request = on_request,
                                 .control = on_control,
                                 .writable = on_writable,
                                 .draining = on_draining};
    limits.streams_max = 3;
    link_free(pair.answers.session);
    pair.answers.session = link_new(LINK_ANSWERS, &limits, &pair.answers.budget, &events);
    pair.answers.next = (struct tap){.quiet = true};
    for (int i = 0; i < 5; i++) pair_open(&pair, 0); /* before it has said so */
    pair_run(&pair);
    assert_int_equal(link_stream_count(pair.opens.session), 3);
    assert_true(pair.opens.taps[3]->lost && pair.opens.taps[4]->lost);
    assert_int_equal(pair.opens.taps[4]->why, STREAM_UNPROCESSED);
    assert_int_equal(try_to_open(), STATUS_OVERLOADED);
    for (int i = 0; i < 3; i++) tap_answer(pair.answers.taps[i], 200);
    pair_run(&pair);
    pair_open(&pair, 0);
    pair_run(&pair);
    assert_int_equal(link_stream_count(pair.answers.session), 1);
    assert_int_equal(pair.opens.status, STATUS_OK);
}

static void test_so_many_requests_are_enough(void **state) {
    (void)state;
    pair_end(&pair);
    struct link_limits limits = LINK_LIMITS_DEFAULT;
    limits.requests_max = 3;
    pair_begin(&pair, &limits);
    pair_run(&pair);
    for (int i = 0; i < 3; i++) {
        assert_false(link_exhausted(pair.opens.session));
        assert_false(link_exhausted(pair.answers.session));
        pair_open(&pair, 0);
        pair_run(&pair);
    }
    assert_true(link_exhausted(pair.opens.session));
    assert_true(link_exhausted(pair.answers.session));
    pair_open(&pair, 0); /* it serves on */
    pair_run(&pair);
    assert_int_equal(pair.opens.taps[3]->status, 200);
    assert_all_done(&pair);
}

static void test_ids_run_out(void **state) {
    (void)state;
    pair_run(&pair);
    nghttp2_session *h2 = pair.opens.session->h2;
    assert_int_equal(nghttp2_session_set_next_stream_id(h2, 2 * LINK_REQUESTS_MAX - 1), 0);
    pair_open(&pair, 0);
    pair_run(&pair);
    assert_false(link_exhausted(pair.opens.session));
    pair_open(&pair, 0);
    pair_run(&pair);
    assert_true(link_exhausted(pair.opens.session));
    assert_true(link_exhausted(pair.answers.session));
    assert_int_equal(nghttp2_session_set_next_stream_id(h2, INT32_MAX), 0);
    pair_open(&pair, 0);
    assert_int_equal(try_to_open(), STATUS_GONE);
    pair_run(&pair);
    assert_all_done(&pair);
}

static void test_messages_are_bounded(void **state) {
    (void)state;
    pair_end(&pair);
    struct link_limits limits = LINK_LIMITS_DEFAULT;
    limits.message_bytes = 70000;
    pair_begin(&pair, &limits);
    pair.answers.next = (struct tap){.to_write = 1000000};
    for (int i = 0; i < 10; i++) pair_open(&pair, 500000);
    pair_run(&pair);
    assert_true(pair.opens.largest_message <= 70000 && pair.opens.largest_message > 60000);
    assert_true(pair.answers.largest_message <= 70000 && pair.answers.largest_message > 60000);
    assert_all_done(&pair);
    /* a message of the owner's that has less room */
    struct buf message;
    pair_open(&pair, 200000);
    for (int room = 1; pair.opens.writable; room = room * 3 % 9001) {
        buf_init(&message, (size_t)room + 4);
        buf_append(&message, "head", 4);
        pair.opens.writable = false;
        assert_int_equal(link_send(pair.opens.session, &message), STATUS_OK);
        assert_true(message.len <= (size_t)room + 4);
        buf_append(&pair.opens.pipe, message.ptr + 4, message.len - 4);
        buf_done(&message);
    }
    pair_run(&pair);
    assert_all_done(&pair);
}

static bool is_resident(void *page) {
    unsigned char there;
    assert_int_equal(mincore(page, 1, (void *)&there), 0); /* Darwin's is of char */
    return there & 1;
}

static void test_an_idle_session_gives_memory_back(void **state) {
    (void)state;
    pair.now_ms = 1000;
    for (int i = 0; i < 100; i++) pair_open(&pair, 1000);
    pair_run(&pair);
    assert_all_done(&pair);
    assert_true(pair.opens.session->spare_streams.count > 0);
    struct frame_buffer *frame = &pair.opens.session->frame;
    assert_non_null(frame->block);
    assert_true(frame->is_touched);
    assert_true(is_resident(frame->block));
    link_tick(pair.opens.session, pair.now_ms + 20000);
    assert_int_equal(pair.opens.session->spare_streams.count, 0);
    assert_int_equal(pair.opens.session->spare_blocks.count, 0);
    assert_null(pair.opens.session->head.kept);
    assert_false(frame->is_touched);
    assert_false(is_resident(frame->block));
    pair_run(&pair);
    link_ping(pair.opens.session); /* costs the memory until the next tick, not for another ten seconds */
    pair_run(&pair);
    assert_true(is_resident(frame->block));
    link_tick(pair.opens.session, pair.now_ms + 20001);
    assert_false(is_resident(frame->block));
    pair.now_ms = 0;
    for (int i = 0; i < 100; i++) pair_open(&pair, 1000);
    pair_run(&pair);
    assert_all_done(&pair);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_a_small_request_is_one_message_each_way),
        TEST(test_resets),
        TEST(test_reset_before_the_request_has_left),
        TEST(test_what_nobody_attaches_to_is_refused),
        TEST(test_reset_inside_callbacks),
        TEST(test_letting_go),
        TEST(test_an_answer_that_is_whole_before_the_request),
        TEST(test_writes_after_the_other_side_wants_no_more),
        TEST(test_done_waits_for_the_reader),
        TEST(test_the_end_of_the_session),
        TEST(test_control_lines),
        TEST(test_many_control_lines),
        TEST(test_long_control_lines),
        TEST(test_the_control_path_is_an_ordinary_one),
        TEST(test_drain),
        TEST(test_drain_by_the_opening_side),
        TEST(test_ping),
        TEST(test_too_many_streams),
        TEST(test_the_other_side_admits_fewer),
        TEST(test_so_many_requests_are_enough),
        TEST(test_ids_run_out),
        TEST(test_messages_are_bounded),
        TEST(test_an_idle_session_gives_memory_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
