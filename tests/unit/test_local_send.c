/* Requests on their way to the local service, and what may be sent once more, byte by byte (local_send.c,
 * local_request.c, local_head.c). Each goes out on a connection that is kept, unless it says otherwise. */
#include "local_scene.h"

#define POST_4 "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"
#define CHUNKED_HEAD "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
#define GET_HEAD "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define KIB ((size_t)1024)

static char noise[1 << 20];

static bool give(struct probe *probe, const char *text) {
    return local_request_body(probe->request, view_from_cstr(text));
}

static bool give_noise(struct probe *probe, size_t len) {
    return local_request_body(probe->request, view_of(noise, len));
}

static bool is_silent(int fd) {
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK) < 0 && errno == EAGAIN;
}

/* ---- what leaves together ---- */

static void test_a_small_body_leaves_with_its_head(void **state) {
    (void)state;
    static const struct {
        const char *name, *first, *second;
        int64_t length;
        bool at_once; /* before the turn ends */
        const char *expected;
    } rows[] = {
        {"whole", "four", NULL, 4, true, POST_4 "four"},
        {"a part", "fo", NULL, 4, false, POST_4 "fo"},
        {"in two", "fo", "ur", 4, true, POST_4 "four"},
        {"chunked", "four", NULL, LOCAL_BODY_UNKNOWN, false, CHUNKED_HEAD "4\r\nfour\r\n"},
        {"chunked, in two", "fo", "ur", LOCAL_BODY_UNKNOWN, false, CHUNKED_HEAD "4\r\nfour\r\n"},
        {"nothing yet", NULL, NULL, 4, false, POST_4},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int fd = get_hello();
        struct probe probe = {.status = 0};
        start(&probe, "POST", rows[i].length);
        assert_true(is_silent(fd));
        if (rows[i].first) assert_true(give(&probe, rows[i].first));
        if (rows[i].second) assert_true(give(&probe, rows[i].second));
        if (is_silent(fd) == rows[i].at_once) fail_msg("%s", rows[i].name);
        assert_int_equal(probe.sent, 0); /* no event from within */
        hear(fd, rows[i].expected);
        size_t len =
            (rows[i].first ? strlen(rows[i].first) : 0) + (rows[i].second ? strlen(rows[i].second) : 0);
        UNTIL(probe.sent == len);
        assert_int_equal(local_request_body_waiting(probe.request), 0);
        done(&probe);
        close(fd);
    }
}

/* So much is not held back. */
static void test_what_is_no_small_body(void **state) {
    (void)state;
    int fd = get_hello();
    struct probe probe = {.status = 0};
    start(&probe, "POST", LOCAL_BODY_UNKNOWN);
    assert_true(give_noise(&probe, 16 * KIB - 1));
    assert_true(is_silent(fd));
    assert_true(give_noise(&probe, 1));
    assert_false(is_silent(fd)); /* at once */
    hear(fd, CHUNKED_HEAD "4000\r\n");
    done(&probe);
    close(fd);
    UNTIL(client->open == 0);
    fd = get_hello(); /* in the order in which it was given */
    start(&probe, "POST", LOCAL_BODY_UNKNOWN);
    assert_true(give(&probe, "f"));
    assert_true(is_silent(fd));
    assert_true(give_noise(&probe, 16 * KIB));
    hear(fd, CHUNKED_HEAD "4001\r\nf");
    done(&probe);
    close(fd);
}

