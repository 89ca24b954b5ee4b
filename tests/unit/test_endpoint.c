#include "cmocka_setup.h"
#include "endpoint.h"

static void good_urls(void **state) {
    (void)state;
    static const struct {
        const char *url;
        bool tls;
        const char *host;
        int port;
        const char *authority, *target, *shown;
    } rows[] = {
        {"ws://localhost:8081", false, "localhost", 8081, "localhost:8081", "/", "ws://localhost:8081"},
        {"ws://h", false, "h", 80, "h", "/", "ws://h"},
        {"WSS://Host.Example", true, "host.example", 443, "host.example", "/", "wss://host.example"},
        {"wss://h:443/", true, "h", 443, "h", "/", "wss://h/"},
        {"wss://h:80", true, "h", 80, "h:80", "/", "wss://h:80"},
        {"wss://a.execute-api.eu-west-1.amazonaws.com/prod", true, "a.execute-api.eu-west-1.amazonaws.com",
         443, "a.execute-api.eu-west-1.amazonaws.com", "/prod",
         "wss://a.execute-api.eu-west-1.amazonaws.com/prod"},
        {"ws://h/a%20b/?x=1&token=secret", false, "h", 80, "h", "/a%20b/?x=1&token=secret",
         "ws://h/a%20b/?x=1&token=***"},
        {"ws://h?token=secret", false, "h", 80, "h", "/?token=secret", "ws://h/?token=***"},
        {"ws://[::1]:8081/x", false, "::1", 8081, "[::1]:8081", "/x", "ws://[::1]:8081/x"},
        {"ws://127.0.0.1", false, "127.0.0.1", 80, "127.0.0.1", "/", "ws://127.0.0.1"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct endpoint endpoint;
        char error[512];
        if (!endpoint_parse(rows[i].url, &endpoint, error, sizeof(error)))
            fail_msg("%s: %s", rows[i].url, error);
        assert_int_equal(endpoint.tls, rows[i].tls);
        assert_string_equal(endpoint.host, rows[i].host);
        assert_int_equal(endpoint.port, rows[i].port);
        assert_string_equal(endpoint.authority, rows[i].authority);
        assert_string_equal(endpoint.target, rows[i].target);
        assert_string_equal(endpoint.shown, rows[i].shown);
    }
}

static void bad_urls(void **state) {
    (void)state;
    static const struct {
        const char *url, *error;
    } rows[] = {
        {"http://h:1/x", "did you mean ws://h:1/x"},
        {"https://h", "did you mean wss://h"},
        {"localhost:8081", "did you mean ws://localhost:8081"},
        {"ftp://h", "must begin with ws://"},
        {"", "has no scheme"},
        {"ws://", "has no host name"},
        {"ws:///x", "has no host name"},
        {"ws://h:0x1", "malformed host name or port"},
        {"ws://h:99999", "malformed host name or port"},
        {"ws://[::1", "malformed host name or port"},
        {"ws://u:p@h", "must not hold a user name"},
        {"ws://h/ x", "has a space"},
        {"ws://h/#x", "has a space, a '#'"},
        {"ws://h/\r\nX: y", "has a space"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct endpoint endpoint;
        char error[512] = "";
        if (endpoint_parse(rows[i].url, &endpoint, error, sizeof(error)))
            fail_msg("%s was taken", rows[i].url);
        if (!strstr(error, rows[i].error)) fail_msg("%s: '%s'", rows[i].url, error);
    }
}

static void aws(void **state) {
    (void)state;
    static const struct {
        const char *url;
        bool is_aws;
    } rows[] = {{"wss://x.execute-api.eu-west-1.amazonaws.com/p", true},
                {"wss://x.execute-api.cn-north-1.amazonaws.com.cn/p", true},
                {"wss://x.amazonaws.com.cn.example", false},
                {"wss://tunnel.example.com", false},
                {"wss://amazonaws.com.example", false}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct endpoint endpoint;
        char error[512];
        assert_true(endpoint_parse(rows[i].url, &endpoint, error, sizeof(error)));
        assert_int_equal(endpoint_is_aws(&endpoint), rows[i].is_aws);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_urls),
        cmocka_unit_test(bad_urls),
        cmocka_unit_test(aws),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
