/* What a visitor gets to see of an answer, byte by byte (visit_answer.c, visit_upgrade.c). */
#include "visit_scene.h"

#define GET "GET / HTTP/1.1\r\n" HOST
#define OLD "GET / HTTP/1.0\r\n" HOST
#define OLD_KEPT "GET / HTTP/1.0\r\nConnection: keep-alive\r\n" HOST
#define HEAD_REQUEST "HEAD / HTTP/1.1\r\n" HOST
#define OK "HTTP/1.1 200 OK\r\nDate: now\r\n"
#define MIB ((size_t)1024 * 1024)

/* ---- framing ---- */

/* What is there by the end of the turn decides: `first` comes with the head, `then` in a turn of its own. */
static const struct row {
    const char *name, *request;
    int status;
    uint64_t length;
    bool has_body, ends_with_head;
    const char *first, *then, *trailer, *expected;
    bool keeps;
} rows[] = {
    {"known", GET, 200, 4, true, false, "ab", "cd", NULL, OK "Content-Length: 4\r\n\r\nabcd", true},
    {"known and whole", GET, 200, 4, true, true, "abcd", NULL, NULL, OK "Content-Length: 4\r\n\r\nabcd",
     true},
    {"known, with trailers", GET, 200, 4, true, true, "abcd", NULL, "x-sum: 1",
     OK "Content-Length: 4\r\n\r\nabcd", true},
    {"unknown", GET, 200, LENGTH_UNKNOWN, true, false, "ab", "cde", NULL,
     OK "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n", true},
    {"unknown, later", GET, 200, LENGTH_UNKNOWN, true, false, NULL, "0123456789abcdef", NULL,
     OK "Transfer-Encoding: chunked\r\n\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n", true},
    {"unknown, but whole", GET, 200, LENGTH_UNKNOWN, true, true, "abcd", NULL, NULL,
     OK "Content-Length: 4\r\n\r\nabcd", true},
    {"empty, but whole", GET, 200, LENGTH_UNKNOWN, true, true, NULL, NULL, NULL,
     OK "Content-Length: 0\r\n\r\n", true},
    {"unknown, with trailers", GET, 200, LENGTH_UNKNOWN, true, true, "abcd", NULL, "x-sum: 1",
     OK "Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\nX-Sum: 1\r\n\r\n", true},
    {"unknown, to HTTP/1.0", OLD, 200, LENGTH_UNKNOWN, true, false, "ab", "cd", NULL,
     OK "Connection: close\r\n\r\nabcd", false},
    {"unknown, to HTTP/1.0 that would stay", OLD_KEPT, 200, LENGTH_UNKNOWN, true, false, "ab", "cd", NULL,
     OK "Connection: close\r\n\r\nabcd", false},
    {"known, to HTTP/1.0", OLD_KEPT, 200, 2, true, true, "ab", NULL, NULL,
     OK "Connection: keep-alive\r\nContent-Length: 2\r\n\r\nab", true},
    {"to HEAD", HEAD_REQUEST, 200, 7, true, true, "no body", NULL, NULL, OK "Content-Length: 7\r\n\r\n",
     true},
    {"to HEAD, unknown", HEAD_REQUEST, 200, LENGTH_UNKNOWN, true, true, NULL, NULL, NULL, OK "\r\n", true},
    {"204", GET, 204, 7, true, true, "no", NULL, NULL, "HTTP/1.1 204 No Content\r\nDate: now\r\n\r\n", true},
    {"304", GET, 304, 7, true, true, NULL, NULL, NULL,
     "HTTP/1.1 304 Not Modified\r\nDate: now\r\nContent-Length: 7\r\n\r\n", true},
    {"none said", GET, 200, 5, false, true, NULL, NULL, NULL, OK "Content-Length: 0\r\n\r\n", true},
};

