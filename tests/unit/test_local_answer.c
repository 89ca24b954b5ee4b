/* Answers of a local service as bytes: every row whole, byte by byte, and cut at every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "local/local_answer.h"

#define V(literal)                                                                                           \
    { literal, sizeof(literal) - 1 }
#define OK "HTTP/1.1 200 OK\r\n"

struct row {
    const char *name;
    struct view bytes;
    bool closes; /* and then the service closes */
    struct answer_to to;
    enum answer_step expected; /* the last */
    int status;                /* of the final head, 0: none */
    const char *body, *rest;
    bool keep_alive;
    size_t interims;
};

#define HEAD_REQUEST                                                                                         \
    { .is_head = true }
#define WEBSOCKET                                                                                            \
    { .upgrade = V("websocket"), .accept = V("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") }
#define OTHER                                                                                                \
    { .upgrade = V("mqtt") }
#define LIST                                                                                                 \
    { .upgrade = V("IRC/6.9, websocket"), .accept = V("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") }
#define PLAIN                                                                                                \
    { .is_head = false }

static const struct row rows[] = {
    {"length", V(OK "Content-Length: 2\r\n\r\nhi"), false, PLAIN, ANSWER_END, 200, "hi", "", true, 0},
    {"length 0", V(OK "Content-Length: 0\r\n\r\n"), false, PLAIN, ANSWER_END, 200, "", "", true, 0},
    {"length, bytes behind", V(OK "Content-Length: 2\r\n\r\nhi!"), false, PLAIN, ANSWER_END, 200, "hi", "!",
     true, 0},
    {"length, cut", V(OK "Content-Length: 3\r\n\r\nhi"), true, PLAIN, ANSWER_BAD, 200, "hi", NULL, true, 0},
    {"length, open", V(OK "Content-Length: 3\r\n\r\nhi"), false, PLAIN, ANSWER_MORE, 200, "hi", "", true, 0},
    {"length and close", V(OK "Content-Length: 2\r\nConnection: Close\r\n\r\nhi"), false, PLAIN, ANSWER_END,
     200, "hi", "", false, 0},
    {"close in a list", V(OK "Content-Length: 0\r\nConnection: x, close\r\n\r\n"), false, PLAIN, ANSWER_END,
     200, "", "", false, 0},
    {"bare LF", V("HTTP/1.1 200 OK\nContent-Length: 2\n\nhi"), false, PLAIN, ANSWER_END, 200, "hi", "", true,
     0},
    {"no reason", V("HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi"), false, PLAIN, ANSWER_END, 200, "hi", "",
     true, 0},
    {"to close", V(OK "\r\nhi"), true, PLAIN, ANSWER_END, 200, "hi", "", false, 0},
    {"to close, empty", V(OK "\r\n"), true, PLAIN, ANSWER_END, 200, "", "", false, 0},
    {"to close, open", V(OK "\r\nhi"), false, PLAIN, ANSWER_MORE, 200, "hi", "", false, 0},
    {"1.0", V("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi"), false, PLAIN, ANSWER_END, 200, "hi", "",
     false, 0},
    {"1.0 keep-alive", V("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nhi"), false,
     PLAIN, ANSWER_END, 200, "hi", "", true, 0},
    {"1.0 chunked",
     V("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), false,
     PLAIN, ANSWER_END, 200, "", "", false, 0},
    {"chunked", V(OK "Transfer-Encoding: Chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"), false, PLAIN, ANSWER_END, 200,
     "hi", "", true, 0},
    {"chunked, cut", V(OK "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n"), true, PLAIN, ANSWER_BAD, 200,
     "hi", NULL, true, 0},
    {"chunked, malformed", V(OK "Transfer-Encoding: chunked\r\n\r\n2\r\nhi!\r\n"), false, PLAIN, ANSWER_BAD,
     200, "hi", NULL, true, 0},
    {"204", V("HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n"), false, PLAIN, ANSWER_END, 204, "", "", true,
     0},
    {"204 with bytes", V("HTTP/1.1 204 No\r\n\r\nhello"), false, PLAIN, ANSWER_END, 204, "", "hello", true,
     0},
    {"304", V("HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\n"), false, PLAIN, ANSWER_END, 304, "", "", true,
     0},
    {"HEAD", V(OK "Content-Length: 5\r\n\r\n"), false, HEAD_REQUEST, ANSWER_END, 200, "", "", true, 0},
    {"HEAD, chunked", V(OK "Transfer-Encoding: chunked\r\n\r\n"), false, HEAD_REQUEST, ANSWER_END, 200, "",
     "", true, 0},
    {"HEAD, nothing said", V(OK "\r\n"), false, HEAD_REQUEST, ANSWER_END, 200, "", "", true, 0},
    {"100 before", V("HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 2\r\n\r\nhi"), false, PLAIN,
     ANSWER_END, 200, "hi", "", true, 1},
    {"102 and 103 before",
     V("HTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 E\r\nLink: a\r\n\r\n" OK "Content-Length: 2\r\n\r\nhi"), false,
     PLAIN, ANSWER_END, 200, "hi", "", true, 2},
    {"100 and then nothing", V("HTTP/1.1 100 Continue\r\n\r\n"), true, PLAIN, ANSWER_BAD, 0, "", NULL, false,
     1},
    {"two equal lengths", V(OK "Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi"), false, PLAIN, ANSWER_END,
     200, "hi", "", true, 0},
    {"list of equal lengths", V(OK "Content-Length: 2, 2\r\n\r\nhi"), false, PLAIN, ANSWER_END, 200, "hi", "",
     true, 0},
    {"lengths that differ", V(OK "Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi"), false, PLAIN,
     ANSWER_BAD, 0, "", NULL, true, 0},
    {"list of lengths that differ", V(OK "Content-Length: 2, 3\r\n\r\nhi"), false, PLAIN, ANSWER_BAD, 0, "",
     NULL, true, 0},
    {"list with a hole", V(OK "Content-Length: 2,,2\r\n\r\nhi"), false, PLAIN, ANSWER_BAD, 0, "", NULL, true,
     0},
    {"length of 2^63", V(OK "Content-Length: 9223372036854775808\r\n\r\n"), false, PLAIN, ANSWER_BAD, 0, "",
     NULL, true, 0},
    {"malformed length where there is no body", V(OK "Content-Length: x\r\n\r\n"), false, HEAD_REQUEST,
     ANSWER_BAD, 0, "", NULL, true, 0},
    {"identity", V(OK "Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nhi"), false, PLAIN, ANSWER_END,
     200, "hi", "", true, 0},
    {"identity, to the end", V(OK "Transfer-Encoding: Identity\r\n\r\nhi"), true, PLAIN, ANSWER_END, 200,
     "hi", "", false, 0},
    {"chunked twice", V(OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
     false, PLAIN, ANSWER_BAD, 0, "", NULL, true, 0},
    {"status 999", V("HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\nhi"), false, PLAIN, ANSWER_END, 999, "hi",
     "", true, 0},
    {"length -1", V(OK "Content-Length: -1\r\n\r\nhi"), false, PLAIN, ANSWER_BAD, 0, "", NULL, true, 0},
    {"length empty", V(OK "Content-Length:\r\n\r\nhi"), false, PLAIN, ANSWER_BAD, 0, "", NULL, true, 0},
    {"length overflows", V(OK "Content-Length: 18446744073709551616\r\n\r\n"), false, PLAIN, ANSWER_BAD, 0,
     "", NULL, true, 0},
    {"length and chunked", V(OK "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"), false, PLAIN,
     ANSWER_BAD, 0, "", NULL, true, 0},
    {"coding unknown", V(OK "Transfer-Encoding: gzip, chunked\r\n\r\n"), false, PLAIN, ANSWER_BAD, 0, "",
     NULL, true, 0},
    {"chunked twice", V(OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), false, PLAIN,
     ANSWER_BAD, 0, "", NULL, true, 0},
    {"nothing", V(""), true, PLAIN, ANSWER_BAD, 0, "", NULL, false, 0},
    {"half a head", V(OK "Content-Le"), true, PLAIN, ANSWER_BAD, 0, "", NULL, false, 0},
    {"not HTTP", V("SSH-2.0-OpenSSH_9\r\n"), false, PLAIN, ANSWER_BAD, 0, "", NULL, false, 0},
    {"HTTP/0.9", V("<html>"), false, PLAIN, ANSWER_BAD, 0, "", NULL, false, 0},
    {"HTTP/2", V("HTTP/2 200\r\n\r\n"), false, PLAIN, ANSWER_BAD, 0, "", NULL, false, 0},
    {"ICY", V("ICY 200 OK\r\n\r\n"), false, PLAIN, ANSWER_BAD, 0, "", NULL, false, 0},
    {"status 99", V("HTTP/1.1 099 No\r\n\r\n"), false, PLAIN, ANSWER_BAD, 0, "", NULL, false, 0},
    {"folded", V(OK "A: b\r\n c\r\nContent-Length:\r\n 2\r\n\r\nhi"), false, PLAIN, ANSWER_END, 200, "hi", "",
     true, 0},
    {"folded before a field", V(OK " A: b\r\n\r\n"), false, PLAIN, ANSWER_BAD, 0, "", NULL, false, 0},
    {"NUL", V(OK "A: b\0\r\n\r\n"), false, PLAIN, ANSWER_BAD, 0, "", NULL, false, 0},
    {"101 unasked", V("HTTP/1.1 101 S\r\nUpgrade: websocket\r\n\r\n"), false, PLAIN, ANSWER_BAD, 0, "", NULL,
     false, 0},
    {"101",
     V("HTTP/1.1 101 S\r\nUpgrade: WebSocket\r\nSec-WebSocket-Accept: "
       "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nraw"),
     true, WEBSOCKET, ANSWER_END, 101, "raw", "", false, 0},
    {"101, accept wrong",
     V("HTTP/1.1 101 S\r\nUpgrade: WebSocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOp=\r\n\r\n"),
     false, WEBSOCKET, ANSWER_BAD, 0, "", NULL, false, 0},
    {"101, accept in other case",
     V("HTTP/1.1 101 S\r\nUpgrade: WebSocket\r\nSec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"),
     false, WEBSOCKET, ANSWER_BAD, 0, "", NULL, false, 0},
    {"101, no accept", V("HTTP/1.1 101 S\r\nUpgrade: WebSocket\r\n\r\n"), false, WEBSOCKET, ANSWER_BAD, 0, "",
     NULL, false, 0},
    {"101, two accepts",
     V("HTTP/1.1 101 S\r\nUpgrade: WebSocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
       "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"),
     false, WEBSOCKET, ANSWER_BAD, 0, "", NULL, false, 0},
    {"101, no upgrade", V("HTTP/1.1 101 S\r\n\r\n"), false, WEBSOCKET, ANSWER_BAD, 0, "", NULL, false, 0},
    {"101, other protocol", V("HTTP/1.1 101 S\r\nUpgrade: websocket\r\n\r\n"), false, OTHER, ANSWER_BAD, 0,
     "", NULL, false, 0},
    {"101 to other", V("HTTP/1.1 101 S\r\nUpgrade: MQTT\r\n\r\n"), true, OTHER, ANSWER_END, 101, "", "",
     false, 0},
    {"101 to one of a list", V("HTTP/1.1 101 S\r\nUpgrade: irc/6.9\r\n\r\n"), true, LIST, ANSWER_END, 101, "",
     "", false, 0},
    {"101 to websocket of a list, no accept", V("HTTP/1.1 101 S\r\nUpgrade: websocket\r\n\r\n"), false, LIST,
     ANSWER_BAD, 0, "", NULL, false, 0},
    {"101 to none of a list", V("HTTP/1.1 101 S\r\nUpgrade: IRC\r\n\r\n"), false, LIST, ANSWER_BAD, 0, "",
     NULL, false, 0},
    {"200 to upgrade", V(OK "Content-Length: 2\r\n\r\nno"), false, WEBSOCKET, ANSWER_END, 200, "no", "", true,
     0},
};

struct outcome {
    enum answer_step step;
    int status;
    size_t used, interims;
    struct buf body;
};

static void pull(struct local_answer *answer, struct view *bytes, struct outcome *out) {
    struct view data;
    for (;;) {
        out->step = local_answer_next(answer, bytes, &data);
        switch (out->step) {
        case ANSWER_INTERIM: out->interims++; break;
        case ANSWER_HEAD:
        case ANSWER_SWITCHED: out->status = answer->head.status; break;
        case ANSWER_DATA:
            assert_true(data.len > 0);
            assert_true(buf_append_view(&out->body, data));
            break;
        default: return;
        }
    }
}

static void check(struct local_answer *answer, const struct row *row, size_t first, size_t step) {
    struct outcome out = {.step = ANSWER_MORE};
    buf_init(&out.body, 4096);
    local_answer_begin(answer, &row->to);
    for (size_t given = 0, piece = first; given < row->bytes.len && out.step == ANSWER_MORE; piece = step) {
        size_t len = piece < row->bytes.len - given ? piece : row->bytes.len - given;
        char *copy = malloc(len);
        memcpy(copy, row->bytes.ptr + given, len);
        struct view bytes = {copy, len};
        pull(answer, &bytes, &out);
        if (out.step == ANSWER_MORE) assert_int_equal(bytes.len, 0);
        out.used = given + len - bytes.len;
        given += len;
        free(copy);
    }
    if (row->closes && out.step == ANSWER_MORE) out.step = local_answer_eof(answer);
    if (out.step != row->expected || out.status != row->status || out.interims != row->interims ||
        !view_eq(buf_view(&out.body), view_from_cstr(row->body)))
        fail_msg("%s (%zu): step %d, status %d, interims %zu, body \"%.*s\", %s", row->name, first,
                 (int)out.step, out.status, out.interims, VIEW_ARG(buf_view(&out.body)),
                 answer->detail ? answer->detail : "");
    if (row->rest) assert_int_equal(out.used, row->bytes.len - strlen(row->rest));
    if (row->expected == ANSWER_END && answer->keep_alive != row->keep_alive)
        fail_msg("%s: keep-alive", row->name);
    if (row->expected == ANSWER_BAD) assert_non_null(answer->detail);
    buf_done(&out.body);
}

static void test_rows(void **state) {
    (void)state;
    struct local_answer answer;
    local_answer_init(&answer, 4096);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check(&answer, &rows[i], rows[i].bytes.len, 1);
        check(&answer, &rows[i], 1, 1);
        check(&answer, &rows[i], 7, 7);
        for (size_t cut = 1; cut < rows[i].bytes.len; cut++) check(&answer, &rows[i], cut, rows[i].bytes.len);
    }
    local_answer_done(&answer);
}

static enum answer_step feed(struct local_answer *answer, const char *text, size_t times) {
    enum answer_step step = ANSWER_MORE;
    struct view data;
    for (size_t i = 0; i < times && step != ANSWER_BAD; i++) {
        struct view bytes = view_from_cstr(text);
        do step = local_answer_next(answer, &bytes, &data);
        while (step != ANSWER_MORE && step != ANSWER_BAD && step != ANSWER_END);
    }
    return step;
}

static void test_limits(void **state) {
    (void)state;
    struct local_answer answer;
    const struct answer_to to = {.is_head = false};
    local_answer_init(&answer, 96 * 1024);

    local_answer_begin(&answer, &to); /* 64 KiB in one value are fine */
    assert_int_equal(feed(&answer, OK "Content-Length: 0\r\nA: ", 1), ANSWER_MORE);
    assert_int_equal(feed(&answer, "0123456789abcdef", 4096), ANSWER_MORE);
    assert_int_equal(feed(&answer, "\r\n\r\n", 1), ANSWER_END);

    local_answer_begin(&answer, &to);
    assert_int_equal(feed(&answer, OK "A: ", 1), ANSWER_MORE);
    assert_int_equal(feed(&answer, "0123456789abcdef", 7000), ANSWER_BAD);

    local_answer_begin(&answer, &to);
    assert_int_equal(feed(&answer, OK, 1), ANSWER_MORE);
    assert_int_equal(feed(&answer, "A: b\r\n", 256), ANSWER_MORE);
    assert_int_equal(feed(&answer, "\r\n", 1), ANSWER_MORE);
    assert_int_equal(answer.head.headers.count, 256);

    local_answer_begin(&answer, &to);
    assert_int_equal(feed(&answer, OK, 1), ANSWER_MORE);
    assert_int_equal(feed(&answer, "A: b\r\n", 1000), ANSWER_BAD);

    local_answer_begin(&answer, &to); /* in one piece */
    struct buf head;
    buf_init(&head, 65536);
    buf_append_view(&head, VIEW(OK));
    for (int i = 0; i < 257; i++) buf_append_view(&head, VIEW("A: b\r\n"));
    buf_append_view(&head, VIEW("\r\n"));
    struct view bytes = buf_view(&head), data;
    assert_int_equal(local_answer_next(&answer, &bytes, &data), ANSWER_BAD);
    buf_done(&head);

    local_answer_begin(&answer, &to);
    assert_int_equal(feed(&answer, "HTTP/1.1 103 E\r\nLink: a\r\n\r\n", ANSWER_INTERIMS_MAX), ANSWER_MORE);
    assert_int_equal(feed(&answer, "HTTP/1.1 103 E\r\nLink: a\r\n\r\n", 1), ANSWER_BAD);
    local_answer_done(&answer);
}

static void test_paused(void **state) {
    (void)state;
    struct local_answer answer;
    struct view bytes = VIEW(OK "Content-Length: 2\r\n\r\nhi"), data;
    local_answer_init(&answer, 4096);
    local_answer_begin(&answer, &(struct answer_to){.is_head = false});
    assert_int_equal(local_answer_next(&answer, &bytes, NULL), ANSWER_HEAD);
    assert_int_equal(local_answer_next(&answer, &bytes, NULL), ANSWER_MORE);
    assert_int_equal(bytes.len, 2);
    assert_int_equal(local_answer_next(&answer, &bytes, &data), ANSWER_DATA);
    assert_int_equal(local_answer_next(&answer, &bytes, NULL), ANSWER_END);
    local_answer_done(&answer);
}

/* Each answer begins anew, whatever the last one came to. */
static void test_what_the_next_answer_begins_with(void **state) {
    (void)state;
    struct local_answer answer;
    struct view data;
    const struct answer_to to = {.is_head = false}, head = {.is_head = true};
    local_answer_init(&answer, 96 * 1024);
    local_answer_begin(&answer, &to);
    assert_int_equal(feed(&answer, OK "Content-Length: 3\r\n\r\n", 1), ANSWER_MORE);
    assert_int_equal(answer.left, 3);
    local_answer_begin(&answer, &head);
    assert_int_equal(feed(&answer, OK "\r\n", 1), ANSWER_END);

    local_answer_begin(&answer, &to);
    assert_int_equal(feed(&answer, "no HTTP\r\n", 1), ANSWER_BAD);
    assert_true(answer.not_http);
    assert_string_equal(answer.detail, "the answer is not HTTP/1.x");
    struct view bytes = VIEW(OK "\r\n");
    assert_int_equal(local_answer_next(&answer, &bytes, &data), ANSWER_BAD); /* final */
    assert_int_equal(local_answer_eof(&answer), ANSWER_BAD);
    assert_string_equal(answer.detail, "the answer is not HTTP/1.x");
    local_answer_begin(&answer, &to);
    assert_null(answer.detail);
    assert_false(answer.not_http);
    assert_false(answer.began);
    local_answer_done(&answer);
}

/* Heads that are over leave their memory to the next ones: far more of them than it could hold at once. */
static void test_memory(void **state) {
    (void)state;
    struct local_answer answer;
    struct buf head;
    buf_init(&head, 65536);
    local_answer_init(&answer, 96 * 1024);
    for (int interim = 0; interim < 2; interim++) {
        buf_clear(&head);
        buf_append_view(&head, interim ? VIEW("HTTP/1.1 103 E\r\nA: ") : VIEW(OK "Content-Length: 0\r\nA: "));
        for (int i = 0; i < 2000; i++) buf_append_view(&head, VIEW("0123456789"));
        buf_append_view(&head, VIEW("\r\n\r\n"));
        for (int in_pieces = 0; in_pieces < 2; in_pieces++) {
            local_answer_begin(&answer, &(struct answer_to){.is_head = false});
            for (int i = 0; i < 60; i++) {
                struct view rest = buf_view(&head), data;
                enum answer_step step = ANSWER_MORE;
                if (!interim) local_answer_begin(&answer, &(struct answer_to){.is_head = false});
                while (rest.len && step != ANSWER_BAD) {
                    struct view piece = view_slice(rest, 0, in_pieces ? 7000 : rest.len);
                    rest = view_skip(rest, piece.len);
                    step = local_answer_next(&answer, &piece, &data);
                    assert_int_equal(piece.len, 0);
                }
                if (step != (interim ? ANSWER_INTERIM : ANSWER_HEAD)) fail_msg("%s", answer.detail);
            }
        }
    }
    assert_true(answer.held.cap > 8192);
    local_answer_begin(&answer, &(struct answer_to){.is_head = false});
    assert_int_equal(answer.held.cap, 0); /* so much is not kept */
    assert_non_null(buf_reserve(&answer.held, 8192));
    assert_int_equal(answer.held.cap, 8192);
    local_answer_begin(&answer, &(struct answer_to){.is_head = false});
    assert_int_equal(answer.held.cap, 8192);
    local_answer_done(&answer);
    buf_done(&head);
}

/* A head that comes in pieces: its lines are counted before it is whole, and again after a 1xx. */
static void test_lines(void **state) {
    (void)state;
    struct local_answer answer;
    struct buf head;
    buf_init(&head, 65536);
    local_answer_init(&answer, 96 * 1024);
    for (int i = 0; i < 4; i++) {
        bool at_once = i % 2, behind_interim = i / 2;
        buf_clear(&head);
        buf_append_view(&head, VIEW(OK));
        for (int j = 0; j < ANSWER_FIELDS_MAX + 1; j++) buf_append_view(&head, VIEW("A: b\r\n"));
        local_answer_begin(&answer, &(struct answer_to){.is_head = false});
        for (int j = 0; behind_interim && j < 3; j++) {
            assert_int_equal(feed(&answer, "HTTP/1.1 103 E\r\n", 1), ANSWER_MORE);
            assert_int_equal(feed(&answer, "A: b\r\n", 100), ANSWER_MORE);
            assert_int_equal(feed(&answer, "\r\n", 1), ANSWER_MORE);
        }
        for (struct view rest = buf_view(&head), piece, data; rest.len; rest = view_skip(rest, 100)) {
            piece = view_slice(rest, 0, at_once ? rest.len : 100);
            assert_int_equal(local_answer_next(&answer, &piece, &data), ANSWER_MORE);
            if (at_once) break;
        }
        assert_int_equal(answer.lines, ANSWER_FIELDS_MAX + 2);
        assert_int_equal(feed(&answer, "A", 1), ANSWER_MORE);
        assert_int_equal(feed(&answer, ": b\r\n", 1), ANSWER_BAD); /* no need to wait for its end */
        assert_string_equal(answer.detail, "the service sent too many fields");
    }
    local_answer_done(&answer);
    buf_done(&head);
}

static void test_details(void **state) {
    (void)state;
    static const struct {
        const char *bytes, *detail;
    } answers[] = {
        {"", "the service closed the connection without an answer"},
        {OK, "the service closed the connection without an answer"},
        {OK "Content-Length: 2\r\n\r\nx", "the service closed the connection within its answer"},
        {OK "Transfer-Encoding: chunked\r\n\r\n", "the service closed the connection within its answer"},
        {OK "A b\r\n\r\n", "the service sent a field without a colon"},
        {"HTTP/1.x\r\n\r\n", "the service sent a status line that is none"},
        {OK "Content-Length: 2, 3\r\n\r\n", "the service sent Content-Lengths that differ"},
        {OK "Content-Length: 2x\r\n\r\n", "the service sent a Content-Length that is none"},
    };
    struct local_answer answer;
    local_answer_init(&answer, 4096);
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        local_answer_begin(&answer, &(struct answer_to){.is_head = false});
        if (feed(&answer, answers[i].bytes, 1) == ANSWER_MORE)
            assert_int_equal(local_answer_eof(&answer), ANSWER_BAD);
        assert_string_equal(answer.detail, answers[i].detail);
    }
    local_answer_done(&answer);
}

