/* The link against a peer that breaks HTTP/2, or our limits, on one stream: it loses that, and nothing else.
 */
#include "test_link_peer.h"

#define KIB ((size_t)1024)

static const char zeros[64 * KIB];

static void test_bad_answers(void **state) {
    (void)state;
    static const struct {
        const char *name, *head, *data;
        int flags;
    } rows[] = {
        {"no status", "server: x\n", NULL, 0},
        {"no status, ended", "server: x\n", NULL, END},
        {"101", ":status: 101\n", NULL, 0},
        {"bad status", ":status: 2x0\n", NULL, 0},
        {"long status", ":status: 2000\n", NULL, 0},
        {"status below 100", ":status: 071\n", NULL, END},
        {"status 0", ":status: 000\n", NULL, END},
        {"two statuses", ":status: 200\n:status: 200\n", NULL, 0},
        {"request's pseudo header", ":status: 200\n:path: /\n", NULL, 0},
        {"late pseudo header", "a: b\n:status: 200\n", NULL, 0},
        {"upper case", ":status: 200\nServer: x\n", NULL, 0},
        {"connection", ":status: 200\nconnection: close\n", NULL, 0},
        {"transfer-encoding", ":status: 200\ntransfer-encoding: chunked\n", NULL, 0},
        {"two lengths", ":status: 200\ncontent-length: 1\ncontent-length: 1\n", NULL, 0},
        {"bad length", ":status: 200\ncontent-length: 1x\n", NULL, 0},
        {"control byte", ":status: 200\nx: a\001b\n", NULL, 0},
        {"space in front", ":status: 200\nx:  a\n", NULL, 0},
        {"ended without a body", ":status: 200\ncontent-length: 5\n", NULL, END},
        {"too little", ":status: 200\ncontent-length: 5\n", "1234", 0},
        {"too much", ":status: 200\ncontent-length: 5\n", "123456", 0},
        {"100 that ends", ":status: 100\n", NULL, END},
        {"data before the answer", ":status: 100\n", "1234", 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        begin(LINK_OPENS);
        struct tap *bystander = open_one(), *tap = open_one();
        headers(5, rows[i].flags, rows[i].head);
        if (rows[i].data) frame(NGHTTP2_DATA, END, 5, view_from_cstr(rows[i].data));
        run();
        if (!tap->lost || tap->why != STREAM_BROKEN || subject->status != STATUS_OK)
            fail_msg("%s: lost %d %d, %s", rows[i].name, tap->lost, (int)tap->why,
                     link_error(subject->session));
        assert_false(tap->ended);
        headers(3, END, ":status: 200\n");
        assert_link_lives();
        assert_true(bystander->done);
        end();
    }
}

static void test_bad_requests_are_never_told_of(void **state) {
    (void)state;
    static const char *const rows[] = {
        ":method: GET\n:scheme: http\n:authority: a\n",
        ":method: GET\n:scheme: http\n:path: /\n",
        ":method: GET\n:scheme: http\n:authority: a\n:path: x\n",
        ":method: G T\n:scheme: http\n:authority: a\n:path: /\n",
        GET "te: gzip\n",
        GET "upgrade: websocket\n",
        GET ":protocol: websocket\n",
        ":method: GET\n:protocol: websocket\n:scheme: http\n:authority: a\n:path: /\n",
        GET "X: y\n",
        GET "x: \x7f\n",
        GET "content-length: 5\n",
        GET ":status: 200\n",
    };
    begin(LINK_ANSWERS);
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint32_t id = 3 + 2 * (uint32_t)i;
        headers(id, END, rows[i]);
        run();
        if (code_sent(id) != NGHTTP2_PROTOCOL_ERROR) fail_msg("row %zu: %d", i, code_sent(id));
    }
    assert_int_equal(subject->tap_count, 0);
    headers(101, END, GET);
    assert_link_lives();
    assert_int_equal(subject->tap_count, 1);
    end();
}

