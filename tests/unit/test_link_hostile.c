/* The link against a peer that breaks HTTP/2, or our rates: it loses its link, and nothing else. */
#include "test_link_peer.h"

static void many(void (*one)(uint32_t i), uint32_t count) {
    for (uint32_t i = 0; i < count; i++) one(i);
}

static void one_ping(uint32_t i) {
    (void)i;
    frame(NGHTTP2_PING, 0, 0, VIEW("12345678"));
}

static void one_ping_ack(uint32_t i) {
    (void)i;
    frame(NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, VIEW("12345678"));
}

static void one_settings(uint32_t i) {
    setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1000 + i);
}

static void one_priority(uint32_t i) {
    frame(NGHTTP2_PRIORITY, 0, 1 + 2 * i, VIEW("\0\0\0\0\1"));
}

static void one_unknown(uint32_t i) {
    frame(0x42, 0xff, i, VIEW("what?"));
}

static void one_empty_data(uint32_t i) {
    (void)i;
    frame(NGHTTP2_DATA, 0, 1, VIEW(""));
}

static void one_continuation(uint32_t i) {
    (void)i;
    frame(NGHTTP2_CONTINUATION, 0, 3, VIEW(""));
}

static void ping_flood(void) {
    many(one_ping, 3000);
}

static void ping_ack_flood(void) {
    many(one_ping_ack, 3000);
}

static void settings_flood(void) {
    many(one_settings, 3000);
}

static void priority_flood(void) {
    many(one_priority, 3000);
}

static void empty_data_flood(void) {
    many(one_empty_data, 3000);
}

static void continuation_flood(void) {
    headers(3, MORE, GET);
    many(one_continuation, 100);
}

static void interleaved(void) {
    headers(3, MORE, GET);
    frame(NGHTTP2_PING, 0, 0, VIEW("12345678"));
}

static void lone_continuation(void) {
    frame(NGHTTP2_CONTINUATION, NGHTTP2_FLAG_END_HEADERS, 3, VIEW("\x82"));
}

static void bad_compression(void) {
    frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 3, VIEW("\xff\xff\xff\xff\xff\xff\xff"));
}

static void frame_too_large(void) {
    static char zeros[300 * 1024];
    frame(NGHTTP2_DATA, 0, 1, view_of(zeros, sizeof(zeros)));
}

static void data_on_no_stream(void) {
    frame(NGHTTP2_DATA, 0, 0, VIEW("x"));
}

static void data_on_idle(void) {
    frame(NGHTTP2_DATA, 0, 77, VIEW("x"));
}

static void reset_of_idle(void) {
    frame32(NGHTTP2_RST_STREAM, 77, 0);
}

static void window_of_idle(void) {
    frame32(NGHTTP2_WINDOW_UPDATE, 77, 1);
}

static void window_of_nothing(void) {
    frame32(NGHTTP2_WINDOW_UPDATE, 0, 0);
}

static void window_overflow(void) {
    frame32(NGHTTP2_WINDOW_UPDATE, 0, 0x7fffffff);
}

static void window_size_overflow(void) {
    setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0x80000000);
}

static void bad_frame_size(void) {
    setting(NGHTTP2_SETTINGS_MAX_FRAME_SIZE, 100);
}

static void bad_ping(void) {
    frame(NGHTTP2_PING, 0, 0, VIEW("1234567"));
}

static void bad_settings(void) {
    frame(NGHTTP2_SETTINGS, 0, 0, VIEW("12345"));
}

static void unasked_ack(void) {
    frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, VIEW(""));
}

static void bad_goaway(void) {
    goaway(101, 0, "");
    goaway(103, 0, ""); /* must not rise */
}

static void push(void) {
    frame(NGHTTP2_PUSH_PROMISE, NGHTTP2_FLAG_END_HEADERS, 1, VIEW("\0\0\0\2\x82"));
}

static void padding_over_the_frame(void) {
    frame(NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1,
          VIEW("\xff"
               "abc"));
}

static void control_ends(void) {
    frame(NGHTTP2_DATA, END, 1, VIEW("{}\n"));
}

