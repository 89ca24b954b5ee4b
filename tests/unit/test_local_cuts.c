/* Writes to the local service of which the socket takes a part only, wherever it cuts them: this program's
 * send() and sendmsg() say how much (local_send.c; what is sent again: local_request.c). */
#include "cut_writes.h"
#include "local_scene.h"

#define CHUNKED_HEAD "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

/* A connection that is kept, whose next writes are cut. */
static int get_hello_and_cut(size_t first, size_t then) {
    cuts.fd = -1;
    int fd = get_hello();
    cut_writes(newest()->fd, first, then);
    return fd;
}

static bool give(struct probe *probe, const char *text) {
    return local_request_body(probe->request, view_from_cstr(text));
}

/* What has been said of a chunked body is `expected`, once, and nothing behind it. */
static void assert_chunks(struct view said, const char *expected) {
    struct buf body;
    struct headers trailers;
    struct chunked chunked;
    struct view data;
    enum chunked_result result;
    buf_init(&body, 4096);
    headers_init(&trailers, &arena);
    chunked_init(&chunked, &trailers);
    while ((result = chunked_next(&chunked, &said, &data)) == CHUNKED_DATA)
        assert_true(buf_append_view(&body, data));
    assert_int_equal(result, CHUNKED_END);
    assert_int_equal(said.len, 0);
    assert_true(view_eq(buf_view(&body), view_from_cstr(expected)));
    chunked_done(&chunked);
    buf_done(&body);
}

/* A chunked body in three pieces, the second one when the first is on its way. */
static void chunks_cut_at(size_t cut, size_t then) {
    struct probe probe = {.status = 0};
    struct buf heard;
    int fd = get_hello_and_cut(cut, then);
    buf_init(&heard, 1 << 20);
    start(&probe, "POST", LOCAL_BODY_UNKNOWN);
    assert_true(give(&probe, "four"));
    UNTIL(probe.request->way == BODY_FLOWS);
    assert_true(give(&probe, "seven!!"));
    hear_some(fd, &heard);
    assert_true(give(&probe, "six.."));
    for (uint64_t from = uv_hrtime(); !request_is_sent(probe.request); hear_some(fd, &heard)) {
        if (uv_hrtime() - from > PATIENCE_NS) fail_msg("cut at %zu, then %zu: stuck", cut, then);
        if (probe.sent < 16) continue;
        local_request_body_end(probe.request);
    }
    UNTIL(probe.sent == 16);
    assert_int_equal(local_request_body_waiting(probe.request), 0);
    for (int i = 0; i < 3; i++) hear_some(fd, &heard);
    assert_true(view_starts_with(buf_view(&heard), VIEW(CHUNKED_HEAD)));
    assert_chunks(view_skip(buf_view(&heard), strlen(CHUNKED_HEAD)), "fourseven!!six..");
    answer_hello(fd, &probe);
    assert_int_equal(client->open, 1); /* kept */
    assert_int_equal(probe.sent, 16);
    buf_done(&heard);
    done(&probe);
    close(fd);
    UNTIL(client->open == 0);
}

static void test_chunks_cut_anywhere(void **state) {
    (void)state;
    for (size_t cut = 1; cut < strlen(CHUNKED_HEAD) + 40; cut++) chunks_cut_at(cut, SIZE_MAX);
    chunks_cut_at(1, 1);
    chunks_cut_at(2, 2);
    chunks_cut_at(3, 3);
}

/* All of it is there at once: head, chunk and end are one write, or two, wherever the first one ends. */
static void test_a_whole_body_cut_anywhere(void **state) {
    (void)state;
    static const struct {
        int64_t length;
        const char *expected;
    } rows[] = {{LOCAL_BODY_UNKNOWN, CHUNKED_HEAD "4\r\nfour\r\n0\r\n\r\n"},
                {4, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nfour"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t cut = 1; cut <= strlen(rows[i].expected); cut++) {
            struct probe probe = {.status = 0};
            int fd = get_hello_and_cut(cut, cut % 2 ? 1 : SIZE_MAX);
            start(&probe, "POST", rows[i].length);
            assert_true(give(&probe, "four"));
            local_request_body_end(probe.request);
            assert_int_equal(request_is_sent(probe.request), cut == strlen(rows[i].expected));
            hear(fd, rows[i].expected);
            UNTIL(request_is_sent(probe.request) && probe.sent == 4);
            assert_true(hears_nothing(fd));
            answer_hello(fd, &probe);
            assert_int_equal(client->open, 1);
            done(&probe);
            close(fd);
            UNTIL(client->open == 0);
        }
    }
}

/* ---- once more ---- */

static void hear_whole(int fd, const char *expected, struct probe *probe) {
    hear(fd, expected);
    assert_true(hears_nothing(fd));
    assert_true(request_is_sent(probe->request));
    assert_int_equal(probe->request->body.len, 0); /* not held for a third time */
    answer_hello(fd, probe);
    assert_int_equal(probe->sent, 4); /* told once */
    assert_int_equal(client->open, 1);
}

