/* The local client's connections, deadlines and memory, looked at between turns (local_client.c,
 * local_connection.c). */
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

#include "local_scene.h"

/* A name for 127.0.0.1 that needs no table of names, and is no literal for the client. */
#define NAME "127.1"

static void use_target(struct local_target target) {
    end_client();
    begin_client(&target);
}

/* ---- what is known of the service ---- */

static void test_targets(void **state) {
    (void)state;
    static const struct {
        const char *host;
        uint16_t port;
        bool tls;
        const char *field;
        bool is_fixed;
    } rows[] = {
        {"localhost", 80, false, "localhost", true},       {"localhost", 443, false, "localhost:443", true},
        {"localhost", 443, true, "localhost", true},       {"localhost", 80, true, "localhost:80", true},
        {"127.0.0.1", 81, false, "127.0.0.1:81", true},    {"10.1.2.3", 444, true, "10.1.2.3:444", true},
        {"2001:db8::1", 80, false, "[2001:db8::1]", true}, {"::1", 3000, false, "[::1]:3000", true},
        {"app.test", 3000, false, "app.test:3000", false}, {NAME, 3000, false, NAME ":3000", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        use_target((struct local_target){.host = rows[i].host, .port = rows[i].port, .tls = rows[i].tls});
        assert_string_equal(client->host_field, rows[i].field);
        if (client->addresses_fixed != rows[i].is_fixed) fail_msg("%s", rows[i].host);
        assert_int_equal(client->tls != NULL, rows[i].tls);
    }
}

struct dialled {
    int error; /* or 0 */
    int fd;    /* the service's end */
    int count;
};

static int dial_pair(void *ctx) {
    struct dialled *dialled = ctx;
    int ends[2];
    dialled->count++;
    errno = dialled->error;
    if (dialled->error) return -1;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    dialled->fd = ends[0];
    return ends[1];
}

static void test_a_dialler(void **state) {
    (void)state;
    struct dialled dialled = {.error = ECONNREFUSED};
    use_target((struct local_target){
        .host = "localhost", .port = 80, .unix_path = "the folder", .dialler = {dial_pair, &dialled}});
    struct probe probe = {.status = 0};
    get(&probe);
    UNTIL(probe.ends == 1);
    assert_int_equal(probe.error, LOCAL_UNAVAILABLE);
    assert_int_equal(dialled.count, 1);
    done(&probe);
    dialled.error = 0;
    probe = (struct probe){.status = 0};
    get(&probe);
    assert_int_equal(dialled.count, 2);
    struct probe beside = {.status = 0};
    dialled.error = ECONNREFUSED; /* fails at once, too: only for lack of descriptors it would wait */
    get(&beside);
    UNTIL(beside.ends == 1);
    assert_int_equal(beside.error, LOCAL_UNAVAILABLE);
    done(&beside);
    answer_hello(dialled.fd, &probe);
    done(&probe);
    close(dialled.fd);
}

static void test_what_a_lookup_leaves(void **state) {
    (void)state;
    use_target((struct local_target){.host = NAME, .port = port});
    client->first_address = 1; /* of two, when there were two */
    struct probe probe = {.status = 0};
    get(&probe);
    assert_non_null(client->lookup);
    struct local_connection *connection = probe.request->connection;
    connection_arm(connection); /* has nothing that could be polled */
    assert_int_equal(connection->mask, 0);
    int fd = serve();
    assert_null(client->lookup);
    assert_int_equal(client->first_address, 0);
    assert_true(client->addresses_known);
    assert_in_range(client->addresses_ms, loop_now(&loop) - 5000, loop_now(&loop));
    assert_true(client->addresses_ms > 0);
    answer_hello(fd, &probe);
    done(&probe);
    close(fd);
}

static void test_shut_while_it_looks_up(void **state) {
    (void)state;
    use_target((struct local_target){.host = NAME, .port = port});
    struct probe probe = {.status = 0};
    get(&probe);
    assert_non_null(client->lookup);
    end_client();
    for (int i = 0; i < 50; i++) uv_run(&loop.uv, UV_RUN_NOWAIT);
    assert_int_equal(probe.ends, 0);
    probe.request = NULL;
    done(&probe);
}

/* ---- sockets ---- */

static void test_options_of_a_socket(void **state) {
    (void)state;
    int fd = get_hello(), on = 0;
    socklen_t len = sizeof(on);
    const struct local_connection *connection = newest();
    assert_true(fcntl(connection->fd, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(connection->fd, F_GETFL) & O_NONBLOCK);
    assert_int_equal(getsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
    assert_int_equal(on, 1);
    assert_true(connection->used);
#ifdef TCP_CONGESTION
    char control[16] = "";
    len = sizeof(control) - 1;
    assert_int_equal(getsockopt(connection->fd, IPPROTO_TCP, TCP_CONGESTION, control, &len), 0);
    assert_string_not_equal(control, "bbr"); /* as it would be where the system paces */
#endif
    close(fd);
}

static void test_what_is_polled(void **state) {
    (void)state;
    static const struct {
        bool paused, blocked, broken, tls_wants_write;
        int mask;
    } rows[] = {
        {false, false, false, false, UV_READABLE},
        {true, false, false, false, 0},
        {false, true, false, false, UV_READABLE | UV_WRITABLE},
        {true, true, false, false, UV_WRITABLE},
        {false, true, true, false, UV_READABLE},
        {true, false, true, false, 0},
        {true, false, false, true, UV_WRITABLE},
        {false, false, false, true, UV_READABLE | UV_WRITABLE},
    };
    struct probe probe = {.status = 0};
    get(&probe);
    int fd = serve();
    struct local_connection *connection = probe.request->connection;
    UNTIL(connection->stage == CONNECTION_UP);
    for (size_t i = 0; i < COUNT(rows); i++) {
        probe.request->reading = rows[i].paused ? READS_NOT : READS;
        connection->blocked = rows[i].blocked;
        connection->broken = rows[i].broken;
        connection->tls_wants_write = rows[i].tls_wants_write;
        connection_arm(connection);
        assert_int_equal(connection->mask, rows[i].mask);
        assert_int_equal(uv_is_active((uv_handle_t *)&connection->poll), rows[i].mask != 0);
    }
    connection->blocked = connection->broken = connection->tls_wants_write = false;
    probe.request->reading = READS;
    connection->stage = CONNECTION_SHAKES_HANDS;
    connection_arm(connection);
    assert_int_equal(connection->mask, UV_READABLE);
    connection->tls_wants_write = true;
    connection_arm(connection);
    assert_int_equal(connection->mask, UV_READABLE | UV_WRITABLE);
    connection->tls_wants_write = false;
    connection->stage = CONNECTION_DIALS;
    connection_arm(connection);
    assert_int_equal(connection->mask, UV_WRITABLE);
    connection->stage = CONNECTION_UP;
    connection_arm(connection);
    answer_hello(fd, &probe);
    done(&probe);
    close(fd);
}

static void test_what_a_close_leaves(void **state) {
    (void)state;
    struct probe probe = {.status = 0};
    get(&probe);
    int fd = serve();
    struct local_connection *connection = probe.request->connection;
    UNTIL(connection->stage == CONNECTION_UP);
    client->lacks_descriptors = true;
    local_request_cancel(probe.request);
    probe.request = NULL;
    assert_int_equal(connection->stage, CONNECTION_CLOSED);
    assert_null(connection->request);
    assert_int_equal(connection->fd, -1);
    assert_int_equal(client->open, 0);
    assert_int_equal(client->closing, 1);
    assert_false(client->lacks_descriptors); /* there is one again */
    assert_int_equal(hear_out(fd), 0);
    done(&probe);
    close(fd);
}

/* ---- which connection ---- */

static void test_few_descriptors(void **state) {
    (void)state;
    struct probe probes[3] = {{.status = 0}};
    client->lacks_descriptors = true;
    get(&probes[0]); /* one there must be */
    assert_int_equal(client->open, 1);
    get(&probes[1]);
    get(&probes[2]);
    assert_int_equal(client->open, 1);
    assert_ptr_equal(client->waiting.next, &probes[1].request->waiting_node);
    int fd = serve();
    UNTIL(probes[0].request->connection->stage == CONNECTION_UP);
    assert_true(client->lacks_descriptors);
    local_request_cancel(probes[0].request); /* its descriptor is another's now, and more may be tried */
    probes[0].request = NULL;
    assert_non_null(probes[1].request->connection);
    assert_int_equal(client->open, 2);
    for (int i = 0; i < 3; i++) done(&probes[i]);
    close(fd);
}

static int lowest_free(void) {
    int fd = dup(0);
    close(fd);
    return fd;
}

/* What finds no descriptor waits for another's, where there is another. */
static void test_no_descriptor(void **state) {
    (void)state;
    struct probe probes[2] = {{.status = 0}};
    struct rlimit limit, low;
    getrlimit(RLIMIT_NOFILE, &limit);
    get(&probes[0]);
    int fd = serve();
    UNTIL(probes[0].request->connection->stage == CONNECTION_UP);
    low = limit;
    low.rlim_cur = (rlim_t)lowest_free();
    setrlimit(RLIMIT_NOFILE, &low);
    get(&probes[1]);
    assert_true(client->lacks_descriptors);
    assert_int_equal(client->open, 1);
    assert_ptr_equal(client->waiting.next, &probes[1].request->waiting_node);
    answer_hello(fd, &probes[0]); /* whose connection is free now */
    assert_true(list_empty(&client->waiting));
    answer_hello(fd, &probes[1]);
    for (int i = 0; i < 2; i++) done(&probes[i]);
    assert_null(newest()->request);
    connection_close(newest());
    UNTIL(client->closing == 0);
    low.rlim_cur = (rlim_t)lowest_free();
    setrlimit(RLIMIT_NOFILE, &low);
    get(&probes[0]); /* alone, with none to wait for */
    UNTIL(probes[0].ends);
    setrlimit(RLIMIT_NOFILE, &limit);
    assert_int_equal(probes[0].error, LOCAL_UNAVAILABLE);
    assert_non_null(strstr(probes[0].detail, "too many open files"));
    done(&probes[0]);
    close(fd);
}

/* Nothing is begun any more for those that wait. */
static void test_shut_with_one_that_waits(void **state) {
    (void)state;
    struct probe probes[2] = {{.status = 0}};
    get(&probes[0]);
    int fd = serve();
    client->lacks_descriptors = true;
    get(&probes[1]);
    assert_null(probes[1].request->connection);
    local_client_shut(client);
    assert_null(local_request_start(client, &(struct local_head){0}, &events, NULL));
    client_want_tick(client, loop_now(&loop));
    assert_false(timer_armed(&client->tick));
    UNTIL(client->closing == 0);
    assert_int_equal(hear_out(fd), 0);
    for (int i = 0; i < 5; i++) turn();
    assert_int_equal(accept4(listener, NULL, NULL, SOCK_NONBLOCK), -1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(probes[i].ends, 0);
        probes[i].request = NULL;
        done(&probes[i]);
    }
    local_client_free(client);
    client = NULL;
    close(fd);
}

static void test_shut_with_chores(void **state) {
    (void)state;
    int fd = get_hello();
    struct probe probe = {.status = 0};
    start(&probe, "POST", 4);
    assert_false(list_empty(&client->restless));
    end_client();
    for (int i = 0; i < 5; i++) uv_run(&loop.uv, UV_RUN_NOWAIT);
    probe.request = NULL;
    done(&probe);
    close(fd);
}

/* Its memory goes at once, or with the last connection's handle. */
static void test_free_behind_shut(void **state) {
    (void)state;
    for (int is_open = 0; is_open < 2; is_open++) {
        struct probe probe = {.status = 0};
        struct local_head head = head_of("GET", LOCAL_BODY_NONE);
        int fd = is_open ? get_hello() : -1;
        if (!is_open) head.target = VIEW(""); /* fails from the next safe point on */
        start_with(&probe, &head);
        local_client_shut(client);
        assert_int_equal(client->closing, is_open);
        local_client_free(client);
        for (int i = 0; i < 5; i++) turn();
        assert_int_equal(probe.ends, 0);
        probe.request = NULL;
        done(&probe);
        if (is_open) close(fd);
        begin_client(&(struct local_target){.host = "127.0.0.1", .port = port});
    }
}

/* One more than may be open: what is kept and old makes room, and what is sent again goes before others. */
static void test_no_room(void **state) {
    (void)state;
    const size_t more = LOCAL_CONNECTIONS_MAX - 1;
    struct probe probes[2] = {{.status = 0}};
    for (int i = 0; i < 2; i++) get(&probes[i]);
    int fds[2] = {serve(), serve()};
    for (int i = 0; i < 2; i++) say(fds[i], HELLO);
    UNTIL(probes[0].ends && probes[1].ends);
    for (int i = 0; i < 2; i++) done(&probes[i]);
    get(&probes[0]); /* on the newest */
    client->open += more;
    int newest_fd = fds[0], oldest_fd = fds[1], third;
    char byte;
    UNTIL(recv(fds[0], &byte, 1, MSG_PEEK) > 0 && recv(fds[1], &byte, 1, MSG_PEEK) > 0);
    for (int i = 0; i < 2; i++) { /* who has heard two requests has the second one */
        char heard[4096] = "";
        ssize_t len = recv(fds[i], heard, sizeof(heard) - 1, 0);
        assert_true(len > 0);
        char *second = strstr(heard + 1, "GET ");
        if (second) newest_fd = fds[i], oldest_fd = fds[1 - i];
    }
    close(newest_fd);
    third = serve();
    assert_int_equal(hear_out(oldest_fd), 0);
    assert_true(list_empty(&client->idle));
    assert_true(probes[0].request->retried);
    answer_hello(third, &probes[0]);
    done(&probes[0]);

    get(&probes[0]);
    get(&probes[1]); /* waits: no room, and none is idle */
    assert_null(probes[1].request->connection);
    client->open += 1;
    close(third);
    UNTIL(probes[0].request->retried);
    assert_ptr_equal(client->waiting.next, &probes[0].request->waiting_node);
    assert_ptr_equal(client->waiting.prev, &probes[1].request->waiting_node);
    client->open -= more + 1;
    client_pump(client);
    assert_true(list_empty(&client->waiting));
    for (int i = 0; i < 2; i++) done(&probes[i]);
    close(oldest_fd);
}

static void test_memory_is_used_again(void **state) {
    (void)state;
    static struct probe probes[300];
    for (size_t i = 0; i < COUNT(probes); i++) get(&probes[i]);
    assert_int_equal(client->spare_requests_count + client->spare_connections_count, 0);
    for (size_t i = 0; i < COUNT(probes); i++) done(&probes[i]);
    UNTIL(client->closing == 0);
    assert_int_equal(client->spare_requests_count, 256);
    assert_int_equal(count_of(&client->spare_requests), 256);
    assert_int_equal(client->spare_connections_count, 64);
    assert_int_equal(count_of(&client->spare_connections), 64);
    assert_int_equal(LIST_ENTRY(client->spare_requests.next, struct local_request, node)->magic, 0);
    assert_int_equal(LIST_ENTRY(client->spare_connections.next, struct local_connection, node)->magic, 0);
    for (int i = 0; i < 3; i++) get(&probes[i]);
    assert_int_equal(client->spare_requests_count, 253);
    assert_int_equal(count_of(&client->spare_requests), 253);
    assert_int_equal(client->spare_connections_count, 61);
    assert_int_equal(count_of(&client->spare_connections), 61);
    for (int i = 0; i < 3; i++) done(&probes[i]);
    assert_int_equal(client->spare_requests_count, 256);
}

/* ---- deadlines ---- */

static void test_one_timer_for_all(void **state) {
    (void)state;
    uint64_t now = loop_now(&loop);
    client_want_tick(client, now + 50);
    assert_int_equal(client->tick.deadline_ms, now + 50);
    client_want_tick(client, now + 60);
    assert_int_equal(client->tick.deadline_ms, now + 50);
    client_want_tick(client, now + 40);
    assert_int_equal(client->tick.deadline_ms, now + 40);
    client_want_tick(client, now - 10);
    assert_int_equal(client->tick.deadline_ms, now);
    timer_stop(&loop.timers, &client->tick);
}

static void tick(void) {
    timer_stop(&loop.timers, &client->tick);
    client->tick.fn(&client->tick);
}

/* Of two that connect: the next that is due, whatever it is. */
static void test_deadlines_of_connecting(void **state) {
    (void)state;
    use_target((struct local_target){.host = NAME, .port = port});
    struct probe probes[2] = {{.status = 0}};
    for (int i = 0; i < 2; i++) get(&probes[i]);
    uint64_t now = loop_now(&loop);
    struct local_connection *first = probes[0].request->connection, *second = probes[1].request->connection;
    assert_int_equal(first->deadline_ms, now + CONNECT_MS);
    assert_int_equal(client->tick.deadline_ms, now + CONNECT_MS);
    static const struct {
        uint64_t deadline, attempt, again, other, due; /* from now; 0: none */
    } rows[] = {
        {900, 0, 0, 1000, 900},   {900, 800, 0, 1000, 800}, {900, 950, 0, 1000, 900},
        {900, 0, 700, 1000, 700}, {900, 0, 950, 1000, 900}, {900, 800, 700, 1000, 700},
        {900, 0, 0, 500, 500},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        first->deadline_ms = now + rows[i].deadline;
        first->attempt_deadline_ms = rows[i].attempt ? now + rows[i].attempt : 0;
        first->again_ms = rows[i].again ? now + rows[i].again : 0;
        second->deadline_ms = now + rows[i].other;
        tick();
        assert_int_equal(client->tick.deadline_ms, now + rows[i].due);
    }
    first->attempt_deadline_ms = now;
    first->addresses_left = 1;
    tick(); /* this try is over, and there is no other address: the rest of the time is its own */
    assert_int_equal(first->attempt_deadline_ms, 0);
    assert_non_null(probes[0].request->connection);
    first->deadline_ms = now;
    client->addresses_known = true;
    tick();
    assert_false(client->addresses_known);
    assert_int_equal(client->tick.deadline_ms, now + 500);
    UNTIL(probes[0].ends);
    assert_int_equal(probes[0].error, LOCAL_UNAVAILABLE);
    assert_string_equal(probes[0].detail, "no connection within 60000 ms");
    assert_int_equal(local_client_clue(client), LOCAL_CLUE_NONE);
    for (int i = 0; i < 2; i++) done(&probes[i]);
}

static void test_deadline_of_a_100(void **state) {
    (void)state;
    struct local_head head = head_of("POST", 4);
    struct probe probes[2] = {{.status = 0}};
    int fds[2];
    head.expects_continue = true;
    for (int i = 0; i < 2; i++) {
        start_with(&probes[i], &head);
        assert_true(local_request_body(probes[i].request, VIEW("four")));
        fds[i] = serve();
        UNTIL(!list_empty(&probes[i].request->expecting_node));
    }
    uint64_t now = loop_now(&loop);
    assert_in_range(probes[1].request->continue_deadline_ms, now, now + LOCAL_CONTINUE_MAX_MS);
    assert_true(client->tick.deadline_ms <= probes[0].request->continue_deadline_ms);
    probes[0].request->continue_deadline_ms = now;
    probes[1].request->continue_deadline_ms = now + 700;
    tick();
    assert_int_equal(probes[0].informationals, 1);
    assert_int_equal(probes[1].informationals, 0);
    assert_int_equal(client->tick.deadline_ms, now + 700);
    UNTIL(probes[0].sent == 4);
    for (int i = 0; i < 2; i++) {
        answer_hello(fds[i], &probes[i]);
        assert_int_equal(probes[i].informationals, 1 - i);
        done(&probes[i]);
        close(fds[i]);
    }
}

static void test_deadline_of_what_is_idle(void **state) {
    (void)state;
    struct probe probes[2] = {{.status = 0}};
    for (int i = 0; i < 2; i++) get(&probes[i]);
    int fds[2] = {serve(), serve()};
    for (int i = 0; i < 2; i++) say(fds[i], HELLO);
    UNTIL(probes[0].ends && probes[1].ends);
    uint64_t now = loop_now(&loop);
    struct local_connection *oldest = LIST_ENTRY(client->idle.prev, struct local_connection, node);
    assert_in_range(newest()->idle_since_ms, now - 5000, now);
    assert_true(newest()->idle_since_ms > 0);
    assert_true(client->tick.deadline_ms <= now + LOCAL_IDLE_MAX_MS);
    oldest->idle_since_ms = now - LOCAL_IDLE_MAX_MS;
    newest()->idle_since_ms = now - LOCAL_IDLE_MAX_MS + 300;
    tick();
    assert_int_equal(client->open, 1);
    assert_int_equal(client->tick.deadline_ms, now + 300);
    for (int i = 0; i < 2; i++) done(&probes[i]);
    for (int i = 0; i < 2; i++) close(fds[i]);
}

/* ---- dialling ---- */

/* A port that is bound, where nobody listens. */
static struct address refusing(int *ret_fd) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    struct address refused = {.text = "refused"};
    *ret_fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(*ret_fd, (struct sockaddr *)&address, len), 0);
    getsockname(*ret_fd, (struct sockaddr *)&address, &len);
    memcpy(&refused.socket_address, &address, sizeof(address));
    return refused;
}

/* Address after address, each with its part of the time; the one that worked is the first one next time. */
static void test_addresses_in_turn(void **state) {
    (void)state;
    int bound;
    client->addresses_known = client->addresses_fixed = true;
    client->addresses.count = 3;
    client->addresses.list[0] = client->addresses.list[1] = refusing(&bound);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    memset(&client->addresses.list[2], 0, sizeof(client->addresses.list[2]));
    memcpy(&client->addresses.list[2].socket_address, &address, sizeof(address));
    struct probe probe = {.status = 0};
    get(&probe);
    int fd = serve();
    answer_hello(fd, &probe);
    assert_int_equal(client->first_address, 2);
    assert_int_equal(newest()->addresses_left, 1);
    done(&probe);
    close(fd);
    UNTIL(client->open == 0);
    get(&probe); /* at once where it worked, and after that from the begin */
    assert_int_equal(probe.request->connection->address, 2);
    assert_int_equal(probe.request->connection->addresses_left, 3);
    fd = serve();
    done(&probe);
    close(fd);

    client->addresses.list[2] = client->addresses.list[0]; /* all refuse */
    client->first_address = 1;
    get(&probe);
    uint64_t now = loop_now(&loop);
    assert_int_equal(probe.request->connection->attempt_deadline_ms, now + CONNECT_MS / 3);
    assert_true(client->tick.deadline_ms <= now + CONNECT_MS / 3);
    UNTIL(probe.ends);
    assert_int_equal(probe.error, LOCAL_UNAVAILABLE);
    char expected[100];
    snprintf(expected, sizeof(expected), "127.0.0.1 port %u (refused and 2 more): connection refused", port);
    assert_string_equal(probe.detail, expected);
    assert_false(client->addresses_known);
    done(&probe);
    close(bound);
}

/* Refused by the kernel itself, within the call: the next one is tried at once, and no socket is left open.
 */
static void test_addresses_that_fail_at_once(void **state) {
    (void)state;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = INADDR_NONE};
    client->addresses_fixed = true;
    client->addresses.count = 3;
    for (int i = 0; i < 3; i++) {
        snprintf(client->addresses.list[i].text, sizeof(client->addresses.list[i].text), "address %d", i);
        memcpy(&client->addresses.list[i].socket_address, &address, sizeof(address));
    }
    int free_before = lowest_free();
    struct probe probe = {.status = 0};
    client->addresses_known = true;
    client->first_address = 2;
    get(&probe);
    assert_int_equal(lowest_free(), free_before);
    assert_null(probe.request->connection);
    UNTIL(probe.ends);
    assert_int_equal(probe.error, LOCAL_UNAVAILABLE);
    assert_non_null(strstr(probe.detail, "(address 1 and 2 more): network is unreachable")); /* 2, 0, 1 */
    done(&probe);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    memcpy(&client->addresses.list[1].socket_address, &address, sizeof(address));
    client->addresses_known = true;
    get(&probe);
    assert_int_equal(probe.request->connection->address % 3, 1);
    assert_int_equal(probe.request->connection->addresses_left, 1);
    int fd = serve();
    answer_hello(fd, &probe);
    done(&probe);
    close(fd);
}