static void control_ends_with_trailers(void) {
    headers(1, END, "x: y\n");
}

static void control_is_reset(void) {
    frame32(NGHTTP2_RST_STREAM, 1, NGHTTP2_CANCEL);
}

static void control_line_too_long(void) {
    static char line[70000];
    memset(line, 'x', sizeof(line));
    frame(NGHTTP2_DATA, 0, 1, view_of(line, 60000));
    frame(NGHTTP2_DATA, 0, 1, view_of(line, 10000));
}

static void control_line_too_long_with_its_end(void) {
    static char line[70000];
    memset(line, 'x', sizeof(line));
    line[69999] = '\n';
    frame(NGHTTP2_DATA, 0, 1, view_of(line, 60000));
    frame(NGHTTP2_DATA, 0, 1, view_of(line + 60000, 10000));
}

static void control_line_too_long_at_once(void) {
    static char line[70000];
    memset(line, 'x', sizeof(line));
    line[66000] = '\n';
    frame(NGHTTP2_DATA, 0, 1, view_of(line, sizeof(line)));
}

static void even_id(void) {
    headers(4, END, GET);
}

static void id_that_goes_back(void) {
    headers(7, END, GET);
    headers(7, END, GET);
}

static void too_many_streams(void) {
    for (uint32_t id = 3; id < 3 + 2 * 5000; id += 2) headers(id, 0, POST);
}

static void requests_that_are_refused_and_never_read(void) {
    subject->refuse = true;
    for (uint32_t id = 3; id < 3 + 2 * 20000; id += 2) headers(id, 0, POST);
}

static void request_to_the_opening_side(void) {
    headers(2, END, GET);
}

static const struct {
    const char *name;
    void (*attack)(void);
    unsigned roles; /* 1 << role of the subject */
    int code;
} costs_the_link[] = {
    {"ping flood", ping_flood, 3, NGHTTP2_ENHANCE_YOUR_CALM},
    {"ping ack flood", ping_ack_flood, 3, NGHTTP2_ENHANCE_YOUR_CALM},
    {"settings flood", settings_flood, 3, NGHTTP2_ENHANCE_YOUR_CALM},
    {"priority flood", priority_flood, 3, NGHTTP2_ENHANCE_YOUR_CALM},
    {"empty data", empty_data_flood, 3, NGHTTP2_ENHANCE_YOUR_CALM},
    {"continuations", continuation_flood, 2, NGHTTP2_PROTOCOL_ERROR},
    {"interleaved", interleaved, 2, NGHTTP2_PROTOCOL_ERROR},
    {"lone continuation", lone_continuation, 3, NGHTTP2_PROTOCOL_ERROR},
    {"bad compression", bad_compression, 2, NGHTTP2_COMPRESSION_ERROR},
    {"frame too large", frame_too_large, 3, NGHTTP2_FRAME_SIZE_ERROR},
    {"data on 0", data_on_no_stream, 3, NGHTTP2_PROTOCOL_ERROR},
    {"data on idle", data_on_idle, 3, NGHTTP2_PROTOCOL_ERROR},
    {"reset of idle", reset_of_idle, 3, NGHTTP2_PROTOCOL_ERROR},
    {"window of idle", window_of_idle, 3, NGHTTP2_PROTOCOL_ERROR},
    {"window of nothing", window_of_nothing, 3, NGHTTP2_PROTOCOL_ERROR},
    {"window overflow", window_overflow, 3, NGHTTP2_FLOW_CONTROL_ERROR},
    {"window size", window_size_overflow, 3, NGHTTP2_FLOW_CONTROL_ERROR},
    {"frame size", bad_frame_size, 3, NGHTTP2_PROTOCOL_ERROR},
    {"bad ping", bad_ping, 3, NGHTTP2_FRAME_SIZE_ERROR},
    {"bad settings", bad_settings, 3, NGHTTP2_FRAME_SIZE_ERROR},
    {"unasked ack", unasked_ack, 3, NGHTTP2_PROTOCOL_ERROR},
    {"bad goaway", bad_goaway, 1, NGHTTP2_PROTOCOL_ERROR},
    {"push", push, 3, NGHTTP2_PROTOCOL_ERROR},
    {"padding", padding_over_the_frame, 3, NGHTTP2_PROTOCOL_ERROR},
    {"control ends", control_ends, 3, NGHTTP2_NO_ERROR},
    {"control trailers", control_ends_with_trailers, 3, NGHTTP2_NO_ERROR},
    {"control reset", control_is_reset, 3, NGHTTP2_NO_ERROR},
    {"control line", control_line_too_long, 3, NGHTTP2_ENHANCE_YOUR_CALM},
    {"control line with its end", control_line_too_long_with_its_end, 3, NGHTTP2_ENHANCE_YOUR_CALM},
    {"control line at once", control_line_too_long_at_once, 3, NGHTTP2_ENHANCE_YOUR_CALM},
    {"even id", even_id, 2, NGHTTP2_PROTOCOL_ERROR},
    {"id goes back", id_that_goes_back, 2, NGHTTP2_STREAM_CLOSED},
    {"too many streams", too_many_streams, 2, NGHTTP2_PROTOCOL_ERROR},
    {"refused, not read", requests_that_are_refused_and_never_read, 2, NGHTTP2_PROTOCOL_ERROR},
    {"request", request_to_the_opening_side, 1, NGHTTP2_PROTOCOL_ERROR},
};

