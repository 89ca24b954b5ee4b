/* The link: bodies of all sizes, back-pressure, windows and their budget, turns, and a long random run. */
#include "link/link_state.h"
#include "test_link_pair.h"

#define KIB ((size_t)1024)
#define MIB ((size_t)1024 * 1024)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct pair pair;

static int setup(void **state) {
    (void)state;
    pair_begin(&pair, NULL);
    pair_run(&pair);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    pair_end(&pair);
    return 0;
}

static void assert_arrived(const struct tap *from, const struct tap *to, size_t bytes) {
    assert_int_equal(to->received, bytes);
    assert_true(to->hash == from->written_hash);
}

static void test_bodies_of_all_sizes(void **state) {
    (void)state;
    static const size_t sizes[] = {
        0,       1,       13, 16384, 16385, 65535, 65536, 65537, 256 * KIB - 1, 256 * KIB, 256 * KIB + 1,
        1000000, 10 * MIB};
    static const size_t pieces[] = {7, 3000, 300000};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        for (size_t j = 0; j < COUNT(pieces); j++) {
            size_t back = sizes[COUNT(sizes) - 1 - i], largest = sizes[i] > back ? sizes[i] : back;
            if (largest / pieces[j] > 40000) continue; /* so many pieces are enough */
            pair.piece_max = pieces[j];
            pair.answers.next = (struct tap){.to_write = back};
            struct tap *tap = pair_open(&pair, sizes[i]);
            pair_run(&pair);
            struct tap *other = last_tap(&pair.answers);
            assert_true(tap->done && other->done);
            assert_arrived(tap, other, sizes[i]);
            assert_arrived(other, tap, back);
        }
    }
    assert_all_done(&pair);
}

static void test_both_directions_at_once(void **state) {
    (void)state;
    pair.answers.next = (struct tap){.quiet = true};
    struct headers none = {0};
    struct stream_head head = get_head(&none), answer = {.status = 200, .headers = &none};
    head.method = VIEW("CONNECT");
    head.protocol = VIEW("x");
    struct tap *taps[8], *others[8];
    for (size_t i = 0; i < COUNT(taps); i++) {
        taps[i] = pair_open_head(&pair, &head, true);
        pair_run(&pair);
        others[i] = last_tap(&pair.answers);
        link_stream_answer(others[i]->stream, &answer, true);
    }
    for (size_t i = 0; i < COUNT(taps); i++) {
        taps[i]->to_write = others[i]->to_write = MIB + i;
        tap_refill(taps[i]);
        tap_refill(others[i]);
    }
    pair_run(&pair);
    for (size_t i = 0; i < COUNT(taps); i++) {
        assert_arrived(taps[i], others[i], MIB + i);
        assert_arrived(others[i], taps[i], MIB + i);
    }
    assert_all_done(&pair);
}

static void test_a_stalled_reader_holds_its_window_and_stops_nobody(void **state) {
    (void)state;
    pair.answers.next = (struct tap){.to_write = 3 * MIB};
    struct tap *stalled[40];
    for (size_t i = 0; i < COUNT(stalled); i++) {
        stalled[i] = pair_open(&pair, 0);
        stalled[i]->hold = true;
    }
    pair_run(&pair);
    for (size_t i = 0; i < COUNT(stalled); i++) {
        assert_int_equal(stalled[i]->received, 256 * KIB);
        assert_int_equal(pair.answers.taps[i]->unsent, 256 * KIB); /* and so its writer stops, too */
    }
    assert_int_equal(pair.opens.budget.held_bytes, COUNT(stalled) * 256 * KIB);
    /* far more than the connection's window passes by them */
    pair.answers.next.to_write = 12 * MIB;
    for (int i = 0; i < 6; i++) {
        struct tap *tap = pair_open(&pair, 300000);
        pair_run(&pair);
        assert_true(tap->done && tap->received == 12 * MIB);
    }
    for (size_t i = 0; i < COUNT(stalled); i++) assert_int_equal(stalled[i]->received, 256 * KIB);
    /* slowly, a little at a time */
    for (size_t i = 0; i < COUNT(stalled); i++) {
        while (!stalled[i]->done) {
            assert_true(stalled[i]->held <= 512 * KIB);
            tap_drain(stalled[i], stalled[i]->held < 50000 ? stalled[i]->held : 50000);
            pair_run(&pair);
        }
        assert_arrived(pair.answers.taps[i], stalled[i], 3 * MIB);
    }
    assert_all_done(&pair);
}

