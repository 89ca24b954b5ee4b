/* The local client: connections that are kept, used again and lost. */
#include "local_service.h"

/* ---- connections ---- */

static void test_keep_alive(void **state) {
    (void)state;
    begin(serve_hello);
    for (int i = 0; i < 5; i++) {
        struct probe probe = try_get();
        assert_hello(&probe);
        done(&probe);
        assert_int_equal(client->open, 1);
    }
    struct probe chain[20] = {{.status = 0}};
    for (int i = 0; i < 19; i++) chain[i].next = &chain[i + 1];
    start(&chain[0]);
    run();
    for (int i = 0; i < 20; i++) {
        assert_hello(&chain[i]);
        done(&chain[i]);
    }
    assert_int_equal(accepted(), 1);
    end();
}

static void test_idle_close_is_noticed(void **state) {
    (void)state;
    begin(serve_one);
    for (int i = 1; i < 4; i++) {
        struct probe probe = try_get();
        assert_hello(&probe);
        done(&probe);
        run_until_open(0);
        assert_int_equal(accepted(), i);
    }
    end();
}

static void test_lifo_and_age(void **state) {
    (void)state;
    begin(serve_hello);
    struct probe probes[3] = {{.status = 0}};
    for (int i = 0; i < 3; i++) start(&probes[i]);
    run();
    for (int i = 0; i < 3; i++) done(&probes[i]);
    assert_int_equal(client->open, 3);
    const struct list *newest = client->idle.next;
    struct probe probe = try_get();
    done(&probe);
    assert_ptr_equal(client->idle.next, newest);
    struct local_connection *oldest = LIST_ENTRY(client->idle.prev, struct local_connection, node);
    oldest->idle_since_ms -= LOCAL_IDLE_MAX_MS; /* as if */
    timer_stop(&loop.timers, &client->tick);
    client_want_tick(client, loop_now(&loop));
    run_until_open(2);
    assert_true(timer_armed(&client->tick));
    end();
}

static int executed;

/* Answers the first request of the first connection; reads a second one, and goes. */
static void serve_race(struct conn *conn) {
    char head[8192];
    uint64_t len;
    while (hear_head(conn, head, sizeof(head)) && hear_body(conn, head, NULL, &len)) {
        if (__atomic_add_fetch(&executed, 1, __ATOMIC_SEQ_CST) == 2) return;
        if (!say(conn, HELLO)) return;
    }
}

static void test_race(void **state) {
    (void)state;
    static const struct {
        const char *method, *body;
        bool again;
    } rows[] = {{"GET", NULL, true},   {"HEAD", NULL, true}, {"OPTIONS", NULL, true}, {"GET", "a body", true},
                {"POST", "b", false},  {"PUT", "b", false},  {"DELETE", NULL, false}, {"PATCH", "b", false},
                {"BREW", NULL, false}, {"TRACE", NULL, true}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        executed = 0;
        begin(serve_race);
        struct probe first = try_get(), second = {.status = 0};
        assert_hello(&first);
        struct local_head head = post(rows[i].body ? (int64_t)strlen(rows[i].body) : LOCAL_BODY_NONE);
        head.method = view_from_cstr(rows[i].method);
        start_with(&second, &head);
        if (rows[i].body) assert_true(local_request_body(second.request, view_from_cstr(rows[i].body)));
        run();
        assert_int_equal(executed, rows[i].again ? 3 : 2);
        assert_int_equal(accepted(), rows[i].again ? 2 : 1);
        if (!rows[i].again)
            assert_failed(&second, LOCAL_BROKEN);
        else if (!view_eq(head.method, VIEW("HEAD")))
            assert_hello(&second);
        if (rows[i].body && rows[i].again) assert_int_equal(second.sent_told, strlen(rows[i].body));
        done(&first);
        done(&second);
        end();
    }
}

/* The service has closed, but the loop has not had a chance to see it. */
static void wait_for_close(struct probe *probe) {
    (void)probe;
    struct local_connection *connection = LIST_ENTRY(client->idle.next, struct local_connection, node);
    struct pollfd wait = {.fd = connection->fd, .events = POLLIN};
    assert_int_equal(poll(&wait, 1, 5000), 1);
}