static void play(const struct row *row, int fd) {
    struct arena arena;
    struct headers trailers;
    arena_init(&arena, 4096);
    headers_init(&trailers, &arena);
    if (row->trailer) headers_add(&trailers, VIEW("x-sum"), VIEW("1"));
    ask(fd, row->request);
    answer(
        (struct answer_head){.status = row->status, .content_length = row->length, .has_body = row->has_body},
        NULL);
    if (row->first) data(view_from_cstr(row->first));
    if (!row->ends_with_head) {
        for (int i = 0; i < 3; i++) turn();
        if (row->then) data(view_from_cstr(row->then));
        for (int i = 0; i < 3; i++) turn();
    }
    end_with(&trailers);
    arena_done(&arena);
    hear(fd, row->expected);
}

static void test_rows(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int fd = come();
        play(&rows[i], fd);
        if (rows[i].keeps != (core.clients.count == 1)) fail_msg("%s: another end", rows[i].name);
        if (rows[i].keeps) {
            assert_true(hears_nothing(fd));
            play(&rows[6], fd); /* of the answer before nothing is left */
        } else {
            assert_int_equal(hear_end(fd), 0);
        }
        close(fd);
        UNTIL(core.clients.count == 0);
    }
}

static void test_a_head_goes_out_alone(void **state) {
    (void)state;
    int fd = come();
    struct visit *visit = ask(fd, GET);
    answer((struct answer_head){.status = 299, .content_length = 3, .has_body = true, .close = true},
           "x-empty: \nx-a: 1");
    hear(fd, "HTTP/1.1 299 Unknown\r\nDate: now\r\nX-Empty: \r\nX-A: 1\r\nConnection: close\r\n"
             "Content-Length: 3\r\n\r\n");
    assert_false(visit->is_blocked);
    assert_int_equal(visit->events, UV_READABLE);
    data(VIEW("abc"));
    hear(fd, "abc");
    assert_int_equal(core.exchange->drained, 3);
    assert_false(visit->is_blocked);
    end();
    assert_int_equal(hear_end(fd), 0);
    close(fd);
}

/* Trailers belong to their own answer. */
static void test_trailers_are_forgotten(void **state) {
    (void)state;
    int fd = come();
    play(&rows[7], fd);
    play(&rows[3], fd);
    play(&rows[7], fd);
    close(fd);
}

/* ---- what cannot be told whole ---- */

static void test_lengths_that_contradict(void **state) {
    (void)state;
    static const struct {
        const char *first, *then;
        bool ends;
        int error;
    } lies[] = {{"abcdef", NULL, false, ECONNRESET},
                {"abc", "def", false, ECONNRESET},
                {"abc", NULL, true, ECONNRESET},
                {"abc", "de", true, 0}};
    for (size_t i = 0; i < COUNT(lies); i++) {
        int fd = come();
        struct buf heard;
        buf_init(&heard, 4096);
        ask(fd, GET);
        core.cancelled = 0;
        answer((struct answer_head){.status = 200, .content_length = 5, .has_body = true, .close = true},
               NULL);
        turn();
        data(view_from_cstr(lies[i].first));
        for (int j = 0; j < 3; j++) turn();
        if (lies[i].then) data(view_from_cstr(lies[i].then));
        if (lies[i].ends) end();
        if (hear_into(fd, &heard, 4096) != lies[i].error)
            fail_msg("row %zu: %.*s", i, VIEW_ARG(buf_view(&heard)));
        assert_int_equal(core.cancelled, !lies[i].ends);
        buf_done(&heard);
        close(fd);
        UNTIL(core.clients.count == 0);
    }
}

