/* The local client: upgrades. */
#include "local_service.h"

/* ---- upgrade ---- */

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

int main(int argc, char **argv) {
    prepare(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_upgrade),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
