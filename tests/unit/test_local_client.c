/* The local client against small servers of raw sockets: each test writes the service's side as a function
 * that a thread runs for every connection accepted. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base64.h"
#include "local/local_state.h" /* how many connections are open */
#include "tls_server.h"

/* ---- the service ---- */

#define CONNECTIONS_MAX 1500

struct conn {
    int fd, nth; /* 1: the first accepted */
    SSL *tls;
    struct buf in;
    pthread_t thread;
};

static struct {
    int listener;
    uint16_t port;
    char path[100];
    void (*serve)(struct conn *conn);
    SSL_CTX *tls;
    pthread_t thread;
    struct conn conns[CONNECTIONS_MAX];
    int accepted;
    bool stops;
} server;

static ssize_t conn_read(struct conn *conn, void *out, size_t len) {
    return conn->tls ? SSL_read(conn->tls, out, (int)len) : recv(conn->fd, out, len, 0);
}

static bool say_bytes(struct conn *conn, const void *bytes, size_t len) {
    for (const char *at = bytes; len;) {
        ssize_t n = conn->tls ? SSL_write(conn->tls, at, (int)(len > 65536 ? 65536 : len))
                              : send(conn->fd, at, len, MSG_NOSIGNAL);
        if (n <= 0) return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static bool say(struct conn *conn, const char *text) {
    return say_bytes(conn, text, strlen(text));
}

static bool more(struct conn *conn) {
    char *room = buf_reserve(&conn->in, 65536);
    ssize_t n = room ? conn_read(conn, room, 65536) : -1;
    if (n <= 0) return false;
    buf_commit(&conn->in, (size_t)n);
    return true;
}

/* The head of a request, empty line included, into `out`. */
static bool hear_head(struct conn *conn, char *out, size_t size) {
    for (;;) {
        struct view in = buf_view(&conn->in);
        char *end = in.len ? memmem(in.ptr, in.len, "\r\n\r\n", 4) : NULL;
        if (end) {
            size_t len = (size_t)(end + 4 - in.ptr);
            assert_true(view_copy_to(view_slice(in, 0, len), out, size));
            buf_consume(&conn->in, len);
            return true;
        }
        if (!more(conn)) return false;
    }
}

/* A body by the head's framing, hashed. */
static bool hear_body(struct conn *conn, const char *head, EVP_MD_CTX *hash, uint64_t *ret_len) {
    const char *length = strcasestr(head, "content-length: ");
    bool is_chunked = strcasestr(head, "transfer-encoding: chunked") != NULL;
    uint64_t left = length ? strtoull(length + 16, NULL, 10) : 0;
    *ret_len = 0;
    if (!is_chunked) {
        while (left) {
            if (!conn->in.len && !more(conn)) return false;
            size_t len = conn->in.len < left ? conn->in.len : (size_t)left;
            if (hash) EVP_DigestUpdate(hash, buf_view(&conn->in).ptr, len);
            buf_consume(&conn->in, len);
            left -= len;
            *ret_len += len;
        }
        return true;
    }
    struct arena arena;
    struct headers trailers;
    struct chunked chunked;
    arena_init(&arena, 65536);
    headers_init(&trailers, &arena);
    chunked_init(&chunked, &trailers);
    enum chunked_result result = CHUNKED_MORE;
    while (result != CHUNKED_END && result != CHUNKED_MALFORMED) {
        if (!conn->in.len && !more(conn)) break;
        struct view bytes = buf_view(&conn->in), data;
        result = chunked_next(&chunked, &bytes, &data);
        if (result == CHUNKED_DATA) {
            if (hash) EVP_DigestUpdate(hash, data.ptr, data.len);
            *ret_len += data.len;
        }
        buf_consume(&conn->in, conn->in.len - bytes.len);
    }
    arena_done(&arena);
    return result == CHUNKED_END;
}

static void *run_conn(void *ctx) {
    struct conn *conn = ctx;
    if (server.tls) {
        conn->tls = SSL_new(server.tls);
        SSL_set_fd(conn->tls, conn->fd);
        if (SSL_accept(conn->tls) == 1) server.serve(conn);
        SSL_free(conn->tls);
    } else {
        server.serve(conn);
    }
    buf_done(&conn->in);
    if (conn->fd >= 0) close(conn->fd);
    return NULL;
}

static void *run_listener(void *ctx) {
    (void)ctx;
    for (;;) {
        int fd = accept(server.listener, NULL, NULL);
        if (fd < 0 || server.stops || server.accepted == CONNECTIONS_MAX) {
            if (fd >= 0) close(fd);
            if (fd < 0 && !server.stops && (errno == EMFILE || errno == EINTR)) continue;
            return NULL;
        }
        int nth = __atomic_add_fetch(&server.accepted, 1, __ATOMIC_SEQ_CST);
        struct conn *conn = &server.conns[nth - 1];
        *conn = (struct conn){.fd = fd, .nth = nth};
        buf_init(&conn->in, 64u * 1024 * 1024);
        assert_int_equal(pthread_create(&conn->thread, NULL, run_conn, conn), 0);
    }
}

static int accepted(void) {
    return __atomic_load_n(&server.accepted, __ATOMIC_SEQ_CST);
}

static bool has_ip6(void) {
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    bool has = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    if (fd >= 0) close(fd);
    return has;
}

static void listen_on(int family) {
    struct sockaddr_storage address = {.ss_family = (sa_family_t)family};
    socklen_t len = family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    if (family == AF_INET) ((struct sockaddr_in *)&address)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (family == AF_INET6) ((struct sockaddr_in6 *)&address)->sin6_addr = in6addr_loopback;
    if (family == AF_UNIX) {
        struct sockaddr_un *path = (struct sockaddr_un *)&address;
        snprintf(server.path, sizeof(server.path), "/tmp/test_local_client.%d", (int)getpid());
        unlink(server.path);
        strcpy(path->sun_path, server.path);
        len = sizeof(*path);
    }
    server.listener = socket(family, SOCK_STREAM, 0);
    assert_int_equal(bind(server.listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(server.listener, 1024), 0);
    assert_int_equal(getsockname(server.listener, (struct sockaddr *)&address, &len), 0);
    if (family == AF_INET) server.port = ntohs(((struct sockaddr_in *)&address)->sin_port);
    if (family == AF_INET6) server.port = ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
}

/* ---- the client's side ---- */

static struct loop loop;
static struct local_client *client;
static int under_way;
static uint64_t patience =
    1; /* TEST_PATIENCE: how many times slower than usual things may be (valgrind: 20) */

struct probe {
    struct local_request *request;
    int status, heads, ends, informationals, switches, trailers_calls;
    enum local_error error;
    char detail[200], fields[400], trailers[200];
    uint64_t received, sent_told, to_send;
    EVP_MD_CTX *in_hash, *out_hash;
    struct buf body; /* the first 64 KiB */
    bool paused;
    bool never_ends; /* its body is not ended when `to_send` has gone */
    char cancels_at; /* 'h'ead, 'd'ata, 's'ent, 'i'nformational, 'w' switched, 't'railers, 'e'nd */
    char pauses_at;
    void (*on_end)(struct probe *probe);
    void (*on_data)(struct probe *probe, struct view data);
    void (*on_switched)(struct probe *probe);
    struct probe *next; /* started in on_end */
};

static void finish_one(void) {
    if (--under_way == 0) uv_stop(&loop.uv);
}

static void maybe_cancel(struct probe *probe, char at) {
    if (probe->pauses_at == at) {
        probe->pauses_at = 0;
        probe->paused = true;
        local_request_pause(probe->request, true);
    }
    if (probe->cancels_at != at) return;
    probe->cancels_at = 'x';
    local_request_cancel(probe->request);
    if (at == 'e') return; /* that does nothing */
    probe->request = NULL;
    finish_one();
}

static void check_alive(const struct probe *probe) {
    assert_int_equal(probe->ends, 0);
    assert_int_not_equal(probe->cancels_at, 'x');
}

static void list_fields(const struct headers *headers, char *out, size_t size) {
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < headers->count && len < size; i++)
        len += (size_t)snprintf(out + len, size - len, "%s=%s;", headers->fields[i].name.ptr,
                                headers->fields[i].value.ptr);
}

static void on_informational(void *ctx, int status) {
    struct probe *probe = ctx;
    check_alive(probe);
    assert_int_equal(status, 100);
    probe->informationals++;
    maybe_cancel(probe, 'i');
}

static void on_head(void *ctx, int status, const struct headers *headers) {
    struct probe *probe = ctx;
    check_alive(probe);
    assert_int_equal(probe->heads++, 0);
    probe->status = status;
    maybe_cancel(probe, 'h');
    list_fields(headers, probe->fields, sizeof(probe->fields)); /* they live on */
}

static void on_switched(void *ctx, const struct headers *headers) {
    struct probe *probe = ctx;
    check_alive(probe);
    probe->switches++;
    maybe_cancel(probe, 'w');
    list_fields(headers, probe->fields, sizeof(probe->fields));
    if (probe->on_switched) probe->on_switched(probe);
}

static void on_data(void *ctx, struct view data) {
    struct probe *probe = ctx;
    check_alive(probe);
    assert_true(probe->heads + probe->switches == 1);
    assert_true(data.len > 0 && data.len <= 65536);
    assert_false(probe->paused);
    probe->received += data.len;
    if (probe->in_hash) EVP_DigestUpdate(probe->in_hash, data.ptr, data.len);
    buf_append_view(&probe->body, data);
    maybe_cancel(probe, 'd');
    if (probe->on_data) probe->on_data(probe, data);
}

static void feed(struct probe *probe);

static void on_sent(void *ctx, size_t bytes) {
    struct probe *probe = ctx;
    check_alive(probe);
    assert_true(bytes > 0);
    probe->sent_told += bytes;
    maybe_cancel(probe, 's');
    if (probe->request && probe->to_send) feed(probe);
}

static void on_trailers(void *ctx, const struct headers *trailers) {
    struct probe *probe = ctx;
    check_alive(probe);
    probe->trailers_calls++;
    list_fields(trailers, probe->trailers, sizeof(probe->trailers));
    maybe_cancel(probe, 't');
}

static void start(struct probe *probe);

static void on_end(void *ctx, enum local_error error, const char *detail) {
    struct probe *probe = ctx;
    check_alive(probe);
    maybe_cancel(probe, 'e');
    probe->ends++;
    probe->error = error;
    snprintf(probe->detail, sizeof(probe->detail), "%s", detail);
    probe->request = NULL;
    if (probe->on_end) probe->on_end(probe);
    if (probe->next) start(probe->next);
    finish_one();
}

static const struct local_events events = {on_informational, on_head,     on_switched, on_data,
                                           on_sent,          on_trailers, on_end};

static struct arena arena;
static struct headers headers;

static struct local_head get = {
    .method = {"GET", 3}, .target = {"/", 1}, .headers = &headers, .body_bytes = -1};

static struct local_head post(int64_t body_bytes) {
    return (struct local_head){
        .method = VIEW("POST"), .target = VIEW("/"), .headers = &headers, .body_bytes = body_bytes};
}

static void start_with(struct probe *probe, const struct local_head *head) {
    buf_init(&probe->body, 65536);
    probe->request = local_request_start(client, head, &events, probe);
    assert_non_null(probe->request);
    assert_int_equal(probe->heads + probe->ends, 0); /* no event from within */
    under_way++;
}

static void start(struct probe *probe) {
    start_with(probe, &get);
}

static void done(struct probe *probe) {
    EVP_MD_CTX_free(probe->in_hash);
    EVP_MD_CTX_free(probe->out_hash);
    buf_done(&probe->body);
}

static void on_too_long(uv_timer_t *timer) {
    (void)timer;
    fail_msg("the test takes too long");
}

static void run(void) {
    static uv_timer_t watchdog;
    uv_timer_init(&loop.uv, &watchdog);
    uv_timer_start(&watchdog, on_too_long, 60000 * patience, 0);
    if (under_way) loop_run(&loop);
    uv_close((uv_handle_t *)&watchdog, NULL);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
}

static void on_stop(uv_timer_t *timer) {
    uv_stop(timer->loop);
}

static void run_for(uint64_t ms) {
    uv_timer_t timer;
    uv_timer_init(&loop.uv, &timer);
    uv_timer_start(&timer, on_stop, ms, 0);
    uv_run(&loop.uv, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
}

static void run_until_paused(const struct probe *probe) {
    for (uint64_t i = 0; i < 5000 * patience && !probe->paused; i++) run_for(2);
    assert_true(probe->paused);
}

static void run_until_open(size_t count) {
    for (uint64_t i = 0; i < 5000 * patience && client->open != count; i++) run_for(2);
    assert_int_equal(client->open, count);
}

/* ---- set-up ---- */

static void begin_on(int family, void (*serve)(struct conn *conn), struct local_target target,
                     uint64_t timeout_ms) {
    memset(&server, 0, offsetof(__typeof__(server), conns));
    server.accepted = 0;
    server.stops = false;
    server.serve = serve;
    listen_on(family);
    pthread_create(&server.thread, NULL, run_listener, NULL);
    assert_true(loop_init(&loop));
    arena_init(&arena, 65536);
    headers_init(&headers, &arena);
    if (!target.port) target.port = server.port;
    if (family == AF_UNIX) target.unix_path = server.path;
    client = local_client_new(&loop, &target, timeout_ms >= 5000 ? timeout_ms * patience : timeout_ms);
    assert_non_null(client);
    under_way = 0;
}

static void begin(void (*serve)(struct conn *conn)) {
    begin_on(AF_INET, serve, (struct local_target){.host = "127.0.0.1"}, 5000);
}

static void end(void) {
    local_client_shut(client);
    assert_true(loop_done_within(&loop, 5000));
    local_client_free(client);
    arena_done(&arena);
    server.stops = true;
    shutdown(server.listener, SHUT_RDWR);
    close(server.listener);
    if (server.path[0]) unlink(server.path);
    pthread_join(server.thread, NULL);
    for (int i = 0; i < server.accepted; i++) pthread_join(server.conns[i].thread, NULL);
    SSL_CTX_free(server.tls);
}

#define HELLO "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"

static void serve_hello(struct conn *conn) {
    char head[8192];
    uint64_t len;
    while (hear_head(conn, head, sizeof(head)) && hear_body(conn, head, NULL, &len))
        if (!say(conn, HELLO)) return;
}

static void assert_hello(const struct probe *probe) {
    if (probe->error) fail_msg("failed: %s", probe->detail);
    assert_int_equal(probe->ends, 1);
    assert_int_equal(probe->status, 200);
    assert_true(view_eq(buf_view(&probe->body), VIEW("hello")));
}

static void assert_failed(const struct probe *probe, enum local_error error) {
    assert_int_equal(probe->ends, 1);
    if (probe->error != error) fail_msg("error %d, not %d: %s", (int)probe->error, (int)error, probe->detail);
    assert_true(probe->detail[0] != '\0');
}

/* One GET on its own. */
static struct probe try_get(void) {
    struct probe probe = {.status = 0};
    start(&probe);
    run();
    return probe;
}

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

static void serve_one(struct conn *conn) {
    char head[8192];
    uint64_t len;
    if (hear_head(conn, head, sizeof(head)) && hear_body(conn, head, NULL, &len)) say(conn, HELLO);
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

/* ---- heads ---- */

static char heard[8192];

static void serve_record(struct conn *conn) {
    uint64_t len;
    while (hear_head(conn, heard, sizeof(heard)) && hear_body(conn, heard, NULL, &len))
        if (!say(conn, HELLO)) return;
}

static void test_exact_head(void **state) {
    (void)state;
    begin(serve_record);
    headers_add(&headers, VIEW("accept"), VIEW("*/*"));
    headers_add(&headers, VIEW("x-empty"), VIEW(""));
    headers_add(&headers, VIEW("cookie"), VIEW("a=1"));
    headers_add(&headers, VIEW("host"), VIEW("example.test"));
    headers_add(&headers, VIEW("cookie"), VIEW("b=\xc3\xa4"));
    headers_add(&headers, VIEW("content-length"), VIEW("99"));
    headers_add(&headers, VIEW("transfer-encoding"), VIEW("gzip"));
    struct local_head head = get;
    struct probe probe = {.status = 0};
    head.method = VIEW("PROPFIND");
    head.target = VIEW("/a/../b//%2e?x=[1]&y='\"|\\^`{}");
    start_with(&probe, &head);
    run();
    assert_hello(&probe);
    done(&probe);
    assert_string_equal(heard,
                        "PROPFIND /a/../b//%2e?x=[1]&y='\"|\\^`{} HTTP/1.1\r\nAccept: */*\r\nX-Empty: \r\n"
                        "Cookie: a=1\r\nHost: example.test\r\nCookie: b=\xc3\xa4\r\n\r\n");
    struct probe second = {.status = 0};
    head = post(0);
    headers_remove(&headers, VIEW("host"));
    start_with(&second, &head);
    local_request_body_end(second.request);
    run();
    assert_hello(&second);
    done(&second);
    char expected[300];
    snprintf(expected, sizeof(expected),
             "POST / HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nAccept: */*\r\nX-Empty: \r\nCookie: a=1\r\nCookie: "
             "b=\xc3\xa4\r\n"
             "Content-Length: 0\r\n\r\n",
             server.port);
    assert_string_equal(heard, expected);
    assert_int_equal(accepted(), 1);
    end();
}

static void test_invalid(void **state) {
    (void)state;
    begin(serve_record);
    struct local_head head = get;
    for (int i = 0; i < 6; i++) {
        struct probe probe = {.status = 0};
        head = get;
        headers_init(&headers, &arena);
        if (i == 0) headers_add(&headers, VIEW("a"), VIEW("b\r\nc: d"));
        if (i == 1) headers_add(&headers, VIEW("a b"), VIEW("c"));
        if (i == 2) head.target = VIEW("/ HTTP/1.1\r\n");
        if (i == 3) head.method = VIEW("GET /");
        if (i == 4) head.target = VIEW("");
        if (i == 5) headers_add(&headers, VIEW("a"), VIEW("b\nc"));
        start_with(&probe, &head);
        run();
        assert_failed(&probe, LOCAL_INVALID);
        done(&probe);
    }
    assert_int_equal(accepted(), 0);
    end();
}

static const char *script;
static size_t script_len;
static bool script_resets;

static void serve_script(struct conn *conn) {
    char head[65536];
    if (!hear_head(conn, head, sizeof(head))) return;
    say_bytes(conn, script, script_len);
    if (!script_resets) return;
    usleep(20000);
    struct linger linger = {1, 0};
    setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static struct probe try_script(const char *bytes, size_t len, bool resets) {
    script = bytes;
    script_len = len;
    script_resets = resets;
    begin(serve_script);
    struct probe probe = try_get();
    end();
    return probe;
}

static void test_broken(void **state) {
    (void)state;
    static const char *const answers[] = {
        "",
        "\r\n",
        "SSH-2.0-x\r\n",
        "<html>",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\nhello",
        "HTTP/1.1 101 Switching\r\nupgrade: websocket\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nbad line\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct probe probe = try_script(answers[i], strlen(answers[i]), false);
        assert_failed(&probe, LOCAL_BROKEN);
        done(&probe);
    }
    struct probe probe = try_script("HTTP/1.1 200 OK\r\n\r\nhello", 24, true); /* to close, but reset */
    assert_failed(&probe, LOCAL_BROKEN);
    assert_true(view_eq(buf_view(&probe.body), VIEW("hello")));
    done(&probe);
}

static void test_huge_heads(void **state) {
    (void)state;
    struct buf head;
    buf_init(&head, 1024 * 1024);
    buf_append_view(&head, VIEW("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n"));
    for (int i = 0; i < 250; i++) buf_printf(&head, "x-%03d: %0300d\r\n", i, 7);
    buf_append_view(&head, VIEW("\r\nhello"));
    struct probe probe = try_script(buf_view(&head).ptr, head.len, false); /* 77 KB */
    assert_hello(&probe);
    done(&probe);
    buf_clear(&head);
    buf_append_view(&head, VIEW("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n"));
    for (int i = 0; i < 250; i++) buf_printf(&head, "x-%03d: %0900d\r\n", i, 7);
    buf_append_view(&head, VIEW("\r\nhello"));
    probe = try_script(buf_view(&head).ptr, head.len, false); /* 227 KB */
    assert_failed(&probe, LOCAL_BROKEN);
    done(&probe);
    buf_clear(&head);
    buf_append_view(&head, VIEW("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n"));
    for (int i = 0; i < 300; i++) buf_printf(&head, "x-%03d: a\r\n", i);
    buf_append_view(&head, VIEW("\r\nhello"));
    probe = try_script(buf_view(&head).ptr, head.len, false);
    assert_failed(&probe, LOCAL_BROKEN);
    done(&probe);
    buf_done(&head);
}

/* Everything byte by byte. */
static void serve_slowly(struct conn *conn) {
    static const char answer[] =
        "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\nset-cookie: a\r\n"
        "Set-Cookie: b\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n3;a=b\r\nhel\r\n"
        "2\r\nlo\r\n0\r\nX-Sum: 1\r\nx-sum: 2\r\n\r\n";
    char head[8192];
    int on = 1;
    setsockopt(conn->fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof(on));
    while (hear_head(conn, head, sizeof(head)))
        for (size_t i = 0; i < sizeof(answer) - 1; i++) {
            if (!say_bytes(conn, answer + i, 1)) return;
            usleep(50);
        }
}

static void test_odd_pieces(void **state) {
    (void)state;
    begin(serve_slowly);
    for (int i = 0; i < 2; i++) {
        struct probe probe = try_get();
        assert_hello(&probe);
        assert_string_equal(probe.fields,
                            "set-cookie=a;set-cookie=b;transfer-encoding=chunked;trailer=x-sum;");
        assert_int_equal(probe.trailers_calls, 1);
        assert_string_equal(probe.trailers, "x-sum=1;x-sum=2;");
        assert_int_equal(probe.informationals, 0);
        done(&probe);
    }
    assert_int_equal(accepted(), 1);
    end();
}

static void serve_1_0(struct conn *conn) {
    char head[8192];
    while (hear_head(conn, head, sizeof(head))) {
        if (strstr(head, " /keep")) {
            say(conn, "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 5\r\n\r\nhello");
        } else if (strstr(head, " /length")) {
            say(conn, "HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello");
        } else if (strstr(head, " /close")) {
            say(conn, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello");
        } else {
            say(conn, "HTTP/1.0 200 OK\r\n\r\nhel");
            usleep(1000);
            say(conn, "lo");
            return;
        }
    }
}

static void test_who_closes(void **state) {
    (void)state;
    static const struct {
        const char *target;
        int opened;
    } rows[] = {{"/keep", 1}, {"/keep", 1}, {"/length", 1}, {"/close", 2}, {"/", 3}, {"/keep", 4}};
    begin(serve_1_0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct probe probe = {.status = 0};
        struct local_head head = get;
        head.target = view_from_cstr(rows[i].target);
        start_with(&probe, &head);
        run();
        assert_hello(&probe);
        done(&probe);
        assert_int_equal(accepted(), rows[i].opened);
    }
    end();
}

static void serve_headless(struct conn *conn) {
    char head[8192];
    while (hear_head(conn, head, sizeof(head)))
        if (!say(conn, strstr(head, "HEAD ")   ? "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n"
                       : strstr(head, " /204") ? "HTTP/1.1 204 No Content\r\n\r\n"
                                               : "HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n"))
            return;
}

static void test_no_body(void **state) {
    (void)state;
    begin(serve_headless);
    static const struct {
        const char *method, *target;
        int status;
    } rows[] = {{"HEAD", "/", 200}, {"GET", "/204", 204}, {"GET", "/304", 304}, {"HEAD", "/", 200}};
    for (size_t i = 0; i < 4; i++) {
        struct probe probe = {.status = 0};
        struct local_head head = get;
        head.method = view_from_cstr(rows[i].method);
        head.target = view_from_cstr(rows[i].target);
        start_with(&probe, &head);
        run();
        assert_int_equal(probe.error, LOCAL_OK);
        assert_int_equal(probe.status, rows[i].status);
        assert_int_equal(probe.received, 0);
        done(&probe);
    }
    assert_int_equal(accepted(), 1);
    end();
}

/* ---- bodies ---- */

static char noise[1 << 20];

static void make_noise(void) {
    unsigned x = 1;
    for (size_t i = 0; i < sizeof(noise); i++) noise[i] = (char)((x = x * 1103515245u + 12345u) >> 16);
}

static EVP_MD_CTX *sha256(void) {
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    EVP_DigestInit_ex(hash, EVP_sha256(), NULL);
    return hash;
}

static void hex_of(EVP_MD_CTX *hash, char out[65]) {
    unsigned char digest[32];
    EVP_DigestFinal_ex(hash, digest, NULL);
    for (int i = 0; i < 32; i++) sprintf(out + i * 2, "%02x", digest[i]);
}

/* Keeps 256 KiB on their way, in pieces of odd sizes. */
static void feed(struct probe *probe) {
    while (probe->to_send && probe->request && local_request_body_waiting(probe->request) < 262144) {
        size_t len = (size_t)(probe->to_send * 7919 % 70001) + 1;
        if (len > probe->to_send) len = (size_t)probe->to_send;
        size_t from = (size_t)(probe->to_send % (sizeof(noise) - 70001));
        EVP_DigestUpdate(probe->out_hash, noise + from, len);
        assert_true(local_request_body(probe->request, view_of(noise + from, len)));
        probe->to_send -= len;
        if (!probe->to_send && !probe->never_ends) local_request_body_end(probe->request);
    }
}

/* Answers with the hash of the body. */
static void serve_hash(struct conn *conn) {
    char head[8192], hex[65], answer[200];
    uint64_t len;
    while (hear_head(conn, head, sizeof(head))) {
        EVP_MD_CTX *hash = sha256();
        bool ok = hear_body(conn, head, hash, &len);
        hex_of(hash, hex);
        EVP_MD_CTX_free(hash);
        snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\ncontent-length: 64\r\n\r\n%s", hex);
        if (!ok || !say(conn, answer)) return;
    }
}

static const uint64_t sizes[] = {0,     1,     13,    1000,   16383,   16384,   16385,
                                 65535, 65536, 65537, 100000, 1000003, 10485760};

static void upload_all(void) {
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        for (int is_chunked = 0; is_chunked < 2; is_chunked++) {
            struct probe probe = {.to_send = sizes[i], .out_hash = sha256()};
            struct local_head head = post(is_chunked ? LOCAL_BODY_UNKNOWN : (int64_t)sizes[i]);
            char hex[65];
            start_with(&probe, &head);
            if (sizes[i])
                feed(&probe);
            else
                local_request_body_end(probe.request);
            run();
            hex_of(probe.out_hash, hex);
            if (probe.error) fail_msg("%s", probe.detail);
            assert_true(view_eq(buf_view(&probe.body), view_from_cstr(hex)));
            assert_true(probe.sent_told <= sizes[i]);
            done(&probe);
        }
    assert_int_equal(accepted(), 1);
}

static void test_upload(void **state) {
    (void)state;
    begin(serve_hash);
    upload_all();
    end();
}

/* /c, /l, /e: chunked, length, to the end; then the size. */
static void serve_noise(struct conn *conn) {
    char head[8192], line[200];
    while (hear_head(conn, head, sizeof(head))) {
        char how = head[5];
        size_t left = strtoul(head + 6, NULL, 10), at = 0;
        snprintf(line, sizeof(line), "HTTP/1.1 200 OK\r\n%s\r\n",
                 how == 'c'   ? "transfer-encoding: chunked\r\n"
                 : how == 'e' ? "connection: close\r\n"
                              : "");
        if (how == 'l') snprintf(line, sizeof(line), "HTTP/1.1 200 OK\r\ncontent-length: %zu\r\n\r\n", left);
        if (!say(conn, line)) return;
        while (left) {
            size_t len = at * 31 % 90001 + 1;
            if (len > left) len = left;
            snprintf(line, sizeof(line), "%zx\r\n", len);
            if (how == 'c' && !say(conn, line)) return;
            if (!say_bytes(conn, noise + at % (sizeof(noise) - 90001), len)) return;
            if (how == 'c' && !say(conn, "\r\n")) return;
            at += len;
            left -= len;
        }
        if (how == 'e') return;
        if (how == 'c' && !say(conn, "0\r\n\r\n")) return;
    }
}

static void hash_noise(size_t left, char hex[65]) {
    EVP_MD_CTX *hash = sha256();
    for (size_t at = 0; left;) {
        size_t len = at * 31 % 90001 + 1;
        if (len > left) len = left;
        EVP_DigestUpdate(hash, noise + at % (sizeof(noise) - 90001), len);
        at += len;
        left -= len;
    }
    hex_of(hash, hex);
    EVP_MD_CTX_free(hash);
}

static void download_all(void) {
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        for (const char *how = "cle"; *how; how++) {
            char target[50], expected[65], hex[65];
            struct probe probe = {.in_hash = sha256()};
            struct local_head head = get;
            snprintf(target, sizeof(target), "/%c%llu", *how, (unsigned long long)sizes[i]);
            head.target = view_from_cstr(target);
            start_with(&probe, &head);
            run();
            if (probe.error) fail_msg("%s: %s", target, probe.detail);
            assert_int_equal(probe.received, sizes[i]);
            hex_of(probe.in_hash, hex);
            hash_noise((size_t)sizes[i], expected);
            assert_string_equal(hex, expected);
            done(&probe);
        }
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

static uint64_t service_sent;

static void serve_flood(struct conn *conn) {
    char head[8192];
    if (!hear_head(conn, head, sizeof(head))) return;
    say(conn, "HTTP/1.1 200 OK\r\ncontent-length: 52428800\r\n\r\n");
    for (int i = 0; i < 50; i++) {
        if (!say_bytes(conn, noise, 1 << 20)) return;
        __atomic_add_fetch(&service_sent, 1 << 20, __ATOMIC_SEQ_CST);
    }
}

static void test_pause(void **state) {
    (void)state;
    service_sent = 0;
    begin(serve_flood);
    struct probe probe = {.pauses_at = 'd'};
    start(&probe);
    run_until_paused(&probe);
    run_for(500); /* and nothing more comes */
    assert_true(probe.received > 0 && probe.received <= 65536);
    assert_true(__atomic_load_n(&service_sent, __ATOMIC_SEQ_CST) < 16u * 1024 * 1024);
    uint64_t before = probe.received;
    probe.paused = false;
    probe.pauses_at = 'd';
    local_request_pause(probe.request, false);
    assert_int_equal(probe.received, before); /* no event from within */
    run_until_paused(&probe);
    assert_true(probe.received > before && probe.received <= before + 65536);
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

static sem_t may_read; /* a late reader's: from now on */

static void serve_late_reader(struct conn *conn) {
    char head[8192], hex[65], answer[200];
    uint64_t len;
    if (!hear_head(conn, head, sizeof(head))) return;
    sem_wait(&may_read);
    EVP_MD_CTX *hash = sha256();
    hear_body(conn, head, hash, &len);
    hex_of(hash, hex);
    EVP_MD_CTX_free(hash);
    snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\ncontent-length: 64\r\n\r\n%s", hex);
    say(conn, answer);
}

static void test_body_bound(void **state) {
    (void)state;
    sem_init(&may_read, 0, 0);
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
    sem_post(&may_read);
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

static void serve_early(struct conn *conn) {
    char head[8192];
    if (!hear_head(conn, head, sizeof(head))) return;
    say(conn, "HTTP/1.1 413 Too Large\r\ncontent-length: 5\r\n\r\nhello");
    if (strstr(head, " /stay"))
        while (more(conn)) buf_clear(&conn->in);
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

/* ---- upgrade ---- */

static void serve_upgrade(struct conn *conn) {
    char head[8192], key[100] = "", accept[64], answer[500];
    unsigned char digest[20];
    while (hear_head(conn, head, sizeof(head))) {
        strcpy(heard, head);
        const char *at = strstr(head, "Sec-WebSocket-Key: ");
        if (at) sscanf(at + 19, "%60s", key);
        strcat(key, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
        EVP_Digest(key, strlen(key), digest, NULL, EVP_sha1(), NULL);
        accept[base64_encode(view_of(digest, 20), accept)] = '\0';
        if (strstr(head, " /no")) {
            say(conn, HELLO);
            continue;
        }
        if (strstr(head, " /wrong")) accept[3] ^= 1;
        if (strstr(head, " /mqtt"))
            snprintf(answer, sizeof(answer),
                     "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: mqtt\r\n\r\nearly;");
        else
            snprintf(answer, sizeof(answer),
                     "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Accept: "
                     "%s\r\n\r\nearly;",
                     accept);
        if (!say(conn, answer)) return;
        for (;;) { /* echoes, and has a last word when the client is done */
            if (conn->in.len && !say_bytes(conn, buf_view(&conn->in).ptr, conn->in.len)) return;
            buf_clear(&conn->in);
            if (!more(conn)) break;
        }
        say(conn, ";bye");
        return;
    }
}

static void send_raw(struct probe *probe) {
    assert_true(local_request_body(probe->request, VIEW("raw\r\n0\r\n\r\n")));
    if (probe->to_send)
        feed(probe);
    else
        local_request_body_end(probe->request);
}

static struct local_head upgrade(const char *target, const char *token) {
    struct local_head head = get;
    head.target = view_from_cstr(target);
    head.upgrade = view_from_cstr(token);
    return head;
}

static void test_upgrade(void **state) {
    (void)state;
    begin(serve_upgrade);
    headers_add(&headers, VIEW("host"), VIEW("a"));
    headers_add(&headers, VIEW("sec-websocket-key"), VIEW("dGhlIHNhbXBsZSBub25jZQ=="));
    headers_add(&headers, VIEW("sec-websocket-version"), VIEW("13"));
    headers_add(&headers, VIEW("upgrade"), VIEW("x"));
    headers_add(&headers, VIEW("connection"), VIEW("y"));
    struct probe probe = {.on_switched = send_raw};
    struct local_head head = upgrade("/", "websocket");
    start_with(&probe, &head);
    assert_true(local_request_body(probe.request, VIEW("before;"))); /* waits for the switch */
    run();
    if (probe.error) fail_msg("%s", probe.detail);
    assert_int_equal(probe.switches, 1);
    assert_int_equal(probe.heads, 0);
    assert_true(view_eq(buf_view(&probe.body), VIEW("early;before;raw\r\n0\r\n\r\n;bye")));
    assert_int_equal(probe.sent_told, 17);
    assert_null(strstr(heard, "dGhlIHNhbXBsZSBub25jZQ=="));
    assert_non_null(strstr(heard,
                           "GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Version: 13\r\nConnection: Upgrade\r\n"
                           "Upgrade: websocket\r\nSec-WebSocket-Key: "));
    done(&probe);

    struct probe mqtt = {.on_switched = send_raw, .to_send = 5000000, .out_hash = sha256()};
    head = upgrade("/mqtt", "MQTT");
    start_with(&mqtt, &head);
    run();
    if (mqtt.error) fail_msg("%s", mqtt.detail);
    assert_int_equal(mqtt.received, 5000000 + 10 + 6 + 4);
    done(&mqtt);

    struct probe wrong = {.status = 0};
    head = upgrade("/wrong", "websocket");
    start_with(&wrong, &head);
    run();
    assert_failed(&wrong, LOCAL_BROKEN);
    assert_int_equal(wrong.switches + wrong.heads, 0);
    done(&wrong);

    struct probe other = {.status = 0}; /* asked for one, got another */
    head = upgrade("/", "mqtt");
    start_with(&other, &head);
    run();
    assert_failed(&other, LOCAL_BROKEN);
    done(&other);

    int before = accepted();
    for (int i = 0; i < 2; i++) { /* an ordinary answer leaves the connection of use */
        struct probe ordinary = {.status = 0};
        head = upgrade("/no", "websocket");
        start_with(&ordinary, &head);
        run();
        assert_hello(&ordinary);
        assert_int_equal(ordinary.switches, 0);
        done(&ordinary);
    }
    assert_int_equal(accepted(), before + 1);

    struct probe posted = {.on_switched = send_raw}; /* the body goes at once, what follows it does not */
    head = upgrade("/mqtt", "tcp/1, mqtt");
    head.method = VIEW("POST");
    head.body_bytes = 5;
    start_with(&posted, &head);
    assert_true(local_request_body(posted.request, VIEW("hello")));
    assert_false(local_request_body(posted.request, VIEW("!")));
    run();
    if (posted.error) fail_msg("%s", posted.detail);
    assert_true(view_eq(buf_view(&posted.body), VIEW("early;helloraw\r\n0\r\n\r\n;bye")));
    assert_non_null(strstr(heard, "POST /mqtt HTTP/1.1\r\n"));
    assert_non_null(strstr(heard, "5\r\n"));
    assert_non_null(strstr(heard, "pgrade: tcp/1, mqtt\r\n"));
    done(&posted);

    struct probe invalid = {.status = 0};
    head = upgrade("/", "web socket");
    start_with(&invalid, &head);
    run();
    assert_failed(&invalid, LOCAL_INVALID);
    done(&invalid);
    end();
}

/* ---- unix sockets and TLS ---- */

static void test_unix(void **state) {
    (void)state;
    begin_on(AF_UNIX, serve_record, (struct local_target){.host = "localhost", .port = 3000}, 5000);
    for (int i = 0; i < 3; i++) {
        struct probe probe = try_get();
        assert_hello(&probe);
        done(&probe);
    }
    assert_non_null(strstr(heard, "Host: localhost:3000\r\n"));
    assert_int_equal(accepted(), 1);
    static struct probe probes[200];
    memset(probes, 0, sizeof(probes));
    for (int i = 0; i < 200; i++) start(&probes[i]);
    run();
    for (int i = 0; i < 200; i++) {
        assert_hello(&probes[i]);
        done(&probes[i]);
    }
    end();
}

static void test_unix_missing(void **state) {
    (void)state;
    begin(serve_hello);
    struct local_client *good = client;
    char longer[300];
    memset(longer, 'a', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    const char *paths[] = {"/tmp/no/such/socket", "/tmp", longer};
    for (int i = 0; i < 3; i++) {
        struct local_target target = {.host = "localhost", .port = 80, .unix_path = paths[i]};
        client = local_client_new(&loop, &target, 1000);
        struct probe probe = try_get();
        assert_failed(&probe, LOCAL_UNAVAILABLE);
        done(&probe);
        local_client_shut(client);
        uv_run(&loop.uv, UV_RUN_NOWAIT);
        local_client_free(client);
    }
    client = good;
    end();
}

/* A name for 127.0.0.1 that needs no table of names, and is no literal for the client. */
#define NAME "127.1"

static void poison_address(int fd) {
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    client->addresses.list[0].socket_address = address;
    client->addresses.count = 1;
}

static void close_idle(void) {
    while (!list_empty(&client->idle))
        connection_close(LIST_ENTRY(client->idle.next, struct local_connection, node));
    run_for(1);
}

/* The service's name means another machine now. */
static void test_moved_name(void **state) {
    (void)state;
    begin_on(AF_INET, serve_hello, (struct local_target){.host = NAME}, 5000);
    struct probe probe = try_get();
    assert_hello(&probe);
    done(&probe);
    close_idle();
    int other = socket(AF_INET, SOCK_STREAM, 0); /* bound, and nobody listens: refused */
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(other, (struct sockaddr *)&address, sizeof(address)), 0);
    poison_address(other);
    probe = try_get(); /* looked up again within the request */
    assert_hello(&probe);
    done(&probe);
    close_idle();
    assert_int_equal(listen(other, 5), 0); /* another service now, which never answers */
    poison_address(other);
    client->addresses_ms = loop_now(&loop) - LOCAL_LOOKUP_MAX_MS;
    probe = try_get();
    assert_hello(&probe);
    done(&probe);
    close(other);
    close_idle();
    strcpy(client->host, "....."); /* cannot be looked up any more: what was known is used */
    client->addresses_ms = loop_now(&loop) - LOCAL_LOOKUP_MAX_MS;
    probe = try_get();
    assert_hello(&probe);
    done(&probe);
    end();
}

static void test_name_that_fails_again(void **state) {
    (void)state;
    begin_on(AF_INET, serve_hello, (struct local_target){.host = NAME, .port = 1}, 5000);
    for (int i = 0; i < 2; i++) {
        struct probe probe = try_get();
        assert_failed(&probe, LOCAL_UNAVAILABLE);
        done(&probe);
    }
    end();
}

static void begin_tls(void (*serve)(struct conn *conn), int version) {
    begin_on(AF_INET, serve, (struct local_target){.host = "localhost", .tls = true}, 5000);
    server.tls = server_context(version);
}

static void test_tls(void **state) {
    (void)state;
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (int i = 0; i < 2; i++) {
        begin_tls(serve_hello, versions[i]);
        for (int j = 0; j < 3; j++) {
            struct probe probe = try_get();
            assert_hello(&probe);
            done(&probe);
            struct probe second = {.status = 0};
            struct local_head head = post(4);
            start_with(&second, &head);
            local_request_body(second.request, VIEW("four"));
            run();
            assert_hello(&second);
            done(&second);
        }
        assert_int_equal(accepted(), 1);
        assert_string_equal(asked_name, "localhost");
        assert_string_equal(asked_protocol, "http/1.1");
        end();
        begin_tls(serve_hash, versions[i]);
        upload_all();
        end();
        begin_tls(serve_noise, versions[i]);
        download_all();
        end();
        begin_tls(serve_one, versions[i]); /* closes when idle, without close_notify */
        for (int j = 1; j < 4; j++) {
            struct probe probe = try_get();
            assert_hello(&probe);
            done(&probe);
            run_until_open(0);
        }
        end();
        service_sent = 0;
        begin_tls(serve_flood, versions[i]);
        struct probe flood = {.pauses_at = 'd'};
        start(&flood);
        run_until_paused(&flood);
        run_for(200);
        assert_true(flood.received <= 65536);
        flood.paused = false;
        local_request_pause(flood.request, false);
        run();
        assert_int_equal(flood.received, 52428800);
        done(&flood);
        end();
        begin_tls(serve_upgrade, versions[i]);
        struct probe raw = {.on_switched = send_raw};
        struct local_head head = upgrade("/", "websocket");
        start_with(&raw, &head);
        run();
        if (raw.error) fail_msg("%s", raw.detail);
        assert_true(view_eq(buf_view(&raw.body), VIEW("early;raw\r\n0\r\n\r\n;bye")));
        done(&raw);
        end();
    }
}

/* Services of several names refuse a Host that was not asked for in the handshake. */
static void test_tls_name_is_hosts(void **state) {
    (void)state;
    static const struct {
        const char *host, *name;
        int connections;
    } rows[] = {
        {"app.test:8443", "app.test", 1}, {"app.test", "app.test", 1}, {"other.test", "other.test", 2},
        {"127.0.0.1:1", "-", 3},          {"[::1]:1", "-", 3},         {"app.test", "-", 3}};
    begin_tls(serve_hello, TLS1_3_VERSION);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        headers_set(&headers, VIEW("host"), view_from_cstr(rows[i].host));
        struct probe probe = try_get();
        assert_hello(&probe);
        done(&probe);
        assert_int_equal(accepted(), rows[i].connections);
        assert_string_equal(asked_name, rows[i].name); /* of the newest connection */
    }
    end();
}

static void test_tls_many(void **state) {
    (void)state;
    begin_tls(serve_hello, TLS1_3_VERSION);
    static struct probe probes[100];
    memset(probes, 0, sizeof(probes));
    for (int i = 0; i < 100; i++) start(&probes[i]);
    run();
    for (int i = 0; i < 100; i++) {
        assert_hello(&probes[i]);
        done(&probes[i]);
    }
    end();
}

static void test_tls_to_plain(void **state) {
    (void)state;
    begin_on(AF_INET, serve_early, (struct local_target){.host = "127.0.0.1", .tls = true}, 500);
    struct probe probe = try_get(); /* the service waits for a head that does not come */
    assert_failed(&probe, LOCAL_UNAVAILABLE);
    assert_int_equal(local_client_clue(client), LOCAL_CLUE_NO_TLS);
    done(&probe);
    end();
}

/* ---- what is no HTTP ---- */

static const char *said; /* whatever it is asked */

static void serve_said(struct conn *conn) {
    char head[8192];
    if (!hear_head(conn, head, sizeof(head))) return;
    say(conn, said);
    more(conn);
}

static void test_what_is_no_http_is_shown(void **state) {
    (void)state;
    static const struct {
        const char *said, *shown;
        enum local_clue clue;
    } rows[] = {
        {"\x15\x03\x01\x02\n\n", "it begins with \"\\x15\\x03\\x01\\x02\\x0a\\x0a\"", LOCAL_CLUE_SPEAKS_TLS},
        {"\x16\x03\x03 ~\x7f\n\n", "it begins with \"\\x16\\x03\\x03 ~\\x7f\\x0a\\x0a\"",
         LOCAL_CLUE_SPEAKS_TLS},
        {"\x16\x04\x03\n\n", "it begins with \"\\x16\\x04\\x03\\x0a\\x0a\"", LOCAL_CLUE_NONE},
        {"SSH-2.0-OpenSSH_9.2 and so on, more than is shown\n\n",
         "it begins with \"SSH-2.0-OpenSSH_9.2 and so on, m\"", LOCAL_CLUE_NONE},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        said = rows[i].said;
        begin(serve_said);
        struct probe probe = try_get();
        assert_failed(&probe, LOCAL_BROKEN);
        if (!strstr(probe.detail, rows[i].shown)) fail_msg("%s", probe.detail);
        assert_int_equal(local_client_clue(client), rows[i].clue);
        done(&probe);
        end();
    }
}

/* ---- cancelling ---- */

/* Sends what is said of `cancels_at`, one thing after the other. */
static void serve_stages(struct conn *conn) {
    char head[8192];
    uint64_t len;
    if (!hear_head(conn, head, sizeof(head))) return;
    if (strstr(head, "expect: ")) say(conn, "HTTP/1.1 100 Continue\r\n\r\n");
    hear_body(conn, head, NULL, &len);
    if (strstr(head, " /silent")) {
        more(conn);
        return;
    }
    say(conn,
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\na: b\r\n\r\n");
    more(conn);
}

static void test_cancel_in_events(void **state) {
    (void)state;
    begin(serve_stages);
    for (const char *at = "ihdst"; *at; at++) {
        struct probe probe = {.cancels_at = *at};
        struct local_head head = post(4);
        head.expects_continue = *at == 'i';
        start_with(&probe, &head);
        assert_true(local_request_body(probe.request, VIEW("four")));
        run();
        assert_int_equal(probe.cancels_at, 'x');
        assert_int_equal(probe.ends, 0);
        run_for(10);
        assert_int_equal(client->open, 0);
        done(&probe);
    }
    struct probe at_end = {.cancels_at = 'e'};
    start(&at_end);
    at_end.cancels_at = 0; /* check_alive() looks at it */
    run();
    assert_hello(&at_end);
    done(&at_end);
    end();
    begin(serve_upgrade);
    struct probe probe = {.cancels_at = 'w'};
    struct local_head head = upgrade("/", "websocket");
    start_with(&probe, &head);
    run();
    assert_int_equal(client->open, 0);
    done(&probe);
    end();
}

static void test_cancel_outside(void **state) {
    (void)state;
    begin_on(AF_INET, serve_stages, (struct local_target){.host = "localhost"}, 5000);
    for (int turns = 0; turns < 12; turns++) { /* at once, looking up, dialling, sending, waiting */
        struct probe probe = {.status = 0};
        struct local_head head = post(turns % 2 ? LOCAL_BODY_UNKNOWN : 40);
        head.target = VIEW("/silent");
        start_with(&probe, &head);
        assert_true(local_request_body(probe.request, VIEW("four")));
        for (int i = 0; i < turns; i++) uv_run(&loop.uv, UV_RUN_NOWAIT);
        if (turns > 8) run_for((uint64_t)turns);
        local_request_cancel(probe.request);
        under_way--;
        assert_int_equal(client->open, 0);
        assert_true(list_empty(&client->requests));
        run_for(1);
        assert_int_equal(probe.ends, 0);
        done(&probe);
    }
    end();
}

static void test_shut_with_requests(void **state) {
    (void)state;
    for (uint64_t ms = 0; ms < 3; ms++) {
        begin_on(AF_INET, serve_stages, (struct local_target){.host = "localhost"}, 5000);
        static struct probe probes[30];
        memset(probes, 0, sizeof(probes));
        for (int i = 0; i < 30; i++) {
            struct local_head head = post(LOCAL_BODY_UNKNOWN);
            head.target = VIEW("/silent");
            start_with(&probes[i], &head);
        }
        if (ms) run_for(ms * 10);
        end();
        for (int i = 0; i < 30; i++) {
            assert_int_equal(probes[i].ends, 0);
            done(&probes[i]);
        }
    }
}

int main(int argc, char **argv) {
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    signal(SIGPIPE, SIG_IGN);
    make_noise();
    if (getenv("TEST_PATIENCE")) patience = strtoull(getenv("TEST_PATIENCE"), NULL, 10);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max < 8192 ? limit.rlim_max : 8192;
    setrlimit(RLIMIT_NOFILE, &limit);
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
        cmocka_unit_test(test_exact_head),
        cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_huge_heads),
        cmocka_unit_test(test_odd_pieces),
        cmocka_unit_test(test_who_closes),
        cmocka_unit_test(test_no_body),
        cmocka_unit_test(test_upload),
        cmocka_unit_test(test_download),
        cmocka_unit_test(test_both_ways_at_once),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_pause_within_a_read),
        cmocka_unit_test(test_body_bound),
        cmocka_unit_test(test_announced),
        cmocka_unit_test(test_one_write),
        cmocka_unit_test(test_early_answer),
        cmocka_unit_test(test_expect),
        cmocka_unit_test(test_upgrade),
        cmocka_unit_test(test_unix),
        cmocka_unit_test(test_unix_missing),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_tls_many),
        cmocka_unit_test(test_tls_name_is_hosts),
        cmocka_unit_test(test_moved_name),
        cmocka_unit_test(test_name_that_fails_again),
        cmocka_unit_test(test_tls_to_plain),
        cmocka_unit_test(test_what_is_no_http_is_shown),
        cmocka_unit_test(test_cancel_in_events),
        cmocka_unit_test(test_cancel_outside),
        cmocka_unit_test(test_shut_with_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
