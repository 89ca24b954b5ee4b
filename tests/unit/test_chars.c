/* Character classes, byte by byte against the RFCs' wording. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/chars.h"

static void test_token_bytes(void **state) {
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char c = (char)byte;
        bool alnum =
            (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
        bool expected = alnum || (byte != 0 && byte < 128 && strchr("!#$%&'*+-.^_`|~", byte) != NULL);
        char text[3] = {'x', c, 'y'};
        assert_int_equal(http_is_token(view_of(&c, 1)), expected);
        assert_int_equal(http_is_token(view_of(text, 3)), expected);
    }
    assert_false(http_is_token(VIEW("")));
    assert_false(http_is_token((struct view){NULL, 0}));
}

static void test_field_value_bytes(void **state) {
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        bool inside = byte == '\t' || (byte >= 0x20 && byte != 0x7f);
        char c = (char)byte;
        char text[3] = {'x', c, 'y'};
        assert_int_equal(http_is_field_value(view_of(text, 3)), inside);
        assert_int_equal(http_is_field_value(view_of(&c, 1)), inside && byte != ' ' && byte != '\t');
    }
    assert_true(http_is_field_value(VIEW("")));
    assert_true(http_is_field_value((struct view){NULL, 0}));
    assert_false(http_is_field_value(VIEW(" a")));
    assert_false(http_is_field_value(VIEW("a\t")));
    assert_false(
        http_is_field_value(VIEW("a long value, long enough for vectors of any width\r, then more")));
}

/* Each byte at each place of values of each length up to a few words. */
static void test_field_value_places(void **state) {
    (void)state;
    static const unsigned char others[] = {0x21, 0x7e, 0x80, 0xff};
    char text[28];
    for (int byte = 0; byte < 256; byte++)
        for (size_t len = 3; len <= sizeof(text); len++)
            for (size_t at = 0; at < len; at++) {
                memset(text, others[(len + at) % sizeof(others)], sizeof(text));
                text[at] = (char)byte;
                bool inside = byte == '\t' || (byte >= 0x20 && byte != 0x7f);
                bool at_end = at == 0 || at + 1 == len;
                assert_int_equal(http_is_field_value(view_of(text, len)),
                                 inside && !(at_end && (byte == '\t' || byte == ' ')));
            }
}

/* The same of tokens, and of names in lower case. */
static void test_token_places(void **state) {
    (void)state;
    static const char others[] = {'a', 'Z', '-', '7'};
    char text[20], lower[20];
    for (int byte = 0; byte < 256; byte++)
        for (size_t len = 1; len <= sizeof(text); len++)
            for (size_t at = 0; at < len; at++) {
                char c = (char)byte;
                memset(text, others[(len + at) % sizeof(others)], sizeof(text));
                text[at] = c;
                if (http_is_token(view_of(text, len)) != http_is_token(view_of(&c, 1)))
                    fail_msg("%.*s", (int)len, text);
                http_lower_copy(lower, view_of(text, len));
                for (size_t i = 0; i < len; i++) assert_int_equal(lower[i], http_lower(text[i]));
            }
}

static void test_lower(void **state) {
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char c = (char)byte;
        bool upper = byte >= 'A' && byte <= 'Z';
        assert_int_equal((unsigned char)http_lower(c), upper ? byte + 32 : byte);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token_bytes),
        cmocka_unit_test(test_token_places),
        cmocka_unit_test(test_field_value_bytes),
        cmocka_unit_test(test_field_value_places),
        cmocka_unit_test(test_lower),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