static void test_a_request_with_more_or_less_than_its_length(void **state) {
    (void)state;
    for (int more = 0; more < 2; more++) {
        begin(LINK_ANSWERS);
        headers(3, 0, POST "content-length: 5\n");
        frame(NGHTTP2_DATA, END, 3, more ? VIEW("123456") : VIEW("1234"));
        assert_link_lives();
        struct tap *tap = last_tap(subject);
        assert_true(tap->lost && !tap->ended);
        assert_int_equal(tap->why, STREAM_BROKEN);
        assert_int_equal(code_sent(3), NGHTTP2_PROTOCOL_ERROR);
        end();
    }
}

/* An entry of the dynamic table, named over and over. */
static void hpack_bomb(uint32_t id, const char *head) {
    static char block[300 * 1024];
    memcpy(block, "\x3f\xe1\x1f", 3); /* a table of 4096 */
    size_t len = 3 + encode(head, block + 3, 1000);
    block[len++] = 0x40; /* literal with incremental indexing, new name */
    block[len++] = 1;
    block[len++] = 'x';
    block[len++] = 0x7f; /* 4000 = 127 + 3873 */
    block[len++] = (char)(0x80 | (3873 & 0x7f));
    block[len++] = 3873 >> 7;
    memset(block + len, 'v', 4000);
    len += 4000;
    memset(block + len, 0x80 | 62, 100000);
    len += 100000;
    frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | END, id, view_of(block, len));
}

static void test_header_bombs(void **state) {
    (void)state;
    begin(LINK_ANSWERS);
    hpack_bomb(3, GET);
    run();
    assert_int_not_equal(code_sent(3), -1);
    assert_int_equal(subject->tap_count, 0);
    headers(5, END, GET);
    assert_link_lives();
    assert_int_equal(subject->tap_count, 1);
    end();

    begin(LINK_OPENS);
    struct tap *tap = open_one(), *bystander = open_one();
    hpack_bomb(3, ":status: 200\n");
    headers(5, END, ":status: 200\n");
    assert_link_lives();
    assert_true(tap->lost && !tap->headed && tap->why == STREAM_BROKEN);
    assert_true(bystander->done);
    /* as trailers */
    tap = open_one();
    headers(7, 0, ":status: 200\n");
    hpack_bomb(7, "");
    assert_link_lives();
    assert_true(tap->lost && tap->headed && !tap->ended && tap->why == STREAM_BROKEN);
    end();
}

static void test_more_data_than_the_window(void **state) {
    (void)state;
    for (int role = 0; role < 2; role++) {
        begin((enum link_role)role);
        pair.answers.next = (struct tap){.hold = true, .quiet = true};
        if (role == LINK_OPENS) open_one()->hold = true;
        headers(3, 0, role == LINK_OPENS ? ":status: 200\n" : POST);
        for (int i = 0; i < 4; i++) frame(NGHTTP2_DATA, 0, 3, view_of(zeros, sizeof(zeros)));
        assert_link_lives();
        struct tap *tap = last_tap(subject);
        assert_int_equal(tap->received, 256 * KIB);
        assert_false(tap->lost);
        frame(NGHTTP2_DATA, 0, 3, view_of(zeros, 1));
        frame(NGHTTP2_DATA, 0, 3, view_of(zeros, sizeof(zeros)));
        assert_link_lives();
        assert_true(tap->lost && tap->why == STREAM_BROKEN);
        assert_int_equal(tap->received, 256 * KIB);
        assert_int_equal(code_sent(3), NGHTTP2_FLOW_CONTROL_ERROR);
        assert_int_equal(subject->budget.held_bytes, 0);
        end();
    }
}

