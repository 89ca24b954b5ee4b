/* forwarder/inspect/decoded: a body that is read without its content coding, as far as it goes. */
#include <stdlib.h>

#include "coded_page.h"
#include "coding/coding_memory.h"
#include "inspect/decoded.h"

/* Is it all of the page? What is taken for decoding is given back in any case. */
static void expect_page(const char *coding, struct view body) {
    struct buf out;
    bool is_whole;
    assert_true(decoded_body(view_from_cstr(coding), body, &out, &is_whole));
    assert_true(is_whole);
    assert_true(view_eq(buf_view(&out), page()));
    assert_int_equal(coding_memory_bytes(), 0);
    buf_done(&out);
}

static void every_coding(void **state) {
    (void)state;
    expect_page("gzip", deflated(page(), MAX_WBITS + 16));
    expect_page(" X-GZIP ", deflated(page(), MAX_WBITS + 16));
    expect_page("deflate", deflated(page(), MAX_WBITS));
    expect_page("deflate", deflated(page(), -MAX_WBITS));
    expect_page("br", view_of(brotli_page, sizeof(brotli_page)));
    expect_page("zstd", zstd_of(page()));
}

static void an_empty_one(void **state) {
    struct buf out;
    bool is_whole;
    (void)state;
    assert_true(decoded_body(VIEW("gzip"), deflated(VIEW(""), MAX_WBITS + 16), &out, &is_whole));
    assert_true(is_whole);
    assert_int_equal(out.len, 0);
    buf_done(&out);
}

static void what_is_not_decoded(void **state) {
    static const struct {
        const char *coding, *body;
    } rows[] = {{"gzip", "no gzip"}, {"br", "\xff\xff\xff"}, {"zstd", "no zstd"}, {"deflate", "\xff\xff"},
                {"", "plain"},       {"identity", "plain"},  {"gzip, br", "x"},   {"unheard-of", "x"},
                {"gzip", ""},        {"gzip", "\x1f\x8b"}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf out;
        bool is_whole;
        assert_false(
            decoded_body(view_from_cstr(rows[i].coding), view_from_cstr(rows[i].body), &out, &is_whole));
        assert_false(is_whole);
        assert_int_equal(out.len, 0);
        assert_int_equal(coding_memory_bytes(), 0);
        buf_done(&out);
    }
}

/* What is kept of a body may end anywhere, and what came may be broken further on. */
static void a_part_of_it(void **state) {
    struct buf out;
    bool is_whole;
    (void)state;
    for (int is_broken = 0; is_broken < 2; is_broken++) {
        struct view all = deflated(page(), MAX_WBITS + 16),
                    part = view_slice(all, 0, all.len - (is_broken ? 0 : 12));
        if (is_broken)
            ((char *)(uintptr_t)all.ptr)[all.len - 6] ^= 0x55; /* the check of it (RFC 1952 2.3.1) */
        assert_true(decoded_body(VIEW("gzip"), part, &out, &is_whole));
        assert_false(is_whole);
        assert_true(out.len > 0 && view_starts_with(page(), buf_view(&out)));
        assert_int_equal(coding_memory_bytes(), 0);
        buf_done(&out);
    }
}

static void little_that_would_be_much(void **state) {
    static char zeros[16 * 1024 * 1024];
    struct view bombs[3] = {view_of(brotli_bomb, sizeof(brotli_bomb))};
    static const char *const codings[] = {"br", "gzip", "zstd"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct buf out;
        bool is_whole;
        if (i == 1) bombs[i] = deflated(view_of(zeros, sizeof(zeros)), MAX_WBITS + 16);
        if (i == 2) bombs[i] = zstd_of(view_of(zeros, sizeof(zeros)));
        assert_true(decoded_body(view_from_cstr(codings[i]), bombs[i], &out, &is_whole));
        assert_false(is_whole);
        assert_int_equal(out.len, DECODED_MAX);
        assert_int_equal(coding_memory_bytes(), 0);
        buf_done(&out);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_coding),
        cmocka_unit_test(an_empty_one),
        cmocka_unit_test(what_is_not_decoded),
        cmocka_unit_test(a_part_of_it),
        cmocka_unit_test(little_that_would_be_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
