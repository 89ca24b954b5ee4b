/* Which proxy is asked, and what is said to it and understood of it. */
#include <stdio.h>
#include <stdlib.h>

#include "cmocka_setup.h"
#include "net/proxy.h"
#include "net/proxy_shake.h"

/* ---- URLs ---- */

static void urls(void **state) {
    (void)state;
    static const struct {
        const char *url, *host, *user, *password, *shown;
        unsigned port;
        enum proxy_kind kind;
    } rows[] = {
        {"http://proxy:3128", "proxy", NULL, NULL, "http://proxy:3128", 3128, PROXY_HTTP},
        {"HTTP://Proxy.Example/", "proxy.example", NULL, NULL, "http://proxy.example:1080", 1080, PROXY_HTTP},
        {"proxy", "proxy", NULL, NULL, "http://proxy:1080", 1080, PROXY_HTTP},
        {"10.0.0.1:8080", "10.0.0.1", NULL, NULL, "http://10.0.0.1:8080", 8080, PROXY_HTTP},
        {"http://[::1]:3128", "::1", NULL, NULL, "http://[::1]:3128", 3128, PROXY_HTTP},
        {"socks5://proxy", "proxy", NULL, NULL, "socks5://proxy:1080", 1080, PROXY_SOCKS5},
        {"socks5h://u:p@proxy:1", "proxy", "u", "p", "socks5://proxy:1", 1, PROXY_SOCKS5},
        {"http://u%40x:p%3A%2f@proxy:1", "proxy", "u@x", "p:/", "http://proxy:1", 1, PROXY_HTTP},
        {"http://u@proxy:1", "proxy", "u", "", "http://proxy:1", 1, PROXY_HTTP},
        {"http://a@b@proxy:1", "proxy", "a@b", "", "http://proxy:1", 1, PROXY_HTTP},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct proxy proxy;
        const char *wrong = proxy_parse(view_from_cstr(rows[i].url), &proxy);
        if (wrong) fail_msg("%s: %s", rows[i].url, wrong);
        assert_string_equal(proxy.host, rows[i].host);
        assert_int_equal(proxy.port, rows[i].port);
        assert_int_equal(proxy.kind, rows[i].kind);
        assert_string_equal(proxy.shown, rows[i].shown);
        assert_int_equal(proxy.has_user, rows[i].user != NULL);
        if (rows[i].user) assert_string_equal(proxy.user, rows[i].user);
        if (rows[i].user) assert_string_equal(proxy.password, rows[i].password);
    }
}

