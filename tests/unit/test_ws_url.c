/* WebSockets' URLs: what they are taken apart into, and what is none. */
#include <stdio.h>

#include "cmocka_setup.h"
#include "net/ws_url.h"

static void urls(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool tls;
        const char *host;
        uint16_t port;
        const char *authority, *path;
    } rows[] = {
        {"ws://127.0.0.1:8081", false, "127.0.0.1", 8081, "127.0.0.1:8081", "/"},
        {"ws://gateway-1", false, "gateway-1", 80, "gateway-1", "/"},
        {"ws://Gate.example:1/", false, "gate.example", 1, "Gate.example:1", "/"},
        {"wss://gate.example", true, "gate.example", 443, "gate.example", "/"},
        {"wss://gate.example:8443/peer?a=b", true, "gate.example", 8443, "gate.example:8443", "/peer?a=b"},
        {"ws://[::1]:8081", false, "::1", 8081, "[::1]:8081", "/"},
    };
    static const char *bad[] = {"",           "ws://",        "http://a",   "ws:/a",       "a:80",
                                "ws://a:0x1", "ws://a:99999", "ws://u@a:1", "ws://a/ b",   "ws://a/\r\nx: y",
                                "ws://a/#b",  "WS://a",       "ws://[::1",  "ws://a b:80", "ws:///path"};
    struct ws_url url;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *wrong = ws_url_parse(view_from_cstr(rows[i].text), &url);
        if (wrong) fail_msg("%s: %s", rows[i].text, wrong);
        assert_int_equal(url.tls, rows[i].tls);
        assert_string_equal(url.host, rows[i].host);
        assert_int_equal(url.port, rows[i].port);
        assert_string_equal(url.authority, rows[i].authority);
        assert_string_equal(url.path, rows[i].path);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (!ws_url_parse(view_from_cstr(bad[i]), &url)) fail_msg("'%s' was taken", bad[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(urls)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
