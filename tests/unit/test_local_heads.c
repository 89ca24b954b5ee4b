/* The local client: heads, both ways. */
#include "local_service.h"

/* ---- heads ---- */

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

int main(int argc, char **argv) {
    prepare(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact_head), cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_broken),     cmocka_unit_test(test_huge_heads),
        cmocka_unit_test(test_odd_pieces), cmocka_unit_test(test_who_closes),
        cmocka_unit_test(test_no_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
