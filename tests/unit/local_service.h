/* A small server of raw sockets, and probes of the local client: what its tests share. Each test writes the
 * service's side as a function that a thread runs for every connection accepted. */
#ifndef TEST_LOCAL_SERVICE_H
#define TEST_LOCAL_SERVICE_H
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
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

static inline ssize_t conn_read(struct conn *conn, void *out, size_t len) {
    return conn->tls ? SSL_read(conn->tls, out, (int)len) : recv(conn->fd, out, len, 0);
}

static inline bool say_bytes(struct conn *conn, const void *bytes, size_t len) {
    for (const char *at = bytes; len;) {
        ssize_t n = conn->tls ? SSL_write(conn->tls, at, (int)(len > 65536 ? 65536 : len))
                              : send(conn->fd, at, len, MSG_NOSIGNAL);
        if (n <= 0) return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static inline bool say(struct conn *conn, const char *text) {
    return say_bytes(conn, text, strlen(text));
}

static inline bool more(struct conn *conn) {
    char *room = buf_reserve(&conn->in, 65536);
    ssize_t n = room ? conn_read(conn, room, 65536) : -1;
    if (n <= 0) return false;
    buf_commit(&conn->in, (size_t)n);
    return true;
}

/* The head of a request, empty line included, into `out`. */
static inline bool hear_head(struct conn *conn, char *out, size_t size) {
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
static inline bool hear_body(struct conn *conn, const char *head, EVP_MD_CTX *hash, uint64_t *ret_len) {
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

static inline void *run_conn(void *ctx) {
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

static inline void *run_listener(void *ctx) {
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

static inline int accepted(void) {
    return __atomic_load_n(&server.accepted, __ATOMIC_SEQ_CST);
}

static inline bool has_ip6(void) {
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    bool has = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    if (fd >= 0) close(fd);
    return has;
}

static inline void listen_on(int family) {
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

static inline void finish_one(void) {
    if (--under_way == 0) uv_stop(&loop.uv);
}

static inline void maybe_cancel(struct probe *probe, char at) {
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

static inline void check_alive(const struct probe *probe) {
    assert_int_equal(probe->ends, 0);
    assert_int_not_equal(probe->cancels_at, 'x');
}

static inline void list_fields(const struct headers *headers, char *out, size_t size) {
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < headers->count && len < size; i++)
        len += (size_t)snprintf(out + len, size - len, "%s=%s;", headers->fields[i].name.ptr,
                                headers->fields[i].value.ptr);
}

static inline void on_informational(void *ctx, int status) {
    struct probe *probe = ctx;
    check_alive(probe);
    assert_int_equal(status, 100);
    probe->informationals++;
    maybe_cancel(probe, 'i');
}

static inline void on_head(void *ctx, int status, const struct headers *headers) {
    struct probe *probe = ctx;
    check_alive(probe);
    assert_int_equal(probe->heads++, 0);
    probe->status = status;
    maybe_cancel(probe, 'h');
    list_fields(headers, probe->fields, sizeof(probe->fields)); /* they live on */
}

static inline void on_switched(void *ctx, const struct headers *headers) {
    struct probe *probe = ctx;
    check_alive(probe);
    probe->switches++;
    maybe_cancel(probe, 'w');
    list_fields(headers, probe->fields, sizeof(probe->fields));
    if (probe->on_switched) probe->on_switched(probe);
}

static inline void on_data(void *ctx, struct view data) {
    struct probe *probe = ctx;
    check_alive(probe);
    assert_true(probe->heads + probe->switches == 1);
    assert_true(data.len > 0 && data.len <= LOCAL_READ_BYTES);
    assert_false(probe->paused);
    probe->received += data.len;
    if (probe->in_hash) EVP_DigestUpdate(probe->in_hash, data.ptr, data.len);
    buf_append_view(&probe->body, data);
    maybe_cancel(probe, 'd');
    if (probe->on_data) probe->on_data(probe, data);
}

static inline void feed(struct probe *probe);

static inline void on_sent(void *ctx, size_t bytes) {
    struct probe *probe = ctx;
    check_alive(probe);
    assert_true(bytes > 0);
    probe->sent_told += bytes;
    maybe_cancel(probe, 's');
    if (probe->request && probe->to_send) feed(probe);
}

static inline void on_trailers(void *ctx, const struct headers *trailers) {
    struct probe *probe = ctx;
    check_alive(probe);
    probe->trailers_calls++;
    list_fields(trailers, probe->trailers, sizeof(probe->trailers));
    maybe_cancel(probe, 't');
}

static inline void start(struct probe *probe);

static inline void on_end(void *ctx, enum local_error error, const char *detail) {
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

static inline struct local_head post(int64_t body_bytes) {
    return (struct local_head){
        .method = VIEW("POST"), .target = VIEW("/"), .headers = &headers, .body_bytes = body_bytes};
}

static inline void start_with(struct probe *probe, const struct local_head *head) {
    buf_init(&probe->body, 65536);
    probe->request = local_request_start(client, head, &events, probe);
    assert_non_null(probe->request);
    assert_int_equal(probe->heads + probe->ends, 0); /* no event from within */
    under_way++;
}

static inline void start(struct probe *probe) {
    start_with(probe, &get);
}

static inline void done(struct probe *probe) {
    EVP_MD_CTX_free(probe->in_hash);
    EVP_MD_CTX_free(probe->out_hash);
    buf_done(&probe->body);
}

static inline void on_too_long(uv_timer_t *timer) {
    (void)timer;
    fail_msg("the test takes too long");
}

static inline void run(void) {
    static uv_timer_t watchdog;
    uv_timer_init(&loop.uv, &watchdog);
    uv_timer_start(&watchdog, on_too_long, 60000 * patience, 0);
    if (under_way) loop_run(&loop);
    uv_close((uv_handle_t *)&watchdog, NULL);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
}

static inline void on_stop(uv_timer_t *timer) {
    uv_stop(timer->loop);
}

static inline void run_for(uint64_t ms) {
    uv_timer_t timer;
    uv_timer_init(&loop.uv, &timer);
    uv_timer_start(&timer, on_stop, ms, 0);
    uv_run(&loop.uv, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
}

static inline void run_until_paused(const struct probe *probe) {
    for (uint64_t i = 0; i < 5000 * patience && !probe->paused; i++) run_for(2);
    assert_true(probe->paused);
}

static inline void run_until_open(size_t count) {
    for (uint64_t i = 0; i < 5000 * patience && client->open != count; i++) run_for(2);
    assert_int_equal(client->open, count);
}

/* ---- set-up ---- */

static inline void begin_on(int family, void (*serve)(struct conn *conn), struct local_target target,
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

static inline void begin(void (*serve)(struct conn *conn)) {
    begin_on(AF_INET, serve, (struct local_target){.host = "127.0.0.1"}, 5000);
}

static inline void end(void) {
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

static inline void serve_hello(struct conn *conn) {
    char head[8192];
    uint64_t len;
    while (hear_head(conn, head, sizeof(head)) && hear_body(conn, head, NULL, &len))
        if (!say(conn, HELLO)) return;
}

static inline void assert_hello(const struct probe *probe) {
    if (probe->error) fail_msg("failed: %s", probe->detail);
    assert_int_equal(probe->ends, 1);
    assert_int_equal(probe->status, 200);
    assert_true(view_eq(buf_view(&probe->body), VIEW("hello")));
}

static inline void assert_failed(const struct probe *probe, enum local_error error) {
    assert_int_equal(probe->ends, 1);
    if (probe->error != error) fail_msg("error %d, not %d: %s", (int)probe->error, (int)error, probe->detail);
    assert_true(probe->detail[0] != '\0');
}

/* One GET on its own. */
static inline struct probe try_get(void) {
    struct probe probe = {.status = 0};
    start(&probe);
    run();
    return probe;
}

static char noise[1 << 20];

static inline void make_noise(void) {
    unsigned x = 1;
    for (size_t i = 0; i < sizeof(noise); i++) noise[i] = (char)((x = x * 1103515245u + 12345u) >> 16);
}

static inline EVP_MD_CTX *sha256(void) {
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    EVP_DigestInit_ex(hash, EVP_sha256(), NULL);
    return hash;
}

static inline void hex_of(EVP_MD_CTX *hash, char out[65]) {
    unsigned char digest[32];
    EVP_DigestFinal_ex(hash, digest, NULL);
    for (int i = 0; i < 32; i++) sprintf(out + i * 2, "%02x", digest[i]);
}

static const uint64_t sizes[] = {0,     1,     13,    1000,   16383,   16384,   16385,
                                 65535, 65536, 65537, 100000, 1000003, 10485760};

static inline void hash_noise(size_t left, char hex[65]) {
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

/* /c, /l, /e: chunked, length, to the end; then the size. */
static inline void serve_noise(struct conn *conn) {
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

static uint64_t service_sent;

static inline void serve_flood(struct conn *conn) {
    char head[8192];
    if (!hear_head(conn, head, sizeof(head))) return;
    say(conn, "HTTP/1.1 200 OK\r\ncontent-length: 52428800\r\n\r\n");
    for (int i = 0; i < 50; i++) {
        if (!say_bytes(conn, noise, 1 << 20)) return;
        __atomic_add_fetch(&service_sent, 1 << 20, __ATOMIC_SEQ_CST);
    }
}

static char heard[8192];

static inline void serve_record(struct conn *conn) {
    uint64_t len;
    while (hear_head(conn, heard, sizeof(heard)) && hear_body(conn, heard, NULL, &len))
        if (!say(conn, HELLO)) return;
}

/* Answers with the hash of the body. */
static inline void serve_hash(struct conn *conn) {
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

/* Keeps 256 KiB on their way, in pieces of odd sizes. */
static inline void feed(struct probe *probe) {
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

static inline void upload_all(void) {
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

static inline void download_all(void) {
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

static inline void serve_upgrade(struct conn *conn) {
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

static inline struct local_head upgrade(const char *target, const char *token) {
    struct local_head head = get;
    head.target = view_from_cstr(target);
    head.upgrade = view_from_cstr(token);
    return head;
}

static inline void send_raw(struct probe *probe) {
    assert_true(local_request_body(probe->request, VIEW("raw\r\n0\r\n\r\n")));
    if (probe->to_send)
        feed(probe);
    else
        local_request_body_end(probe->request);
}

static inline void serve_early(struct conn *conn) {
    char head[8192];
    if (!hear_head(conn, head, sizeof(head))) return;
    say(conn, "HTTP/1.1 413 Too Large\r\ncontent-length: 5\r\n\r\nhello");
    if (strstr(head, " /stay"))
        while (more(conn)) buf_clear(&conn->in);
}

static inline void serve_one(struct conn *conn) {
    char head[8192];
    uint64_t len;
    if (hear_head(conn, head, sizeof(head)) && hear_body(conn, head, NULL, &len)) say(conn, HELLO);
}

/* What a main begins with. */
static inline void prepare(int argc, char **argv) {
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    signal(SIGPIPE, SIG_IGN);
    make_noise();
    if (getenv("TEST_PATIENCE")) patience = strtoull(getenv("TEST_PATIENCE"), NULL, 10);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max < 8192 ? limit.rlim_max : 8192;
    setrlimit(RLIMIT_NOFILE, &limit);
}

#endif
