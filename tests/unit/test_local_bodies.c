/* The local client: bodies, both ways, and Expect. */
#include "local_service.h"

/* ---- bodies ---- */

static void test_upload(void **state) {
    (void)state;
    begin(serve_hash);
    upload_all();
    end();
}

static void test_download(void **state) {
    (void)state;
    begin(serve_noise);
    download_all();
    end();
}

static void serve_echo(struct conn *conn) {
    char head[8192];
    if (!hear_head(conn, head, sizeof(head))) return;
    say(conn, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
    for (;;) { /* raw: the client's chunks come back as they are */
        if (conn->in.len) {
            bool over =
                conn->in.len >= 5 && memcmp(buf_view(&conn->in).ptr + conn->in.len - 5, "0\r\n\r\n", 5) == 0;
            if (!say_bytes(conn, buf_view(&conn->in).ptr, conn->in.len) || over) return;
            buf_consume(&conn->in, conn->in.len);
        }
        if (!more(conn)) return;
    }
}

static void test_both_ways_at_once(void **state) {
    (void)state;
    begin(serve_echo);
    struct probe probe = {.to_send = 3000000, .out_hash = sha256()};
    struct local_head head = post(LOCAL_BODY_UNKNOWN);
    start_with(&probe, &head);
    feed(&probe);
    run();
    assert_int_equal(probe.error, LOCAL_OK);
    assert_true(probe.received > 3000000);
    done(&probe);
    end();
}

static void test_pause(void **state) {
    (void)state;
    service_sent = 0;
    begin(serve_flood);
    struct probe probe = {.pauses_at = 'd'};
    start(&probe);
    run_until_paused(&probe);
    run_for(500); /* and nothing more comes, nor does the loop spin */
    assert_int_equal(probe.request->connection->mask, 0);
    assert_true(probe.received > 0 && probe.received <= LOCAL_READ_BYTES);
    assert_true(__atomic_load_n(&service_sent, __ATOMIC_SEQ_CST) < 16u * 1024 * 1024);
    uint64_t before = probe.received;
    probe.paused = false;
    probe.pauses_at = 'd';
    local_request_pause(probe.request, false);
    assert_int_equal(probe.received, before); /* no event from within */
    run_until_paused(&probe);
    assert_true(probe.received > before && probe.received <= before + LOCAL_READ_BYTES);
    probe.paused = false;
    local_request_pause(probe.request, false);
    local_request_pause(probe.request, true); /* back and forth */
    local_request_pause(probe.request, false);
    run();
    assert_int_equal(probe.error, LOCAL_OK);
    assert_int_equal(probe.received, 52428800);
    done(&probe);
    end();
}

static struct probe *short_paused;
static struct task moment;
static int moments;

static void on_moment(struct task *task) {
    (void)task;
    short_paused->paused = false;
    if (short_paused->ends) return;
    struct local_connection *connection = short_paused->request->connection;
    local_request_pause(short_paused->request, false);
    if (connection) assert_int_not_equal(connection->mask, 0); /* the last of the answer may be held */
    moments++;
}

static void pause_for_a_moment(struct probe *probe, struct view data) {
    (void)data;
    probe->paused = true;
    local_request_pause(probe->request, true);
    tasks_post(&loop.tasks, &moment);
}

/* A pause that ends in the turn that it began in costs no system call: the socket is polled all the time. */
static void test_short_pauses(void **state) {
    (void)state;
    begin(serve_flood);
    struct probe probe = {.on_data = pause_for_a_moment};
    short_paused = &probe;
    task_init(&moment, on_moment);
    start(&probe);
    run();
    assert_int_equal(probe.received, 52428800);
    assert_true(moments > 100);
    done(&probe);
    end();
}

static void serve_two_chunks(struct conn *conn) {
    char head[8192];
    while (hear_head(conn, head, sizeof(head)))
        if (!say(conn, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\na: "
                       "b\r\n\r\n"))
            return;
}

/* The whole answer has been read when the pause begins. */
static void test_pause_within_a_read(void **state) {
    (void)state;
    begin(serve_two_chunks);
    for (const char *at = "hd"; *at; at++) {
        struct probe probe = {.pauses_at = *at};
        start(&probe);
        run_until_paused(&probe);
        run_for(50);
        assert_int_equal(probe.received, *at == 'h' ? 0 : 3);
        assert_int_equal(probe.ends, 0);
        probe.paused = false;
        local_request_pause(probe.request, false);
        run();
        assert_hello(&probe);
        assert_int_equal(probe.trailers_calls, 1);
        done(&probe);
    }
    assert_int_equal(accepted(), 1);
    struct probe probe = {.pauses_at = 'h'}; /* and cancelled while bytes are held */
    start(&probe);
    run_until_paused(&probe);
    local_request_cancel(probe.request);
    under_way--;
    done(&probe);
    end();
}

/* A late reader's: from now on. */
static pthread_mutex_t may_read = PTHREAD_MUTEX_INITIALIZER;

static void serve_late_reader(struct conn *conn) {
    char head[8192], hex[65], answer[200];
    uint64_t len;
    if (!hear_head(conn, head, sizeof(head))) return;
    pthread_mutex_lock(&may_read);
    pthread_mutex_unlock(&may_read);
    EVP_MD_CTX *hash = sha256();
    hear_body(conn, head, hash, &len);
    hex_of(hash, hex);
    EVP_MD_CTX_free(hash);
    snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\ncontent-length: 64\r\n\r\n%s", hex);
    say(conn, answer);
}

static void test_body_bound(void **state) {
    (void)state;
    pthread_mutex_lock(&may_read);
    begin(serve_late_reader);
    struct probe probe = {.out_hash = sha256()};
    struct local_head head = post(LOCAL_BODY_UNKNOWN);
    uint64_t given = 0;
    start_with(&probe, &head);
    while (given < 64u << 20 && local_request_body(probe.request, view_of(noise, 1 << 20))) {
        EVP_DigestUpdate(probe.out_hash, noise, 1 << 20);
        given += 1 << 20;
        run_for(5);
    }
    assert_true(given < 64u << 20); /* refused at some time */
    assert_true(local_request_body_waiting(probe.request) <= LOCAL_BODY_HELD_MAX);
    assert_true(local_request_body_waiting(probe.request) > LOCAL_BODY_HELD_MAX - (1 << 20));
    assert_int_equal(probe.sent_told + local_request_body_waiting(probe.request), given);
    pthread_mutex_unlock(&may_read);
    local_request_body_end(
        probe.request); /* a caller with sense cancels; the framing is sound all the same */
    run();
    char hex[65];
    hex_of(probe.out_hash, hex);
    if (probe.error) fail_msg("%s", probe.detail);
    assert_true(view_eq(buf_view(&probe.body), view_from_cstr(hex)));
    assert_int_equal(probe.sent_told, given);
    done(&probe);
    end();
}

static void test_announced(void **state) {
    (void)state;
    begin(serve_hash);
    struct probe probe = {.status = 0};
    struct local_head head = post(5);
    start_with(&probe, &head);
    assert_false(local_request_body(probe.request, VIEW("123456")));
    assert_true(local_request_body(probe.request, VIEW("1234")));
    assert_false(local_request_body(probe.request, VIEW("56")));
    run_for(20);
    local_request_body_end(probe.request);
    run();
    assert_failed(&probe, LOCAL_BROKEN);
    done(&probe);
    struct probe none = {.status = 0};
    start(&none);
    assert_false(local_request_body(none.request, VIEW("1")));
    run();
    assert_int_equal(none.error, LOCAL_OK);
    done(&none);
    end();
}

/* Head and a small body leave in one piece. */
static void serve_one_piece(struct conn *conn) {
    char answer[100];
    while (more(conn)) {
        snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n%06zu", conn->in.len);
        memcpy(heard, buf_view(&conn->in).ptr, conn->in.len);
        heard[conn->in.len] = '\0';
        buf_consume(&conn->in, conn->in.len);
        if (!say(conn, answer)) return;
    }
}

static void test_one_write(void **state) {
    (void)state;
    begin(serve_one_piece);
    headers_add(&headers, VIEW("host"), VIEW("a"));
    for (int i = 0; i < 4; i++) {
        struct probe probe = {.status = 0};
        struct local_head head = post(i % 2 ? LOCAL_BODY_UNKNOWN : 4);
        start_with(&probe, &head);
        local_request_body(probe.request, VIEW("fo"));
        local_request_body(probe.request, VIEW("ur"));
        local_request_body_end(probe.request);
        run();
        assert_string_equal(
            heard, i % 2 ? "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n"
                           "0\r\n\r\n"
                         : "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nfour");
        assert_int_equal(probe.error, LOCAL_OK);
        done(&probe);
    }
    assert_int_equal(accepted(), 1);
    end();
}

static void test_early_answer(void **state) {
    (void)state;
    begin(serve_early);
    for (int i = 1; i <= 10; i++) {
        struct probe probe = {.to_send = i > 6 ? 1u << 26 : 0, .never_ends = true, .out_hash = sha256()};
        struct local_head head = post(i % 2 ? 1 << 30 : LOCAL_BODY_UNKNOWN);
        head.target = i % 4 < 2 ? VIEW("/stay") : VIEW("/go");
        start_with(&probe, &head);
        if (i > 6)
            feed(&probe);
        else /* waits within the body */
            assert_true(local_request_body(probe.request, VIEW("some")));
        run();
        if (i <= 6 || probe.error == LOCAL_OK) { /* a service that resets may take its own answer with it */
            assert_int_equal(probe.error, LOCAL_OK);
            assert_int_equal(probe.status, 413);
            assert_true(view_eq(buf_view(&probe.body), VIEW("hello")));
        }
        done(&probe);
        assert_int_equal(accepted(), i); /* never used again */
    }
    end();
}

/* ---- Expect ---- */

static uint64_t body_heard;

/* /yes: 100; /silent: reads without it; /no: 417; /both: 100 and at once the final head. */
static void serve_expect(struct conn *conn) {
    char head[8192];
    while (hear_head(conn, head, sizeof(head))) {
        strcpy(heard, head);
        body_heard = conn->in.len;
        if (strstr(head, " /no")) {
            struct pollfd wait = {.fd = conn->fd, .events = POLLIN};
            body_heard += (uint64_t)poll(&wait, 1, 50);
            say(conn, "HTTP/1.1 417 No\r\ncontent-length: 5\r\n\r\nhello");
            while (more(conn)) body_heard += conn->in.len;
            return;
        }
        if (strstr(head, " /yes") && !say(conn, "HTTP/1.1 100 Continue\r\n\r\n")) return;
        uint64_t len;
        if (!hear_body(conn, head, NULL, &len)) return;
        body_heard = len;
        if (!say(conn, HELLO)) return;
    }
}

static struct probe try_expect(const char *target, int64_t body_bytes, bool expects) {
    struct probe probe = {.status = 0};
    struct local_head head = post(body_bytes);
    head.target = view_from_cstr(target);
    head.expects_continue = expects;
    start_with(&probe, &head);
    if (body_bytes) assert_true(local_request_body(probe.request, VIEW("four")));
    local_request_body_end(probe.request);
    run();
    return probe;
}

static void test_expect(void **state) {
    (void)state;
    begin(serve_expect);
    for (int is_chunked = 0; is_chunked < 2; is_chunked++) {
        int64_t bytes = is_chunked ? LOCAL_BODY_UNKNOWN : 4;
        struct probe yes = try_expect("/yes", bytes, true);
        assert_hello(&yes);
        assert_int_equal(yes.informationals, 1);
        assert_int_equal(body_heard, 4);
        assert_non_null(strstr(heard, "Expect: 100-continue\r\n"));
        done(&yes);
    }
    struct probe unasked = try_expect("/yes", 4, false); /* the service's 100 is dropped */
    assert_hello(&unasked);
    assert_int_equal(unasked.informationals, 0);
    assert_null(strstr(heard, "Expect"));
    done(&unasked);
    struct probe none = try_expect("/go", 0, true);
    assert_hello(&none);
    assert_int_equal(none.informationals, 0);
    done(&none);
    assert_int_equal(accepted(), 1);

    uint64_t from = uv_hrtime();
    struct probe silent = try_expect("/silent", 4, true);
    uint64_t took_ms = (uv_hrtime() - from) / 1000000;
    assert_hello(&silent);
    assert_int_equal(silent.informationals, 1);
    assert_true(took_ms >= 900 && took_ms < 3000);
    done(&silent);
    assert_int_equal(accepted(), 1);

    headers_add(&headers, VIEW("expect"), VIEW("100-Continue")); /* as it was given, and once */
    struct probe no = try_expect("/no", 4, true);
    assert_int_equal(no.status, 417);
    assert_int_equal(no.informationals, 0);
    assert_int_equal(no.error, LOCAL_OK);
    assert_int_equal(no.sent_told, 4); /* dropped, and said so */
    assert_null(strstr(strstr(heard, "Expect: ") + 1, "Expect: "));
    done(&no);
    run_for(50);
    assert_int_equal(body_heard, 0);
    struct probe again = try_expect("/yes", 4, true);
    assert_hello(&again);
    assert_int_equal(accepted(), 2);
    done(&again);
    end();
}

int main(int argc, char **argv) {
    prepare(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_upload),
        cmocka_unit_test(test_download),
        cmocka_unit_test(test_both_ways_at_once),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_short_pauses),
        cmocka_unit_test(test_pause_within_a_read),
        cmocka_unit_test(test_body_bound),
        cmocka_unit_test(test_announced),
        cmocka_unit_test(test_one_write),
        cmocka_unit_test(test_early_answer),
        cmocka_unit_test(test_expect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
