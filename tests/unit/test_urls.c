/* The URLs that people see, for public URLs of all shapes. */
#include "cmocka_setup.h"
#include "handler/urls.h"

static void assert_url(struct buf *url, const char *expected) {
    if (!view_eq(buf_view(url), view_from_cstr(expected)))
        fail_msg("%.*s, not %s", VIEW_ARG(buf_view(url)), expected);
    buf_done(url);
}

static void each_shape(void **state) {
    (void)state;
    static const struct {
        const char *public_url, *subdomain, *path, *base, *port;
    } rows[] = {
        {"http://localhost", "http://id.a.test", "http://localhost/id", "", ""},
        {"http://localhost:8080", "http://id.a.test:8080", "http://localhost:8080/id", "", ":8080"},
        {"https://b.test", "https://id.a.test", "https://b.test/id", "", ""},
        {"https://b.test:8443/dev", "https://id.a.test:8443", "https://b.test:8443/dev/id", "/dev", ":8443"},
        {"https://b.test/dev", "https://id.a.test", "https://b.test/dev/id", "/dev", ""},
        {"https://b.test/a:1/b", "https://id.a.test", "https://b.test/a:1/b/id", "/a:1/b", ""},
        {"http://[::1]", "http://id.a.test", "http://[::1]/id", "", ""},
        {"http://[::1]:8080", "http://id.a.test:8080", "http://[::1]:8080/id", "", ":8080"},
        {"http://[::1]:8080/x]", "http://id.a.test:8080", "http://[::1]:8080/x]/id", "/x]", ":8080"},
        {"http://c/", "http://id.a.test", "http://c//id", "", ""},
        {"http://c/dev//", "http://id.a.test", "http://c/dev///id", "/dev", ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct core_settings settings = {.domain = VIEW("a.test"),
                                         .public_url = view_from_cstr(rows[i].public_url)};
        struct buf url;
        buf_init(&url, 256);
        assert_true(urls_subdomain(&url, &settings, VIEW("id")));
        assert_url(&url, rows[i].subdomain);
        buf_init(&url, 256);
        assert_true(urls_path(&url, &settings, VIEW("id")));
        assert_url(&url, rows[i].path);
        if (!view_eq(urls_base(&settings), view_from_cstr(rows[i].base)))
            fail_msg("%s: %.*s", rows[i].public_url, VIEW_ARG(urls_base(&settings)));
        if (!view_eq(urls_port(&settings), view_from_cstr(rows[i].port)))
            fail_msg("%s: %.*s", rows[i].public_url, VIEW_ARG(urls_port(&settings)));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_shape)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
