/* Visitors that speak HTTP/2: what of a stream becomes a request of the core, and what of its answer the
 * visitor gets; how streams and connections end. */
#include "h2_peer.h"
#include "handler/access_log.h"
#include "public/h2_visit.h"

static void answers(int status, uint64_t length, bool has_body, const char *fields) {
    answer((struct answer_head){.status = status, .content_length = length, .has_body = has_body}, fields);
}

static void assert_told(const struct peer_stream *stream, const char *line) {
    if (!strstr(stream->fields, line)) fail_msg("%s is not in: %s", line, stream->fields);
}

/* ---- answers ---- */

static void test_a_request(void **state) {
    (void)state;
    peer_come();
    struct peer_stream *stream = peer_visits("GET /a?b", "x-a: 1", false);
    assert_string_equal(core.exchange->method, "GET");
    assert_string_equal(core.exchange->target, "/a?b");
    assert_string_equal(core.exchange->version, "HTTP/1.1");
    assert_string_equal(core.exchange->client, "127.0.0.1");
    assert_true(core.exchange->has_body_end);
    assert_int_equal(conn_of_peer()->count, 1);
    assert_int_equal(conn_of_peer()->deadline_ms, 0);
    assert_int_equal(visitors_busy(core.visitors), 1);
    answers(200, 5, true, "x-b: 2");
    data(VIEW("hello"));
    end();
    PEER_UNTIL(stream->has_ended);
    assert_int_equal(stream->status, 200);
    assert_string_equal(stream->fields, "date: now\nx-b: 2\ncontent-length: 5\n");
    assert_body(stream, "hello");
    PEER_UNTIL(conn_of_peer()->count == 0);
    assert_int_equal(memcmp(core.access, "127.0.0.1 GET /a?b 200 ", 23), 0);
    assert_null(strstr(core.access, " cut"));
    assert_int_equal(core.proxied.count, 0);
    assert_int_equal(core.cancelled, 0);
    peer_leave();
}

static void take_line(void *ctx, struct view line) {
    (void)ctx;
    view_copy_to(line, core.access, sizeof(core.access));
}

static void test_what_is_noted_of_a_request(void **state) {
    (void)state;
    static const char longest[] = "ABCDEFGHIJKLMNOPQRSTUVW /";
    peer_come();
    answers_shortly(peer_visits(longest, NULL, false));
    assert_non_null(strstr(core.access, longest));
    answers_shortly(peer_visits("ABCDEFGHIJKLMNOPQRSTUVWX /", NULL, false));
    assert_non_null(strstr(core.access, " ? / 204"));
    access_log_set(&(struct access_log_settings){.form = ACCESS_FORM_COMBINED, .write = take_line});
    answers_shortly(peer_visits("GET /a", "referer: https://b/\nuser-agent: test/1", false));
    access_log_set(&(struct access_log_settings){.form = ACCESS_FORM_TEXT});
    assert_non_null(strstr(core.access, "\"GET /a HTTP/2.0\" 204 "));
    assert_non_null(strstr(core.access, " \"https://b/\" \"test/1\""));
    peer_leave();
}

static void test_what_an_answer_says(void **state) {
    (void)state;
    static const struct {
        const char *method;
        int status;
        uint64_t length;
        bool has_body;
        const char *fields, *told;
    } rows[] = {
        {"GET /", 200, LENGTH_UNKNOWN, true, NULL, "date: now\n"},
        {"GET /", 200, 4, true, "content-length: 4", "date: now\ncontent-length: 4\n"},
        {"HEAD /", 200, 7, true, NULL, "date: now\ncontent-length: 7\n"},
        {"GET /", 304, 7, false, NULL, "date: now\ncontent-length: 7\n"},
        {"GET /", 204, LENGTH_UNKNOWN, false, "x-a: b", "date: now\nx-a: b\n"},
        {"GET /", 404, 0, false, NULL, "date: now\ncontent-length: 0\n"},
    };
    peer_come();
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct peer_stream *stream = peer_visits(rows[i].method, NULL, false);
        bool has_body = rows[i].has_body && rows[i].method[0] == 'G';
        answers(rows[i].status, rows[i].length, rows[i].has_body, rows[i].fields);
        if (has_body) data(VIEW("four"));
        end();
        PEER_UNTIL(stream->has_ended);
        assert_int_equal(stream->status, rows[i].status);
        assert_string_equal(stream->fields, rows[i].told);
        assert_body(stream, has_body ? "four" : "");
    }
    peer_leave();
}

