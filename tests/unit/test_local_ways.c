/* The local client: Unix sockets and TLS. */
#include "local_service.h"

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

int main(int argc, char **argv) {
    prepare(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unix),
        cmocka_unit_test(test_unix_missing),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_tls_many),
        cmocka_unit_test(test_tls_name_is_hosts),
        cmocka_unit_test(test_moved_name),
        cmocka_unit_test(test_name_that_fails_again),
        cmocka_unit_test(test_tls_to_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