static void test_unix_sockets_that_are_none(void **state) {
    (void)state;
    char longer[200];
    memset(longer, 'a', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    static const struct {
        const char *path, *detail;
    } rows[] = {{"/tmp/no/such/socket", "/tmp/no/such/socket: no such file or directory"},
                {"/tmp", "/tmp: connection refused"},
                {NULL, "a: name too long"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct probe probe = {.status = 0};
        use_target(
            (struct local_target){.host = "localhost", .unix_path = rows[i].path ? rows[i].path : longer});
        get(&probe);
        UNTIL(probe.ends);
        assert_int_equal(probe.error, LOCAL_UNAVAILABLE);
        if (!strstr(probe.detail, rows[i].detail)) fail_msg("%s", probe.detail);
        done(&probe);
    }
}

/* A request that may not be sent twice gets a kept connection only if the service is still there, and quiet.
 */
static void test_a_look_before_a_post(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        int fd = get_hello();
        struct probe probe = {.status = 0};
        struct pollfd wait = {.fd = newest()->fd, .events = POLLIN};
        if (i == 1) close(fd);
        if (i == 2) say(fd, "x");
        if (i) assert_int_equal(poll(&wait, 1, 20000), 1);
        start(&probe, "POST", 0);
        assert_int_equal(probe.request->connection->stage, i ? CONNECTION_DIALS : CONNECTION_UP);
        assert_int_equal(client->open, 1);
        local_request_body_end(probe.request);
        if (i == 2) close(fd);
        if (i) fd = serve();
        answer_hello(fd, &probe);
        done(&probe);
        close(fd);
        UNTIL(client->open == 0);
    }
}

/* The end of an answer was held by a pause. */
static void test_kept_behind_a_pause(void **state) {
    (void)state;
    struct probe probe = {.pauses_at = 'h'};
    get(&probe);
    int fd = serve();
    say(fd, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\na: b\r\n\r\n");
    struct local_connection *connection = probe.request->connection;
    UNTIL(connection->held.len > 0);
    assert_int_equal(probe.body.len, 0);
    probe.pauses_at = 0;
    local_request_pause(probe.request, false);
    assert_int_equal(probe.body.len, 0); /* no event from within */
    UNTIL(probe.ends);
    assert_int_equal(probe.error, LOCAL_OK);
    assert_int_equal(probe.body.len, 5);
    assert_int_equal(probe.trailers, 1);
    assert_ptr_equal(newest(), connection);
    assert_int_equal(connection->mask, UV_READABLE);
    assert_int_equal(connection->held.len, 0);
    done(&probe);
    close(fd);
    UNTIL(client->open == 0);
}

/* Paused again within what was held: the rest of it waits on, in order, and more behind it. */
static void test_a_pause_within_what_is_held(void **state) {
    (void)state;
    struct probe probe = {.pauses_at = 'd'};
    get(&probe);
    int fd = serve();
    say(fd, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n1\r\nl\r\n1\r\nl\r\n");
    UNTIL(probe.body.len == 2);
    struct local_connection *connection = probe.request->connection;
    for (size_t len = 3; len <= 4; len++) {
        size_t held = connection->held.len;
        local_request_pause(probe.request, false);
        UNTIL(probe.body.len == len);
        assert_true(connection->held.len < held);
        assert_int_equal(probe.request->reading, READS_NOT);
    }
    say(fd, "1\r\no\r\n0\r\n\r\n");
    for (int i = 0; i < 3; i++) turn();
    assert_int_equal(probe.body.len, 4);
    local_request_pause(probe.request, false);
    UNTIL(probe.ends); /* which needs no more data, paused or not */
    assert_int_equal(probe.error, LOCAL_OK);
    assert_true(view_eq(buf_view(&probe.body), VIEW("hello")));
    done(&probe);
    close(fd);
    UNTIL(client->open == 0);
}

/* A backlog that is full swallows what knocks: after its part of the time the next address has its turn. */
static void test_an_address_that_is_silent(void **state) {
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int full = socket(AF_INET, SOCK_STREAM, 0), fillers[8];
    assert_int_equal(bind(full, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(full, 0), 0);
    getsockname(full, (struct sockaddr *)&address, &len);
    for (int i = 0; i < 8; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(fillers[i], (struct sockaddr *)&address, len);
    }
    client->addresses_known = client->addresses_fixed = true;
    client->addresses.count = 2;
    memset(client->addresses.list, 0, 2 * sizeof(client->addresses.list[0]));
    memcpy(&client->addresses.list[0].socket_address, &address, sizeof(address));
    address.sin_port = htons(port);
    memcpy(&client->addresses.list[1].socket_address, &address, sizeof(address));
    struct probe probe = {.status = 0};
    get(&probe);
    for (int i = 0; i < 3; i++) turn();
    struct local_connection *connection = probe.request->connection;
    uint64_t now = loop_now(&loop), deadline = connection->deadline_ms;
    assert_int_equal(connection->stage, CONNECTION_DIALS);
    connection->attempt_deadline_ms = now;
    connection->looked_up = true;
    tick();
    assert_int_equal(connection->stage, CONNECTION_CLOSED);
    connection = probe.request->connection;
    assert_int_equal(connection->address, 1);
    assert_int_equal(connection->addresses_left, 1);
    assert_int_equal(connection->deadline_ms, deadline);
    assert_true(connection->looked_up);
    assert_int_equal(client->open, 1);
    int fd = serve();
    answer_hello(fd, &probe);
    done(&probe);
    close(fd);
    close(full);
    for (int i = 0; i < 8; i++) close(fillers[i]);
}

/* A unix socket whose backlog is full says so at once, and is asked again a little later. */
static void test_a_full_unix_socket(void **state) {
    (void)state;
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    snprintf(path.sun_path, sizeof(path.sun_path), "/tmp/test_local_life.%d", (int)getpid());
    unlink(path.sun_path);
    int full = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), fillers[8], count = 0;
    assert_int_equal(bind(full, (struct sockaddr *)&path, sizeof(path)), 0);
    assert_int_equal(listen(full, 0), 0);
    for (bool is_full = false; !is_full && count < 8; count++) {
        fillers[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        is_full = connect(fillers[count], (struct sockaddr *)&path, sizeof(path)) != 0;
    }
    use_target((struct local_target){.host = "localhost", .port = 3000, .unix_path = path.sun_path});
    struct probe probe = {.status = 0};
    get(&probe);
    struct local_connection *connection = probe.request->connection;
    uint64_t now = loop_now(&loop);
    assert_int_equal(connection->again_ms, now + 20);
    assert_int_equal(client->tick.deadline_ms, now + 20);
    assert_int_equal(connection->fd, -1);
    assert_int_equal(connection->addresses_left, 1);
    connection->again_ms = now;
    tick(); /* still full */
    assert_int_equal(connection->again_ms, now + 20);
    int fd = -1;
    UNTIL(({
        int next = accept4(full, NULL, NULL, SOCK_NONBLOCK);
        if (next >= 0 && fd >= 0) close(fd);
        if (next >= 0) fd = next;
        connection->stage == CONNECTION_UP;
    }));
    assert_int_equal(connection->again_ms, 0);
    while (accept4(full, NULL, NULL, SOCK_NONBLOCK) >= 0) fail_msg("one too many");
    answer_hello(fd, &probe);
    done(&probe);
    close(fd);
    close(full);
    for (int i = 0; i < count; i++) close(fillers[i]);
    unlink(path.sun_path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_targets),
        TEST(test_a_dialler),
        TEST(test_what_a_lookup_leaves),
        TEST(test_shut_while_it_looks_up),
        TEST(test_options_of_a_socket),
        TEST(test_what_is_polled),
        TEST(test_what_a_close_leaves),
        TEST(test_few_descriptors),
        TEST(test_no_descriptor),
        TEST(test_shut_with_one_that_waits),
        TEST(test_shut_with_chores),
        TEST(test_free_behind_shut),
        TEST(test_no_room),
        TEST(test_memory_is_used_again),
        TEST(test_one_timer_for_all),
        TEST(test_deadlines_of_connecting),
        TEST(test_deadline_of_a_100),
        TEST(test_deadline_of_what_is_idle),
        TEST(test_addresses_in_turn),
        TEST(test_addresses_that_fail_at_once),
        TEST(test_unix_sockets_that_are_none),
        TEST(test_a_look_before_a_post),
        TEST(test_kept_behind_a_pause),
        TEST(test_a_pause_within_what_is_held),
        TEST(test_an_address_that_is_silent),
        TEST(test_a_full_unix_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