static void test_a_date_and_trailers(void **state) {
    (void)state;
    struct arena arena;
    struct headers none, trailers;
    arena_init(&arena, 65536);
    headers_init(&none, &arena);
    headers_init(&trailers, &arena);
    headers_add(&trailers, VIEW("x-sum"), VIEW("9"));
    peer_come();
    struct peer_stream *stream = peer_visits("GET /", NULL, false);
    const struct answer_head head = {
        .status = 200, .content_length = LENGTH_UNKNOWN, .has_body = true, .headers = &none};
    core.exchange->sink.head(core.exchange->sink.ctx, &head);
    data(VIEW("x"));
    end_with(&trailers);
    PEER_UNTIL(stream->has_ended);
    assert_int_equal(memcmp(stream->fields, "date: ", 6), 0);
    assert_non_null(strstr(stream->fields, " GMT\n"));
    assert_told(stream, "x-sum: 9\n");
    arena_done(&arena);
    peer_leave();
}

/* Nobody is to take it for the whole. */
static void test_an_answer_of_another_length(void **state) {
    (void)state;
    peer_come();
    for (uint64_t length = 3; length <= 5; length += 2) {
        struct peer_stream *stream = peer_visits("GET /", NULL, false);
        answers(200, length, true, NULL);
        data(VIEW("four"));
        end();
        PEER_UNTIL(stream->is_reset);
        assert_false(stream->has_ended);
        assert_non_null(strstr(core.access, " cut"));
    }
    assert_int_equal(conn_of_peer()->count, 0);
    peer_leave();
}

static void test_an_answer_is_aborted(void **state) {
    (void)state;
    peer_come();
    for (int i = 0; i < 2; i++) {
        struct peer_stream *stream = peer_visits("GET /", NULL, false);
        if (i) answers(200, LENGTH_UNKNOWN, true, NULL);
        if (i) PEER_UNTIL(stream->status == 200);
        struct answer_sink sink = core.exchange->sink;
        forget_exchange(core.exchange);
        sink.abort(sink.ctx);
        PEER_UNTIL(stream->is_reset);
        assert_int_equal(stream->status, i ? 200 : 0);
    }
    assert_int_equal(core.cancelled, 0);
    assert_int_equal(conn_of_peer()->count, 0);
    peer_leave();
}

static void test_how_much_was_taken(void **state) {
    (void)state;
    static const char bytes[4 * PEER_WINDOW];
    peer_come();
    peer.reads_nothing = true;
    struct peer_stream *stream = peer_visits("GET /", NULL, false);
    answers(200, sizeof(bytes), true, NULL);
    data(view_of(bytes, sizeof(bytes)));
    PEER_UNTIL(core.exchange->drained >= PEER_WINDOW); /* what his window takes */
    peer_idles();
    assert_int_equal(core.exchange->drained, PEER_WINDOW);
    size_t full, unsent = h2_visits_unsent(conn_of_peer());
    assert_true(unsent >= sizeof(bytes) - PEER_WINDOW);
    assert_ptr_equal(h2_fullest(core.visitors, &full), conn_of_peer());
    assert_int_equal(full, unsent);
    peer.reads_nothing = false;
    PEER_UNTIL(core.exchange->drained == sizeof(bytes));
    assert_int_equal(h2_visits_unsent(conn_of_peer()), 0);
    assert_null(h2_fullest(core.visitors, &full));
    assert_int_equal(full, 0);
    end();
    PEER_UNTIL(stream->has_ended);
    assert_int_equal(stream->body.len, sizeof(bytes));
    peer_leave();
}

/* ---- bodies ---- */

