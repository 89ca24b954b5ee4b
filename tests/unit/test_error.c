/* The errors' list, which of them end the connection, and which visitors get HTML. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/chars.h"
#include "http/error.h"

static const enum http_error all[] = {
#define X(name, status, code, text) HTTP_ERROR_##name,
    HTTP_ERROR_LIST(X)
#undef X
};
enum { COUNT = sizeof(all) / sizeof(all[0]) };

static void test_list(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        struct view code = http_error_code(all[i]), text = http_error_text(all[i]);
        assert_in_range(http_error_status(all[i]), 400, 599);
        assert_true(http_is_token(code));
        assert_true(http_is_field_value(text) && text.len > 10);
        assert_true(view_ends_with(text, VIEW(".")));
        for (size_t j = 0; j < i; j++) assert_false(view_eq(code, http_error_code(all[j])));
    }
    assert_int_equal(http_error_status(HTTP_ERROR_AGENT_OFFLINE), 502);
    assert_true(view_eq(http_error_code(HTTP_ERROR_UNKNOWN_HOST), VIEW("unknown_host")));
    assert_int_equal(http_error_code(HTTP_ERROR_NONE).len, 0);
    assert_int_equal(http_error_status((enum http_error)9999), 500);
    assert_int_equal(http_error_status((enum http_error)(COUNT + 1)), 500);
}

static void test_closing(void **state) {
    (void)state;
    static const int closing[] = {400, 405, 408, 413, 414, 417, 431, 505};
    for (size_t i = 0; i < COUNT; i++) {
        bool expected = false;
        for (size_t j = 0; j < sizeof(closing) / sizeof(closing[0]); j++)
            if (http_error_status(all[i]) == closing[j]) expected = true;
        assert_int_equal(http_error_closes(all[i]), expected);
    }
    assert_false(http_error_closes(HTTP_ERROR_NONE));
}

static void test_wants_html(void **state) {
    (void)state;
    static const struct {
        const char *accept;
        bool html;
    } rows[] = {
        {"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", true},
        {"text/html", true},
        {"TEXT/HTML", true},
        {" text/html ; charset=utf-8 ; Q=0.5 ", true},
        {"application/xhtml+xml", true},
        {"*/*", false},
        {"text/*", false},
        {"", false},
        {NULL, false},
        {",,;,", false},
        {"text/htmlx", false},
        {"application/json", false},
        {"text/html;q=0", false},
        {"text/html;q=0.000", false},
        {"text/html;q=0.001", true},
        {"text/html;q=0.0001", false},
        {"text/html;q=2", false},
        {"text/html;q=1.001", false},
        {"text/html;q=1.000", true},
        {"text/html;q=1", true},
        {"text/html;q=1,a/b", true},
        {"text/html;q=10", false},
        {"text/html;q=0.999", true},
        {"text/html;q=0.1000", false},
        {"text/html;q=0.5/", false},
        {"text/html;q=0.5:", false},
        {"text/html; q=0", false},
        {"text/plain, text/html;q=1", true},
        {"text/html;q=", false},
        {"text/html;q=x", false},
        {"text/html;q=0.5, text/plain", false},
        {"text/html;q=0.5, text/plain;q=0.5", true},
        {"text/plain, text/html", true},
        {"text/plain;q=0.9, text/html;q=0.91", true},
        {"text/plain;q=0.9, text/html;q=0.8", false},
        {"text/plain, text/html;q=0", false},
        {"text/html;q=0.1, text/html;q=0.9, text/plain;q=0.5", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        print_message("'%s'\n", rows[i].accept ? rows[i].accept : "(absent)");
        assert_int_equal(http_wants_html(view_from_cstr(rows[i].accept)), rows[i].html);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_closing),
        cmocka_unit_test(test_wants_html),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
