/* A visitor's connection: its states, deadlines and ends (visit.c), and what concerns all of them
 * (visitor.c). */
#include <netinet/tcp.h>
#include <poll.h>

#include "visit_scene.h"

#define GET "GET / HTTP/1.1\r\n" HOST
#define GET_CLOSE "GET / HTTP/1.1\r\nConnection: close\r\n" HOST
#define UPGRADE "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: x\r\n" HOST
#define OK_HEAD "HTTP/1.1 200 OK\r\nDate: now\r\n"
#define OK_SHORT OK_HEAD "Content-Length: 2\r\n\r\nok"

static void assert_in_ms(uint64_t deadline_ms, uint64_t ms) {
    uint64_t now = loop_now(&loop);
    assert_in_range(deadline_ms, now + ms - 1000, now + ms);
}

static void answer_short(void) {
    answer_200(2);
    data(VIEW("ok"));
    end();
}

/* ---- birth and end ---- */

static void test_a_new_one_waits_for_a_head(void **state) {
    (void)state;
    int fd = come();
    struct visit *visit = last_visit();
    assert_int_equal(visit->phase, VISIT_NEW);
    assert_int_equal(visit->events, UV_READABLE);
    assert_in_ms(visit->deadline_ms, HEADER_MS);
    int limit = 0;
    socklen_t len = sizeof(limit);
    assert_int_equal(getsockopt(visit->conn.fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &limit, &len), 0);
    assert_int_equal(limit, 512 * 1024);
    close(fd);
    UNTIL(core.clients.count == 0);
    assert_true(list_empty(&core.visitors->all));
}

static void test_what_cannot_be_polled_is_closed(void **state) {
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET};
    struct client *client = clients_take(&core.clients, (struct sockaddr *)&address);
    int fd = open("/dev/null", O_RDWR);
    visitors_accept(core.visitors, &(struct conn){.fd = fd}, client, (struct sockaddr *)&address,
                    sizeof(address));
    assert_int_equal(core.clients.count, 0);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_true(list_empty(&core.visitors->all));
    assert_false(timer_armed(&core.visitors->sweep));
}

/* Woken, and gone before the turn ends. */
static void test_cut_while_it_is_woken(void **state) {
    (void)state;
    int fd = come();
    struct visit *visit = ask(fd, "POST / HTTP/1.1\r\nContent-Length: 5\r\n" HOST);
    grant(5);
    assert_false(list_empty(&core.visitors->changed));
    visit_cut(visit);
    assert_true(list_empty(&core.visitors->changed));
    assert_int_equal(visit->phase, VISIT_CLOSED);
    assert_int_not_equal(visit->magic, VISIT_MAGIC);
    assert_int_equal(visit_reads(visit), 0);
    assert_int_equal(core.cancelled, 1);
    assert_int_equal(hear_end(fd), 0); /* before an answer nothing can look whole */
    close(fd);
}

