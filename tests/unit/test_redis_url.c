/* Where Redis is. */
#include "cmocka_setup.h"
#include "store/redis_url.h"

static void good_urls(void **state) {
    (void)state;
    static const struct {
        const char *text, *host, *path, *user, *password, *shown;
        unsigned port, database;
        bool tls;
    } rows[] = {
        {"redis://localhost", "localhost", "", "", "", "redis://localhost:6379/0", 6379, 0, false},
        {"redis://10.0.0.1:7000/3", "10.0.0.1", "", "", "", "redis://10.0.0.1:7000/3", 7000, 3, false},
        {"redis://[::1]:7000/", "::1", "", "", "", "redis://[::1]:7000/0", 7000, 0, false},
        {"redis://[fd00::1]", "fd00::1", "", "", "", "redis://[fd00::1]:6379/0", 6379, 0, false},
        {"rediss://:p@h", "h", "", "", "p", "rediss://h:6379/0", 6379, 0, true},
        {"redis://gate:p%40ss%3a%2f@h:1", "h", "", "gate", "p@ss:/", "redis://h:1/0", 1, 0, false},
        {"redis://:a@b@h", "h", "", "", "a@b", "redis://h:6379/0", 6379, 0, false},
        {"unix:///run/redis.sock", "", "/run/redis.sock", "", "", "redis+unix:///run/redis.sock?db=0", 0, 0,
         false},
        {"redis+unix://u:p@/run/r?db=12", "", "/run/r", "u", "p", "redis+unix:///run/r?db=12", 0, 12, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct redis_url url;
        const char *why = redis_url_parse(view_from_cstr(rows[i].text), &url);
        if (why) fail_msg("%s: %s", rows[i].text, why);
        assert_string_equal(url.host, rows[i].host);
        assert_int_equal(url.port, rows[i].port);
        assert_string_equal(url.path, rows[i].path);
        assert_string_equal(url.user, rows[i].user);
        assert_string_equal(url.password, rows[i].password);
        assert_string_equal(url.shown, rows[i].shown);
        assert_int_equal(url.database, rows[i].database);
        assert_int_equal(url.tls, rows[i].tls);
    }
}

static void bad_urls(void **state) {
    (void)state;
    static const char *const rows[] = {
        "",
        "redis",
        "redis://",
        "redis://:0",
        "redis://h:0",
        "redis://h:65536",
        "redis://h:x",
        "redis://h:",
        "redis://h/x",
        "redis://h/-1",
        "redis://h/65536",
        "redis://::1",
        "redis://[::1",
        "redis://[::1]7000",
        "redis://user@h",
        "redis://user:@h",
        "redis://u:p%0@h",
        "redis://u:p%00@h",
        "redis://u:p%zz@h",
        "redis+unix://relative/path",
        "redis+unix://",
        "redis+unix:///s?x=1",
        "redis+unix:///s?db=x",
        "http://h",
        "REDIS://h",
    };
    struct redis_url url;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (!redis_url_parse(view_from_cstr(rows[i]), &url)) fail_msg("\"%s\" was taken", rows[i]);
    char text[200] = "unix:///";
    memset(text + strlen(text), 'a', sizeof(url.path) - 1); /* one too many */
    assert_non_null(redis_url_parse(view_from_cstr(text), &url));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_urls),
        cmocka_unit_test(bad_urls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