/* However much of it has left when the service closes: it is said from its beginning on. */
static void test_what_was_cut_is_said_again_whole(void **state) {
    (void)state;
    static const struct {
        int64_t length;
        const char *expected;
    } rows[] = {{LOCAL_BODY_UNKNOWN,
                 "OPTIONS / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n0\r\n\r\n"},
                {4, "OPTIONS / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nfour"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t cut = 0; cut <= strlen(rows[i].expected); cut++) {
            struct probe probe = {.status = 0};
            int fd = get_hello_and_cut(cut, 0);
            start(&probe, "OPTIONS", rows[i].length);
            assert_true(give(&probe, "four"));
            local_request_body_end(probe.request);
            struct buf heard;
            buf_init(&heard, 4096);
            hear_into(fd, &heard, cut);
            assert_true(view_starts_with(view_from_cstr(rows[i].expected), buf_view(&heard)));
            buf_done(&heard);
            close(fd);
            UNTIL(probe.request->retried);
            cuts.fd = -1;
            fd = serve();
            hear_whole(fd, rows[i].expected, &probe);
            done(&probe);
            close(fd);
            UNTIL(client->open == 0);
        }
    }
}

/* A method that is not safe: only as long as not one byte of it has left. */
static void test_a_post_of_which_nothing_has_left(void **state) {
    (void)state;
    for (size_t cut = 0; cut < 2; cut++) {
        struct probe probe = {.status = 0};
        int fd = get_hello_and_cut(cut, 0);
        start(&probe, "POST", 4);
        assert_true(give(&probe, "four"));
        assert_int_equal(probe.request->wire_bytes, cut);
        close(fd);
        if (cut) {
            UNTIL(probe.ends);
            assert_int_equal(probe.error, LOCAL_BROKEN);
        } else {
            UNTIL(probe.request->retried);
            cuts.fd = -1;
            fd = serve();
            hear_whole(fd, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nfour", &probe);
            close(fd);
        }
        done(&probe);
        UNTIL(client->open == 0);
    }
}

/* Once only, also where it gets another connection that was used before it. */
static void test_not_a_third_time(void **state) {
    (void)state;
    struct probe probes[2] = {{.status = 0}};
    int fds[2], other = 0;
    for (int i = 0; i < 2; i++) get(&probes[i]);
    for (int i = 0; i < 2; i++) fds[i] = serve();
    UNTIL(probes[0].request->connection->stage == CONNECTION_UP &&
          probes[1].request->connection->stage == CONNECTION_UP);
    say(fds[0], HELLO);
    UNTIL(probes[0].ends + probes[1].ends == 1);
    int late = probes[0].ends ? 1 : 0;
    done(&probes[1 - late]);
    get(&probes[1 - late]); /* on the one that is kept */
    client->open += LOCAL_CONNECTIONS_MAX;
    close(fds[0]);
    UNTIL(probes[1 - late].request->retried);
    assert_null(probes[1 - late].request->connection); /* there is no room */
    answer_hello(fds[1], &probes[late]);
    assert_non_null(probes[1 - late].request->connection);
    assert_true(probes[1 - late].request->connection->used);
    client->open -= LOCAL_CONNECTIONS_MAX;
    close(fds[1]);
    UNTIL(probes[1 - late].ends || (other = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) > 0);
    assert_int_equal(probes[1 - late].ends, 1);
    assert_int_equal(probes[1 - late].error, LOCAL_BROKEN);
    for (int i = 0; i < 2; i++) done(&probes[i]);
}

/* ---- a service that takes no more ---- */

/* It has answered all the same, as one does that refuses a body. What is given still goes nowhere, and counts
 * as sent. */
static void test_an_answer_of_one_that_takes_no_more(void **state) {
    (void)state;
    struct probe probe = {.status = 0};
    int fd = get_hello_and_cut(SIZE_MAX, 0);
    cuts.error = EPIPE;
    start(&probe, "POST", 12);
    struct local_connection *connection = probe.request->connection;
    assert_true(give(&probe, "four"));
    UNTIL(probe.sent == 4);
    assert_true(give(&probe, "more"));
    assert_true(connection->broken);
    assert_false(connection->blocked);
    assert_int_equal(local_request_body_waiting(probe.request), 4);
    say(fd, "HTTP/1.1 413 No\r\ncontent-length: 5\r\n\r\nhel");
    UNTIL(probe.heads && probe.sent == 8);
    assert_int_equal(probe.request->way, BODY_DROPPED);
    assert_int_equal(probe.request->body.cap, 0); /* its memory is given back */
    assert_int_equal(local_request_body_waiting(probe.request), 0);
    assert_true(give(&probe, "last"));
    assert_int_equal(probe.sent, 8); /* no event from within */
    UNTIL(probe.sent == 12);
    say(fd, "lo");
    UNTIL(probe.ends);
    assert_int_equal(probe.error, LOCAL_OK);
    assert_int_equal(probe.status, 413);
    assert_int_equal(client->open, 0); /* of no use any more */
    done(&probe);
    close(fd);
}

/* All of it had left before the socket failed; the connection is of no use all the same. */
static void test_a_socket_that_has_failed_is_not_kept(void **state) {
    (void)state;
    struct probe probe = {.status = 0};
    int fd = get_hello();
    get(&probe);
    UNTIL(request_is_sent(probe.request));
    probe.request->connection->broken = true;
    answer_hello(fd, &probe);
    assert_int_equal(client->open, 0);
    done(&probe);
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CUT_TEST(test_chunks_cut_anywhere),
        CUT_TEST(test_a_whole_body_cut_anywhere),
        CUT_TEST(test_what_was_cut_is_said_again_whole),
        CUT_TEST(test_a_post_of_which_nothing_has_left),
        CUT_TEST(test_not_a_third_time),
        CUT_TEST(test_an_answer_of_one_that_takes_no_more),
        CUT_TEST(test_a_socket_that_has_failed_is_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
