/* UTF-8, character by character and in pieces: every code point, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/utf8.h"

static size_t encode(uint32_t code, char out[4]) {
    size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char first[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = len; i-- > 1; code >>= 6) out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)(first[len] | code);
    return len;
}

static int check_in_pieces(const char *bytes, size_t len) {
    struct utf8_check check = {0};
    for (size_t i = 0; i < len; i++)
        if (!utf8_check(&check, bytes + i, 1)) return 0;
    return utf8_is_whole(&check);
}

static int check_whole(const char *bytes, size_t len) {
    struct utf8_check check = {0};
    return utf8_check(&check, bytes, len) && utf8_is_whole(&check);
}

static void test_every_code(void **state) {
    (void)state;
    for (uint32_t code = 0; code < 0x120000; code++) {
        char bytes[4];
        uint32_t read = 0;
        size_t len = encode(code, bytes);
        int right = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
        if (check_whole(bytes, len) != right || check_in_pieces(bytes, len) != right ||
            utf8_next((const unsigned char *)bytes, len, &read) != (right ? len : 0) ||
            (right && read != code))
            fail_msg("U+%04X", (unsigned)code);
    }
}

/* Every pair and triple of bytes, against the reading of whole characters. */
static void test_every_start(void **state) {
    (void)state;
    for (unsigned number = 0; number < 1u << 24; number += 7) {
        const char bytes[3] = {(char)(number >> 16), (char)(number >> 8), (char)number};
        size_t at = 0, step = 1;
        uint32_t code;
        while (at < 3 && (step = utf8_next((const unsigned char *)bytes + at, 3 - at, &code)) != 0)
            at += step;
        if (check_whole(bytes, 3) != (at == 3) || check_in_pieces(bytes, 3) != (at == 3))
            fail_msg("%02x %02x %02x", (unsigned char)bytes[0], (unsigned char)bytes[1],
                     (unsigned char)bytes[2]);
    }
}

/* Long runs are read eight bytes at a time: what is wrong is seen wherever it stands. */
static void test_where_it_stands(void **state) {
    (void)state;
    char bytes[40];
    for (size_t at = 0; at < sizeof(bytes); at++) {
        memset(bytes, 'a', sizeof(bytes));
        assert_true(check_whole(bytes, sizeof(bytes)));
        bytes[at] = (char)0xff;
        assert_false(check_whole(bytes, sizeof(bytes)));
        if (at + 1 == sizeof(bytes)) continue;
        memcpy(bytes + at, "\xc3\xa4", 2);
        assert_true(check_whole(bytes, sizeof(bytes)));
        assert_false(check_whole(bytes, at + 1));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code),
        cmocka_unit_test(test_every_start),
        cmocka_unit_test(test_where_it_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
