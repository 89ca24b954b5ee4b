/* Settings: defaults, variables, flags over variables, and what is refused (which says why on standard
 * error). */
#include <stdlib.h>
#include <unistd.h>

#include "cmocka_setup.h"
#include "config/config.h"
#include "config/config_value.h"

static int init(struct config *config, const char *a, const char *b, const char *c) {
    char *argv[] = {(char *)(uintptr_t) "ttf-gateway", (char *)(uintptr_t)a, (char *)(uintptr_t)b,
                    (char *)(uintptr_t)c, NULL};
    int argc = a ? b ? c ? 4 : 3 : 2 : 1, code = -1;
    bool on = config_init(config, argc, argv, &code);
    assert_int_equal(on, code == 0);
    return code;
}

static void test_values(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        uint64_t ms;
    } times[] = {{"250ms", true, 250},
                 {"25s", true, 25000},
                 {"25", true, 25000},
                 {"5m", true, 300000},
                 {"2h", true, 7200000},
                 {"1D", true, 86400000},
                 {"0", true, 0},
                 {"s", false, 0},
                 {"", false, 0},
                 {"-1s", false, 0},
                 {"1 s", false, 0},
                 {"99999999999999999999", false, 0},
                 {"9999999999999999d", false, 0}};
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        uint64_t ms = 0;
        if (duration_parse(view_from_cstr(times[i].text), &ms) != times[i].ok)
            fail_msg("\"%s\"", times[i].text);
        if (times[i].ok) assert_int_equal(ms, times[i].ms);
    }
    size_t bytes;
    assert_true(size_parse(VIEW("2MiB"), &bytes) && bytes == 2 << 20);
    assert_true(size_parse(VIEW("64k"), &bytes) && bytes == 64 << 10);
    assert_true(size_parse(VIEW("512"), &bytes) && bytes == 512);
    assert_false(size_parse(VIEW("2T"), &bytes));
    assert_false(size_parse(VIEW("k"), &bytes));
    bool value;
    assert_true(bool_parse(VIEW("TRUE"), &value) && value);
    assert_true(bool_parse(VIEW("off"), &value) && !value);
    assert_false(bool_parse(VIEW("maybe"), &value));
}

static void test_defaults(void **state) {
    (void)state;
    struct config config;
    assert_int_equal(init(&config, NULL, NULL, NULL), 0);
    assert_string_equal(config.public_listen.host, "loopback");
    assert_int_equal(config.public_listen.port, 8080);
    assert_string_equal(config.domain, "localhost");
    assert_null(config.public_url);
    assert_true(config.subdomain_routing);
    assert_int_equal(config.require_auth, ANSWER_UNSAID);
    assert_int_equal(config.request_timeout_ms, 60000);
    assert_int_equal(config.body_bytes, 2 << 20);
    config_done(&config);
}

static void test_flags_win(void **state) {
    (void)state;
    struct config config;
    setenv("DOMAIN_NAME", "from.env", 1);
    setenv("TRUSTED_PROXIES", "10.0.0.0/8, ::1", 1);
    setenv("REQUEST_TIMEOUT", "1s", 1);
    assert_int_equal(init(&config, "--domain=from.flag", "--enable-subdomain-routing", "no"), 0);
    assert_string_equal(config.domain, "from.flag");
    assert_int_equal(config.request_timeout_ms, 1000);
    assert_false(config.subdomain_routing);
    assert_int_equal(config.proxies_text.count, 2);
    assert_true(config.proxies[1].is_v6);
    config_done(&config);
    unsetenv("DOMAIN_NAME");
    unsetenv("TRUSTED_PROXIES");
    unsetenv("REQUEST_TIMEOUT");
}