static void test_the_end_of_chunks(void **state) {
    (void)state;
    static const char *const rows[] = {"4\r\nfour\r\n0\r\n\r\n", "4\r\nfour\r\n2\r\nsi\r\n0\r\n\r\n",
                                       "0\r\n\r\n"};
    for (size_t i = 0; i < COUNT(rows); i++) {
        int fd = get_hello();
        struct probe probe = {.status = 0};
        start(&probe, "POST", LOCAL_BODY_UNKNOWN);
        if (i < 2) give(&probe, "four");
        if (i == 1) UNTIL(probe.sent == 4);
        if (i == 1) give(&probe, "si");
        assert_false(request_is_sent(probe.request));
        local_request_body_end(probe.request);
        assert_true(request_is_sent(probe.request));
        assert_false(give(&probe, "more"));
        assert_true(give(&probe, ""));
        local_request_body_end(probe.request); /* again: nothing */
        hear(fd, CHUNKED_HEAD);
        hear(fd, rows[i]);
        answer_hello(fd, &probe);
        assert_int_equal(probe.sent, i == 0 ? 4 : i == 1 ? 6 : 0);
        assert_int_equal(client->open, 1); /* kept */
        done(&probe);
        close(fd);
        UNTIL(client->open == 0);
    }
}

/* The service reads nothing, and then all: each byte once and in order, the framing sound. */
static void test_a_service_that_reads_late(void **state) {
    (void)state;
    for (int is_chunked = 0; is_chunked < 2; is_chunked++) {
        int fd = get_hello();
        struct probe probe = {.status = 0};
        struct buf heard, body;
        struct arena space;
        struct headers trailers;
        struct chunked chunked;
        uint64_t given = 0;
        size_t lens[400], count = 0; /* of what was given */
        buf_init(&heard, 64 * KIB * KIB);
        buf_init(&body, 64 * KIB * KIB);
        start(&probe, "POST", is_chunked ? LOCAL_BODY_UNKNOWN : 12 * 1048576);
        struct local_connection *connection = probe.request->connection;
        for (int i = 0; given < 12 * 1048576; i++) {
            size_t len = i % 3 ? sizeof(noise) / 3 : 70001;
            if (len > 12 * 1048576 - given) len = 12 * 1048576 - given;
            if (!give_noise(&probe, len)) { /* too much waits */
                assert_true(local_request_body_waiting(probe.request) + len > LOCAL_BODY_HELD_MAX);
                assert_true(connection->blocked);
                assert_true(connection->mask & UV_WRITABLE);
                hear_into(fd, &heard, heard.len + 300000);
                continue;
            }
            given += len;
            lens[count++] = len;
            if (i % 5 == 0) turn();
            assert_true(probe.sent <= given);
        }
        local_request_body_end(probe.request);
        const char *head =
            is_chunked ? CHUNKED_HEAD : "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12582912\r\n\r\n";
        size_t head_len = strlen(head), used = head_len;
        arena_init(&space, 4096);
        headers_init(&trailers, &space);
        chunked_init(&chunked, &trailers);
        while (heard.len < head_len) hear_some(fd, &heard);
        assert_memory_equal(buf_view(&heard).ptr, head, head_len);
        enum chunked_result result = is_chunked ? CHUNKED_MORE : CHUNKED_END;
        while (result != CHUNKED_END) {
            struct view rest = view_skip(buf_view(&heard), used), piece;
            result = chunked_next(&chunked, &rest, &piece);
            used = heard.len - rest.len;
            assert_int_not_equal(result, CHUNKED_MALFORMED);
            if (result == CHUNKED_DATA) buf_append_view(&body, piece);
            if (result == CHUNKED_MORE) hear_some(fd, &heard);
        }
        while (!is_chunked && heard.len < head_len + given) hear_some(fd, &heard);
        if (!is_chunked) buf_append_view(&body, view_skip(buf_view(&heard), head_len));
        assert_int_equal(body.len, given);
        size_t at = 0;
        for (size_t i = 0; at < given; i++) {
            size_t len = lens[i];
            assert_memory_equal(buf_view(&body).ptr + at, noise, len);
            at += len;
        }
        UNTIL(probe.sent == given);
        assert_false(connection->blocked);
        assert_false(connection->mask & UV_WRITABLE);
        assert_true(request_is_sent(probe.request));
        answer_hello(fd, &probe);
        chunked_done(&chunked);
        arena_done(&space);
        buf_done(&heard);
        buf_done(&body);
        done(&probe);
        close(fd);
        UNTIL(client->open == 0);
    }
}