static void test_an_upload_that_nobody_reads(void **state) {
    (void)state;
    pair.answers.next = (struct tap){.hold = true};
    struct tap *tap = pair_open(&pair, 3 * MIB);
    pair_run(&pair);
    struct tap *other = last_tap(&pair.answers);
    assert_int_equal(other->received, 256 * KIB);
    assert_int_equal(pair.answers.budget.held_bytes, 256 * KIB);
    assert_int_equal(pair.opens.budget.held_bytes, 256 * KIB);
    link_stream_reset(tap->stream, false);
    tap->stream = NULL;
    assert_int_equal(pair.opens.budget.held_bytes, 0);
    pair_run(&pair);
    assert_true(other->lost);
    assert_int_equal(pair.answers.budget.held_bytes, 0);
}

static void test_few_window_updates(void **state) {
    (void)state;
    pair.answers.next = (struct tap){.to_write = 10 * MIB};
    pair.opens.budget.max_bytes = 0; /* no growth */
    pair_open(&pair, 0);
    size_t back = 0;
    for (int i = 0; i < 1000; i++) {
        side_send(&pair.opens);
        back += pair.opens.pipe.len;
        side_receive(&pair.answers, &pair.opens);
        if (!side_send(&pair.answers)) break;
        side_receive(&pair.opens, &pair.answers);
    }
    assert_true(back < 160 * 13 + 200); /* one each 64 KiB, and the request */
    pair_run(&pair);
    assert_all_done(&pair);
}

/* ---- growth ---- */

static uint32_t window_of(const struct tap *tap) {
    return tap->stream->window;
}

static void test_the_window_grows_with_a_reader_that_drains(void **state) {
    (void)state;
    pair.answers.next = (struct tap){.to_write = 60 * MIB};
    struct tap *tap = pair_open(&pair, 0);
    uint32_t largest = 0;
    while (pair_step(&pair))
        if (tap->stream && window_of(tap) > largest) largest = window_of(tap);
    assert_int_equal(largest, 8 * MIB);
    assert_true(tap->done);
    assert_all_done(&pair);
}

static void test_the_window_does_not_grow_without_need(void **state) {
    (void)state;
    /* a trickle: drained at once, but a second a piece */
    pair.answers.next = (struct tap){.quiet = true};
    pair.now_ms = 1;
    struct tap *tap = pair_open(&pair, 0);
    pair_run(&pair);
    struct tap *other = last_tap(&pair.answers);
    struct headers none = {0};
    struct stream_head answer = {.status = 200, .headers = &none};
    link_stream_answer(other->stream, &answer, true);
    for (int i = 0; i < 1000; i++) {
        tap_put(other, 4096);
        pair_run(&pair);
        pair.now_ms += 100;
    }
    assert_int_equal(tap->received, 4096 * 1000);
    assert_int_equal(window_of(tap), 256 * KIB);
    link_stream_end(other->stream, NULL);
    pair_run(&pair);
    assert_all_done(&pair);
}

static void test_growth_keeps_to_the_budget(void **state) {
    (void)state;
    pair.answers.next = (struct tap){.to_write = 10 * MIB};
    for (int i = 0; i < 20; i++) pair_open(&pair, 0);
    size_t most = 0;
    while (pair_step(&pair))
        if (pair.opens.budget.granted_bytes > most) most = pair.opens.budget.granted_bytes;
    assert_true(most <= 8 * MIB && most > 4 * MIB);
    assert_all_done(&pair);
    /* and does not happen where half of it is held already */
    pair.answers.next = (struct tap){.to_write = 3 * MIB};
    for (int i = 0; i < 65; i++) pair_open(&pair, 0)->hold = true;
    pair_run(&pair);
    struct tap *tap = pair_open(&pair, 0);
    while (pair_step(&pair))
        if (tap->stream) assert_int_equal(window_of(tap), 256 * KIB);
    assert_true(tap->done);
}

/* What a side sends arrives 25 ms later. */
#define DELAY_MS 25

struct wire {
    struct side *from, *to;
    struct buf under_way[DELAY_MS];
};