static void test_refusals(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"--nonsense", NULL},
        {"--domain", NULL},
        {"word", NULL},
        {"-x", NULL},
        {"--grace=never", NULL},
        {"--store", "redis://"},
        {"--lease", "1ms"},
        {"--max-request-head", "4KiB"},
        {"--max-request-head", "193KiB"},
        {"--max-answer-head", "1MiB"},
        {"--peer-url", "http://here"},
        {"--agent-listen", ":8081"},
        {"--require-auth", NULL},
        {"--require-auth=yes", NULL},
        {"--public-listen", "nope"},
        {"--header-timeout", "0"},
        {"--max-connections", "0"},
        {"--trusted-proxies", "abc"},
        {"--log-level", "loud"},
        {"--enable-subdomain-routing", "maybe"},
        {"--routing", "paths"},
        {"--routing=path", "--enable-subdomain-routing=true"},
        {"--routing=both", "--enable-subdomain-routing=false"},
        {"--grace=1s", "--grace=1s"},
        {"--tunnel-secret", "0123456789abcdef"},
        {"--config", "/nonexistent.yaml"},
        {"--public-listen=loopback:81", "--admin-listen=loopback:81"},
        {"--max-connections=10", "--max-connections-per-address=11"},
        {"--public-url", "ftp://x"},
        {"--agent-protocols", ","},
        {"--jwks", "{}"},
        {"--jwks-path", "/x"},
        {"--per-tunnel-rate-limit", "1000001"},
        {"--per-tunnel-rate-limit", "-1"},
        {"--domain", "http://tunnel.example"},
        {"--domain", "tunnel.example:80"},
        {"--domain", "*.tunnel.example"},
        {"--domain", "tunnel..example"},
        {"--domain", "[::1]"},
        {"--domain=192.0.2.1", "--routing=subdomain"},
        {"--names", "a.example,b example"},
        {"--names", "a.example:8080"},
        {"--names", "[::1]"},
        {"--allowed-names", "api,www.example"},
        {"--allowed-names", "*"},
        {"--allowed-names", "-api"},
        {"--allowed-names", "ab"},
        {"--allowed-names", "a234567890123456789012345678901234567890123456789012345678901234"},
        {"--allowed-origins", "*"},
        {"--allowed-origins", "app.example"},
        {"--allowed-origins", "https://"},
        {"--allowed-origins", "://app.example"},
        {"--allowed-origins", "https://App.example"},
        {"--allowed-origins", "https://app.example/"},
        {"--allowed-origins", "https://me@app.example"},
        {"--pass-fields", "cf connecting ip"},
        {"--public-url", "https://"},
        {"--public-url", "https://me:secret@tunnel.example"},
        {"--public-url", "https://tunnel.example:99999"},
        {"--public-url", "https://tunnel.example?a"},
        {"--public-url", "https://tunnel.example/#a"},
        {"--public-url", "https://tunnel example"},
        {"--public-url", "https://tunnel.example/a b"},
        {"--first-visit-page", "--routing=path"},
        {"--first-visit-page", "--enable-subdomain-routing=false"},
        {"--custom-domains", NULL},
        {"--custom-domains", "--require-auth=false"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config config;
        if (init(&config, rows[i][0], rows[i][1], NULL) != 2)
            fail_msg("%s %s", rows[i][0], rows[i][1] ? rows[i][1] : "");
        config_done(&config);
    }
    struct config config;
    setenv("TUNNEL_SECRET", "short", 1);
    assert_int_equal(init(&config, NULL, NULL, NULL), 2);
    config_done(&config);
    unsetenv("TUNNEL_SECRET");
    assert_int_equal(init(&config, "--agent-listen", ":8081", "--require-auth=false"), 0);
    config_done(&config);
    assert_int_equal(init(&config, "--require-auth", "--jwks-path=/x", "--per-tunnel-rate-limit=50"), 0);
    assert_string_equal(config.jwks_path, "/x");
    assert_int_equal(config.tunnel_rate, 50);
    config_done(&config);
}

/* As long as the last that is taken, and one byte more. */
static void test_a_long_public_url(void **state) {
    (void)state;
    struct config config;
    char url[PUBLIC_URL_MAX + 1];
    memset(url, 'a', sizeof(url));
    memcpy(url, "https://tunnel.example/", 23);
    url[PUBLIC_URL_MAX] = '\0';
    assert_int_equal(init(&config, "--public-url", url, NULL), 2);
    config_done(&config);
    url[PUBLIC_URL_MAX - 1] = '\0';
    assert_int_equal(init(&config, "--public-url", url, NULL), 0);
    config_done(&config);
}

/* What looks odd, and is right. */
static void test_what_is_not_refused(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"--domain=192.0.2.1", "--routing=path"},
        {"--domain=192.0.2.1", NULL},
        {"--allowed-names", "API,xn--bcher-kva,abc"},
        {"--allowed-origins", "https://app.example:8443,chrome-extension://abcdef,null,http://[::1]"},
        {"--pass-fields", "CF-Connecting-IP,x-forwarded-for"},
        {"--public-url", "http://[::1]:8080"},
        {"--public-url", "https://tunnel.example/a/prefix/"},
        {"--first-visit-page", "--routing=subdomain"},
        {"--first-visit-page", "--routing=both"},
        {"--first-visit-page=false", "--routing=path"},
        {"--custom-domains=false", NULL},
        {"--access-log-query", NULL},
        {"--enforce-exp", NULL},
        {"--enforce-exp=false", "--require-auth=false"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config config;
        if (init(&config, rows[i][0], rows[i][1], NULL) != 0)
            fail_msg("%s %s", rows[i][0], rows[i][1] ? rows[i][1] : "");
        config_done(&config);
    }
}