/* ---- bounds ---- */

static void test_how_much_may_be_given(void **state) {
    (void)state;
    int fd = get_hello();
    struct probe probe = {.status = 0};
    start(&probe, "POST", 4);
    assert_false(give(&probe, "fives"));
    assert_true(give(&probe, "thr"));
    assert_false(give(&probe, "ee"));
    assert_true(give(&probe, "e"));
    assert_false(give(&probe, "."));
    hear(fd, POST_4 "thre");
    done(&probe);
    close(fd);

    struct probe waits = {.status = 0}; /* for a connection: nothing leaves */
    start(&waits, "POST", LOCAL_BODY_UNKNOWN);
    for (size_t i = 0; i < 9; i++) assert_true(give_noise(&waits, sizeof(noise)));
    assert_int_equal(local_request_body_waiting(waits.request), LOCAL_BODY_HELD_MAX);
    assert_false(give(&waits, "1"));
    done(&waits);
}

static void test_a_body_that_is_too_short(void **state) {
    (void)state;
    int fd = get_hello();
    struct probe probe = {.status = 0};
    start(&probe, "POST", 4);
    give(&probe, "thr");
    local_request_body_end(probe.request);
    assert_int_equal(probe.ends, 0);
    assert_true(give(&probe, "e")); /* of no use any more */
    UNTIL(probe.ends);
    assert_int_equal(probe.error, LOCAL_BROKEN);
    assert_string_equal(probe.detail, "the request's body is shorter than announced");
    assert_int_equal(probe.sent, 4);
    assert_int_equal(client->open, 0);
    done(&probe);
    close(fd);
}

/* ---- once more ---- */