static void test_a_body_comes_as_it_is_granted(void **state) {
    (void)state;
    peer_come();
    struct peer_stream *stream = peer_visits("POST /", NULL, true);
    assert_false(core.exchange->has_body_end);
    peer_says(stream, VIEW("hello"), false);
    peer_idles();
    assert_int_equal(core.exchange->body.len, 0);
    grant(2);
    assert_int_equal(core.exchange->body.len, 0); /* not inside the core's call */
    PEER_UNTIL(core.exchange->body.len == 2);
    peer_says(stream, VIEW(", "), false);
    peer_idles();
    assert_int_equal(core.exchange->body.len, 2); /* whatever more comes */
    grant(11);
    PEER_UNTIL(core.exchange->body.len == 7);
    assert_false(core.exchange->has_body_end);
    peer_says(stream, VIEW("world!"), true);
    PEER_UNTIL(core.exchange->body.len == 13);
    assert_true(core.exchange->has_body_end);
    assert_true(view_eq(buf_view(&core.exchange->body), VIEW("hello, world!")));
    answers_shortly(stream);
    PEER_UNTIL(conn_of_peer()->count == 0);
    assert_false(stream->is_reset);
    peer_leave();
}

static void test_the_end_of_a_body_waits_for_the_rest(void **state) {
    (void)state;
    peer_come();
    struct peer_stream *stream = peer_visits("POST /", "content-length: 5", true);
    peer_says(stream, VIEW("hello"), true);
    peer_idles();
    assert_false(core.exchange->has_body_end);
    grant(4);
    PEER_UNTIL(core.exchange->body.len == 4);
    assert_false(core.exchange->has_body_end);
    grant(1);
    PEER_UNTIL(core.exchange->has_body_end);
    answers_shortly(stream);
    stream = peer_visits("POST /", NULL, true);
    peer_says(stream, (struct view){0}, true); /* an empty one */
    PEER_UNTIL(core.exchange->has_body_end);
    answers_shortly(stream);
    peer_leave();
}

/* What nobody has asked for waits where it is: a window is all that is kept. */
static void test_a_window_bounds_what_waits(void **state) {
    (void)state;
    static const char bytes[2 * H2_STREAM_WINDOW];
    peer_come();
    struct peer_stream *stream = peer_visits("POST /", NULL, true);
    peer_says(stream, view_of(bytes, sizeof(bytes)), true);
    PEER_UNTIL(stream->to_send.len == sizeof(bytes) - H2_STREAM_WINDOW);
    peer_idles();
    assert_int_equal(stream->to_send.len, sizeof(bytes) - H2_STREAM_WINDOW);
    assert_int_equal(core.exchange->body.len, 0);
    grant(sizeof(bytes));
    PEER_UNTIL(core.exchange->has_body_end);
    assert_int_equal(core.exchange->body.len, sizeof(bytes));
    answers_shortly(stream);
    assert_non_null(strstr(core.access, "204"));
    peer_leave();
}

/* The answer is whole; what still comes of the body nobody wants, and others' windows are not used up by it.
 */
static void test_an_answer_before_the_body(void **state) {
    (void)state;
    static const char bytes[H2_STREAM_WINDOW];
    peer_come();
    for (int i = 0; i < 6; i++) { /* more than the connection's window */
        struct peer_stream *stream = peer_visits("POST /", NULL, true);
        peer_says(stream, view_of(bytes, sizeof(bytes)), false);
        PEER_UNTIL(stream->to_send.len == 0);
        answers(413, 2, true, NULL);
        data(VIEW("no"));
        end();
        PEER_UNTIL(stream->has_ended && stream->is_reset);
        assert_int_equal(stream->error, NGHTTP2_NO_ERROR);
        assert_body(stream, "no");
    }
    assert_int_equal(core.cancelled, 0);
    PEER_UNTIL(conn_of_peer()->count == 0);
    peer_leave();
}