/* In the form of Host fields that have been read. */
static void test_names_are_tidied(void **state) {
    (void)state;
    struct config config;
    assert_int_equal(init(&config, "--domain=Tunnel.Example.", "--names", "A.example., b.EXAMPLE,c"), 0);
    assert_string_equal(config.domain, "tunnel.example");
    assert_int_equal(config.names.count, 3);
    assert_true(view_eq(config.names.items[0], VIEW("a.example")));
    assert_true(view_eq(config.names.items[1], VIEW("b.example")));
    assert_true(view_eq(config.names.items[2], VIEW("c")));
    config_done(&config);
}

static void test_routing(void **state) {
    (void)state;
    static const struct row {
        const char *routing, *older;
        bool subdomain, path;
    } rows[] = {{NULL, NULL, true, true},
                {"--routing=subdomain", NULL, true, false},
                {"--routing=path", NULL, false, true},
                {"--routing=both", NULL, true, true},
                {"--enable-subdomain-routing=true", NULL, true, true},
                {"--enable-subdomain-routing=false", NULL, false, true},
                {"--routing=subdomain", "--enable-subdomain-routing=true", true, false},
                {"--routing=path", "--enable-subdomain-routing=false", false, true}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config config;
        assert_int_equal(init(&config, rows[i].routing, rows[i].older, NULL), 0);
        if (config.subdomain_routing != rows[i].subdomain || config.path_routing != rows[i].path)
            fail_msg("row %zu", i);
        config_done(&config);
    }
}

/* The path of a new file with that text; to be unlinked and freed. */
static char *config_file(const char *text) {
    char path[] = "/tmp/test_config.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    return view_to_cstr(view_from_cstr(path));
}

static void test_the_file_is_the_lowest_layer(void **state) {
    (void)state;
    struct config config;
    char *path = config_file("domain: from.file\ngrace: 1s\nheader-timeout: 2s\n"
                             "names: [a, b]\ntunnel-secret: 0123456789abcdef\n");
    setenv("RECONNECT_GRACE", "3s", 1);
    setenv("HEADER_TIMEOUT", "4s", 1);
    assert_int_equal(init(&config, "--config", path, "--header-timeout=5s"), 0);
    assert_string_equal(config.domain, "from.file");
    assert_int_equal(config.grace_ms, 3000);
    assert_int_equal(config.header_timeout_ms, 5000);
    assert_int_equal(config.names.count, 2);
    assert_string_equal(config.secret, "0123456789abcdef");
    config_done(&config);
    setenv("CONFIG_FILE", path, 1);
    assert_int_equal(init(&config, NULL, NULL, NULL), 0);
    assert_string_equal(config.domain, "from.file");
    config_done(&config);
    unsetenv("CONFIG_FILE");
    unsetenv("RECONNECT_GRACE");
    unsetenv("HEADER_TIMEOUT");
    unlink(path);
    free(path);
}

static void test_refused_files(void **state) {
    (void)state;
    static const char *const texts[] = {"domian: x\n",
                                        "grace: never\n",
                                        "grace: [1s]\n",
                                        "domain:\n",
                                        "domain: a\ndomain: a\n",
                                        "config: other.yaml\n",
                                        "health: true\n",
                                        "DOMAIN_NAME: a\n",
                                        "tunnel-secret: 0123456789abcdef\ntunnel-secret-file: x\n",
                                        "agent-listen: :8081\n",
                                        "- domain\n"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct config config;
        char *path = config_file(texts[i]);
        if (init(&config, "--config", path, NULL) != 2) fail_msg("%s", texts[i]);
        config_done(&config);
        unlink(path);
        free(path);
    }
}

static void test_letters(void **state) {
    (void)state;
    struct config config;
    assert_int_equal(init(&config, "-h", NULL, NULL), 0);
    assert_string_equal(config.help, HELP_USUAL);
    config_done(&config);
    assert_int_equal(init(&config, "-V", NULL, NULL), 0);
    assert_true(config.wants_version);
    config_done(&config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_flags_win),
        cmocka_unit_test(test_routing),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_a_long_public_url),
        cmocka_unit_test(test_what_is_not_refused),
        cmocka_unit_test(test_names_are_tidied),
        cmocka_unit_test(test_letters),
        cmocka_unit_test(test_the_file_is_the_lowest_layer),
        cmocka_unit_test(test_refused_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