/* On a kept connection that the service closes before a byte of its answer. */
static void test_what_is_sent_again(void **state) {
    (void)state;
    static const struct {
        const char *name, *method;
        int64_t length;
        size_t given;
        bool ends, again;
    } rows[] = {
        {"GET", "GET", LOCAL_BODY_NONE, 0, true, true},
        {"OPTIONS with a body", "OPTIONS", 4, 4, true, true},
        {"chunked, to its end", "OPTIONS", LOCAL_BODY_UNKNOWN, 4, true, true},
        {"chunked, and goes on", "OPTIONS", LOCAL_BODY_UNKNOWN, 4, false, true},
        {"as much as is held", "OPTIONS", LOCAL_BODY_UNKNOWN, 65536, true, true},
        {"more than is held", "OPTIONS", LOCAL_BODY_UNKNOWN, 65537, true, false},
        {"POST, some was sent", "POST", 4, 4, true, false},
        {"DELETE", "DELETE", LOCAL_BODY_NONE, 0, true, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int fd = get_hello();
        struct probe probe = {.status = 0};
        start(&probe, rows[i].method, rows[i].length);
        if (rows[i].given) assert_true(give_noise(&probe, rows[i].given));
        if (rows[i].ends && rows[i].length == LOCAL_BODY_UNKNOWN) local_request_body_end(probe.request);
        struct buf first, second;
        buf_init(&first, 1 << 20);
        buf_init(&second, 1 << 20);
        UNTIL(!is_silent(fd) && probe.sent == rows[i].given);
        while (!is_silent(fd)) hear_some(fd, &first);
        close(fd);
        if (!rows[i].again) {
            UNTIL(probe.ends);
            if (probe.error != LOCAL_BROKEN) fail_msg("%s: %d", rows[i].name, probe.error);
            assert_string_equal(probe.detail, "the service closed the connection without an answer");
        } else {
            int other = serve();
            assert_int_equal(hear_into(other, &second, first.len), 0);
            if (!view_eq(buf_view(&first), buf_view(&second))) fail_msg("%s", rows[i].name);
            assert_int_equal(probe.sent, rows[i].given); /* told once */
            if (rows[i].ends) {
                answer_hello(other, &probe);
                done(&probe);
                get(&probe); /* and the new one is kept */
                answer_hello(other, &probe);
                close(other);
            } else {
                local_request_body_end(probe.request);
                hear(other, "0\r\n\r\n");
                close(other); /* once only */
                UNTIL(probe.ends);
                assert_int_equal(probe.error, LOCAL_BROKEN);
            }
        }
        buf_done(&first);
        buf_done(&second);
        done(&probe);
        UNTIL(client->open == 0);
    }
}

/* A connection of its own that fails was not the last one's fault. */
static void test_a_fresh_connection_is_not_tried_twice(void **state) {
    (void)state;
    struct probe probe = {.status = 0};
    get(&probe);
    int fd = serve();
    UNTIL(!is_silent(fd));
    close(fd);
    UNTIL(probe.ends);
    assert_int_equal(probe.error, LOCAL_BROKEN);
    assert_int_equal(local_client_clue(client), LOCAL_CLUE_SILENT);
    done(&probe);
    fd = get_hello();
    assert_int_equal(local_client_clue(client), LOCAL_CLUE_NONE); /* it has answered once */
    close(fd);
    UNTIL(client->open == 0);

    fd = get_hello();
    get(&probe); /* nor is one with a byte of an answer */
    UNTIL(!is_silent(fd));
    say(fd, "H");
    UNTIL(probe.request->answer.began);
    close(fd);
    UNTIL(probe.ends);
    assert_int_equal(probe.error, LOCAL_BROKEN);
    done(&probe);
}

/* What was kept for a second try goes with the first byte of an answer. */
static void test_what_is_kept_is_let_go(void **state) {
    (void)state;
    int fd = get_hello();
    struct probe probe = {.status = 0};
    start(&probe, "OPTIONS", 8);
    give(&probe, "four");
    UNTIL(probe.sent == 4);
    assert_int_equal(probe.request->memory, SENT_KEPT);
    assert_int_equal(probe.request->body_kept, 4);
    say(fd, "HTTP/1.1 ");
    UNTIL(probe.request->answer.began);
    assert_int_equal(probe.request->body_kept, 0);
    assert_int_equal(probe.request->body.len, 0);
    assert_int_equal(probe.request->memory, SENT_LOST);
    give(&probe, "more");
    say(fd, "200 OK\r\ncontent-length: 5\r\n\r\nhello");
    UNTIL(probe.ends);
    assert_int_equal(probe.error, LOCAL_OK);
    assert_int_equal(probe.sent, 8);
    done(&probe);
    start(&probe, "OPTIONS", 8); /* likewise where nothing had left before the answer */
    UNTIL(probe.request->head_sent > 0);
    say(fd, "HTTP/1.1 ");
    UNTIL(probe.request->answer.began);
    give(&probe, "four");
    UNTIL(probe.sent == 4);
    assert_int_equal(probe.request->body.len, 0);
    done(&probe);
    close(fd);
}

/* ---- memory of a request that is used again ---- */

static void test_what_the_next_request_begins_with(void **state) {
    (void)state;
    int fd = get_hello();
    struct probe probe = {.status = 0};
    static char value[30000];
    memset(value, 'a', sizeof(value));
    headers_add(&headers, VIEW("x-long"), view_of(value, sizeof(value)));
    start(&probe, "POST", LOCAL_BODY_UNKNOWN);
    struct local_request *request = probe.request;
    probe.request->way = BODY_AWAITS_SWITCH; /* as if: it is held */
    give_noise(&probe, 100000);
    assert_true(request->head.cap > 16384 && request->body.cap > 65536);
    done(&probe);
    headers_remove(&headers, VIEW("x-long"));
    get(&probe);
    assert_ptr_equal(probe.request, request);
    assert_true(request->head.cap <= 16384);
    assert_int_equal(request->body.cap, 0);
    assert_int_equal(request->magic, LOCAL_REQUEST_MAGIC);
    assert_true(list_empty(&request->restless_node) && list_empty(&request->waiting_node) &&
                list_empty(&request->expecting_node));
    int other = serve();
    hear(other, GET_HEAD);
    answer_hello(other, &probe);
    done(&probe);
    close(other);
    close(fd);
    UNTIL(client->open == 0);
    get(&probe);
    size_t cap = request->head.cap;
    assert_true(cap > 0); /* what is small is kept */
    probe.request->way = BODY_AWAITS_SWITCH;
    probe.request->body_ended = false;
    give(&probe, "early");
    done(&probe);
    start(&probe, "POST", LOCAL_BODY_UNKNOWN); /* and nothing of what was in it */
    assert_ptr_equal(probe.request, request);
    assert_int_equal(request->body.len, 0);
    done(&probe);
}

/* ---- how heads are said ---- */

static void test_what_cannot_be_said(void **state) {
    (void)state;
    static const struct {
        const char *method, *target, *name, *value, *upgrade;
        int64_t length;
        bool is_fine;
    } rows[] = {
        {"GET", "/", "a", "b", NULL, LOCAL_BODY_NONE, true},
        {"GET", "/", "a", " b ", NULL, LOCAL_BODY_NONE, true},
        {"GET", "/\x7e", "a", "b", NULL, LOCAL_BODY_NONE, true},
        {"GET", "/\x7f", "a", "b", NULL, LOCAL_BODY_NONE, false},
        {"GET", "/ ", "a", "b", NULL, LOCAL_BODY_NONE, false},
        {"GET", "/!", "a", "b", NULL, LOCAL_BODY_NONE, true},
        {"GET", "/\x1f", "a", "b", NULL, LOCAL_BODY_NONE, false},
        {"GET", "", "a", "b", NULL, LOCAL_BODY_NONE, false},
        {"GET", "*", "a", "b", NULL, LOCAL_BODY_NONE, true},
        {"G T", "/", "a", "b", NULL, LOCAL_BODY_NONE, false},
        {"GET", "/", "a:", "b", NULL, LOCAL_BODY_NONE, false},
        {"GET", "/", "a", "b\rc", NULL, LOCAL_BODY_NONE, false},
        {"GET", "/", "a", "b", "x", LOCAL_BODY_NONE, true},
        {"GET", "/", "a", "b", "x", 4, true},
        {"GET", "/", "a", "b", "x", LOCAL_BODY_UNKNOWN, false},
        {"GET", "/", "a", "b", "x y", LOCAL_BODY_NONE, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct local_head head = head_of(rows[i].method, rows[i].length);
        struct probe probe = {.status = 0};
        headers_init(&headers, &arena);
        headers_add(&headers, view_from_cstr(rows[i].name), view_from_cstr(rows[i].value));
        head.target = view_from_cstr(rows[i].target);
        if (rows[i].upgrade) head.upgrade = view_from_cstr(rows[i].upgrade);
        start_with(&probe, &head);
        if ((probe.request->life == REQUEST_RUNS) != rows[i].is_fine) fail_msg("row %zu", i);
        if (!rows[i].is_fine) {
            UNTIL(probe.ends);
            assert_int_equal(probe.error, LOCAL_INVALID);
        }
        done(&probe);
    }
}

static void test_whose_fields_are_said(void **state) {
    (void)state;
    static const struct {
        const char *upgrade, *name, *said; /* said: what becomes of the field */
    } rows[] = {
        {NULL, "upgrade", "Upgrade: v\r\n"},
        {NULL, "connection", "Connection: v\r\n"},
        {NULL, "sec-websocket-key", "Sec-Websocket-Key: v\r\n"},
        {NULL, "content-length", NULL},
        {NULL, "transfer-encoding", NULL},
        {"x", "upgrade", NULL},
        {"x", "connection", NULL},
        {"x", "upgrade-", "Upgrade-: v\r\n"},
        {"x", "sec-websocket-key", "Sec-Websocket-Key: v\r\n"},
        {NULL, "content-lengthy", "Content-Lengthy: v\r\n"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct local_head head = head_of("GET", LOCAL_BODY_NONE);
        struct probe probe = {.status = 0};
        char expected[300];
        headers_init(&headers, &arena);
        headers_add(&headers, VIEW("host"), VIEW("a"));
        headers_add(&headers, view_from_cstr(rows[i].name), VIEW("v"));
        if (rows[i].upgrade) head.upgrade = view_from_cstr(rows[i].upgrade);
        start_with(&probe, &head);
        snprintf(expected, sizeof(expected), "GET / HTTP/1.1\r\nHost: a\r\n%s%s\r\n",
                 rows[i].said ? rows[i].said : "",
                 rows[i].upgrade ? "Connection: Upgrade\r\nUpgrade: x\r\n" : "");
        if (strncasecmp(buf_view(&probe.request->head).ptr, expected, probe.request->head.len) != 0 ||
            probe.request->head.len != strlen(expected))
            fail_msg("row %zu: %.*s", i, VIEW_ARG(buf_view(&probe.request->head)));
        done(&probe);
    }
}

static void key_of(struct local_request *request, char out[64]) {
    struct view said = buf_view(&request->head);
    char *at = memmem(said.ptr, said.len, "Sec-WebSocket-Key: ", 19);
    assert_non_null(at);
    struct view rest = view_skip(said, (size_t)(at + 19 - said.ptr));
    assert_true(view_copy_to(view_slice(rest, 0, view_find(rest, '\r')), out, 64));
}

/* 16 bytes by chance, each time others. */
static void test_keys_of_websockets(void **state) {
    (void)state;
    struct local_head head = head_of("GET", LOCAL_BODY_NONE);
    char keys[2][64];
    head.upgrade = VIEW("websocket");
    for (int i = 0; i < 2; i++) {
        struct probe probe = {.status = 0};
        start_with(&probe, &head);
        key_of(probe.request, keys[i]);
        assert_int_equal(strlen(keys[i]), 24);
        done(&probe);
    }
    assert_string_not_equal(keys[0], keys[1]);
}

static void test_expect_is_said_once(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct local_head head = head_of("POST", 4);
        struct probe probe = {.status = 0};
        head.expects_continue = true;
        headers_init(&headers, &arena);
        headers_add(&headers, VIEW("host"), VIEW("a"));
        if (i) headers_add(&headers, VIEW("expect"), VIEW("100-continue"));
        start_with(&probe, &head);
        char said[300];
        assert_true(view_copy_to(buf_view(&probe.request->head), said, sizeof(said)));
        char *first = strstr(said, "Expect: 100-continue\r\n");
        assert_non_null(first);
        assert_null(strstr(first + 1, "Expect"));
        done(&probe);
    }
}

int main(void) {
    for (size_t i = 0; i < sizeof(noise); i++) noise[i] = (char)(i * 2654435761u >> 11);
    const struct CMUnitTest tests[] = {
        TEST(test_a_small_body_leaves_with_its_head),
        TEST(test_what_is_no_small_body),
        TEST(test_the_end_of_chunks),
        TEST(test_a_service_that_reads_late),
        TEST(test_how_much_may_be_given),
        TEST(test_a_body_that_is_too_short),
        TEST(test_what_is_sent_again),
        TEST(test_a_fresh_connection_is_not_tried_twice),
        TEST(test_what_is_kept_is_let_go),
        TEST(test_what_the_next_request_begins_with),
        TEST(test_what_cannot_be_said),
        TEST(test_whose_fields_are_said),
        TEST(test_keys_of_websockets),
        TEST(test_expect_is_said_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
