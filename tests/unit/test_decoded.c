/* forwarder/inspect/decoded: a body that is read without its content coding, as far as it goes. */
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "cmocka_setup.h"
#include "coding/coding_memory.h"
#include "inspect/decoded.h"

enum { LINES = 500 };
#define LINE "<a href=\"/x\">x</a>\n"

/* LINES times LINE, by node's zlib.brotliCompressSync(). */
static const unsigned char brotli_page[] = {
    0x1b, 0x1b, 0x25, 0xf8, 0x8d, 0xd3, 0x05, 0xf3, 0x2b, 0x79, 0x5a, 0x53, 0xfa, 0x84, 0xe1, 0xb5,
    0x82, 0xc8, 0x0b, 0x8f, 0x02, 0xe6, 0xb7, 0x12, 0xa1, 0x0d, 0x3e, 0xcc, 0x01, 0xb0, 0xbe, 0x00,
};
/* 256 MiB of zeros. */
static const unsigned char brotli_bomb[] = {
    0xcf, 0xff, 0xff, 0x7f, 0x00, 0x24, 0x00, 0xe2, 0xb1, 0x40, 0x72, 0xef, 0xff, 0xf9, 0xff, 0xff, 0x0f,
    0x80, 0x04, 0x40, 0x1c, 0x16, 0x80, 0xee, 0xfd, 0x3f, 0xff, 0xff, 0xff, 0x01, 0x90, 0x00, 0x88, 0xc3,
    0x02, 0xd0, 0xbd, 0xff, 0xe7, 0xff, 0xff, 0x3f, 0x00, 0x12, 0x00, 0x71, 0x58, 0x00, 0xba, 0xf7, 0xff,
    0xfc, 0xff, 0xff, 0x07, 0x40, 0x02, 0x20, 0x0e, 0x0b, 0x40, 0xf7, 0xfe, 0x9f, 0xff, 0xff, 0xff, 0x00,
    0x48, 0x00, 0xc4, 0x61, 0x01, 0xe8, 0xde, 0xff, 0xf3, 0xff, 0xff, 0x1f, 0x00, 0x09, 0x80, 0x38, 0x2c,
    0x00, 0xdd, 0xfb, 0x7f, 0xfe, 0xff, 0xff, 0x03, 0x20, 0x01, 0x10, 0x87, 0x05, 0xa0, 0x7b, 0xff, 0xcf,
    0xff, 0xff, 0x7f, 0x00, 0x24, 0x00, 0xe2, 0xb0, 0x00, 0x74, 0xef, 0xff, 0xf9, 0xff, 0xff, 0x0f, 0x80,
    0x04, 0x40, 0x1c, 0x16, 0x80, 0xee, 0xfd, 0x3f, 0xff, 0xff, 0xff, 0x01, 0x90, 0x00, 0x88, 0xc3, 0x02,
    0xd0, 0xbd, 0xff, 0xe7, 0xff, 0xff, 0x3f, 0x00, 0x12, 0x00, 0x71, 0x58, 0x00, 0xba, 0xf7, 0xff, 0xfc,
    0xff, 0xff, 0x07, 0x40, 0x02, 0x20, 0x0e, 0x0b, 0x40, 0xf7, 0xfe, 0x9f, 0xff, 0xff, 0xff, 0x00, 0x48,
    0x00, 0xc4, 0x61, 0x01, 0xe8, 0xde, 0xff, 0xf3, 0xff, 0xff, 0x1f, 0x00, 0x09, 0x80, 0x38, 0x2c, 0x00,
    0xdd, 0xfb, 0xff, 0xfc, 0xff, 0xff, 0x07, 0x20, 0x01, 0x10, 0x87, 0x05, 0xa0, 0x7b, 0xff, 0x0f,
};

static char text[LINES * (sizeof(LINE) - 1) + 1];
static char coded[1 << 20];

static struct view page(void) {
    for (int i = 0; i < LINES; i++) memcpy(text + (size_t)i * (sizeof(LINE) - 1), LINE, sizeof(LINE) - 1);
    return view_of(text, sizeof(text) - 1);
}

static struct view deflated(struct view plain, int bits) {
    z_stream zlib = {.next_in = (unsigned char *)(uintptr_t)plain.ptr,
                     .avail_in = (unsigned)plain.len,
                     .next_out = (unsigned char *)coded,
                     .avail_out = sizeof(coded)};
    assert_int_equal(deflateInit2(&zlib, 9, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&zlib, Z_FINISH), Z_STREAM_END);
    deflateEnd(&zlib);
    return view_of(coded, zlib.total_out);
}

static struct view zstd_of(struct view plain) {
    size_t len = ZSTD_compress(coded, sizeof(coded), plain.ptr, plain.len, 3);
    assert_false(ZSTD_isError(len));
    return view_of(coded, len);
}

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
        if (is_broken) coded[all.len - 6] ^= 0x55; /* the check of it (RFC 1952 2.3.1) */
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