static void test_expect(void **state) {
    (void)state;
    peer_come();
    struct peer_stream *stream = peer_visits("POST /", "expect: 100-continue", true);
    peer_idles();
    assert_int_equal(stream->informational, 0);
    grant(1);
    PEER_UNTIL(stream->informational == 1);
    grant(1);
    peer_says(stream, VIEW("x"), true);
    PEER_UNTIL(core.exchange->has_body_end);
    answers_shortly(stream);
    assert_int_equal(stream->informational, 1);
    stream = peer_visits("GET /", "expect: 100-continue", false);
    grant(1);
    answers_shortly(stream);
    assert_int_equal(stream->informational, 0);
    stream = peer_visits("POST /", "expect: 100-continue", true);
    answers(417, LENGTH_UNKNOWN, true, NULL);
    PEER_UNTIL(stream->status == 417);
    grant(1); /* too late for that */
    peer_idles();
    assert_int_equal(stream->informational, 0);
    assert_int_equal(stream->status, 417);
    end();
    PEER_UNTIL(stream->has_ended);
    stream = peer_visits("POST /", NULL, true);
    grant(1);
    peer_says(stream, VIEW("x"), true);
    PEER_UNTIL(core.exchange->has_body_end);
    answers_shortly(stream);
    assert_int_equal(stream->informational, 0);
    peer_leave();
}

/* ---- a protocol that is switched to (RFC 8441) ---- */

static void test_a_websocket(void **state) {
    (void)state;
    peer_come();
    struct peer_stream *stream = peer_visits("CONNECT /chat", ":protocol: websocket", true);
    assert_string_equal(core.exchange->method, "GET");
    assert_true(core.exchange->has_body_end); /* of the request itself */
    core.exchange->has_body_end = false;
    answer_101("websocket");
    PEER_UNTIL(stream->status == 200);
    assert_null(strstr(stream->fields, "content-length"));
    grant(100);
    peer_says(stream, VIEW("ping"), false);
    PEER_UNTIL(core.exchange->body.len == 4);
    data(VIEW("pong"));
    PEER_UNTIL(stream->body.len == 4);
    assert_false(core.exchange->has_body_end);
    peer_says(stream, (struct view){0}, true);
    PEER_UNTIL(core.exchange->has_body_end);
    data(VIEW("more")); /* the other direction goes on */
    PEER_UNTIL(stream->body.len == 8);
    end();
    PEER_UNTIL(stream->has_ended && conn_of_peer()->count == 0);
    assert_int_equal(core.cancelled, 0);
    peer_leave();
}

/* What the visitor has ended before the service switched is told when it has. */
static void test_a_websocket_that_is_half_closed_at_once(void **state) {
    (void)state;
    peer_come();
    struct peer_stream *stream = peer_visits("CONNECT /chat", ":protocol: websocket", true);
    core.exchange->has_body_end = false;
    peer_says(stream, (struct view){0}, true);
    peer_idles();
    assert_false(core.exchange->has_body_end);
    answer_101("websocket");
    PEER_UNTIL(core.exchange->has_body_end);
    end();
    PEER_UNTIL(stream->has_ended && conn_of_peer()->count == 0);
    peer_leave();
}

static void test_no_websocket(void **state) {
    (void)state;
    static const struct { int said, told; } rows[] = {{200, 502}, {299, 502}, {300, 300}, {404, 404}};
    peer_come();
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct peer_stream *stream = peer_visits("CONNECT /chat", ":protocol: websocket", true);
        answers(rows[i].said, 2, true, NULL);
        data(VIEW("no"));
        end();
        PEER_UNTIL(stream->has_ended);
        assert_int_equal(stream->status, rows[i].told);
        assert_body(stream, "no");
    }
    peer_leave();
}

/* ---- refusals ---- */

static void test_what_the_core_is_not_asked(void **state) {
    (void)state;
    peer_come();
    struct peer_stream *stream = peer_asks("GET /", "host: another", false);
    PEER_UNTIL(stream->has_ended);
    assert_int_equal(stream->status, 400);
    assert_told(stream, "x-tunnel-error: bad_request\n");
    assert_true(stream->body.len > 0);
    assert_int_equal(core.asked, 0);
    assert_int_equal(memcmp(core.access, "127.0.0.1 GET / 400 ", 20), 0);
    PEER_UNTIL(conn_of_peer()->count == 0);
    static char large[8 * 16384];
    memset(large, 'v', sizeof(large) - 1);
    for (size_t at = 0; at < sizeof(large) - 1; at += 16384)
        memcpy(large + at, at ? "\nx-l: " : "x-long: ", at ? 6 : 8);
    stream = peer_asks("GET /", large, false);
    PEER_UNTIL(stream->status || stream->is_reset || peer.is_gone);
    assert_int_equal(stream->status, 431);
    assert_int_equal(core.asked, 0);
    peer_leave();
}

