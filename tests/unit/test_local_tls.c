/* TLS to the local service, whose side the test plays by hand (local_tls.c). */
#include <openssl/err.h>

#include "local_scene.h"
#include "tls_server.h"

static SSL_CTX *context;

static int setup_tls(void **state) {
    if (setup(state) != 0) return -1;
    end_client();
    begin_client(&(struct local_target){.host = "localhost", .port = port, .tls = true});
    context = server_context(TLS1_3_VERSION);
    return 0;
}

static int teardown_tls(void **state) {
    SSL_CTX_free(context);
    return teardown(state);
}

/* ---- the service ---- */

static SSL *begin_tls(int fd) {
    SSL *tls = SSL_new(context);
    SSL_set_fd(tls, fd);
    int result = 0;
    UNTIL((result = SSL_accept(tls)) == 1 || SSL_get_error(tls, result) != SSL_ERROR_WANT_READ);
    assert_int_equal(result, 1);
    return tls;
}

static void say_tls(SSL *tls, const char *text) {
    int len = (int)strlen(text);
    UNTIL(SSL_write(tls, text, len) == len);
}

/* Until this was heard last. */
static void hear_tls(SSL *tls, struct buf *heard, const char *end) {
    char block[16384];
    while (!view_ends_with(buf_view(heard), view_from_cstr(end))) {
        int len = 0;
        UNTIL((len = SSL_read(tls, block, sizeof(block))) > 0 ||
              SSL_get_error(tls, len) != SSL_ERROR_WANT_READ);
        if (len <= 0) fail_msg("the client has closed");
        assert_true(buf_append(heard, block, (size_t)len));
    }
}

static void hear_request(SSL *tls) {
    struct buf heard;
    buf_init(&heard, 65536);
    hear_tls(tls, &heard, "\r\n\r\n");
    buf_done(&heard);
}

static void answer_tls(SSL *tls, struct probe *probe) {
    hear_request(tls);
    say_tls(tls, HELLO);
    UNTIL(probe->ends == 1);
    if (probe->error) fail_msg("%s", probe->detail);
    assert_true(view_eq(buf_view(&probe->body), VIEW("hello")));
    done(probe);
}

/* A GET on a connection that is new, which is kept then. */
static SSL *get_hello_tls(int *ret_fd) {
    struct probe probe = {.status = 0};
    get(&probe);
    *ret_fd = serve();
    SSL *tls = begin_tls(*ret_fd);
    answer_tls(tls, &probe);
    return tls;
}

static void end_tls(SSL *tls, int fd) {
    SSL_free(tls);
    close(fd);
}

/* ---- names ---- */