static void wire_step(struct wire *wire, uint64_t ms) {
    struct buf *slot = &wire->under_way[ms % DELAY_MS], sending = wire->from->pipe;
    wire->from->pipe = *slot; /* what was sent 25 ms ago */
    side_receive(wire->to, wire->from);
    *slot = wire->from->pipe;
    wire->from->pipe = sending;
    buf_clear(slot);
    int messages = 0;
    while (messages < 4 && side_send(wire->from)) messages++; /* at most 1 MiB a millisecond */
    buf_append_view(slot, buf_view(&wire->from->pipe));
    buf_clear(&wire->from->pipe);
}

static void test_a_long_way(void **state) {
    (void)state;
    for (int down = 0; down < 2; down++) {
        struct wire there = {&pair.opens, &pair.answers, {{0}}}, back = {&pair.answers, &pair.opens, {{0}}};
        for (int i = 0; i < DELAY_MS; i++) {
            buf_init(&there.under_way[i], 4 * MIB);
            buf_init(&back.under_way[i], 4 * MIB);
        }
        pair.piece_max = 300000;
        pair.answers.next = (struct tap){.to_write = down ? 60 * MIB : 0};
        struct tap *tap = pair_open(&pair, down ? 0 : 60 * MIB);
        uint64_t ms = 0;
        for (; !tap->done && ms < 10000; ms++) {
            link_tick(pair.opens.session, 1000 + ms);
            link_tick(pair.answers.session, 1000 + ms);
            wire_step(&there, ms);
            wire_step(&back, ms);
        }
        assert_true(tap->done);
        if (ms > 1000) fail_msg("60 MiB take %d ms", (int)ms);
        for (int i = 0; i < DELAY_MS; i++) {
            buf_done(&there.under_way[i]);
            buf_done(&back.under_way[i]);
        }
        pair_run(&pair);
        link_tick(pair.opens.session, 20000);
        link_tick(pair.answers.session, 20000);
    }
}

static void test_a_window_shrinks_under_a_reader_that_lags(void **state) {
    (void)state;
    pair.answers.next = (struct tap){.to_write = 50 * MIB};
    pair.now_ms = 1;
    struct tap *tap = pair_open(&pair, 0);
    while (window_of(tap) < 4 * MIB) assert_true(pair_step(&pair));
    tap->hold = true;
    pair_run(&pair);
    assert_true(tap->held > 3 * MIB && tap->held <= 4 * MIB);
    assert_int_equal(pair.opens.budget.granted_bytes, window_of(tap) - 256 * KIB);
    for (int i = 0; i < 400 && window_of(tap) > 256 * KIB; i++) {
        pair.now_ms += 1000;
        tap_drain(tap, 100000);
        pair_run(&pair);
        assert_true(tap->held <= window_of(tap));
    }
    assert_int_equal(window_of(tap), 256 * KIB);
    assert_int_equal(pair.opens.budget.granted_bytes, 0);
    tap->hold = false;
    while (!tap->done) { /* and grows again */
        if (tap->held) tap_drain(tap, tap->held);
        pair_step(&pair);
    }
    assert_arrived(last_tap(&pair.answers), tap, 50 * MIB);
    pair_run(&pair);
    assert_all_done(&pair);
}

static void test_odd_windows(void **state) {
    (void)state;
    static const struct {
        uint32_t window, most;
    } rows[] = {{1, 0}, {1024, 1024}, {65535, 70000}, {65536, UINT32_MAX}, {UINT32_MAX, 1}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct link_limits limits = LINK_LIMITS_DEFAULT;
        limits.window_bytes = rows[i].window;
        limits.window_max_bytes = rows[i].most;
        pair_end(&pair);
        pair_begin(&pair, &limits);
        struct headers none = {0};
        struct stream_head head = get_head(&none);
        pair.answers.next = (struct tap){.quiet = true};
        for (int j = 0; j < 3; j++) {
            struct tap *tap = pair_open_head(&pair, &head, true);
            for (int k = 0; k < 200; k++) {
                if (tap->unsent + 1000 > pair.opens.session->limits.window_max_bytes) pair_run(&pair);
                tap_say(tap, view_of(&pair, 1000));
                if (k % 20 == j) pair_run(&pair);
            }
            link_stream_end(tap->stream, NULL);
            pair_run(&pair);
            assert_true(last_tap(&pair.answers)->ended);
            tap_answer(last_tap(&pair.answers), 200);
        }
        pair_run(&pair);
        assert_all_done(&pair);
    }
}

/* ---- queues ---- */