static void test_closed_before_post(void **state) {
    (void)state;
    begin(serve_one);
    struct probe first = {.on_end = wait_for_close}, second = {.status = 0};
    first.next = NULL;
    start(&first);
    under_way++; /* for the second */
    while (!first.ends) uv_run(&loop.uv, UV_RUN_ONCE);
    /* still within no turn of the loop since */
    struct local_head head = post(4);
    under_way--;
    start_with(&second, &head);
    assert_true(local_request_body(second.request, VIEW("four")));
    run();
    assert_hello(&second);
    assert_int_equal(accepted(), 2);
    done(&first);
    done(&second);
    end();
}

/* Never answers a second time on any connection: no endless retries. */
static void serve_first_only(struct conn *conn) {
    char head[8192];
    if (conn->nth == 1) {
        if (hear_head(conn, head, sizeof(head))) say(conn, HELLO);
    }
    hear_head(conn, head, sizeof(head));
}

static void test_race_once_only(void **state) {
    (void)state;
    begin(serve_first_only);
    struct probe first = try_get(), second = try_get();
    assert_hello(&first);
    assert_failed(&second, LOCAL_BROKEN);
    assert_int_equal(accepted(), 2);
    done(&first);
    done(&second);
    struct probe third = try_get(); /* a fresh connection: not sent again */
    assert_failed(&third, LOCAL_BROKEN);
    assert_int_equal(accepted(), 3);
    done(&third);
    end();
}

static void serve_bytes_behind(struct conn *conn) {
    char head[8192];
    while (hear_head(conn, head, sizeof(head)))
        if (!say(conn, HELLO "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nbad")) return;
}

static void test_bytes_behind(void **state) {
    (void)state;
    begin(serve_bytes_behind);
    for (int i = 1; i <= 3; i++) {
        struct probe probe = try_get();
        assert_hello(&probe);
        done(&probe);
        assert_int_equal(accepted(), i);
    }
    end();
}

static void serve_late_bytes(struct conn *conn) {
    char head[8192];
    if (!hear_head(conn, head, sizeof(head)) || !say(conn, HELLO)) return;
    usleep(20000);
    say(conn, "HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n");
    hear_head(conn, head, sizeof(head));
}

static void test_idle_bytes(void **state) {
    (void)state;
    begin(serve_late_bytes);
    struct probe probe = try_get();
    assert_hello(&probe);
    done(&probe);
    run_until_open(0);
    end();
}

static void test_refused(void **state) {
    (void)state;
    begin(serve_hello);
    int other = socket(AF_INET, SOCK_STREAM, 0); /* a port that is bound, but does not listen */
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    assert_int_equal(bind(other, (struct sockaddr *)&address, len), 0);
    getsockname(other, (struct sockaddr *)&address, &len);
    struct local_client *good = client;
    static const char *const hosts[] = {"127.0.0.1", "localhost", "::1"};
    for (int i = 0; i < 3; i++) {
        struct local_target target = {.host = hosts[i], .port = ntohs(address.sin_port)};
        client = local_client_new(&loop, &target, 2000);
        for (int j = 0; j < 3; j++) {
            struct probe probe = try_get();
            assert_failed(&probe, LOCAL_UNAVAILABLE);
            done(&probe);
        }
        assert_int_equal(listen(other, 5), 0); /* the service comes up */
        if (i < 2) {
            struct probe probe = {.status = 0};
            start(&probe);
            int fd = -1;
            struct pollfd wait = {.fd = other, .events = POLLIN};
            while (poll(&wait, 1, 0) != 1) uv_run(&loop.uv, UV_RUN_NOWAIT);
            fd = accept(other, NULL, NULL);
            assert_true(send(fd, HELLO, sizeof(HELLO) - 1, 0) > 0);
            run();
            assert_hello(&probe);
            done(&probe);
            close(fd);
            close(other);
            other = socket(AF_INET, SOCK_STREAM, 0);
            address.sin_port = 0;
            assert_int_equal(bind(other, (struct sockaddr *)&address, len), 0);
            getsockname(other, (struct sockaddr *)&address, &len);
        }
        local_client_shut(client);
        for (int j = 0; j < 20; j++) uv_run(&loop.uv, UV_RUN_NOWAIT);
        local_client_free(client);
    }
    close(other);
    client = good;
    end();
}

static void test_second_address(void **state) {
    (void)state;
    if (!has_ip6()) skip(); /* in a container, say */
    begin_on(AF_INET6, serve_hello, (struct local_target){.host = "localhost"}, 5000);
    for (int i = 0; i < 3; i++) {
        struct probe probe = try_get();
        assert_hello(&probe);
        done(&probe);
    }
    assert_int_equal(accepted(), 1);
    end();
}

