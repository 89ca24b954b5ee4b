/* Views: comparing, cutting, trimming, splitting and numbers, the absent view included. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/view.h"

static void assert_view(struct view v, const char *expected) {
    assert_int_equal(v.len, strlen(expected));
    if (v.len) assert_memory_equal(v.ptr, expected, v.len);
}

static void test_equality(void **state) {
    (void)state;
    struct view absent = {NULL, 0};
    assert_true(view_eq(absent, VIEW("")));
    assert_true(view_eq(VIEW("a\0b"), VIEW("a\0b")));
    assert_false(view_eq(VIEW("a\0b"), VIEW("a\0c")));
    assert_false(view_eq(VIEW("ab"), VIEW("a")));
    assert_true(view_eq_nocase(VIEW("Content-LENGTH"), VIEW("cONTENT-length")));
    assert_false(view_eq_nocase(VIEW("@["), VIEW("`{")));
    assert_false(view_eq_nocase(VIEW("\xc3\x84"), VIEW("\xc3\xa4")));
    assert_true(view_eq_nocase(absent, VIEW("")));
}

static void test_ends(void **state) {
    (void)state;
    struct view absent = {NULL, 0};
    assert_true(view_starts_with(VIEW("abc"), VIEW("ab")));
    assert_true(view_starts_with(VIEW("abc"), absent));
    assert_false(view_starts_with(VIEW("ab"), VIEW("abc")));
    assert_false(view_starts_with(absent, VIEW("a")));
    assert_true(view_ends_with(VIEW("abc"), VIEW("bc")));
    assert_true(view_ends_with(VIEW("abc"), VIEW("")));
    assert_false(view_ends_with(VIEW("c"), VIEW("bc")));
    assert_false(view_ends_with(VIEW("abd"), VIEW("bc")));
}

static void test_slices_are_clamped(void **state) {
    (void)state;
    static const struct {
        const char *name;
        size_t from, to;
        const char *expected;
    } rows[] = {
        {"whole", 0, 5, "hello"},       {"middle", 1, 3, "el"}, {"end past", 3, 99, "lo"},
        {"from past", 9, 99, ""},       {"crossed", 4, 2, ""},  {"empty", 2, 2, ""},
        {"huge", 0, SIZE_MAX, "hello"}, {"last", 4, 5, "o"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        print_message("%s\n", rows[i].name);
        assert_view(view_slice(VIEW("hello"), rows[i].from, rows[i].to), rows[i].expected);
    }
    assert_view(view_skip(VIEW("hello"), 2), "llo");
    assert_view(view_skip(VIEW("hello"), 6), "");
    assert_null(view_slice((struct view){NULL, 0}, 1, 2).ptr);
}

static void test_find(void **state) {
    (void)state;
    assert_int_equal(view_find(VIEW("a.b.c"), '.'), 1);
    assert_int_equal(view_find_last(VIEW("a.b.c"), '.'), 3);
    assert_int_equal(view_find(VIEW("abc"), '.'), 3);
    assert_int_equal(view_find_last(VIEW("abc"), '.'), 3);
    assert_int_equal(view_find_last(VIEW(".abc"), '.'), 0);
    assert_int_equal(view_find((struct view){NULL, 0}, '.'), 0);
}

static void test_trim(void **state) {
    (void)state;
    assert_view(view_trim(VIEW(" \t a b\t ")), "a b");
    assert_view(view_trim(VIEW(" \t ")), "");
    assert_view(view_trim(VIEW("\r\na\v")), "\r\na\v");
    assert_view(view_trim((struct view){NULL, 0}), "");
}

static void test_split(void **state) {
    (void)state;
    static const char *const expected[] = {"", "a", "", "b", ""};
    struct view rest = VIEW(",a,,b,"), piece;
    for (size_t i = 0; i < 5; i++) {
        assert_true(view_split(&rest, ',', &piece));
        assert_view(piece, expected[i]);
    }
    assert_null(rest.ptr);
    assert_false(view_split(&rest, ',', &piece));
    rest = VIEW("");
    assert_true(view_split(&rest, ',', &piece));
    assert_view(piece, "");
    assert_false(view_split(&rest, ',', &piece));
}

static void test_parse_u64(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        uint64_t value;
    } rows[] = {
        {"0", true, 0},
        {"010", true, 10},
        {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"18446744073709551625", false, 0},
        {"99999999999999999999", false, 0},
        {"184467440737095516150", false, 0},
        {"000000000000000000000000000001", true, 1},
        {"", false, 0},
        {"+1", false, 0},
        {"-1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"0x1", false, 0},
        {"1_0", false, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t value = 7;
        print_message("'%s'\n", rows[i].text);
        assert_int_equal(view_parse_u64(view_from_cstr(rows[i].text), &value), rows[i].ok);
        assert_true(value == (rows[i].ok ? rows[i].value : 7));
    }
}

static void test_copies(void **state) {
    (void)state;
    char out[4];
    assert_true(view_copy_to(VIEW("abc"), out, sizeof(out)));
    assert_string_equal(out, "abc");
    assert_false(view_copy_to(VIEW("abcd"), out, sizeof(out)));
    assert_string_equal(out, "");
    assert_false(view_copy_to(VIEW("a\0b"), out, sizeof(out)));
    assert_string_equal(out, "");
    assert_true(view_copy_to((struct view){NULL, 0}, out, sizeof(out)));
    assert_false(view_copy_to(VIEW(""), out, 0));
    char *copy = view_to_cstr(VIEW("text"));
    assert_string_equal(copy, "text");
    free(copy);
    copy = view_to_cstr((struct view){NULL, 0});
    assert_string_equal(copy, "");
    free(copy);
    assert_null(view_from_cstr(NULL).ptr);
}

static unsigned char lower(int byte) {
    return (unsigned char)(byte >= 'A' && byte <= 'Z' ? byte + 32 : byte);
}

/* All pairs of bytes, in the first word, at its ends, and behind it. */
static void test_folding_of_each_byte(void **state) {
    (void)state;
    static const size_t places[] = {0, 3, 7, 8, 12};
    char a[] = "Abc-Defg-Hijk", b[] = "aBC-dEFG-hIJK";
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        char of_a = a[places[i]], of_b = b[places[i]];
        for (int x = 0; x < 256; x++)
            for (int y = 0; y < 256; y++) {
                a[places[i]] = (char)x;
                b[places[i]] = (char)y;
                assert_int_equal(view_eq_nocase(view_of(a, 13), view_of(b, 13)), lower(x) == lower(y));
            }
        a[places[i]] = of_a;
        b[places[i]] = of_b;
    }
}

/* One byte that differs, at each place of each length. */
static void test_folded_places(void **state) {
    (void)state;
    for (size_t len = 1; len <= 26; len++)
        for (size_t at = 0; at < len; at++) {
            char a[26], b[26];
            memset(a, 'm', len);
            memset(b, 'M', len);
            assert_true(view_eq_nocase(view_of(a, len), view_of(b, len)));
            b[at] = 'N';
            assert_false(view_eq_nocase(view_of(a, len), view_of(b, len)));
            b[at] = '-'; /* the same as 'm' but for 0x40 */
            assert_false(view_eq_nocase(view_of(a, len), view_of(b, len)));
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folded_places),
        cmocka_unit_test(test_equality),
        cmocka_unit_test(test_folding_of_each_byte),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_slices_are_clamped),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_trim),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_parse_u64),
        cmocka_unit_test(test_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