static void test_what_costs_the_link(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(costs_the_link); i++) {
        for (int role = 0; role < 2; role++) {
            if (!(costs_the_link[i].roles & 1u << role)) continue;
            begin((enum link_role)role);
            pair.answers.next = (struct tap){.quiet = true};
            struct tap *bystander = role == LINK_OPENS ? open_one() : NULL;
            costs_the_link[i].attack();
            run();
            if (subject->status == STATUS_OK || code_sent(0) != costs_the_link[i].code)
                fail_msg("%s: status %d, code %d, %s", costs_the_link[i].name, (int)subject->status,
                         code_sent(0), link_error(subject->session));
            assert_link_lost(costs_the_link[i].code);
            side_close(subject);
            if (bystander) assert_true(bystander->lost && bystander->why == STREAM_LOST);
            end();
        }
    }
}

static void test_bad_prefaces(void **state) {
    (void)state;
    static const struct {
        enum link_role role;
        struct view bytes;
    } rows[] = {
        {LINK_ANSWERS, VIEW("GET / HTTP/1.1\r\nHost: a\r\n\r\n")},
        {LINK_ANSWERS, VIEW("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r")},
        {LINK_ANSWERS, VIEW(MAGIC "\0\0\x08\6\0\0\0\0\0"
                                  "12345678")},
        {LINK_OPENS, VIEW("HTTP/1.1 400 Bad Request\r\n\r\n")},
        {LINK_OPENS, VIEW(MAGIC "\0\0\0\4\0\0\0\0\0")},
        {LINK_OPENS, VIEW("\0\0\0\4\1\0\0\0\0")},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        begin_with(rows[i].role, NULL);
        say(rows[i].bytes.ptr, rows[i].bytes.len);
        run();
        assert_link_lost(rows[i].role == LINK_OPENS && rows[i].bytes.ptr[0] != 0 ? code_sent(0)
                                                                                 : NGHTTP2_PROTOCOL_ERROR);
        end();
    }
}

/* The first stream is the control stream, and nothing else. */
static void test_no_control_stream(void **state) {
    (void)state;
    static const struct {
        uint32_t id;
        int flags;
        const char *head;
    } rows[] = {{3, END, GET}, {1, END, GET}, {1, 0, GET}, {1, END, CONTROL}, {1, 0, POST}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        begin_with(LINK_ANSWERS, NULL);
        say(MAGIC, 24);
        setting(NGHTTP2_SETTINGS_ENABLE_PUSH, 0);
        headers(rows[i].id, rows[i].flags, rows[i].head);
        assert_link_lost(NGHTTP2_PROTOCOL_ERROR);
        end();
    }
    for (int i = 0; i < 2; i++) {
        begin_with(LINK_OPENS, NULL);
        setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1000);
        headers(1, 0, i ? ":status: 404\n" : ":status: 100\n");
        if (i) assert_link_lost(NGHTTP2_PROTOCOL_ERROR);
        if (!i) assert_link_lives();
        end();
    }
}