static void bad_urls(void **state) {
    (void)state;
    static const struct {
        const char *url, *wrong;
    } rows[] = {
        {"", "a space"},
        {"http://pro xy", "a space"},
        {"https://proxy:443", "expected http://"},
        {"socks4://proxy", "expected http://"},
        {"http://", "host or port"},
        {"http://proxy:0", "host or port"},
        {"http://proxy:99999", "host or port"},
        {"http://u:%zz@proxy", "user or password"},
        {"http://u%3a:p@proxy", "user or password"},
        {"http://u:p%00@proxy", "user or password"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct proxy proxy;
        const char *wrong = proxy_parse(view_from_cstr(rows[i].url), &proxy);
        if (!wrong || !strstr(wrong, rows[i].wrong)) fail_msg("%s: %s", rows[i].url, wrong ? wrong : "taken");
    }
}

/* ---- who is reached without ---- */

static void lists(void **state) {
    (void)state;
    static const struct {
        const char *list, *host;
        bool has;
    } rows[] = {
        {"example.com", "example.com", true},
        {"example.com", "a.example.com", true},
        {".example.com", "example.com", true},
        {".Example.COM.", "a.example.com", true},
        {"example.com", "badexample.com", false},
        {"example.com", "example.org", false},
        {"a, b,example.com", "example.com", true},
        {"a b\texample.com", "example.com", true},
        {"*", "anything", true},
        {"*", "10.0.0.1", true},
        {"*.example.com", "a.example.com", false},
        {"", "example.com", false},
        {",,", "example.com", false},
        {".", "example.com", false},
        {"10.0.0.1", "10.0.0.1", true},
        {"10.0.0.1", "10.0.0.10", false},
        {"0.0.1", "10.0.0.1", false},
        {"10.0.0.0/8", "10.200.3.4", true},
        {"10.0.0.0/8", "11.0.0.1", false},
        {"10.0.0.128/25", "10.0.0.127", false},
        {"10.0.0.128/25", "10.0.0.128", true},
        {"10.0.0.1/33", "10.0.0.1", false},
        {"0.0.0.0/0", "10.0.0.1", true},
        {"0.0.0.0/0", "fd00::1", false},
        {"fd00::/8", "fd12::1", true},
        {"[fd00::1]", "fd00::1", true},
        {"fd00::/8", "fe12::1", false},
        {"10.0.0.0/x", "10.0.0.0", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (proxy_list_has(view_from_cstr(rows[i].list), rows[i].host) != rows[i].has)
            fail_msg("'%s' and %s", rows[i].list, rows[i].host);
    assert_false(proxy_list_has((struct view){0}, "example.com"));
}

static void set_all(const char *const pairs[]) {
    static const char *const names[] = {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY",
                                        "all_proxy",  "ALL_PROXY",  "no_proxy",    "NO_PROXY"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) unsetenv(names[i]);
    for (; *pairs; pairs += 2) setenv(pairs[0], pairs[1], 1);
}

static void environments(void **state) {
    (void)state;
    static const struct {
        const char *pairs[8], *host;
        bool tls;
        const char *proxy; /* its host; NULL: none */
    } rows[] = {
        {{NULL}, "gateway", true, NULL},
        {{"https_proxy", "s", "http_proxy", "p"}, "gateway", true, "s"},
        {{"https_proxy", "s", "http_proxy", "p"}, "gateway", false, "p"},
        {{"HTTPS_PROXY", "s", "https_proxy", "t"}, "gateway", true, "t"},
        {{"HTTPS_PROXY", "s"}, "gateway", true, "s"},
        {{"HTTP_PROXY", "s"}, "gateway", false, "s"},
        {{"HTTP_PROXY", "s"}, "gateway", true, NULL},
        {{"ALL_PROXY", "a"}, "gateway", true, "a"},
        {{"all_proxy", "a", "https_proxy", ""}, "gateway", true, "a"},
        {{"all_proxy", "a", "no_proxy", "gateway"}, "gateway", true, NULL},
        {{"all_proxy", "a", "NO_PROXY", "gateway"}, "x.gateway", true, NULL},
        {{"all_proxy", "a", "no_proxy", "other", "NO_PROXY", "gateway"}, "gateway", true, "a"},
        {{"all_proxy", "a"}, "localhost", true, NULL},
        {{"all_proxy", "a"}, "127.0.0.1", true, NULL},
        {{"all_proxy", "a"}, "::1", true, NULL},
        {{"all_proxy", "a"}, "x.localhost", true, NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct proxy proxy;
        const char *variable, *why;
        set_all(rows[i].pairs);
        enum proxy_choice choice = proxy_of_environment(rows[i].host, rows[i].tls, &proxy, &variable, &why);
        if ((choice == PROXY_CHOSEN) != (rows[i].proxy != NULL)) fail_msg("row %zu", i);
        if (choice == PROXY_CHOSEN && strcmp(proxy.host, rows[i].proxy))
            fail_msg("row %zu: %s", i, proxy.host);
    }
    const char *const bad[] = {"ALL_PROXY", "ftp://x", NULL}, *variable, *why;
    struct proxy proxy;
    set_all(bad);
    assert_int_equal(proxy_of_environment("gateway", true, &proxy, &variable, &why), PROXY_MALFORMED);
    assert_string_equal(variable, "ALL_PROXY");
    assert_non_null(strstr(why, "expected http://"));
}

/* ---- what is said ---- */

#define BYTES(literal)                                                                                       \
    { literal, sizeof(literal) - 1 }

struct row {
    const char *name, *url, *host;
    struct view answer, said; /* all that it says */
    enum proxy_shake_result result;
    struct view rest;
    const char *why;
};

#define ASKED "CONNECT gateway:443 HTTP/1.1\r\nHost: gateway:443\r\n\r\n"
#define GREETED "\x05\x01\x00"
#define WHERE "\x05\x01\x00\x03\x07gateway\x01\xbb"

static const struct row rows[] = {
    {"way",
     "http://p",
     "gateway",
     BYTES("HTTP/1.1 200 OK\r\n\r\n"),
     BYTES(ASKED),
     PROXY_SHAKE_DONE,
     {0},
     NULL},
    {"way and bytes", "http://p", "gateway", BYTES("HTTP/1.0 200 OK\r\nX: y\r\n\r\nrest"), BYTES(ASKED),
     PROXY_SHAKE_DONE, BYTES("rest"), NULL},
    {"behind 1xx",
     "http://p",
     "gateway",
     BYTES("HTTP/1.1 100 C\r\n\r\nHTTP/1.1 102 P\r\n\r\nHTTP/1.1 204 N\r\n\r\n"),
     BYTES(ASKED),
     PROXY_SHAKE_DONE,
     {0},
     NULL},
    {"incomplete",
     "http://p",
     "gateway",
     BYTES("HTTP/1.1 200 OK\r\n"),
     BYTES(ASKED),
     PROXY_SHAKE_MORE,
     {0},
     NULL},
    {"IPv6",
     "http://p",
     "fd00::1",
     BYTES(""),
     BYTES("CONNECT [fd00::1]:443 HTTP/1.1\r\nHost: [fd00::1]:443\r\n\r\n"),
     PROXY_SHAKE_MORE,
     {0},
     NULL},
    {"user",
     "http://u:p@p",
     "gateway",
     BYTES(""),
     BYTES("CONNECT gateway:443 HTTP/1.1\r\nHost: gateway:443\r\nProxy-Authorization: Basic dTpw\r\n\r\n"),
     PROXY_SHAKE_MORE,
     {0},
     NULL},
    {"refused",
     "http://p:1",
     "gateway",
     BYTES("HTTP/1.1 403 No\x9b way\r\n\r\n"),
     BYTES(ASKED),
     PROXY_SHAKE_FAILED,
     {0},
     "the proxy http://p:1 refuses: 403 No way"},
    {"407 without a user",
     "http://p:1",
     "gateway",
     BYTES("HTTP/1.1 407 Auth\r\n\r\n"),
     BYTES(ASKED),
     PROXY_SHAKE_FAILED,
     {0},
     "the proxy http://p:1 refuses: 407 Auth (it wants http://user:password@host:port)"},
    {"redirect",
     "http://p:1",
     "gateway",
     BYTES("HTTP/1.1 302 \r\nLocation: x\r\n\r\n"),
     BYTES(ASKED),
     PROXY_SHAKE_FAILED,
     {0},
     "the proxy http://p:1 refuses: 302"},
    {"switch",
     "http://p:1",
     "gateway",
     BYTES("HTTP/1.1 101 S\r\n\r\n"),
     BYTES(ASKED),
     PROXY_SHAKE_FAILED,
     {0},
     "the proxy http://p:1 refuses: 101 S"},
    {"no HTTP",
     "http://p:1",
     "gateway",
     BYTES("SSH-2.0-x\r\n\r\n"),
     BYTES(ASKED),
     PROXY_SHAKE_FAILED,
     {0},
     "the proxy http://p:1 does not speak HTTP"},

    {"SOCKS5", "socks5://p", "gateway", BYTES("\x05\x00\x05\x00\x00\x01\x01\x02\x03\x04\x05\x06rest"),
     BYTES(GREETED WHERE), PROXY_SHAKE_DONE, BYTES("rest"), NULL},
    {"SOCKS5, name as bound address",
     "socks5://p",
     "gateway",
     BYTES("\x05\x00\x05\x00\x00\x03\x02xy\x05\x06"),
     BYTES(GREETED WHERE),
     PROXY_SHAKE_DONE,
     {0},
     NULL},
    {"SOCKS5, IPv6 as bound address",
     "socks5://p",
     "gateway",
     BYTES("\x05\x00\x05\x00\x00\x04"
           "0123456789abcdef"
           "\x05\x06"),
     BYTES(GREETED WHERE),
     PROXY_SHAKE_DONE,
     {0},
     NULL},
    {"SOCKS5 to IPv4",
     "socks5://p",
     "10.1.2.3",
     BYTES("\x05\x00"),
     BYTES(GREETED "\x05\x01\x00\x01\x0a\x01\x02\x03\x01\xbb"),
     PROXY_SHAKE_MORE,
     {0},
     NULL},
    {"SOCKS5 with a user",
     "socks5://u:pw@p",
     "gateway",
     BYTES("\x05\x02\x01\x00"),
     BYTES("\x05\x02\x00\x02"
           "\x01\x01u\x02pw" WHERE),
     PROXY_SHAKE_MORE,
     {0},
     NULL},
    {"SOCKS5 that wants no user",
     "socks5://u:pw@p",
     "gateway",
     BYTES("\x05\x00"),
     BYTES("\x05\x02\x00\x02" WHERE),
     PROXY_SHAKE_MORE,
     {0},
     NULL},
    {"SOCKS5 wrong user",
     "socks5://u:pw@p:1",
     "gateway",
     BYTES("\x05\x02\x01\x01"),
     BYTES("\x05\x02\x00\x02"
           "\x01\x01u\x02pw"),
     PROXY_SHAKE_FAILED,
     {0},
     "the proxy socks5://p:1 refuses this user or password"},
    {"SOCKS5 wants a user",
     "socks5://p:1",
     "gateway",
     BYTES("\x05\xff"),
     BYTES(GREETED),
     PROXY_SHAKE_FAILED,
     {0},
     "the proxy socks5://p:1 refuses: it wants a user (socks5://user:password@host:port)"},
    {"SOCKS5 chooses what was not offered",
     "socks5://p:1",
     "gateway",
     BYTES("\x05\x02"),
     BYTES(GREETED),
     PROXY_SHAKE_FAILED,
     {0},
     "the proxy socks5://p:1 refuses: it wants a user (socks5://user:password@host:port)"},
    {"SOCKS5 no rule",
     "socks5://p:1",
     "gateway",
     BYTES("\x05\x00\x05\x02"),
     BYTES(GREETED WHERE),
     PROXY_SHAKE_FAILED,
     {0},
     "the proxy socks5://p:1 refuses: its rules do not allow the gateway"},
    {"SOCKS5 odd reply",
     "socks5://p:1",
     "gateway",
     BYTES("\x05\x00\x05\xee"),
     BYTES(GREETED WHERE),
     PROXY_SHAKE_FAILED,
     {0},
     "the proxy socks5://p:1 refuses"},
    {"SOCKS5 odd address",
     "socks5://p:1",
     "gateway",
     BYTES("\x05\x00\x05\x00\x00\x07\x00"),
     BYTES(GREETED WHERE),
     PROXY_SHAKE_FAILED,
     {0},
     "the proxy socks5://p:1 does not speak SOCKS5"},
    {"SOCKS4",
     "socks5://p:1",
     "gateway",
     BYTES("\x04"),
     BYTES(GREETED),
     PROXY_SHAKE_FAILED,
     {0},
     "the proxy socks5://p:1 does not speak SOCKS5"},
    {"HTTP on SOCKS5",
     "socks5://p:1",
     "gateway",
     BYTES("HTTP/1.1 400\r\n\r\n"),
     BYTES(GREETED),
     PROXY_SHAKE_FAILED,
     {0},
     "the proxy socks5://p:1 does not speak SOCKS5"},
};

static void shake(const struct row *row, size_t piece) {
    struct proxy proxy;
    struct proxy_shake shake;
    struct buf said;
    struct view rest = {0};
    char behind[64] = "";
    enum proxy_shake_result result = PROXY_SHAKE_MORE;
    buf_init(&said, PROXY_ANSWER_MAX);
    assert_null(proxy_parse(view_from_cstr(row->url), &proxy));
    assert_true(proxy_shake_init(&shake, &proxy, row->host, 443, &said));
    size_t at = 0;
    for (; at < row->answer.len && result == PROXY_SHAKE_MORE; at += piece)
        result = proxy_shake_take(&shake, view_slice(row->answer, at, at + piece), &said, &rest);
    if (result != row->result) fail_msg("%s, in pieces of %zu: %d", row->name, piece, result);
    snprintf(behind, sizeof(behind), "%.*s%.*s", VIEW_ARG(rest), VIEW_ARG(view_skip(row->answer, at)));
    if (result == PROXY_SHAKE_DONE && !view_eq(view_from_cstr(behind), row->rest))
        fail_msg("%s: '%s' behind", row->name, behind);
    if (!view_eq(buf_view(&said), row->said)) fail_msg("%s: it said other bytes", row->name);
    if (row->why) assert_string_equal(shake.why, row->why);
    proxy_shake_done(&shake);
    buf_done(&said);
}

static void answers(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        shake(&rows[i], 1);
        shake(&rows[i], 3);
        shake(&rows[i], 1000);
    }
}

static void an_endless_answer(void **state) {
    (void)state;
    struct proxy proxy;
    struct proxy_shake shake;
    struct buf said;
    struct view rest;
    size_t taken = 0;
    enum proxy_shake_result result = PROXY_SHAKE_MORE;
    buf_init(&said, PROXY_ANSWER_MAX);
    assert_null(proxy_parse(VIEW("p:1"), &proxy));
    assert_true(proxy_shake_init(&shake, &proxy, "gateway", 443, &said));
    assert_int_equal(proxy_shake_take(&shake, VIEW("HTTP/1.1 200 OK\r\n"), &said, &rest), PROXY_SHAKE_MORE);
    for (; result == PROXY_SHAKE_MORE && taken < 100000; taken += 10)
        result = proxy_shake_take(&shake, VIEW("X: 56789\r\n"), &said, &rest);
    assert_int_equal(result, PROXY_SHAKE_FAILED);
    assert_in_range(taken, 1000, PROXY_ANSWER_MAX + 100);
    proxy_shake_done(&shake);
    buf_done(&said);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls),         cmocka_unit_test(bad_urls), cmocka_unit_test(lists),
        cmocka_unit_test(environments), cmocka_unit_test(answers),  cmocka_unit_test(an_endless_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