static void test_names(void **state) {
    (void)state;
    static const struct {
        const char *host, *name; /* NULL: no field */
    } rows[] = {
        {"app.test", "app.test"},
        {"app.test:8443", "app.test"},
        {NULL, "localhost"},
        {"127.0.0.1", ""},
        {"127.0.0.1:80", ""},
        {"[::1]:80", ""},
        {"[::1]", ""},
        {"", ""},
        {"far.too.long.for.so.little.room", ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char name[20] = "before";
        headers_init(&headers, &arena);
        if (rows[i].host) headers_add(&headers, VIEW("host"), view_from_cstr(rows[i].host));
        tls_name_of(client, &headers, name, sizeof(name));
        assert_string_equal(name, rows[i].name);
    }
}

/* A kept connection is of use for the name that it was opened for only; of those the newest. */
static void test_a_connection_has_its_name(void **state) {
    (void)state;
    int fds[2];
    SSL *tls[2];
    headers_set(&headers, VIEW("host"), VIEW("one.test"));
    tls[0] = get_hello_tls(&fds[0]);
    assert_string_equal(asked_name, "one.test");
    assert_string_equal(asked_protocol, "http/1.1");
    headers_set(&headers, VIEW("host"), VIEW("two.test"));
    tls[1] = get_hello_tls(&fds[1]);
    assert_string_equal(asked_name, "two.test");
    assert_int_equal(client->open, 2);
    struct probe probe = {.status = 0};
    headers_set(&headers, VIEW("host"), VIEW("one.test"));
    get(&probe);
    answer_tls(tls[0], &probe);
    headers_set(&headers, VIEW("host"), VIEW("two.test:443"));
    start(&probe, "POST", 0);
    local_request_body_end(probe.request);
    answer_tls(tls[1], &probe);
    assert_int_equal(client->open, 2);
    for (int i = 0; i < 2; i++) end_tls(tls[i], fds[i]);
}

/* ---- handshakes ---- */

static void test_a_handshake_that_does_not_come(void **state) {
    (void)state;
    struct probe probe = {.status = 0};
    get(&probe);
    int fd = serve();
    struct local_connection *connection = probe.request->connection;
    UNTIL(connection->stage == CONNECTION_SHAKES_HANDS);
    assert_int_equal(connection->mask, UV_READABLE);
    assert_int_equal(connection->attempt_deadline_ms, 0);
    assert_false(connection->tls_wants_write);
    assert_int_equal(local_client_clue(client), LOCAL_CLUE_NONE);
    connection->deadline_ms = loop_now(&loop);
    client->tick.fn(&client->tick);
    UNTIL(probe.ends);
    assert_int_equal(probe.error, LOCAL_UNAVAILABLE);
    assert_int_equal(local_client_clue(client), LOCAL_CLUE_NO_TLS);
    done(&probe);
    close(fd);
}

static void test_handshakes_that_fail(void **state) {
    (void)state;
    static const struct {
        const char *said, *detail; /* NULL: it closes */
    } rows[] = {
        {"HTTP/1.1 400 Bad Request\r\n\r\n", "the TLS handshake failed: wrong version number"},
        {NULL, "the TLS handshake failed: the service closed the connection"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct probe probe = {.status = 0};
        get(&probe);
        int fd = serve();
        UNTIL(probe.request->connection->stage == CONNECTION_SHAKES_HANDS);
        char heard[4096]; /* so that its close is no reset */
        UNTIL(recv(fd, heard, sizeof(heard), 0) > 0);
        if (rows[i].said) say(fd, rows[i].said);
        if (!rows[i].said) close(fd);
        UNTIL(probe.ends);
        assert_int_equal(probe.error, LOCAL_UNAVAILABLE);
        assert_string_equal(probe.detail, rows[i].detail);
        assert_int_equal(ERR_peek_error(), 0);
        assert_int_equal(local_client_clue(client), LOCAL_CLUE_NO_TLS);
        assert_int_equal(client->open, 0);
        done(&probe);
        if (rows[i].said) close(fd);
    }
    int fd; /* once it has succeeded there is no need for a clue */
    SSL *tls = get_hello_tls(&fd);
    assert_int_equal(local_client_clue(client), LOCAL_CLUE_NONE);
    end_tls(tls, fd);
}

/* ---- ends ---- */

/* With a close_notify or without one, which the client notices while it is idle, or before it sends. */
static void test_how_a_service_ends(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        int fd;
        SSL *tls = get_hello_tls(&fd);
        struct pollfd wait = {.fd = newest()->fd, .events = POLLIN};
        bool says_so = i % 2, before_sending = i / 2;
        if (says_so) SSL_shutdown(tls);
        end_tls(tls, fd);
        if (before_sending) {
            struct probe probe = {.status = 0};
            assert_int_equal(poll(&wait, 1, 20000), 1);
            start(&probe, "POST", 0); /* may not be sent twice: it is looked whether the service is there */
            assert_int_equal(probe.request->connection->stage, CONNECTION_DIALS);
            local_request_body_end(probe.request);
            fd = serve();
            tls = begin_tls(fd);
            answer_tls(tls, &probe);
            end_tls(tls, fd);
        }
        UNTIL(client->open == 0);
    }
}

/* Who has shaken hands speaks TLS, whatever becomes of the request. */
static void test_a_service_without_an_answer(void **state) {
    (void)state;
    struct probe probe = {.status = 0};
    get(&probe);
    int fd = serve();
    SSL *tls = begin_tls(fd);
    hear_request(tls);
    client->clue = LOCAL_CLUE_NO_TLS; /* of a try before it */
    assert_int_equal(local_client_clue(client), LOCAL_CLUE_NONE);
    end_tls(tls, fd);
    UNTIL(probe.ends == 1);
    assert_int_equal(probe.error, LOCAL_BROKEN);
    done(&probe);
    assert_int_equal(local_client_clue(client), LOCAL_CLUE_NONE);
}

/* The client says that it ends, too; but nothing on a connection that is broken. */
static void test_how_the_client_ends(void **state) {
    (void)state;
    int fd;
    SSL *tls = get_hello_tls(&fd);
    connection_close(newest());
    char byte;
    int len = 0;
    UNTIL((len = SSL_read(tls, &byte, 1)) <= 0 && SSL_get_error(tls, len) != SSL_ERROR_WANT_READ);
    assert_int_equal(SSL_get_error(tls, len), SSL_ERROR_ZERO_RETURN);
    end_tls(tls, fd);
    UNTIL(client->closing == 0);

    tls = get_hello_tls(&fd);
    newest()->broken = true;
    connection_close(newest());
    UNTIL((len = SSL_read(tls, &byte, 1)) <= 0 && SSL_get_error(tls, len) != SSL_ERROR_WANT_READ);
    assert_int_not_equal(SSL_get_error(tls, len), SSL_ERROR_ZERO_RETURN);
    end_tls(tls, fd);
    UNTIL(client->closing == 0);
}

static void reset(int fd) {
    struct linger at_once = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(fd);
}

/* What reading and writing say of it, and that they leave no word to OpenSSL's next user. */
static void test_how_a_connection_fails(void **state) {
    (void)state;
    static const struct iovec piece = {.iov_base = "x", .iov_len = 1};
    for (int writes = 0; writes < 2; writes++) {
        for (int resets = 0; resets < 2; resets++) {
            int fd;
            char bytes[100];
            SSL *tls = get_hello_tls(&fd);
            struct local_connection *connection = newest();
            struct pollfd wait = {.fd = connection->fd, .events = POLLIN};
            SSL_free(tls);
            if (resets)
                reset(fd);
            else
                say(fd, "no record of TLS");
            assert_int_equal(poll(&wait, 1, 20000), 1);
            ERR_raise(ERR_LIB_USER, 1); /* somebody else's */
            errno = 0;
            ssize_t len =
                writes ? tls_write(connection, &piece, 1) : tls_read(connection, bytes, sizeof(bytes));
            if (writes && !resets) {
                assert_int_equal(len, 1);
            } else {
                assert_true(len < 0);
                assert_int_equal(errno, resets ? ECONNRESET : EPROTO);
            }
            assert_int_equal(ERR_peek_error(), 0);
            assert_false(connection->tls_wants_write);
            if (!resets) assert_false(tls_is_quiet(connection));
            assert_int_equal(ERR_peek_error(), 0);
            if (!resets) assert_true(tls_read(connection, bytes, sizeof(bytes)) < 0 && errno == EPROTO);
            assert_int_equal(ERR_peek_error(), 0);
            if (!resets) close(fd);
            UNTIL(client->open == 0);
        }
    }
}

static void test_writing_behind_the_end(void **state) {
    (void)state;
    static const struct iovec piece = {.iov_base = "x", .iov_len = 1};
    int fd;
    SSL *tls = get_hello_tls(&fd);
    ERR_raise(ERR_LIB_USER, 1);
    tls_shut_write(newest());
    assert_int_equal(ERR_peek_error(), 0);
    assert_true(tls_write(newest(), &piece, 1) < 0);
    assert_int_equal(errno, EPROTO);
    assert_int_equal(ERR_peek_error(), 0);
    end_tls(tls, fd);
    UNTIL(client->open == 0);
}

/* Errors of others in OpenSSL's queue are none of a connection's. */
static void test_errors_of_others(void **state) {
    (void)state;
    struct probe probe = {.status = 0};
    get(&probe);
    struct local_connection *connection = probe.request->connection;
    UNTIL((ERR_raise(ERR_LIB_USER, 1), connection->stage == CONNECTION_SHAKES_HANDS));
    int fd = serve();
    SSL *tls = SSL_new(context);
    SSL_set_fd(tls, fd);
    int result = 0;
    UNTIL((ERR_clear_error(), result = SSL_accept(tls), ERR_raise(ERR_LIB_USER, 1), result == 1));
    char block[4096];
    int len = 0;
    UNTIL(
        (ERR_clear_error(), len = SSL_read(tls, block, sizeof(block)), ERR_raise(ERR_LIB_USER, 1), len > 0));
    assert_int_equal(SSL_write(tls, HELLO, sizeof(HELLO) - 1), sizeof(HELLO) - 1);
    UNTIL((ERR_raise(ERR_LIB_USER, 1), probe.ends));
    assert_int_equal(probe.error, LOCAL_OK);
    done(&probe);
    ERR_raise(ERR_LIB_USER, 1);
    assert_true(tls_is_quiet(connection));
    ERR_raise(ERR_LIB_USER, 1);
    connection_close(connection);
    assert_int_equal(ERR_peek_error(), 0);
    end_tls(tls, fd);
    UNTIL(client->closing == 0);
}

/* ---- bodies ---- */

/* A record of one byte each, and all pieces of a request in one. */
static void test_records(void **state) {
    (void)state;
    static const char one_by_one[] = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
    int fd;
    struct probe probe = {.status = 0};
    struct buf heard;
    headers_set(&headers, VIEW("host"), VIEW("a"));
    SSL *tls = get_hello_tls(&fd);
    assert_string_equal(asked_name, "a");
    buf_init(&heard, 4096);
    start(&probe, "POST", LOCAL_BODY_UNKNOWN);
    struct local_connection *connection = probe.request->connection;
    assert_true(local_request_body(probe.request, VIEW("four")));
    local_request_body_end(probe.request);
    hear_tls(tls, &heard, "\r\n\r\n4\r\nfour\r\n0\r\n\r\n");
    for (size_t i = 0; i < sizeof(one_by_one) - 1; i++) {
        assert_int_equal(SSL_write(tls, &one_by_one[i], 1), 1);
        turn();
        assert_int_equal(connection->mask, UV_READABLE);
    }
    UNTIL(probe.ends);
    assert_int_equal(probe.error, LOCAL_OK);
    assert_true(view_eq(buf_view(&probe.body), VIEW("hello")));
    done(&probe);
    buf_done(&heard);
    end_tls(tls, fd);
}

/* Of a record that was read in part the rest is there, to its last byte, and no poll shows it. */
static void test_what_is_held(void **state) {
    (void)state;
    int fd;
    char bytes[8];
    SSL *tls = get_hello_tls(&fd);
    struct local_connection *connection = newest();
    struct pollfd wait = {.fd = connection->fd, .events = POLLIN};
    assert_true(tls_is_quiet(connection));
    assert_int_equal(SSL_write(tls, "123", 3), 3);
    assert_int_equal(poll(&wait, 1, 20000), 1);
    assert_false(tls_is_quiet(connection));
    assert_true(tls_holds_bytes(connection));
    assert_int_equal(tls_read(connection, bytes, 2), 2);
    assert_true(tls_holds_bytes(connection));
    assert_int_equal(tls_read(connection, bytes, sizeof(bytes)), 1);
    assert_false(tls_holds_bytes(connection));
    assert_true(tls_is_quiet(connection));
    end_tls(tls, fd);
    UNTIL(client->open == 0);
}

/* More than the socket takes, to a service that reads late. */
static void test_a_large_body(void **state) {
    (void)state;
    static char noise[1 << 20];
    int fd;
    SSL *tls = get_hello_tls(&fd);
    struct probe probe = {.status = 0};
    struct buf heard;
    size_t given = 0;
    for (size_t i = 0; i < sizeof(noise); i++) noise[i] = (char)(i * 2654435761u >> 11);
    buf_init(&heard, 64u << 20);
    start(&probe, "POST", LOCAL_BODY_UNKNOWN);
    struct local_connection *connection = probe.request->connection;
    while (!connection->blocked) {
        assert_true(local_request_body(probe.request, view_of(noise, sizeof(noise))));
        given += sizeof(noise);
        turn();
    }
    assert_true(connection->mask & UV_WRITABLE);
    local_request_body_end(probe.request);
    hear_tls(tls, &heard, "\r\n0\r\n\r\n");
    UNTIL(probe.sent == given);
    struct view rest = buf_view(&heard), piece;
    struct headers trailers;
    struct chunked chunked;
    rest = view_skip(rest, (size_t)((char *)memmem(rest.ptr, rest.len, "\r\n\r\n", 4) + 4 - rest.ptr));
    headers_init(&trailers, &arena);
    chunked_init(&chunked, &trailers);
    size_t at = 0;
    while (chunked_next(&chunked, &rest, &piece) == CHUNKED_DATA)
        for (size_t i = 0; i < piece.len; i++, at++)
            if (piece.ptr[i] != noise[at % sizeof(noise)]) fail_msg("another byte at %zu", at);
    assert_int_equal(at, given);
    chunked_done(&chunked);
    buf_done(&heard);
    say_tls(tls, HELLO);
    UNTIL(probe.ends);
    assert_int_equal(probe.error, LOCAL_OK);
    assert_int_equal(client->open, 1);
    done(&probe);
    end_tls(tls, fd);
}

/* One record holds it all: what OpenSSL has read already no poll shows. */
static void test_a_pause_within_a_record(void **state) {
    (void)state;
    static char answer[150000];
    int fd;
    SSL *tls = get_hello_tls(&fd);
    struct probe probe = {.pauses_at = 'h'};
    get(&probe);
    hear_request(tls);
    int len = snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n");
    memset(answer + len, 'x', 100000);
    size_t said = 0;
    while (probe.heads == 0 || said < (size_t)len + 100000) {
        int count = SSL_write(tls, answer + said, (int)((size_t)len + 100000 - said));
        if (count > 0) said += (size_t)count;
        turn();
    }
    for (int i = 0; i < 3; i++) turn();
    assert_int_equal(probe.body.len, 0);
    probe.pauses_at = 'd';
    for (size_t before = 0; probe.ends == 0; before = probe.body.len) {
        local_request_pause(probe.request, false);
        UNTIL(probe.ends || probe.body.len > before);
        assert_true(probe.body.len - before <= 65536);
    }
    assert_int_equal(probe.error, LOCAL_OK);
    assert_int_equal(probe.body.len, 100000);
    done(&probe);
    end_tls(tls, fd);
}

/* After a switch the client's end is said in TLS, and the service may go on. */
static void test_half_closed(void **state) {
    (void)state;
    struct local_head head = head_of("GET", LOCAL_BODY_NONE);
    struct probe probe = {.status = 0};
    head.upgrade = VIEW("x");
    start_with(&probe, &head);
    int fd = serve();
    SSL *tls = begin_tls(fd);
    hear_request(tls);
    say_tls(tls, "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    UNTIL(probe.switches);
    for (const char *at = "last"; *at; at++) assert_true(local_request_body(probe.request, view_of(at, 1)));
    local_request_body_end(probe.request);
    struct buf heard;
    buf_init(&heard, 100);
    hear_tls(tls, &heard, "last");
    buf_done(&heard);
    char byte;
    int len = 0;
    UNTIL((len = SSL_read(tls, &byte, 1)) <= 0 && SSL_get_error(tls, len) != SSL_ERROR_WANT_READ);
    assert_int_equal(SSL_get_error(tls, len), SSL_ERROR_ZERO_RETURN);
    say_tls(tls, "bye");
    UNTIL(probe.body.len == 3);
    assert_int_equal(probe.ends, 0);
    end_tls(tls, fd);
    UNTIL(probe.ends);
    assert_int_equal(probe.error, LOCAL_OK);
    done(&probe);
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_tls, teardown_tls)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_names),
        TEST(test_a_connection_has_its_name),
        TEST(test_a_handshake_that_does_not_come),
        TEST(test_handshakes_that_fail),
        TEST(test_how_a_service_ends),
        TEST(test_a_service_without_an_answer),
        TEST(test_how_the_client_ends),
        TEST(test_how_a_connection_fails),
        TEST(test_writing_behind_the_end),
        TEST(test_errors_of_others),
        TEST(test_records),
        TEST(test_what_is_held),
        TEST(test_a_large_body),
        TEST(test_a_pause_within_a_record),
        TEST(test_half_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
