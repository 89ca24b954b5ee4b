/* Hexadecimal digits, read and printed. */
#include <string.h>

#include "base/hex.h"
#include "cmocka_setup.h"

static void test_digits(void **state) {
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        int value = byte >= '0' && byte <= '9'   ? byte - '0'
                    : byte >= 'a' && byte <= 'f' ? byte - 'a' + 10
                    : byte >= 'A' && byte <= 'F' ? byte - 'A' + 10
                                                 : -1;
        assert_int_equal(hex_value((char)byte), value);
    }
}

/* Both places of each pair, and nothing behind what there is. */
static void test_a_byte(void **state) {
    static const struct {
        const char *text;
        int byte, percent;
    } rows[] = {{"", -1, -1},       {"4", -1, -1},    {"41", 0x41, -1}, {"4G", -1, -1},   {"G4", -1, -1},
                {"ffx", 0xff, -1},  {"Fa", 0xfa, -1}, {"00", 0, -1},    {"%", -1, -1},    {"%4", -1, -1},
                {"%41", -1, 0x41},  {"%4x", -1, -1},  {"%x4", -1, -1},  {"%00", -1, 0},   {"%ff%", -1, 0xff},
                {"%aF1", -1, 0xaf}, {"%%41", -1, -1}, {"x%41", -1, -1}, {"% 41", -1, -1}, {"-1", -1, -1}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct view text = view_from_cstr(rows[i].text);
        if (hex_byte(text) != rows[i].byte || percent_byte(text) != rows[i].percent)
            fail_msg("\"%s\"", rows[i].text);
    }
    assert_int_equal(hex_byte(view_slice(VIEW("414"), 0, 1)), -1);
    assert_int_equal(percent_byte(view_slice(VIEW("%41"), 0, 2)), -1);
}

static void test_read(void **state) {
    (void)state;
    unsigned char bytes[4] = {9, 9, 9, 9};
    assert_true(hex_read(VIEW("00fFa5"), bytes, 3));
    assert_memory_equal(bytes, "\x00\xff\xa5\x09", 4);
    assert_true(hex_read(VIEW(""), bytes, 0));
    assert_false(hex_read(VIEW("00ffa"), bytes, 3));
    assert_false(hex_read(VIEW("00ffa55"), bytes, 3));
    assert_false(hex_read(VIEW("00ffag"), bytes, 3));
    assert_false(hex_read(VIEW("0x00ff"), bytes, 3));
}

static void test_print(void **state) {
    (void)state;
    char out[] = "xxxxxxxx";
    assert_ptr_equal(hex_print(out, "\x00\x7f\xff", 3), out + 6);
    assert_string_equal(out, "007fffxx");
    assert_ptr_equal(hex_print(out, "", 0), out);
    assert_string_equal(out, "007fffxx");
}

static void test_all_bytes_come_back(void **state) {
    (void)state;
    unsigned char bytes[256], again[256];
    char text[512];
    for (int i = 0; i < 256; i++) bytes[i] = (unsigned char)i;
    hex_print(text, bytes, sizeof(bytes));
    assert_true(hex_read(view_of(text, sizeof(text)), again, sizeof(again)));
    assert_memory_equal(bytes, again, sizeof(bytes));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digits),
        cmocka_unit_test(test_a_byte),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_print),
        cmocka_unit_test(test_all_bytes_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