static void test_the_send_queue_is_bounded(void **state) {
    (void)state;
    static char chunk[65536];
    pair.answers.next = (struct tap){.hold = true};
    struct headers none = {0};
    struct stream_head head = get_head(&none);
    struct tap *tap = pair_open_head(&pair, &head, true);
    struct view data = view_of(chunk, sizeof(chunk));
    for (tap->unsent = 0; tap->unsent < 8 * MIB; tap->unsent += sizeof(chunk))
        assert_int_equal(link_stream_write(tap->stream, data), STATUS_OK);
    assert_int_equal(pair.opens.budget.held_bytes, 8 * MIB);
    pair_run(&pair);
    struct tap *other = last_tap(&pair.answers);
    assert_int_equal(pair.opens.budget.held_bytes, 8 * MIB - 256 * KIB);
    for (int i = 0; i < 4; i++) tap_say(tap, data);
    assert_int_equal(link_stream_write(tap->stream, view_of(chunk, 1)), STATUS_OVERLOADED);
    assert_int_equal(pair.opens.budget.held_bytes, 0);
    assert_int_equal(link_stream_write(tap->stream, data), STATUS_GONE);
    assert_int_equal(link_stream_end(tap->stream, NULL), STATUS_GONE); /* and so it does not look whole */
    pair_run(&pair);
    assert_true(tap->lost && other->lost && !other->ended);
    assert_int_equal(other->why, STREAM_RESET);
}

/* A tap's bytes go through blocks of all sizes. */
static void test_writes_of_all_sizes(void **state) {
    (void)state;
    static char bytes[200000];
    pair.answers.next = (struct tap){.quiet = true};
    struct headers none = {0};
    struct stream_head head = get_head(&none);
    struct tap *tap = pair_open_head(&pair, &head, true);
    uint64_t hash = HASH_START, seed = 12345;
    size_t total = 0;
    for (int i = 0; i < 400; i++) {
        size_t len = next_random(&seed) % (i % 7 == 0 ? sizeof(bytes) : i % 3 == 0 ? 5000 : 50);
        for (size_t j = 0; j < len; j++) bytes[j] = (char)next_random(&seed);
        struct view data = view_of(bytes, len);
        assert_int_equal(link_stream_write(tap->stream, data), STATUS_OK);
        hash = hash_bytes(hash, data);
        total += len;
        tap->unsent += len;
        if (next_random(&seed) % 4 == 0) pair_step(&pair);
    }
    link_stream_end(tap->stream, NULL);
    pair_run(&pair);
    struct tap *other = last_tap(&pair.answers);
    assert_int_equal(other->received, total);
    assert_true(other->hash == hash && other->ended);
    assert_int_equal(tap->unsent, 0);
    tap_answer(other, 200);
    pair_run(&pair);
    assert_all_done(&pair);
}

/* ---- turns ---- */

static void test_large_bodies_take_turns_and_small_ones_pass(void **state) {
    (void)state;
    for (int down = 0; down < 2; down++) {
        pair.answers.next = (struct tap){.to_write = down ? 8 * MIB : 0};
        size_t first = pair.opens.tap_count;
        struct tap *large[4], *small[4];
        for (size_t i = 0; i < 4; i++) large[i] = pair_open(&pair, down ? 0 : 8 * MIB);
        for (int i = 0; i < 10; i++) pair_step(&pair);
        pair.answers.next.to_write = down ? 2000 : 0;
        for (size_t i = 0; i < 4; i++) small[i] = pair_open(&pair, down ? 0 : 2000);
        for (int i = 0; i < 4; i++) pair_step(&pair);
        for (size_t i = 0; i < 4; i++) assert_true(small[i]->done);
        size_t least = SIZE_MAX, most = 0;
        for (size_t i = 0; i < 4; i++) {
            assert_false(large[i]->done);
            struct tap *reader = down ? large[i] : pair.answers.taps[first + i];
            if (reader->received < least) least = reader->received;
            if (reader->received > most) most = reader->received;
        }
        assert_true(most - least <= 256 * KIB && least > 0);
        pair_run(&pair);
        assert_all_done(&pair);
    }
}

/* ---- all at once ---- */

static size_t random_size(void) {
    uint64_t random = next_random(&pair.random);
    return random % 10 == 0 ? random % 1000000 : random % 3 == 0 ? 0 : random % 5000;
}