/* ---- rates ---- */

static void reset_many(uint32_t *id, int count, uint32_t code) {
    for (int i = 0; i < count; i++, *id += 2) {
        pair_open(&pair, 0);
        run();
        frame32(NGHTTP2_RST_STREAM, *id, code);
        run();
    }
}

static void test_rapid_resets(void **state) {
    (void)state;
    struct link_limits limits = LINK_LIMITS_DEFAULT;
    limits.streams_max = 30;
    limits.resets_per_second = 20;
    uint32_t id = 3;
    begin_with(LINK_OPENS, &limits);
    setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1000);
    headers(1, 0, ":status: 200\n");
    reset_many(&id, 30, NGHTTP2_CANCEL);
    assert_link_lives();
    for (int i = 0; i < 4; i++) {
        pair.now_ms += 500;
        link_tick(subject->session, pair.now_ms);
        reset_many(&id, 10, NGHTTP2_REFUSED_STREAM);
        assert_link_lives();
    }
    /* those that decline the rest of a request do not count */
    for (int i = 0; i < 40; i++, id += 2) {
        struct tap *tap = pair_open(&pair, 100);
        run();
        headers(id, END, ":status: 413\n");
        frame32(NGHTTP2_RST_STREAM, id, NGHTTP2_NO_ERROR);
        run();
        assert_true(tap->done);
    }
    assert_link_lives();
    reset_many(&id, 1, NGHTTP2_CANCEL);
    assert_link_lost(NGHTTP2_ENHANCE_YOUR_CALM);
    assert_int_equal(subject->status, STATUS_OVERLOADED);
    end();
}

static void test_resets_by_the_opening_side_are_free(void **state) {
    (void)state;
    begin(LINK_ANSWERS);
    pair.answers.next = (struct tap){.quiet = true};
    for (uint32_t i = 0, id = 3; i < 10000; i++, id += 2) {
        headers(id, 0, POST);
        frame32(NGHTTP2_RST_STREAM, id, NGHTTP2_CANCEL);
        if (subject->tap_count > 500) {
            run();
            for (size_t j = 0; j < subject->tap_count; j++) {
                assert_true(subject->taps[j]->lost && subject->taps[j]->why == STREAM_RESET);
                arena_done(&subject->taps[j]->arena);
                free(subject->taps[j]);
            }
            subject->tap_count = 0;
        }
        if (i % 100 == 0) run();
    }
    assert_link_lives();
    end();
}

/* Answers that nobody takes pile up, though their streams were reset. */
static void test_a_peer_that_asks_and_does_not_read(void **state) {
    (void)state;
    struct link_limits limits = LINK_LIMITS_DEFAULT;
    limits.streams_max = 100;
    begin_with(LINK_ANSWERS, &limits);
    say(MAGIC, 24);
    setting(NGHTTP2_SETTINGS_ENABLE_PUSH, 0);
    headers(1, 0, CONTROL);
    run();
    pair.answers.next = (struct tap){.answered_early = true};
    for (uint32_t i = 0, id = 3; i < 5000; i++, id += 2) {
        headers(id, 0, POST);
        frame32(NGHTTP2_RST_STREAM, id, NGHTTP2_CANCEL);
    }
    side_receive(subject, peer); /* and send nothing */
    assert_int_equal(subject->status, STATUS_OVERLOADED);
    assert_string_equal(link_error(subject->session), "the other side does not read");
    end();
}

static void test_a_ping_now_and_then_is_no_flood(void **state) {
    (void)state;
    begin(LINK_OPENS);
    for (int i = 0; i < 5000; i++) {
        one_ping(0);
        pair.now_ms += 20;
        link_tick(subject->session, pair.now_ms);
        run();
        buf_clear(&subject->pipe);
    }
    assert_link_lives();
    end();
}