/* More than there is room for: the connection goes, and no memory with it. */
static void test_bounds(void **state) {
    (void)state;
    for (int i = 0; i < 5; i++) {
        int fd = come();
        struct visit *visit = ask(fd, GET);
        struct arena arena;
        struct headers trailers;
        struct buf heard;
        buf_init(&heard, 16 * MIB);
        arena_init(&arena, 8 * MIB);
        headers_init(&trailers, &arena);
        if (i == 0) visit->lead.max = 20;
        if (i == 1) visit->out.max = 20;
        if (i == 2) visit->tail.max = 1;
        if (i == 3)
            visit->arena.max_bytes = visit->arena.used_bytes + 64; /* no room for a copy of trailers */
        for (int j = 0; j < 50; j++) headers_add(&trailers, VIEW("x-t"), VIEW("1"));
        answer_200(LENGTH_UNKNOWN);
        data(VIEW("more than twenty bytes"));
        if (i != 4) turn();
        if (core.exchange) end_with(i == 3 ? &trailers : NULL);
        int error = hear_into(fd, &heard, SIZE_MAX > heard.max ? heard.max : 0);
        (void)error;
        arena_done(&arena);
        close(fd);
        UNTIL(core.clients.count == 0);
        struct view text = buf_view(&heard);
        bool is_whole = text.len > 7 && (memcmp(text.ptr + text.len - 7, "\r\n0\r\n\r\n", 7) == 0 ||
                                         view_ends_with(text, VIEW("bytes")));
        if (is_whole != (i == 4)) fail_msg("%d: %.*s", i, VIEW_ARG(text));
        buf_done(&heard);
    }
}

/* ---- a socket that takes little ---- */

static size_t decode(const struct buf *heard, struct buf *ret_body) {
    struct arena arena;
    struct headers trailers;
    struct chunked chunked;
    struct view bytes = buf_view(heard), piece;
    size_t pieces = 0;
    char *head = memmem(bytes.ptr, bytes.len, "\r\n\r\n", 4);
    assert_non_null(head);
    bytes = view_skip(bytes, (size_t)(head + 4 - bytes.ptr));
    arena_init(&arena, 4096);
    headers_init(&trailers, &arena);
    chunked_init(&chunked, &trailers);
    enum chunked_result result;
    while ((result = chunked_next(&chunked, &bytes, &piece)) == CHUNKED_DATA) {
        assert_true(buf_append_view(ret_body, piece));
        pieces++;
    }
    assert_int_equal(result, CHUNKED_END);
    assert_int_equal(bytes.len, 0);
    chunked_done(&chunked);
    arena_done(&arena);
    return pieces;
}

/* More comes while a chunk is half sent: each byte arrives once, in order, in sound chunks. */
static void test_pieces_behind_a_full_socket(void **state) {
    (void)state;
    static char block[65536];
    for (int is_chunked = 0; is_chunked < 2; is_chunked++) {
        int fd = come();
        struct visit *visit = ask(fd, "GET / HTTP/1.1\r\nConnection: close\r\n" HOST);
        struct buf given, heard, body;
        buf_init(&given, 32 * MIB);
        buf_init(&heard, 40 * MIB);
        buf_init(&body, 32 * MIB);
        answer_200(is_chunked ? LENGTH_UNKNOWN : 8 * MIB);
        size_t told = 0;
        while (given.len < 8 * MIB) {
            size_t len = 1 + given.len * 7 % sizeof(block);
            if (len > 8 * MIB - given.len) len = 8 * MIB - given.len;
            for (size_t i = 0; i < len; i++) block[i] = (char)((given.len + i) * 2654435761u >> 13);
            data(view_of(block, len));
            buf_append(&given, block, len);
            turn();
            if (visit->out.len > 1 * MIB) hear_into(fd, &heard, heard.len + 300000 + given.len % 50000);
            assert_true(core.exchange->drained + visit->out.len == given.len);
            assert_true(core.exchange->drained >= told);
            told = core.exchange->drained;
        }
        end();
        assert_int_equal(hear_into(fd, &heard, heard.max), 0);
        if (is_chunked)
            decode(&heard, &body);
        else
            buf_append(&body, buf_view(&heard).ptr + heard.len - 8 * MIB, 8 * MIB);
        assert_true(view_eq(buf_view(&body), buf_view(&given)));
        buf_done(&given);
        buf_done(&heard);
        buf_done(&body);
        close(fd);
        UNTIL(core.clients.count == 0);
    }
}

