/* JSON looked at before it is parsed (protocol/json_scan.c). */
#include "base/buf.h"
#include "cmocka_setup.h"
#include "protocol/json_scan.h"

static void test_what_is_found(void **state) {
    (void)state;
    static const struct {
        const char *text, *found; /* NULL: nothing */
    } rows[] = {
        {"{\"body\":\"abc\"}", "abc"},
        {"{\"a\":1,\"body\" :\n\"abc\",\"b\":[]}", "abc"},
        {"{\"body\":\"\"}", ""},
        {"{\"body\":\"a\\/b\"}", "a\\/b"},
        {"{\"body\":\"a\\nb\"}", NULL},
        {"{\"body\":\"a\\\\\"}", NULL},
        {"{\"x\":\"body\",\"y\":\"abc\"}", NULL},
        {"{\"x\":{\"body\":\"abc\"}}", NULL},
        {"{\"x\":[\"body\",\"abc\"]}", NULL},
        {"[{\"body\":\"abc\"}]", NULL},
        {"{\"x\":\"\\\"body\\\":\\\"no\\\"\",\"body\":\"yes\"}", "yes"},
        {"{\"x\\\\\":1,\"body\":\"yes\"}", "yes"},
        {"{\"body\":1,\"x\":\"no\"}", NULL},
        {"{\"body\":[\"no\"]}", NULL},
        {"{\"body\":\"first\",\"body\":\"second\"}", "first"},
        {"\"body\":\"abc\"", NULL},
        {"", NULL},
        {"{\"body\":\"", ""},
        {"{\"body\":\"ab", "ab"},
        {"}}}{\"body\":\"abc\"}", "abc"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct view found;
        bool is_modest = json_scan(view_from_cstr(rows[i].text), VIEW("body"), &found);
        bool right = is_modest && (rows[i].found ? found.ptr && view_eq(found, view_from_cstr(rows[i].found))
                                                 : !found.ptr);
        if (!right) fail_msg("%s: %.*s", rows[i].text, VIEW_ARG(found));
    }
}

static bool is_modest(const char *begin, const char *piece, size_t count) {
    struct buf text;
    struct view found;
    buf_init(&text, 1 << 20);
    buf_append_view(&text, view_from_cstr(begin));
    while (count--) buf_append_view(&text, view_from_cstr(piece));
    assert_false(text.failed);
    bool is = json_scan(buf_view(&text), VIEW("body"), &found);
    buf_done(&text);
    return is;
}

static void test_too_much_of_it(void **state) {
    (void)state;
    assert_true(is_modest("[", "1,", JSON_MARKS_MAX - 1));
    assert_false(is_modest("[", "1,", JSON_MARKS_MAX));
    assert_true(is_modest("", "[", JSON_DEPTH_MAX));
    assert_false(is_modest("", "[", JSON_DEPTH_MAX + 1));
    assert_true(is_modest("", "[]", JSON_MARKS_MAX));
    assert_false(is_modest("", "[]", JSON_MARKS_MAX + 1));
    assert_true(is_modest("\"", ",[{:", 20000)); /* within a string nothing counts */
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_is_found),
                                       cmocka_unit_test(test_too_much_of_it)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