/* They are skipped and cost nothing. */
static void test_unknown_frames(void **state) {
    (void)state;
    begin(LINK_OPENS);
    struct tap *tap = open_one();
    many(one_unknown, 3000);
    headers(3, 0, ":status: 200\n");
    many(one_unknown, 10);
    frame(NGHTTP2_DATA, END, 3, VIEW("body"));
    assert_link_lives();
    assert_true(tap->done && tap->received == 4);
    end();
}

static void test_a_flood_of_informational_answers(void **state) {
    (void)state;
    begin(LINK_OPENS);
    struct tap *tap = open_one();
    for (int i = 0; i < 3000; i++) headers(3, 0, i % 2 ? ":status: 100\n" : ":status: 103\n");
    assert_link_lost(NGHTTP2_ENHANCE_YOUR_CALM);
    assert_int_equal(tap->informational, 100);
    end();
}

/* ---- the end ---- */

static void test_goaway(void **state) {
    (void)state;
    begin(LINK_OPENS);
    struct tap *done = open_one(), *also = open_one(), *unseen = open_one();
    goaway(5, NGHTTP2_NO_ERROR, "");
    assert_link_lives();
    assert_true(subject->draining);
    assert_true(unseen->lost && unseen->why == STREAM_UNPROCESSED);
    assert_false(done->lost || also->lost);
    headers(3, END, ":status: 200\n");
    assert_link_lives();
    assert_true(done->done);
    goaway(3, NGHTTP2_INTERNAL_ERROR, "crashed\n\x1b[31m!");
    run();
    assert_int_equal(subject->status, STATUS_GONE);
    assert_string_equal(link_error(subject->session), "the other side ended the link: crashed??[31m!");
    enum status status;
    struct headers none = {0};
    struct stream_head head = get_head(&none);
    assert_null(link_open(subject->session, &head, false, &tap_events, also, &status));
    assert_int_equal(status, STATUS_GONE);
    assert_int_equal(link_control(subject->session, VIEW("x")), STATUS_GONE);
    link_ping(subject->session);
    link_drain(subject->session);
    end();
    assert_true(true);
}

/* A head that was cut short by the end of the link. */
static void test_the_end_within_a_head(void **state) {
    (void)state;
    begin(LINK_ANSWERS);
    headers(3, MORE, GET "a: b\nc: d\n");
    assert_link_lives();
    end();
}

static void test_garbage(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed < 400; seed++) {
        begin((enum link_role)(seed % 2));
        pair.random = seed * UINT64_C(0x9e3779b97f4a7c15);
        pair.piece_max = 1 + seed % 50;
        pair.answers.next = (struct tap){.to_write = seed % 3 ? 1000 : 0};
        if (subject->role == LINK_OPENS)
            for (int i = 0; i < 3; i++) pair_open(&pair, 1000);
        for (int i = 0; i < 30; i++) {
            char payload[64];
            for (size_t j = 0; j < sizeof(payload); j++) payload[j] = (char)next_random(&pair.random);
            uint32_t random = (uint32_t)next_random(&pair.random), id = 1 + 2 * (random >> 8) % 9;
            if (random % 5 == 0)
                headers(id, random >> 16 & END, GET);
            else if (random % 5 == 1)
                headers(id, random >> 16 & END, ":status: 200\n");
            else
                frame(random >> 8 & 15, random >> 16 & 63, id, view_of(payload, (random >> 24) % 20));
            run();
        }
        end();
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_costs_the_link),
        cmocka_unit_test(test_bad_prefaces),
        cmocka_unit_test(test_no_control_stream),
        cmocka_unit_test(test_rapid_resets),
        cmocka_unit_test(test_resets_by_the_opening_side_are_free),
        cmocka_unit_test(test_a_peer_that_asks_and_does_not_read),
        cmocka_unit_test(test_a_ping_now_and_then_is_no_flood),
        cmocka_unit_test(test_unknown_frames),
        cmocka_unit_test(test_a_flood_of_informational_answers),
        cmocka_unit_test(test_goaway),
        cmocka_unit_test(test_the_end_within_a_head),
        cmocka_unit_test(test_garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