/* The socket took a chunk, but not the line behind it: that goes first, whatever has come since. */
static void test_a_tail_that_is_left(void **state) {
    (void)state;
    int fd = come();
    struct visit *visit = ask(fd, GET);
    answer_200(LENGTH_UNKNOWN);
    hear(fd, OK "Transfer-Encoding: chunked\r\n\r\n");
    buf_append_view(&visit->tail, VIEW("left")); /* as if */
    data(VIEW("abc"));
    hear(fd, "left3\r\nabc\r\n");
    end();
    hear(fd, "0\r\n\r\n");
    close(fd);
}

/* It is full to the last byte before there is an answer. */
static void test_a_socket_that_takes_nothing(void **state) {
    (void)state;
    static const char block[65536];
    int fd = come();
    struct visit *visit = ask(fd, GET);
    size_t stuffed = 0;
    for (ssize_t len; (len = send(visit->conn.fd, block, sizeof(block), MSG_DONTWAIT)) > 0;)
        stuffed += (size_t)len;
    for (ssize_t len; (len = send(visit->conn.fd, block, 1, MSG_DONTWAIT)) > 0;) stuffed += (size_t)len;
    answer_200(2);
    data(VIEW("ok"));
    turn();
    assert_true(visit->is_blocked);
    assert_int_equal(core.cancelled, 0);
    assert_int_equal(core.exchange->drained, 0);
    end();
    struct buf heard;
    buf_init(&heard, 64 * MIB);
    assert_int_equal(hear_into(fd, &heard, stuffed), 0);
    while (!view_ends_with(buf_view(&heard), VIEW("\r\n\r\nok"))) hear_into(fd, &heard, heard.len + 1);
    assert_false(visit->is_blocked);
    assert_int_equal(visit->phase, VISIT_IDLE);
    buf_done(&heard);
    close(fd);
}

static void test_a_visitor_who_has_reset(void **state) {
    (void)state;
    int fd = come();
    struct visit *visit = ask(fd, GET);
    answer_200(LENGTH_UNKNOWN);
    shutdown(visit->conn.fd, SHUT_WR); /* the next send fails */
    data(VIEW("x"));
    UNTIL(core.cancelled == 1);
    assert_int_equal(core.clients.count, 0);
    close(fd);
}

/* ---- after a switch ---- */

/* One byte is a piece, too. */
static void test_single_bytes_both_ways(void **state) {
    (void)state;
    int fd = come();
    struct visit *visit = ask(fd, "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: x\r\n" HOST "early");
    answer_101("x");
    hear(fd, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\nDate: now\r\n\r\n");
    core.exchange->has_body_end = false; /* of the request; now that of the other protocol's bytes is meant */
    assert_int_equal(core.exchange->body.len, 0);
    for (size_t i = 1; i <= 5; i++) {
        grant(1);
        UNTIL(core.exchange->body.len == i);
        data(VIEW("y"));
        hear(fd, "y");
        assert_true(hears_nothing(fd));
        assert_int_equal(core.exchange->drained, i);
        assert_int_equal(visit->access.bytes_in, i);
    }
    assert_true(view_eq(buf_view(&core.exchange->body), VIEW("early")));
    say(fd, "end");
    shutdown(fd, SHUT_WR);
    UNTIL(visit->is_eof);
    for (int i = 0; i < 3; i++) turn();
    assert_false(core.exchange->has_body_end); /* not before its last bytes */
    grant(2);
    turn();
    assert_false(core.exchange->has_body_end);
    grant(1);
    UNTIL(core.exchange->has_body_end);
    for (int i = 0; i < 3; i++) { /* and once */
        grant(1);
        turn();
    }
    assert_int_equal(core.exchange->body.len, 8);
    assert_int_equal(visit->phase, VISIT_UPGRADED);
    data(VIEW("last"));
    hear(fd, "last");
    end();
    assert_int_equal(hear_end(fd), 0);
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_rows),
        TEST(test_a_head_goes_out_alone),
        TEST(test_trailers_are_forgotten),
        TEST(test_lengths_that_contradict),
        TEST(test_bounds),
        TEST(test_pieces_behind_a_full_socket),
        TEST(test_a_tail_that_is_left),
        TEST(test_a_socket_that_takes_nothing),
        TEST(test_a_visitor_who_has_reset),
        TEST(test_single_bytes_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
