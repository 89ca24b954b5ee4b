/* How field names are written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/chars.h"
#include "http/names.h"

static void test_names(void **state) {
    (void)state;
    static const char *const names[] = {
        /* by rule */
        "Host", "Content-Type", "X-Forwarded-For", "Set-Cookie", "X-1a-B_c", "-", "X--Y", "Q", "", "Z-Zz-A",
        "X-Name-Of-25-Letters-Abcd", "Abcdefg-Hijk", "Abcdefgh-Ijk", "Abcdefghijklmno-P",
        "Abcdefghijklmnop-Q", "-Bcdefgh-Jklmno-",
        /* by table */
        "TE", "DAV", "DNT", "DPR", "ECT", "NEL", "P3P", "RTT", "ETag", "CF-Ray", "Sec-GPC", "Expect-CT",
        "Sec-CH-UA", "SourceMap", "X-Real-IP", "SOAPAction", "Content-DPR", "Content-MD5", "X-Client-IP",
        "MIME-Version", "X-B3-TraceId", "X-CSRF-Token", "X-Request-ID", "X-WebKit-CSP", "X-XSRF-Token",
        "Last-Event-ID", "HTTP2-Settings", "True-Client-IP", "X-GitHub-Event", "Sec-CH-UA-Model",
        "X-UA-Compatible", "CF-Connecting-IP", "Sec-CH-UA-Mobile", "WWW-Authenticate", "X-Correlation-ID",
        "X-XSS-Protection", "CDN-Cache-Control", "Sec-WebSocket-Key", "X-GitHub-Delivery",
        "Sec-CH-UA-Platform", "Sec-WebSocket-Accept", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol",
        "X-DNS-Prefetch-Control", "X-HTTP-Method-Override", "Sec-WebSocket-Extensions",
        "A-Name-That-Is-Longer-Than-Any-Of-The-Table"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct view name = view_from_cstr(names[i]);
        char lower[64], written[64] = {0};
        for (size_t j = 0; j < name.len; j++) lower[j] = http_lower(name.ptr[j]);
        http_put_name(written, view_of(lower, name.len));
        assert_string_equal(written, names[i]);
    }
}

/* Words of each length, in names of each length: the first letter of each, and nothing else. */
static void test_first_letters(void **state) {
    (void)state;
    for (size_t len = 1; len <= 30; len++)
        for (size_t word = 1; word <= len; word++) {
            char lower[30], expected[30], written[32];
            for (size_t i = 0; i < len; i++) {
                bool is_dash = i % (word + 1) == word;
                lower[i] = is_dash ? '-' : 'q';
                expected[i] = is_dash ? '-' : i % (word + 1) == 0 ? 'Q' : 'q';
            }
            memset(written, '#', sizeof(written));
            http_put_name(written, view_of(lower, len));
            assert_memory_equal(written, expected, len);
            assert_int_equal(written[len], '#');
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names), cmocka_unit_test(test_first_letters)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