static void disturb(struct side *side) {
    for (size_t i = 0; i < side->tap_count; i++) {
        struct tap *tap = side->taps[i];
        uint64_t random = next_random(&pair.random);
        if (!tap->stream) continue;
        if (random % 97 == 0) {
            link_stream_reset(tap->stream, random % 2);
            tap->stream = NULL;
        } else if (random % 89 == 0 && tap->to_write == 0 && (tap->side->role == LINK_OPENS || tap->ended)) {
            link_stream_attach(tap->stream, NULL, NULL);
            tap->stream = NULL;
        } else if (random % 7 == 0) {
            tap->hold = !tap->hold;
        } else if (tap->held && random % 3 == 0) {
            tap_drain(tap, random % tap->held + 1);
        }
    }
}

static bool drain_all(struct side *side) {
    bool drained = false;
    for (size_t i = 0; i < side->tap_count; i++) {
        struct tap *tap = side->taps[i];
        tap->hold = false;
        if (tap->held) drained = true;
        tap_drain(tap, tap->held);
    }
    return drained;
}

static void test_a_long_random_run(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct link_limits limits = LINK_LIMITS_DEFAULT;
        if (seed % 3 == 0) limits.streams_max = 20;
        if (seed % 4 == 1) limits.window_bytes = 5000;
        if (seed % 4 == 2) limits.message_bytes = 65536;
        pair_end(&pair);
        pair_begin(&pair, &limits);
        pair.random = seed * UINT64_C(0x9e3779b97f4a7c15);
        pair.piece_max = 1 + next_random(&pair.random) % 40000;
        if (pair.piece_max < 100) pair.piece_max *= 100;
        pair.now_ms = seed % 2;
        struct headers none = {0};
        struct stream_head head = get_head(&none);
        for (int i = 0; i < 500 && pair.opens.tap_count < 200; i++) {
            uint64_t random = next_random(&pair.random);
            pair.answers.next = (struct tap){.to_write = random_size(), .answered_early = random % 11 == 0};
            enum status status;
            if (random % 2) {
                struct tap *tap = tap_new(&pair.opens);
                tap->to_write = random_size();
                tap->stream =
                    link_open(pair.opens.session, &head, tap->to_write > 0, &tap_events, tap, &status);
                assert_int_equal(status, tap->stream ? STATUS_OK : STATUS_OVERLOADED);
                if (tap->stream) tap_refill(tap);
            }
            disturb(&pair.opens);
            disturb(&pair.answers);
            pair_step(&pair);
        }
        bool drained = true;
        while (drained) {
            pair_run(&pair);
            drained = drain_all(&pair.opens);
            drained |= drain_all(&pair.answers);
        }
        pair_run(&pair);
        assert_int_equal(pair.opens.status, STATUS_OK);
        assert_int_equal(pair.answers.status, STATUS_OK);
        assert_int_equal(link_stream_count(pair.opens.session), 0);
        assert_int_equal(link_stream_count(pair.answers.session), 0);
        assert_int_equal(pair.opens.session->live_count, 0);
        assert_int_equal(pair.answers.session->live_count, 0);
        assert_true(list_empty(&pair.opens.session->streams));
        assert_int_equal(pair.opens.budget.held_bytes + pair.answers.budget.held_bytes, 0);
        assert_int_equal(pair.opens.budget.granted_bytes + pair.answers.budget.granted_bytes, 0);
        for (size_t i = 0; i < pair.opens.tap_count; i++) assert_null(pair.opens.taps[i]->stream);
        for (size_t i = 0; i < pair.answers.tap_count; i++) assert_null(pair.answers.taps[i]->stream);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_bodies_of_all_sizes),
        TEST(test_both_directions_at_once),
        TEST(test_a_stalled_reader_holds_its_window_and_stops_nobody),
        TEST(test_an_upload_that_nobody_reads),
        TEST(test_few_window_updates),
        TEST(test_the_window_grows_with_a_reader_that_drains),
        TEST(test_the_window_does_not_grow_without_need),
        TEST(test_growth_keeps_to_the_budget),
        TEST(test_a_long_way),
        TEST(test_a_window_shrinks_under_a_reader_that_lags),
        TEST(test_odd_windows),
        TEST(test_the_send_queue_is_bounded),
        TEST(test_writes_of_all_sizes),
        TEST(test_large_bodies_take_turns_and_small_ones_pass),
        TEST(test_a_long_random_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
