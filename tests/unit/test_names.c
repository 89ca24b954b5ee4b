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

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
