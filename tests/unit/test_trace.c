/* What is a trace of W3C's Trace Context, and what an x-request-id. The rest is tests/e2e/test_logs.py. */
#include "cmocka_setup.h"
#include "handler/trace.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"

static void test_traceparent(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool is_fine;
    } rows[] = {
        {"00-" TRACE "-" PARENT "-01", true},
        {"00-" TRACE "-" PARENT "-00", true},
        {"01-" TRACE "-" PARENT "-01", true},
        {"cc-" TRACE "-" PARENT "-01-what-the-future-will-be-like", true},
        {"cc-" TRACE "-" PARENT "-01.", false},
        {"00-" TRACE "-" PARENT "-01-", false},
        {"ff-" TRACE "-" PARENT "-01", false},
        {"00-00000000000000000000000000000000-" PARENT "-01", false},
        {"00-" TRACE "-0000000000000000-01", false},
        {"00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT "-01", false},
        {"00-" TRACE "-" PARENT "-0", false},
        {"00-" TRACE "-" PARENT "-0x", false},
        {"0x-" TRACE "-" PARENT "-01", false},
        {"00_" TRACE "-" PARENT "-01", false},
        {"00-" TRACE "_" PARENT "-01", false},
        {"00-" TRACE "-" PARENT "_01", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_true(
            view_eq(trace_id_of(view_from_cstr(rows[i].text)), rows[i].is_fine ? VIEW(TRACE) : VIEW("")));
    assert_int_equal(trace_id_of((struct view){0}).len, 0);
}

static void test_request_ids(void **state) {
    (void)state;
    char longest[X_REQUEST_ID_MAX + 1];
    memset(longest, 'a', sizeof(longest));
    assert_true(x_request_id_is_fine(VIEW("Root=1-67891233-abcdef012345678912345678")));
    assert_true(x_request_id_is_fine(VIEW("a")));
    assert_true(x_request_id_is_fine(VIEW("azAZ09._:+/=@~-")));
    assert_true(x_request_id_is_fine(view_of(longest, X_REQUEST_ID_MAX)));
    assert_false(x_request_id_is_fine(view_of(longest, X_REQUEST_ID_MAX + 1)));
    static const char *const bad[] = {"",         "a b", "a\"", "a\n", "a,b", "a;b",
                                      "\xc3\xa9", "`",   "{",   "[",   "\x7f"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(x_request_id_is_fine(view_from_cstr(bad[i])));
    assert_false(x_request_id_is_fine(view_of("a\0b", 3)));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_traceparent),
                                       cmocka_unit_test(test_request_ids)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
