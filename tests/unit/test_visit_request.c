/* From a visitor's socket to the core: heads, bodies by credit, what is held, what is refused
 * (visit_request.c). */
#include <sys/ioctl.h>

#include "visit_scene.h"

#define GET "GET / HTTP/1.1\r\n" HOST
#define POST_9 "POST / HTTP/1.1\r\nContent-Length: 9\r\n" HOST
#define CHUNKED "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" HOST
#define OK_SHORT "HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 2\r\n\r\nok"

static void answer_short(void) {
    answer_200(2);
    data(VIEW("ok"));
    end();
}

/* ---- heads ---- */

static void test_what_the_core_is_told(void **state) {
    (void)state;
    static const struct {
        const char *request, *method, *target, *version;
        bool is_whole;
    } rows[] = {
        {GET, "GET", "/", "HTTP/1.1", true},
        {"PROPFIND /a%20b?c HTTP/1.0\r\n\r\n", "PROPFIND", "/a%20b?c", "HTTP/1.0", true},
        {POST_9, "POST", "/", "HTTP/1.1", false},
        {"POST / HTTP/1.1\r\nContent-Length: 0\r\n" HOST, "POST", "/", "HTTP/1.1", true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int fd = come();
        struct visit *visit = ask(fd, rows[i].request);
        assert_string_equal(core.exchange->method, rows[i].method);
        assert_string_equal(core.exchange->target, rows[i].target);
        assert_string_equal(core.exchange->version, rows[i].version);
        assert_string_equal(core.exchange->client, "127.0.0.1");
        assert_false(core.exchange->is_proxy);
        assert_int_equal(core.exchange->hops, 0);
        for (int j = 0; j < 3; j++) turn();
        assert_int_equal(core.exchange->has_body_end, rows[i].is_whole);
        assert_int_equal(visit->phase, VISIT_ASKED);
        visit_cut(visit);
        close(fd);
    }
}

/* The whole head has one deadline: from the connection's begin, or from its first byte between two requests.
 */
static void test_the_deadline_of_a_head(void **state) {
    (void)state;
    int fd = come();
    struct visit *visit = last_visit();
    visit->deadline_ms = 12345;
    say(fd, "\r\nG");
    UNTIL(visit->phase == VISIT_HEAD);
    assert_int_equal(visit->deadline_ms, 12345);
    say(fd, "ET / HTTP/1.1\r\n" HOST);
    UNTIL(core.asked == 1);
    answer_short();
    hear(fd, OK_SHORT);
    UNTIL(visit->phase == VISIT_IDLE);
    visit->deadline_ms = 12345;
    say(fd, "G");
    UNTIL(visit->phase == VISIT_HEAD);
    uint64_t now = loop_now(&loop);
    assert_in_range(visit->deadline_ms, now + HEADER_MS - 1000, now + HEADER_MS);
    visit->deadline_ms = 12345;
    say(fd, "E");
    UNTIL(visit->in.len == 2);
    assert_int_equal(visit->deadline_ms, 12345);
    say(fd, "T / HTTP/1.1\r\nX-A: b\r\nX-"); /* and cut with fields that are whole */
    UNTIL(visit->in.len > 20);
    close(fd);
}

static void test_methods_in_the_log(void **state) {
    (void)state;
    static const struct {
        const char *request, *logged;
    } rows[] = {
        {"ABCDEFGHIJKLMNOPQRSTUVW /x HTTP/1.1\r\n" HOST, "127.0.0.1 ABCDEFGHIJKLMNOPQRSTUVW /x 200 "},
        {"ABCDEFGHIJKLMNOPQRSTUVWX /x HTTP/1.1\r\n" HOST, "127.0.0.1 ? /x 200 "},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int fd = come();
        ask(fd, rows[i].request);
        answer_short();
        hear(fd, OK_SHORT);
        core.access[strlen(rows[i].logged)] = '\0';
        assert_string_equal(core.access, rows[i].logged);
        close(fd);
        UNTIL(core.clients.count == 0);
    }
}

static void test_a_core_without_memory(void **state) {
    (void)state;
    core.refuses = true;
    int fd = come();
    say(fd, GET);
    assert_int_equal(hear_end(fd), 0);
    assert_int_equal(core.clients.count, 0);
    close(fd);
}

/* However little the arena holds, the request is answered, or its connection ends. */
static void test_a_small_arena(void **state) {
    (void)state;
    int asked = 0, ended = 0;
    for (size_t max = 0; max < 4096; max += 16) {
        int fd = come();
        struct visit *visit = last_visit();
        visit->arena.max_bytes = max;
        int before = core.asked;
        struct buf heard;
        buf_init(&heard, 65536);
        say(fd, "GET /a HTTP/1.1\r\nX-A: b\r\nX-C: d\r\n" HOST);
        UNTIL(core.asked > before || core.clients.count == 0 || visit->phase == VISIT_LINGER);
        if (core.asked > before) {
            asked++;
            assert_string_equal(core.exchange->target, "/a");
            visit_cut(visit);
        } else {
            ended++;
        }
        close(fd);
        UNTIL(core.clients.count == 0);
        buf_done(&heard);
    }
    assert_true(asked > 0 && ended > 0);
}

/* ---- who is behind a proxy ---- */

static void test_behind_a_proxy(void **state) {
    (void)state;
    trust(1);
    int fds[3];
    struct visit *visits[3];
    for (int i = 0; i < 3; i++) {
        fds[i] = come();
        say(fds[i], "GET /x HTTP/1.1\r\nX-Forwarded-For: 192.0.2.7, 127.0.0.9\r\n" HOST);
        visits[i] = last_visit();
        if (i > 0) continue;
        UNTIL(core.asked == 1);
        assert_true(core.exchange->is_proxy);
        assert_int_equal(core.exchange->hops, 1);
        assert_string_equal(core.exchange->client, "127.0.0.1");
        assert_int_equal(core.proxied.count, 1);
    }
    for (int i = 1; i < 3; i++) { /* he has one under way */
        hear(fds[i], "HTTP/1.1 503 Service Unavailable\r\n");
        assert_non_null(strstr(core.access, " GET /x 503 "));
    }
    assert_int_equal(core.asked, 1);
    answer_short();
    hear(fds[0], OK_SHORT);
    assert_int_equal(memcmp(core.access, "192.0.2.7 GET /x 200 ", 21), 0);
    assert_int_equal(core.proxied.count, 0);
    ask(fds[0], "GET /y HTTP/1.1\r\n" HOST); /* the next one may be anybody's */
    assert_int_equal(core.proxied.count, 0);
    assert_int_equal(core.exchange->hops, 0);
    answer_short();
    hear(fds[0], OK_SHORT);
    assert_int_equal(memcmp(core.access, "127.0.0.1 GET /y 200 ", 21), 0);
    (void)visits;
    for (int i = 0; i < 3; i++) close(fds[i]);
    UNTIL(core.clients.count == 0);
}

/* ---- Expect ---- */

#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

static void test_expect(void **state) {
    (void)state;
    static const struct {
        const char *name, *request;
        bool gets_100;
    } rows[] = {
        {"with a body", "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 9\r\n" HOST, true},
        {"without a body", "GET / HTTP/1.1\r\nExpect: 100-continue\r\n" HOST, false},
        {"nothing expected", POST_9, false},
        {"HTTP/1.0", "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 9\r\n" HOST, false},
        {"it came by itself", "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 9\r\n" HOST "12",
         false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int fd = come();
        struct visit *visit = ask(fd, rows[i].request);
        assert_true(hears_nothing(fd)); /* before the core wants it */
        grant(3);
        if (rows[i].gets_100) hear(fd, CONTINUE);
        if (!hears_nothing(fd)) fail_msg("%s", rows[i].name);
        grant(3); /* once only */
        if (!hears_nothing(fd)) fail_msg("%s", rows[i].name);
        visit_cut(visit);
        close(fd);
    }
}

static void test_no_100_behind_an_answer(void **state) {
    (void)state;
    int fd = come();
    ask(fd, "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 9\r\n" HOST);
    answer_200(2);
    grant(9);
    data(VIEW("ok"));
    end();
    hear(fd, "HTTP/1.1 200 OK\r\nDate: now\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
    assert_int_equal(hear_end(fd), 0);
    close(fd);
}

/* ---- bodies ---- */

static void test_a_body_comes_as_far_as_it_is_granted(void **state) {
    (void)state;
    static const char *const rest[] = {"123456789", "4\r\n1234\r\n5\r\n56789\r\n0\r\n\r\n"};
    for (int i = 0; i < 2; i++) {
        int fd = come();
        struct visit *visit = ask(fd, i ? CHUNKED : POST_9);
        say(fd, rest[i]);
        UNTIL(visit->in.len > 0);
        assert_int_equal(core.exchange->body.len, 0);
        for (size_t j = 1; j <= 9; j++) {
            assert_false(core.exchange->has_body_end);
            grant(1);
            UNTIL(core.exchange->body.len == j);
            for (int k = 0; k < 3; k++) turn();
            assert_int_equal(core.exchange->body.len, j);
            assert_int_equal(visit->access.bytes_in, j);
            assert_int_equal(visit->credit, 0);
        }
        UNTIL(core.exchange->has_body_end);
        assert_true(view_eq(buf_view(&core.exchange->body), VIEW("123456789")));
        assert_int_equal(visit->in.len, 0);
        assert_int_equal(visit->in.cap, 0); /* no memory is kept */
        answer_short();
        hear(fd, OK_SHORT);
        close(fd);
        UNTIL(core.clients.count == 0);
    }
}

/* How much is read while an answer is awaited, and not before there is room. */
static void test_what_is_held(void **state) {
    (void)state;
    int fd = come();
    struct visit *visit = ask(fd, "POST / HTTP/1.1\r\nContent-Length: 1000000\r\n" HOST);
    assert_int_equal(visit_reads(visit), VISIT_HELD_BYTES);
    grant(100);
    assert_int_equal(visit_reads(visit), VISIT_HELD_BYTES + 100);
    grant(1000000);
    assert_int_equal(visit_reads(visit), VISIT_BLOCK_BYTES);
    visit->credit = 0;
    flood(fd, 100000);
    UNTIL(visit->in.len == VISIT_HELD_BYTES);
    assert_int_equal(visit_reads(visit), 0);
    assert_int_equal(visit->events, UV_DISCONNECT);
    grant(10);
    turn();
    assert_int_equal(core.exchange->body.len, 10);
    UNTIL(visit->in.len == VISIT_HELD_BYTES); /* and reads on */
    grant(1000000);
    flood(fd, 900000);
    UNTIL(core.exchange->has_body_end);
    visit->credit = 5;
    assert_int_equal(visit_reads(visit), VISIT_HELD_BYTES - visit->in.len); /* the next request, a little */
    visit->credit = 0;
    answer_200(LENGTH_UNKNOWN);
    turn();
    visit->in.max = visit->in.len + 7;
    assert_int_equal(visit_reads(visit), 7);
    visit_cut(visit);
    assert_int_equal(visit_reads(visit), 0);
    close(fd);
}

static void test_what_is_read_of_an_upgrade(void **state) {
    (void)state;
    int fd = come();
    struct visit *visit = ask(fd, "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: x\r\n" HOST);
    answer_101("x");
    UNTIL(visit->phase == VISIT_UPGRADED);
    core.exchange->has_body_end = false;
    assert_int_equal(visit_reads(visit), VISIT_HELD_BYTES);
    grant(50);
    assert_int_equal(visit_reads(visit), VISIT_HELD_BYTES + 50);
    flood(fd, SIZE_MAX);
    UNTIL(visit->in.len == VISIT_HELD_BYTES);
    assert_int_equal(core.exchange->body.len, 50);
    assert_int_equal(visit->events, UV_DISCONNECT);
    end(); /* from now on thrown away */
    UNTIL(visit->phase == VISIT_LINGER);
    assert_int_equal(visit_reads(visit), VISIT_BLOCK_BYTES);
    close(fd);
}

/* Between requests a block is read at once, and of a head that is not whole what is left of its bound. */
static void test_what_is_read_of_a_head(void **state) {
    (void)state;
    int fd = come();
    struct visit *visit = last_visit();
    assert_int_equal(visit_reads(visit), VISIT_BLOCK_BYTES);
    say(fd, "GET /");
    UNTIL(visit->in.len == 5);
    assert_int_equal(visit_reads(visit), VISIT_BLOCK_BYTES);
    visit->in.max = 12;
    assert_int_equal(visit_reads(visit), 7);
    say(fd, "1234567");
    UNTIL(visit->in.len == 12);
    assert_int_equal(visit_reads(visit), 0);
    close(fd);
}

/* A turn belongs to all: no more than four blocks of one visitor. */
static void test_reads_a_turn(void **state) {
    (void)state;
    static const char bytes[65536];
    int fd = come(), wide = 4 * 1024 * 1024;
    struct visit *visit = ask(fd, "POST / HTTP/1.1\r\nContent-Length: 10000000\r\n" HOST);
    setsockopt(visit->conn.fd, SOL_SOCKET, SO_RCVBUF, &wide, sizeof(wide));
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &wide, sizeof(wide));
    grant(10000000);
    size_t sent = 0;
    for (ssize_t len; sent < 6 * sizeof(bytes) && (len = send(fd, bytes, sizeof(bytes), 0)) > 0;)
        sent += (size_t)len;
    int waiting = 0;
    for (int i = 0; i < 100 && waiting < (int)(5 * sizeof(bytes)); i++)
        ioctl(visit->conn.fd, FIONREAD, &waiting);
    if (waiting >= (int)(5 * sizeof(bytes))) { /* as much as that is there: the kernel's to decide */
        assert_true(visit_receive(visit));
        assert_int_equal(core.exchange->body.len, 4 * sizeof(bytes));
    }
    UNTIL(core.exchange->body.len == sent);
    visit_cut(visit);
    close(fd);
}

/* ---- what cannot be used ---- */

static void test_a_body_that_is_malformed(void **state) {
    (void)state;
    int fd = come();
    ask(fd, CHUNKED);
    say(fd, "x\r\n");
    hear(fd, "HTTP/1.1 400 Bad Request\r\n");
    assert_int_equal(core.cancelled, 1);
    assert_non_null(strstr(core.access, " POST / 400 "));
    close(fd);
    UNTIL(core.clients.count == 0);

    fd = come(); /* with an answer under way there is only one way left to say it */
    ask(fd, CHUNKED);
    answer_200(LENGTH_UNKNOWN);
    turn();
    say(fd, "x\r\n" GET);
    UNTIL(core.cancelled == 2);
    assert_int_equal(core.asked, 2);
    struct buf heard;
    buf_init(&heard, 4096);
    assert_int_equal(hear_into(fd, &heard, 4096), ECONNRESET);
    buf_done(&heard);
    assert_int_equal(core.clients.count, 0);
    close(fd);
}

static void test_a_refusal_is_no_deadline(void **state) {
    (void)state;
    int fd = come();
    struct visit *visit = ask(fd, CHUNKED);
    grant(100);
    turn();
    visit->deadline_ms = 1;
    assert_true(visit_refuse(visit, HTTP_ERROR_BAD_REQUEST));
    assert_int_equal(visit->deadline_ms, 0);
    assert_int_equal(core.cancelled, 1);
    assert_null(visit->exchange);
    hear(fd, "HTTP/1.1 400 Bad Request\r\n");
    close(fd);
}

static void test_a_reset(void **state) {
    (void)state;
    int fd = come();
    struct visit *visit = ask(fd, POST_9);
    struct linger now = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(fd);
    struct pollfd wait = {.fd = visit->conn.fd, .events = POLLIN};
    assert_int_equal(poll(&wait, 1, 20000), 1);
    assert_false(visit_receive(visit)); /* recv() fails */
    assert_int_equal(visit->phase, VISIT_CLOSED);
    assert_int_equal(core.cancelled, 1);
}

/* Polled in vain: nothing is there, and nothing comes of it. */
static void test_nothing_to_read(void **state) {
    (void)state;
    int fd = come();
    struct visit *visit = ask(fd, POST_9);
    assert_true(visit_receive(visit));
    assert_false(visit->is_eof);
    say(fd, "123");
    UNTIL(visit->in.len == 3);
    assert_true(visit_receive(visit));
    assert_false(visit->is_eof);
    assert_int_equal(visit->in.len, 3);
    assert_int_equal(visit->phase, VISIT_ASKED);
    visit_cut(visit);
    close(fd);
}

/* The request, and the end of the visitor's direction, in one read. */
static void test_a_request_and_the_end(void **state) {
    (void)state;
    int fd = come();
    say(fd, POST_9 "12345");
    shutdown(fd, SHUT_WR);
    UNTIL(core.cancelled == 1); /* no nine bytes */
    close(fd);
    UNTIL(core.clients.count == 0);
    fd = come();
    say(fd, POST_9 "123456789");
    shutdown(fd, SHUT_WR);
    UNTIL(core.asked == 2);
    grant(9);
    turn();
    if (core.exchange) assert_true(core.exchange->has_body_end);
    close(fd);
    UNTIL(core.clients.count == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_what_the_core_is_told),
        TEST(test_the_deadline_of_a_head),
        TEST(test_methods_in_the_log),
        TEST(test_a_core_without_memory),
        TEST(test_a_small_arena),
        TEST(test_behind_a_proxy),
        TEST(test_expect),
        TEST(test_no_100_behind_an_answer),
        TEST(test_a_body_comes_as_far_as_it_is_granted),
        TEST(test_what_is_held),
        TEST(test_what_is_read_of_an_upgrade),
        TEST(test_what_is_read_of_a_head),
        TEST(test_reads_a_turn),
        TEST(test_a_body_that_is_malformed),
        TEST(test_a_refusal_is_no_deadline),
        TEST(test_a_reset),
        TEST(test_nothing_to_read),
        TEST(test_a_request_and_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