static void test_how_a_cut_ends(void **state) {
    (void)state;
    static const struct {
        const char *name, *request;
        int status;
        bool gives_body, ends;
        int error, cancelled;
        const char *logged; /* the end of its line */
    } rows[] = {
        {"before an answer", GET, 0, false, false, 0, 1, "error=- aborted"},
        {"within the body", GET, 200, true, false, ECONNRESET, 1, "error=- cut"},
        {"of an upgrade", UPGRADE, 101, true, false, 0, 1, "error=- cut"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int fd = come();
        struct visit *visit = ask(fd, rows[i].request);
        core.cancelled = 0;
        if (rows[i].status == 101) answer_101("x");
        if (rows[i].status == 200) answer_200(10);
        if (rows[i].gives_body) data(VIEW("part"));
        turn();
        visit_cut(visit);
        struct buf heard;
        buf_init(&heard, 4096);
        if (hear_into(fd, &heard, 4096) != rows[i].error || core.cancelled != rows[i].cancelled)
            fail_msg("%s: another end", rows[i].name);
        size_t len = strlen(core.access), end = strlen(rows[i].logged);
        if (len < end || strcmp(core.access + len - end, rows[i].logged) != 0)
            fail_msg("%s: %s", rows[i].name, core.access);
        buf_done(&heard);
        close(fd);
    }
}

/* Its core is done with it, but the visitor has not read all: that is no whole answer. */
static void test_a_cut_behind_the_exchange(void **state) {
    (void)state;
    int fd = come();
    struct visit *visit = ask(fd, GET);
    answer_200(LENGTH_UNKNOWN);
    block(visit);
    end();
    turn();
    visit_cut(visit);
    assert_non_null(strstr(core.access, " cut"));
    assert_int_equal(core.cancelled, 0);
    close(fd);
}

static void test_the_line_of_a_request(void **state) {
    (void)state;
    int fd = come();
    ask(fd, GET);
    answer_short();
    hear(fd, OK_SHORT);
    assert_int_equal(memcmp(core.access, "127.0.0.1 GET / 200 ", 20), 0);
    assert_non_null(strstr(core.access, " 2B tunnel=by-hand error=-"));
    assert_null(strstr(core.access, " cut"));
    close(fd);
}

/* ---- behind an answer ---- */

static void test_what_follows_an_answer(void **state) {
    (void)state;
    static const struct {
        const char *name, *request;
        enum http_error error;
        bool says_eof;
        int phase; /* 0: closed */
    } rows[] = {
        {"kept", GET, 0, false, VISIT_IDLE},
        {"to be closed", GET_CLOSE, 0, false, 0},
        {"to be closed, more has come", GET_CLOSE "GET /next", 0, false, VISIT_LINGER},
        {"to be closed, more has come and the end", GET_CLOSE "GET /next", 0, true, 0},
        {"a body that nobody read", "POST / HTTP/1.1\r\nContent-Length: 9\r\n" HOST "abc", 0, false,
         VISIT_LINGER},
        {"an error that closes", GET, HTTP_ERROR_BAD_REQUEST, false, VISIT_LINGER},
        {"an error that does not", GET, HTTP_ERROR_TUNNEL_NOT_FOUND, false, VISIT_IDLE},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int fd = come();
        struct visit *visit = ask(fd, rows[i].request);
        if (rows[i].says_eof) shutdown(fd, SHUT_WR);
        if (rows[i].says_eof) UNTIL(visit->is_eof);
        answer((struct answer_head){.status = 200,
                                    .content_length = 2,
                                    .has_body = true,
                                    .close = http_error_closes(rows[i].error),
                                    .error = rows[i].error},
               NULL);
        data(VIEW("ok"));
        end();
        UNTIL(core.clients.count == 0 || visit->phase != VISIT_ASKED);
        int phase = core.clients.count ? (int)visit->phase : 0;
        if (phase != rows[i].phase) fail_msg("%s: %d", rows[i].name, phase);
        if (phase == VISIT_IDLE) assert_in_ms(visit->deadline_ms, KEEPALIVE_MS);
        if (phase == VISIT_LINGER) {
            assert_in_ms(visit->deadline_ms, 3000);
            assert_true(flood(fd, 1024 * 1024) == 1024 * 1024); /* thrown away */
            assert_int_equal(visit->in.len, 0);
        }
        close(fd);
        UNTIL(core.clients.count == 0);
    }
}

/* Asked to drain between head and end of an answer: the connection ends at the next look. */
static void test_idle_while_it_drains(void **state) {
    (void)state;
    int fd = come();
    struct visit *visit = ask(fd, GET);
    answer_200(2);
    turn();
    visitors_close_after(core.visitors);
    data(VIEW("ok"));
    end();
    UNTIL(visit->phase == VISIT_IDLE);
    assert_true(visit->deadline_ms > 0 && visit->deadline_ms <= loop_now(&loop));
    visit_tick(visit, visit->deadline_ms);
    hear(fd, OK_SHORT);
    assert_int_equal(hear_end(fd), 0);
    close(fd);
}

/* The service closes what was switched to: so does the visitor's connection. */
static void test_the_end_of_an_upgrade(void **state) {
    (void)state;
    int fd = come();
    struct visit *visit = ask(fd, UPGRADE);
    answer_101("x");
    data(VIEW("y"));
    UNTIL(visit->phase == VISIT_UPGRADED);
    end();
    UNTIL(visit->phase == VISIT_LINGER);
    hear(fd, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\nDate: now\r\n\r\ny");
    assert_int_equal(hear_end(fd), 0);
    close(fd);
}

/* ---- deadlines ---- */

static void test_what_a_visitor_owes(void **state) {
    (void)state;
    int fd = come();
    struct visit *visit = ask(fd, "POST / HTTP/1.1\r\nContent-Length: 9\r\n" HOST);
    assert_int_equal(visit->deadline_ms, 0); /* nothing was granted */
    grant(20);
    turn();
    assert_in_ms(visit->deadline_ms, BODY_IDLE_MS + 3000);
    visit->deadline_ms = 1; /* as if */
    grant(1);
    turn();
    assert_int_equal(visit->deadline_ms, 1); /* nothing has moved */
    say(fd, "four");
    UNTIL(core.exchange->body.len == 4);
    assert_in_ms(visit->deadline_ms, BODY_IDLE_MS + 3000);
    visit->deadline_ms = 1;
    grant(1);
    turn();
    assert_int_equal(visit->deadline_ms, 1);
    say(fd, "fives");
    UNTIL(core.exchange->has_body_end);
    assert_int_equal(visit->deadline_ms, 0);
    answer_200(LENGTH_UNKNOWN);
    turn();
    assert_int_equal(visit->deadline_ms, 0);
    block(visit);
    assert_in_ms(visit->deadline_ms, BODY_IDLE_MS);
    static const char more[4 * 1024 * 1024];
    data(view_of(more, sizeof(more)));
    turn();
    visit->deadline_ms = 1;
    struct buf heard;
    buf_init(&heard, 64u * 1024 * 1024);
    for (size_t before = core.exchange->drained; core.exchange->drained == before;) hear_some(fd, &heard);
    assert_true(visit->is_blocked);
    assert_in_ms(visit->deadline_ms, BODY_IDLE_MS); /* he reads */
    buf_done(&heard);
    end();
    turn();
    assert_in_ms(visit->deadline_ms, BODY_IDLE_MS);
    close(fd);
    UNTIL(core.clients.count == 0);
}

/* What is granted at once is owed at once. */
static void test_what_is_owed_from_the_first_turn_on(void **state) {
    (void)state;
    core.grants = 5;
    int fd = come();
    struct visit *visit = ask(fd, "POST / HTTP/1.1\r\nContent-Length: 9\r\n" HOST);
    turn();
    assert_in_ms(visit->deadline_ms, BODY_IDLE_MS + 3000);
    close(fd);
    UNTIL(core.clients.count == 0);
}

static void test_nothing_is_owed_after_an_upgrade(void **state) {
    (void)state;
    int fd = come();
    struct visit *visit = ask(fd, UPGRADE);
    answer_101("x");
    grant(100);
    turn();
    assert_int_equal(visit->deadline_ms, 0);
    block(visit);
    assert_int_equal(visit->deadline_ms, 0);
    close(fd);
    UNTIL(core.clients.count == 0);
}

static void test_a_tick(void **state) {
    (void)state;
    int fd = come();
    struct visit *visit = last_visit();
    uint64_t at = visit->deadline_ms;
    visit_tick(visit, at - 1);
    assert_int_equal(visit->phase, VISIT_NEW);
    visit_tick(visit, at);
    assert_int_equal(visit->phase, VISIT_CLOSED); /* without a word */
    assert_int_equal(hear_end(fd), 0);
    close(fd);

    fd = come();
    visit = last_visit();
    visit->deadline_ms = 0;
    visit_tick(visit, UINT64_MAX);
    assert_int_equal(visit->phase, VISIT_NEW);
    say(fd, "GET / HT");
    UNTIL(visit->phase == VISIT_HEAD);
    visit->deadline_ms = 1;
    visit_tick(visit, 1);
    assert_int_equal(visit->phase, VISIT_ASKED); /* it is told */
    assert_int_equal(visit->deadline_ms, 0);
    UNTIL(visit->phase == VISIT_LINGER);
    assert_int_equal(memcmp(core.access, "127.0.0.1 ? ? 408 ", 18), 0);
    visit_tick(visit, visit->deadline_ms);
    assert_int_equal(visit->phase, VISIT_CLOSED);
    close(fd);

    fd = come();
    visit = ask(fd, GET);
    answer_short();
    hear(fd, OK_SHORT);
    assert_int_equal(visit->phase, VISIT_IDLE);
    visit_tick(visit, visit->deadline_ms); /* that he has read an answer is no excuse */
    assert_int_equal(visit->phase, VISIT_CLOSED);
    close(fd);
}

/* Who reads slowly reads: he is cut only when nothing at all was taken in the meantime. */
static void test_a_slow_reader(void **state) {
    (void)state;
    int fd = come();
    struct visit *visit = ask(fd, GET);
    answer_200(LENGTH_UNKNOWN);
    block(visit);
    uint64_t now = visit->deadline_ms;
    visit_tick(visit, now);
    assert_int_equal(visit->deadline_ms, now + BODY_IDLE_MS);
    visit_tick(visit, now + BODY_IDLE_MS);
    assert_int_equal(visit->phase, VISIT_CLOSED);
    assert_int_equal(core.cancelled, 1);
    close(fd);
}

/* He may have read another answer in the meantime: what he owes now is a body. */
static void test_a_body_that_does_not_come(void **state) {
    (void)state;
    int fd = come();
    ask(fd, GET);
    answer_short();
    hear(fd, OK_SHORT);
    struct visit *visit = ask(fd, "POST / HTTP/1.1\r\nContent-Length: 9\r\n" HOST);
    grant(9);
    turn();
    visit_tick(visit, visit->deadline_ms);
    assert_int_equal(visit->phase, VISIT_CLOSED);
    assert_int_equal(core.cancelled, 1);
    close(fd);
}

static void test_how_often_deadlines_are_looked_at(void **state) {
    (void)state;
    static const struct {
        uint64_t header_ms, keepalive_ms, body_ms, interval_ms;
    } rows[] = {
        {2000, 3000, 3000, 500},  {3000, 2000, 3000, 500},  {3000, 3000, 2000, 500},  {3996, 9000, 9000, 999},
        {4000, 9000, 9000, 1000}, {9000, 9000, 9000, 1000}, {80, 9000, 9000, 20},     {84, 9000, 9000, 21},
        {10, 9000, 9000, 20},     {2007, 3000, 3000, 501},  {4004, 9000, 9000, 1000},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        core.visitors->settings.header_timeout_ms = rows[i].header_ms;
        core.visitors->settings.keepalive_timeout_ms = rows[i].keepalive_ms;
        core.visitors->settings.body_idle_timeout_ms = rows[i].body_ms;
        uint64_t now = loop_now(&loop);
        int fd = come();
        assert_true(timer_armed(&core.visitors->sweep));
        assert_int_equal(core.visitors->sweep.deadline_ms - now, rows[i].interval_ms);
        timer_stop(&loop.timers, &core.visitors->sweep);
        close(fd);
        UNTIL(core.clients.count == 0);
    }
}

/* All that are past their deadlines go with one sweep, and with the last of them the sweeps end. */
static void test_a_sweep(void **state) {
    (void)state;
    core.visitors->settings.header_timeout_ms = 40;
    int fds[3];
    for (int i = 0; i < 3; i++) fds[i] = come();
    uint64_t first = core.visitors->sweep.deadline_ms;
    UNTIL(core.visitors->sweep.deadline_ms != first || core.clients.count == 0); /* and again */
    UNTIL(core.clients.count == 0);
    assert_false(timer_armed(&core.visitors->sweep));
    for (int i = 0; i < 3; i++) assert_int_equal(hear_end(fds[i]), 0);
    for (int i = 0; i < 3; i++) close(fds[i]);
}

/* ---- leaving ---- */

static struct visit *half_close(int fd, struct visit *visit) {
    shutdown(fd, SHUT_WR);
    UNTIL(visit->is_eof);
    return visit;
}

static void test_a_half_closed_one_is_given_a_moment(void **state) {
    (void)state;
    int fd = come();
    struct visit *visit = ask(fd, GET);
    half_close(fd, visit);
    assert_false(list_empty(&visit->leaving));
    assert_true(timer_armed(&core.visitors->leave));
    timer_stop(&loop.timers, &core.visitors->leave); /* the moment is the test's to choose */
    assert_in_ms(visit->leave_ms, 10);
    assert_false(uv_is_active((uv_handle_t *)&visit->poll)); /* an end is said once */
    answer_200(10);
    data(VIEW("12345"));
    for (int i = 0; i < 2; i++) turn();
    visit_leave(visit); /* something was sent to him: he may stay */
    assert_int_equal(visit->phase, VISIT_ASKED);
    assert_int_equal(visit->leave_bytes, 5);
    assert_false(list_empty(&visit->leaving));
    assert_ptr_equal(core.visitors->leaving.next, &visit->leaving);
    assert_ptr_equal(visit->leaving.next, &core.visitors->leaving);
    timer_stop(&loop.timers, &core.visitors->leave);
    visit_leave(visit); /* and nothing since */
    assert_int_equal(visit->phase, VISIT_CLOSED);
    assert_int_equal(core.cancelled, 1);
    assert_true(list_empty(&core.visitors->leaving));
    close(fd);
}

static void test_who_is_blocked_has_not_left(void **state) {
    (void)state;
    int fd = come();
    struct visit *visit = ask(fd, GET);
    answer_200(LENGTH_UNKNOWN);
    block(visit);
    half_close(fd, visit);
    for (int i = 0; i < 3; i++) {
        visit->leave_bytes = visit->access.bytes_out;
        visit_leave(visit);
        assert_int_equal(visit->phase, VISIT_ASKED);
    }
    end(); /* the rest is his without a deadline of leaving */
    list_remove(&visit->leaving);
    visit_go_on(visit);
    assert_true(list_empty(&visit->leaving));
    assert_int_equal(visit->phase, VISIT_ASKED);
    struct buf heard;
    buf_init(&heard, 64u * 1024 * 1024);
    assert_int_equal(hear_into(fd, &heard, SIZE_MAX), 0);
    assert_memory_equal(buf_view(&heard).ptr + heard.len - 5, "0\r\n\r\n", 5);
    buf_done(&heard);
    close(fd);
}

static void test_who_leaves_within_his_body_is_cut_at_once(void **state) {
    (void)state;
    int fd = come();
    ask(fd, "POST / HTTP/1.1\r\nContent-Length: 9\r\n" HOST "abc");
    shutdown(fd, SHUT_WR);
    UNTIL(core.cancelled == 1 || timer_armed(&core.visitors->leave));
    assert_false(timer_armed(&core.visitors->leave));
    assert_int_equal(core.clients.count, 0);
    close(fd);
}

/* One timer for all: it goes on to the next one's moment. */
static void test_two_leave(void **state) {
    (void)state;
    int fds[2];
    struct visit *visits[2];
    for (int i = 0; i < 2; i++) {
        fds[i] = come();
        visits[i] = ask(fds[i], GET);
        core.exchange = NULL;
    }
    struct exchange *second = visits[1]->exchange;
    for (int i = 0; i < 2; i++) {
        half_close(fds[i], visits[i]);
        timer_stop(&loop.timers, &core.visitors->leave); /* the moment is the test's to choose */
    }
    uint64_t now = loop_now(&loop);
    visits[0]->leave_ms = now; /* now is not later */
    visits[1]->leave_ms = now + 30;
    core.visitors->leave.fn(&core.visitors->leave);
    assert_int_equal(core.cancelled, 1);
    assert_ptr_equal(visits[1]->exchange, second);
    assert_true(timer_armed(&core.visitors->leave));
    assert_int_equal(core.visitors->leave.deadline_ms, now + 30);
    UNTIL(core.cancelled == 2);
    assert_true(loop_now(&loop) >= now + 30);
    assert_false(timer_armed(&core.visitors->leave));
    for (int i = 0; i < 2; i++) close(fds[i]);
}

/* Nothing is read any more, but that he is gone is seen. */
static void test_who_goes_while_nothing_is_read(void **state) {
    (void)state;
    int fd = come();
    struct visit *visit = ask(fd, GET);
    flood(fd, SIZE_MAX);
    UNTIL(visit->in.len == VISIT_HELD_BYTES);
    assert_int_equal(visit->events, UV_DISCONNECT);
    struct linger now = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(fd);
    UNTIL(core.cancelled == 1);
    assert_int_equal(core.clients.count, 0);
}

static void test_who_reads_while_nothing_is_read_of_him(void **state) {
    (void)state;
    int fd = come();
    struct visit *visit = ask(fd, GET);
    flood(fd, SIZE_MAX);
    UNTIL(visit->in.len == VISIT_HELD_BYTES);
    answer_200(LENGTH_UNKNOWN);
    block(visit);
    assert_int_equal(visit->events, UV_DISCONNECT | UV_WRITABLE);
    struct buf heard;
    buf_init(&heard, 64u * 1024 * 1024);
    size_t before = core.exchange->drained;
    for (size_t i = 1; core.exchange && core.exchange->drained == before; i++)
        hear_into(fd, &heard, heard.len + 1);
    assert_non_null(core.exchange);
    assert_int_equal(core.cancelled, 0);
    buf_done(&heard);
    close(fd);
    UNTIL(core.clients.count == 0);
}

/* ---- going down ---- */

static void test_draining(void **state) {
    (void)state;
    int fds[5];
    struct visit *visits[5];
    enum { NEW, UNREAD, IDLE, PART, ASKED };
    for (int i = 0; i < 5; i++) {
        fds[i] = come();
        visits[i] = last_visit();
    }
    say(fds[IDLE], GET);
    UNTIL(core.asked == 1);
    answer_short();
    say(fds[PART], "GET / HT");
    say(fds[ASKED], GET);
    UNTIL(core.asked == 2 && visits[IDLE]->phase == VISIT_IDLE && visits[PART]->phase == VISIT_HEAD);
    assert_int_equal(visitors_busy(core.visitors), 4); /* new ones are awaited */
    say(fds[UNREAD], GET);
    struct pollfd wait = {.fd = visits[UNREAD]->conn.fd, .events = POLLIN};
    assert_int_equal(poll(&wait, 1, 20000), 1);
    uint64_t now = loop_now(&loop);
    visits[NEW]->deadline_ms = now + 5000;
    visits[PART]->deadline_ms = now + 5000;
    visits[UNREAD]->deadline_ms = now + 5000;
    visitors_drain(core.visitors);
    assert_true(core.visitors->draining);
    assert_int_equal(visits[IDLE]->phase, VISIT_CLOSED);
    assert_int_equal(visits[NEW]->deadline_ms, now + 1000);
    assert_int_equal(visits[UNREAD]->deadline_ms, now + 5000);
    assert_int_equal(visits[PART]->deadline_ms, now + 5000);
    assert_int_equal(visitors_busy(core.visitors), 4);
    visits[NEW]->deadline_ms = now + 1;
    visitors_drain(core.visitors); /* never to a later time */
    assert_int_equal(visits[NEW]->deadline_ms, now + 1);
    core.exchange = visits[ASKED]->exchange;
    answer_short();
    UNTIL(core.asked == 3);
    answer_short();
    hear(fds[ASKED], OK_HEAD "Connection: close\r\nContent-Length: 2\r\n\r\nok");
    hear(fds[UNREAD], OK_HEAD "Connection: close\r\nContent-Length: 2\r\n\r\nok");
    for (int i = 0; i < 5; i++) close(fds[i]);
    UNTIL(core.clients.count == 0);
}

/* One between two requests that has already sent the next one gets its answer. */
static void test_draining_an_idle_one_that_asks(void **state) {
    (void)state;
    int fd = come();
    struct visit *visit = ask(fd, GET);
    answer_short();
    hear(fd, OK_SHORT);
    assert_int_equal(visitors_busy(core.visitors), 0);
    say(fd, GET);
    struct pollfd wait = {.fd = visit->conn.fd, .events = POLLIN};
    assert_int_equal(poll(&wait, 1, 20000), 1);
    assert_int_equal(visitors_busy(core.visitors), 1);
    visitors_drain(core.visitors);
    UNTIL(core.asked == 2);
    answer_short();
    hear(fd, OK_HEAD "Connection: close\r\nContent-Length: 2\r\n\r\nok");
    close(fd);
}

static void test_stopping(void **state) {
    (void)state;
    visitors_stop(NULL);
    int fd = come();
    ask(fd, GET);
    timer_start(&loop.timers, &core.visitors->leave, 1000);
    visitors_stop(core.visitors);
    assert_int_equal(core.cancelled, 1);
    assert_true(core.visitors->draining);
    assert_false(timer_armed(&core.visitors->sweep));
    assert_false(timer_armed(&core.visitors->leave));
    assert_true(list_empty(&loop.hooks));
    visitors_stop(core.visitors); /* once more is nothing */
    close(fd);
}

/* Visitors of one tunnel have so much of a turn together; the rest of it comes in the next. */
static void test_the_tunnel_has_had_its_turn(void **state) {
    (void)state;
    core.tunnel_key = 7;
    int fd = come();
    struct visit *visit = ask(fd, "GET / HTTP/1.1\r\n" HOST);
    struct turns *turns = &core.visitors->turns;
    assert_int_equal(visit->share, turns_share(7));
    turns_spend(turns, visit->share, TURN_OUT, (size_t)3 * TURN_ALONE * TURN_BYTES);
    answer_200(2);
    data(VIEW("ok"));
    end();
    turn();
    assert_false(list_empty(&core.visitors->late));
    assert_int_equal(visit->phase, VISIT_ASKED);
    for (uint32_t from = loop.turn; loop.turn - from < 5;)
        uv_run(&loop.uv, UV_RUN_ONCE); /* waits for nothing */
    assert_true(list_empty(&core.visitors->late));
    assert_int_equal(visit->phase, VISIT_IDLE);
    hear(fd, "HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 2\r\n\r\nok");
    close(fd);
    UNTIL(list_empty(&core.visitors->all));
}

static void test_a_request_waits_for_its_tunnels_turn(void **state) {
    (void)state;
    core.tunnel_key = 7;
    int fd = come();
    struct visit *visit = ask(fd, "GET / HTTP/1.1\r\n" HOST);
    answer_200(0);
    end();
    UNTIL(visit->phase == VISIT_IDLE);
    turns_spend(&core.visitors->turns, visit->share, TURN_IN, (size_t)20 * TURN_ALONE * TURN_BYTES);
    say(fd, "GET / HTTP/1.1\r\n" HOST);
    for (int i = 0; i < 10; i++) turn();
    assert_int_equal(core.asked, 1);
    UNTIL(core.asked == 2);
    answer_200(0);
    end();
    UNTIL(visit->phase == VISIT_IDLE);
    close(fd);
    UNTIL(list_empty(&core.visitors->all));
}

/* A visitor of this tunnel, who has asked for this; who is kept awake by nothing else. */
static int come_and_ask(uint64_t tunnel_key, const char *request, struct exchange **ret_exchange) {
    int fd = come();
    core.tunnel_key = tunnel_key;
    ask(fd, request);
    *ret_exchange = core.exchange;
    return fd;
}

/* From now on 7 takes much, and others little. */
static void be_heavy(void) {
    struct turns *turns = &core.visitors->turns;
    turns->rivals.until_ms = turns->rivals.light_until_ms = UINT64_MAX;
    turns->shares[turns_share(7)].heavy_until_ms = UINT64_MAX;
    turns_spend(turns, turns_share(9), TURN_IN, 0);
}

static void await_bytes(const struct visit *visit) {
    struct pollfd one = {.fd = visit->conn.fd, .events = POLLIN};
    assert_int_equal(poll(&one, 1, -1), 1);
}

static void answer_one(struct exchange *exchange, bool has_end) {
    core.exchange = exchange;
    answer_200(has_end ? 2 : LENGTH_UNKNOWN);
    data(VIEW("ok"));
    if (has_end) end();
}

/* Who has come last is the first who is read. */
static void test_who_takes_little_is_read_first(void **state) {
    (void)state;
    struct exchange *heavy, *light;
    int heavy_fd = come_and_ask(7, "GET / HTTP/1.1\r\n" HOST, &heavy);
    struct visit *heavy_visit = last_visit();
    int light_fd = come_and_ask(8, "GET / HTTP/1.1\r\n" HOST, &light);
    struct visit *light_visit = last_visit();
    answer_one(heavy, true);
    answer_one(light, true);
    turn();
    be_heavy();
    say(heavy_fd, "GET /h HTTP/1.1\r\n" HOST);
    await_bytes(heavy_visit);
    say(light_fd, "GET /l HTTP/1.1\r\n" HOST);
    await_bytes(light_visit);
    uint32_t before = loop.turn;
    UNTIL(core.asked == 4);
    assert_string_equal(core.order, "lh");
    assert_int_equal(loop.turn - before, 1); /* both in one */
    close(heavy_fd);
    close(light_fd);
    UNTIL(list_empty(&core.visitors->all));
}

static void test_who_takes_little_is_answered_first(void **state) {
    (void)state;
    struct exchange *heavy, *light;
    int heavy_fd = come_and_ask(7, "GET /h HTTP/1.1\r\n" HOST, &heavy);
    int light_fd = come_and_ask(8, "GET /l HTTP/1.1\r\n" HOST, &light);
    be_heavy();
    answer_one(heavy, false);
    answer_one(light, false);
    turn();
    assert_string_equal(core.order, "hlLH");
    close(heavy_fd);
    close(light_fd);
    UNTIL(list_empty(&core.visitors->all));
}

/* Something of it has come, and it goes before that is read. */
static void test_cut_while_it_is_unread(void **state) {
    (void)state;
    struct exchange *heavy;
    int fd = come_and_ask(7, "GET / HTTP/1.1\r\n" HOST, &heavy);
    struct visit *visit = last_visit();
    list_append(&core.visitors->unread, &visit->unread);
    visit_cut(visit);
    assert_true(list_empty(&core.visitors->unread));
    close(fd);
}

/* One that was put off, and goes. */
static void test_cut_while_it_is_late(void **state) {
    (void)state;
    core.tunnel_key = 7;
    int fd = come();
    struct visit *visit = ask(fd, "GET / HTTP/1.1\r\n" HOST);
    turns_spend(&core.visitors->turns, visit->share, TURN_OUT, (size_t)3 * TURN_ALONE * TURN_BYTES);
    answer_200(2);
    turn();
    assert_false(list_empty(&core.visitors->late));
    visit_cut(visit);
    assert_true(list_empty(&core.visitors->late));
    for (int i = 0; i < 8; i++) turn();
    close(fd);
}

#define H2_HELLO "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"

/* A request with a head and no more: https, GET, / and a host. */
static void ask_by_h2(int fd, char stream) {
    const char frame[] = {0, 0, 6, 1, 5, 0, 0, 0, stream, '\x82', '\x84', '\x87', '\x41', 1, 'a'};
    int before = core.asked;
    assert_int_equal(send(fd, frame, sizeof(frame), MSG_NOSIGNAL), sizeof(frame));
    UNTIL(core.asked > before);
}

/* Whose answers still come does not get rid of his tunnel's bounds by asking for something that is none's. */
static void test_a_share_stays(void **state) {
    (void)state;
    int fd = come_by_h2();
    struct h2_conn *conn = LIST_ENTRY(core.visitors->h2.all.next, struct h2_conn, node);
    assert_int_equal(send(fd, H2_HELLO, sizeof(H2_HELLO) - 1, MSG_NOSIGNAL), sizeof(H2_HELLO) - 1);
    static const uint64_t keys[] = {7, 0, 8};
    static const uint64_t expected[] = {7, 7, 8};
    for (size_t i = 0; i < 3; i++) {
        core.tunnel_key = keys[i];
        ask_by_h2(fd, (char)(1 + 2 * i));
        assert_int_equal(conn->share, turns_share(expected[i]));
        answer_short();
    }
    UNTIL(conn->count == 0);
    close(fd);
    UNTIL(list_empty(&core.visitors->h2.all));
}

/* A GET of a path of one letter. */
static void say_by_h2(int fd, char stream, char letter) {
    const char frame[] = {0,      0,      9, 1,   5,      0,      0,      0, stream,
                          '\x82', '\x04', 2, '/', letter, '\x87', '\x41', 1, 'a'};
    assert_int_equal(send(fd, frame, sizeof(frame), MSG_NOSIGNAL), sizeof(frame));
}

static int come_by_h2_and_ask(uint64_t tunnel_key, char letter, struct exchange **ret_exchange) {
    int fd = come_by_h2(), before = core.asked;
    core.tunnel_key = tunnel_key;
    assert_int_equal(send(fd, H2_HELLO, sizeof(H2_HELLO) - 1, MSG_NOSIGNAL), sizeof(H2_HELLO) - 1);
    say_by_h2(fd, 1, letter);
    UNTIL(core.asked > before);
    *ret_exchange = core.exchange;
    return fd;
}

static void await_bytes_by_h2(struct list *node) {
    struct pollfd one = {.fd = LIST_ENTRY(node, struct h2_conn, node)->conn.fd, .events = POLLIN};
    assert_int_equal(poll(&one, 1, -1), 1);
}

static void test_who_takes_little_is_first_by_h2(void **state) {
    (void)state;
    struct exchange *heavy, *light;
    int heavy_fd = come_by_h2_and_ask(7, 'h', &heavy), light_fd = come_by_h2_and_ask(8, 'l', &light);
    struct list *all = &core.visitors->h2.all;
    be_heavy();
    answer_one(heavy, false);
    answer_one(light, false);
    turn();
    assert_string_equal(core.order, "hlLH");
    say_by_h2(heavy_fd, 3, 'h');
    await_bytes_by_h2(all->next);
    say_by_h2(light_fd, 3, 'l');
    await_bytes_by_h2(all->prev);
    UNTIL(core.asked == 4);
    assert_string_equal(core.order, "hlLHlh");
    close(heavy_fd);
    close(light_fd);
    UNTIL(list_empty(all));
}

/* So many, which come together. */
static void say_many_by_h2(int fd, const struct h2_conn *conn, int first, int count) {
    int bytes = count * 18, one = 1;
    assert_int_equal(setsockopt(conn->conn.fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes)), 0);
    for (int i = first; i < first + count; i++) say_by_h2(fd, (char)(1 + 2 * i), 'h');
    struct pollfd ready = {.fd = conn->conn.fd, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, -1), 1);
    assert_int_equal(setsockopt(conn->conn.fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof(one)), 0);
}