static void test_a_core_without_memory(void **state) {
    (void)state;
    peer_come();
    core.refuses = true;
    struct peer_stream *stream = peer_visits("GET /", NULL, false);
    PEER_UNTIL(stream->is_reset);
    assert_int_equal(conn_of_peer()->count, 0);
    core.refuses = false;
    stream = peer_visits("GET /", NULL, false);
    answers_shortly(stream);
    peer_leave();
}

/* ---- who it is ---- */

static void test_a_trusted_proxy(void **state) {
    (void)state;
    trust(1);
    peer_come();
    struct peer_stream *stream = peer_visits("GET /", "x-forwarded-for: 192.0.2.7", false);
    assert_true(core.exchange->is_proxy);
    assert_string_equal(core.exchange->client, "127.0.0.1");
    uint64_t visitor = core.exchange->visitor;
    assert_int_not_equal(visitor, 0);
    struct peer_stream *second = peer_asks("GET /", "x-forwarded-for: 192.0.2.7", false);
    PEER_UNTIL(second->has_ended);
    assert_int_equal(second->status, 503); /* too many of his at once */
    assert_int_equal(memcmp(core.access, "127.0.0.1 GET / 503 ", 20), 0);
    struct exchange *first = core.exchange;
    struct peer_stream *other = peer_visits("GET /", "x-forwarded-for: 192.0.2.8", false);
    assert_int_not_equal(core.exchange->visitor, visitor);
    answers_shortly(other);
    assert_int_equal(memcmp(core.access, "192.0.2.8 GET / 204 ", 20), 0);
    core.exchange = first;
    answers_shortly(stream);
    peer_leave();
}

/* ---- the end of a stream ---- */

static void test_a_visitor_resets(void **state) {
    (void)state;
    peer_come();
    struct peer_stream *stream = peer_visits("POST /", NULL, true);
    grant(10);
    nghttp2_submit_rst_stream(peer.session, 0, stream->id, NGHTTP2_CANCEL);
    PEER_UNTIL(core.cancelled == 1);
    assert_null(core.exchange);
    assert_int_equal(conn_of_peer()->count, 0);
    assert_non_null(strstr(core.access, "POST"));
    stream = peer_visits("GET /", NULL, false);
    answer_200(10);
    data(VIEW("12345"));
    PEER_UNTIL(stream->body.len == 5);
    nghttp2_submit_rst_stream(peer.session, 0, stream->id, NGHTTP2_CANCEL);
    PEER_UNTIL(core.cancelled == 2);
    assert_non_null(strstr(core.access, " cut"));
    peer_leave();
}

static void test_a_visitor_leaves(void **state) {
    (void)state;
    peer_come();
    peer_visits("GET /", NULL, false);
    peer_visits("POST /", NULL, true);
    peer_leave();
    assert_int_equal(core.cancelled, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_a_request),
        TEST(test_what_is_noted_of_a_request),
        TEST(test_what_an_answer_says),
        TEST(test_a_date_and_trailers),
        TEST(test_an_answer_of_another_length),
        TEST(test_an_answer_is_aborted),
        TEST(test_how_much_was_taken),
        TEST(test_a_body_comes_as_it_is_granted),
        TEST(test_the_end_of_a_body_waits_for_the_rest),
        TEST(test_a_window_bounds_what_waits),
        TEST(test_an_answer_before_the_body),
        TEST(test_expect),
        TEST(test_a_websocket),
        TEST(test_a_websocket_that_is_half_closed_at_once),
        TEST(test_no_websocket),
        TEST(test_what_the_core_is_not_asked),
        TEST(test_a_core_without_memory),
        TEST(test_a_trusted_proxy),
        TEST(test_a_visitor_resets),
        TEST(test_a_visitor_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
