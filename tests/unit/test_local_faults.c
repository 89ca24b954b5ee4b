/* The local client: what is no HTTP, and cancelling. */
#include "local_service.h"

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
    prepare(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_no_http_is_shown),
        cmocka_unit_test(test_cancel_in_events),
        cmocka_unit_test(test_cancel_outside),
        cmocka_unit_test(test_shut_with_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