static void test_a_streams_window_overflows(void **state) {
    (void)state;
    begin(LINK_OPENS);
    struct tap *tap = open_one();
    frame32(NGHTTP2_WINDOW_UPDATE, 3, 0x7fffffff);
    assert_link_lives();
    assert_true(tap->lost && tap->why == STREAM_BROKEN);
    assert_int_equal(code_sent(3), NGHTTP2_FLOW_CONTROL_ERROR);
    end();
}

static void test_frames_on_closed_streams(void **state) {
    (void)state;
    /* what may cross our own last frame */
    begin(LINK_OPENS);
    struct tap *tap = open_one();
    headers(3, END, ":status: 200\n");
    assert_link_lives();
    assert_true(tap->done);
    frame32(NGHTTP2_WINDOW_UPDATE, 3, 100);
    frame32(NGHTTP2_RST_STREAM, 3, NGHTTP2_CANCEL);
    assert_link_lives();
    /* one that we have reset, while its answer is under way: as much as its window lets pass */
    tap = open_one();
    link_stream_reset(tap->stream, false);
    tap->stream = NULL;
    run();
    headers(5, 0, ":status: 200\n");
    for (int i = 0; i < 4; i++) frame(NGHTTP2_DATA, i == 3 ? END : 0, 5, view_of(zeros, sizeof(zeros)));
    assert_link_lives();
    assert_int_equal(code_sent(5), NGHTTP2_CANCEL);
    assert_int_equal(subject->budget.held_bytes, 0);
    for (int i = 0; i < 2; i++) frame(NGHTTP2_DATA, 0, 5, view_of(zeros, sizeof(zeros)));
    assert_link_lost(NGHTTP2_STREAM_CLOSED);
    end();
    /* one that has ended */
    for (int i = 0; i < 2; i++) {
        begin(LINK_OPENS);
        tap = open_one();
        headers(3, END, ":status: 200\n");
        assert_link_lives();
        assert_true(tap->done);
        if (i) headers(3, END, ":status: 500\n");
        if (!i) frame(NGHTTP2_DATA, 0, 3, VIEW("late"));
        assert_link_lost(NGHTTP2_STREAM_CLOSED);
        end();
    }
    /* half closed: the other side has said that there is no more */
    for (int i = 0; i < 2; i++) {
        begin(LINK_ANSWERS);
        pair.answers.next = (struct tap){.quiet = true};
        headers(3, END, GET);
        if (i) headers(3, END, "x: y\n");
        if (!i) frame(NGHTTP2_DATA, 0, 3, VIEW("more"));
        assert_link_lost(NGHTTP2_STREAM_CLOSED);
        end();
    }
}

static void test_more_streams_than_admitted(void **state) {
    (void)state;
    struct link_limits limits = LINK_LIMITS_DEFAULT;
    limits.streams_max = 4;
    begin_with(LINK_ANSWERS, &limits);
    pair.answers.next = (struct tap){.quiet = true};
    say(MAGIC, 24);
    setting(NGHTTP2_SETTINGS_ENABLE_PUSH, 0); /* and it has not read ours yet */
    headers(1, 0, CONTROL);
    for (uint32_t id = 3; id < 3 + 2 * 7; id += 2) headers(id, END, GET);
    assert_link_lives();
    assert_int_equal(link_stream_count(subject->session), 4);
    assert_int_equal(subject->tap_count, 4);
    for (uint32_t id = 3; id < 3 + 2 * 7; id += 2)
        assert_int_equal(code_sent(id), id < 11 ? -1 : NGHTTP2_REFUSED_STREAM);
    end();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_answers),
        cmocka_unit_test(test_bad_requests_are_never_told_of),
        cmocka_unit_test(test_a_request_with_more_or_less_than_its_length),
        cmocka_unit_test(test_header_bombs),
        cmocka_unit_test(test_more_data_than_the_window),
        cmocka_unit_test(test_a_streams_window_overflows),
        cmocka_unit_test(test_frames_on_closed_streams),
        cmocka_unit_test(test_more_streams_than_admitted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