/* Whoever gets the head next finds one length, said once, and the end is an end for good. */
static void test_one_length(void **state) {
    (void)state;
    static const char *const answers[] = {
        OK "Content-Length: 2\r\n\r\nhi", OK "Content-Length: 2, 2\r\n\r\nhi",
        OK "Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi", OK "Content-Length: 2,2,2\r\n\r\nhi"};
    struct local_answer answer;
    struct view bytes, data;
    local_answer_init(&answer, 4096);
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        local_answer_begin(&answer, &(struct answer_to){.is_head = false});
        bytes = view_from_cstr(answers[i]);
        assert_int_equal(local_answer_next(&answer, &bytes, &data), ANSWER_HEAD);
        assert_int_equal(headers_count(&answer.head.headers, VIEW("content-length")), 1);
        assert_true(view_eq(headers_get(&answer.head.headers, VIEW("content-length")), VIEW("2")));
    }
    local_answer_begin(&answer, &(struct answer_to){.is_head = false});
    assert_int_equal(feed(&answer, OK "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 1), ANSWER_END);
    bytes = VIEW("0\r\n\r\n");
    assert_int_equal(local_answer_next(&answer, &bytes, &data), ANSWER_END);
    assert_int_equal(bytes.len, 5);
    local_answer_begin(&answer, &(struct answer_to){.is_head = false});
    assert_int_equal(feed(&answer, OK "\r\nhi", 1), ANSWER_MORE);
    assert_int_equal(local_answer_eof(&answer), ANSWER_END);
    bytes = VIEW("more");
    assert_int_equal(local_answer_next(&answer, &bytes, &data), ANSWER_END);
    assert_int_equal(local_answer_eof(&answer), ANSWER_END);
    local_answer_done(&answer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),    cmocka_unit_test(test_limits),
        cmocka_unit_test(test_paused),  cmocka_unit_test(test_what_the_next_answer_begins_with),
        cmocka_unit_test(test_memory),  cmocka_unit_test(test_lines),
        cmocka_unit_test(test_details), cmocka_unit_test(test_one_length)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