static void test_no_such_host(void **state) {
    (void)state;
    begin_on(AF_INET, serve_hello, (struct local_target){.host = "no-such-host.invalid"}, 5000);
    struct probe probes[3] = {{.status = 0}};
    for (int i = 0; i < 3; i++) start(&probes[i]);
    run();
    for (int i = 0; i < 3; i++) {
        assert_failed(&probes[i], LOCAL_UNAVAILABLE);
        done(&probes[i]);
    }
    end();
}

/* A backlog that is full swallows what knocks. */
static void test_connect_timeout(void **state) {
    (void)state;
    int full = socket(AF_INET, SOCK_STREAM, 0), fillers[8];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    assert_int_equal(bind(full, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(full, 0), 0);
    getsockname(full, (struct sockaddr *)&address, &len);
    for (int i = 0; i < 8; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(fillers[i], (struct sockaddr *)&address, len);
    }
    begin_on(AF_INET, serve_hello,
             (struct local_target){.host = "127.0.0.1", .port = ntohs(address.sin_port)}, 300);
    uint64_t from = uv_hrtime();
    struct probe probe = try_get();
    assert_failed(&probe, LOCAL_UNAVAILABLE);
    uint64_t took_ms = (uv_hrtime() - from) / 1000000;
    assert_true(took_ms >= 250 && took_ms < 2000);
    done(&probe);
    struct probe cancelled = {.status = 0};
    start(&cancelled);
    run_for(20);
    local_request_cancel(cancelled.request);
    assert_int_equal(client->open, 0);
    done(&cancelled);
    end();
    for (int i = 0; i < 8; i++) close(fillers[i]);
    close(full);
}

static void test_many(void **state) {
    (void)state;
    begin(serve_hello);
    static struct probe probes[200];
    memset(probes, 0, sizeof(probes));
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 200; i++) start(&probes[i]);
        run();
        for (int i = 0; i < 200; i++) {
            assert_hello(&probes[i]);
            done(&probes[i]);
            probes[i] = (struct probe){.status = 0};
        }
    }
    assert_true(accepted() <= 200);
    end();
}

static void test_queue(void **state) {
    (void)state;
    begin(serve_hello);
    static struct probe probes[LOCAL_CONNECTIONS_MAX + 300];
    const int count = (int)(sizeof(probes) / sizeof(probes[0]));
    memset(probes, 0, sizeof(probes));
    for (int i = 0; i < count; i++) start(&probes[i]);
    assert_true(client->open <= LOCAL_CONNECTIONS_MAX);
    local_request_cancel(probes[count - 1].request); /* it waits */
    under_way--;
    run();
    for (int i = 0; i < count - 1; i++) assert_hello(&probes[i]);
    for (int i = 0; i < count; i++) done(&probes[i]);
    assert_true(accepted() <= (int)LOCAL_CONNECTIONS_MAX);
    end();
}

/* In a process of its own, with few descriptors: what finds none waits for another to end. */
static void test_few_descriptors(void **state) {
    (void)state;
    begin(serve_hello);
    fflush(stdout);
    int result[2];
    char good = 0;
    assert_int_equal(pipe(result), 0);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit limit = {40, 40};
        struct local_target target = {.host = "127.0.0.1", .port = server.port};
        loop_init(&loop);
        client = local_client_new(&loop, &target, 5000);
        static struct probe probes[100];
        setrlimit(RLIMIT_NOFILE, &limit);
        for (int i = 0; i < 100; i++) start(&probes[i]);
        run();
        for (int i = 0; i < 100; i++)
            good = (char)(good + (probes[i].error == LOCAL_OK && probes[i].ends == 1));
        if (write(result[1], &good, 1) == 1)
            raise(SIGKILL); /* no exit: what it has of the parent's is no leak */
        abort();
    }
    close(result[1]);
    assert_int_equal(read(result[0], &good, 1), 1);
    assert_int_equal(good, 100);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(result[0]);
    end();
}

int main(int argc, char **argv) {
    prepare(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keep_alive),
        cmocka_unit_test(test_idle_close_is_noticed),
        cmocka_unit_test(test_lifo_and_age),
        cmocka_unit_test(test_race),
        cmocka_unit_test(test_closed_before_post),
        cmocka_unit_test(test_race_once_only),
        cmocka_unit_test(test_bytes_behind),
        cmocka_unit_test(test_idle_bytes),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_second_address),
        cmocka_unit_test(test_no_such_host),
        cmocka_unit_test(test_connect_timeout),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_queue),
        cmocka_unit_test(test_few_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