static void test_many_at_once_by_h2_are_read_in_turns(void **state) {
    (void)state;
    struct exchange *heavy;
    int fd = come_by_h2_and_ask(7, 'h', &heavy);
    struct h2_conn *conn = LIST_ENTRY(core.visitors->h2.all.next, struct h2_conn, node);
    say_many_by_h2(fd, conn, 1, 4);
    UNTIL(core.asked == 5);
    assert_false(conn->is_dense);
    say_many_by_h2(fd, conn, 5, 5);
    UNTIL(core.asked == 10);
    assert_true(conn->is_dense);
    say_many_by_h2(fd, conn, 10, 40);
    UNTIL(core.asked > 10);
    assert_int_equal(core.asked, 50); /* nobody waits behind it */
    be_heavy();
    say_many_by_h2(fd, conn, 50, 50);
    UNTIL(core.asked > 50);
    assert_int_equal(core.asked, 50 + 512 / 18); /* and a part of the next */
    UNTIL(core.asked == 100);
    close(fd);
    UNTIL(list_empty(&core.visitors->h2.all));
}

/* By HTTP/2: GOAWAY is said before the end, also where the tunnel has had its turn. */
static void test_going_down_while_it_is_late(void **state) {
    (void)state;
    static const char goaway[] = "\0\0\x08\7\0\0\0\0";
    int fd = come_by_h2();
    struct h2_conn *conn = LIST_ENTRY(core.visitors->h2.all.next, struct h2_conn, node);
    assert_int_equal(send(fd, H2_HELLO, sizeof(H2_HELLO) - 1, MSG_NOSIGNAL), sizeof(H2_HELLO) - 1);
    struct buf heard;
    buf_init(&heard, 4096);
    hear_into(fd, &heard, 9 + 1); /* its settings, and the begin of what follows: ours have come */
    turn();
    conn->share = turns_share(7);
    turns_spend(&core.visitors->turns, conn->share, TURN_OUT, (size_t)3 * TURN_ALONE * TURN_BYTES);
    visitors_drain(core.visitors);
    turn();
    assert_false(list_empty(&core.visitors->h2.late));
    assert_int_equal(visitors_busy(core.visitors), 1);
    UNTIL(list_empty(&core.visitors->h2.all));
    assert_int_equal(hear_into(fd, &heard, 4096), 0);
    assert_non_null(memmem(heard.ptr, heard.len, goaway, sizeof(goaway)));
    buf_done(&heard);
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_a_new_one_waits_for_a_head),
        TEST(test_what_cannot_be_polled_is_closed),
        TEST(test_cut_while_it_is_woken),
        TEST(test_how_a_cut_ends),
        TEST(test_a_cut_behind_the_exchange),
        TEST(test_the_line_of_a_request),
        TEST(test_what_follows_an_answer),
        TEST(test_idle_while_it_drains),
        TEST(test_the_end_of_an_upgrade),
        TEST(test_what_a_visitor_owes),
        TEST(test_what_is_owed_from_the_first_turn_on),
        TEST(test_nothing_is_owed_after_an_upgrade),
        TEST(test_a_tick),
        TEST(test_a_slow_reader),
        TEST(test_a_body_that_does_not_come),
        TEST(test_how_often_deadlines_are_looked_at),
        TEST(test_a_sweep),
        TEST(test_a_half_closed_one_is_given_a_moment),
        TEST(test_who_is_blocked_has_not_left),
        TEST(test_who_leaves_within_his_body_is_cut_at_once),
        TEST(test_two_leave),
        TEST(test_who_goes_while_nothing_is_read),
        TEST(test_who_reads_while_nothing_is_read_of_him),
        TEST(test_draining),
        TEST(test_draining_an_idle_one_that_asks),
        TEST(test_stopping),
        TEST(test_the_tunnel_has_had_its_turn),
        TEST(test_a_request_waits_for_its_tunnels_turn),
        TEST(test_who_takes_little_is_read_first),
        TEST(test_who_takes_little_is_answered_first),
        TEST(test_who_takes_little_is_first_by_h2),
        TEST(test_many_at_once_by_h2_are_read_in_turns),
        TEST(test_cut_while_it_is_unread),
        TEST(test_cut_while_it_is_late),
        TEST(test_a_share_stays),
        TEST(test_going_down_while_it_is_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
