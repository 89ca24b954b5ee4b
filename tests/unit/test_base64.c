/* Base64: the vectors of RFC 4648 section 10, what must be refused, and round trips of all lengths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base64.h"

static void test_vectors(void **state) {
    (void)state;
    static const struct {
        const char *plain, *standard, *url;
    } rows[] = {
        {"", "", ""},
        {"f", "Zg==", "Zg"},
        {"fo", "Zm8=", "Zm8"},
        {"foo", "Zm9v", "Zm9v"},
        {"foob", "Zm9vYg==", "Zm9vYg"},
        {"fooba", "Zm9vYmE=", "Zm9vYmE"},
        {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
        {"\xfb\xff\xfe", "+//+", "-__-"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[32];
        size_t len;
        struct view plain = view_from_cstr(rows[i].plain);
        print_message("'%s'\n", rows[i].standard);
        len = base64_encode(plain, out);
        assert_true(view_eq(view_of(out, len), view_from_cstr(rows[i].standard)));
        assert_int_equal(len, base64_encoded_len(plain.len));
        len = base64url_encode(plain, out);
        assert_true(view_eq(view_of(out, len), view_from_cstr(rows[i].url)));
        assert_true(base64_decode(view_from_cstr(rows[i].standard), out, &len));
        assert_true(view_eq(view_of(out, len), plain));
        assert_true(base64url_decode(view_from_cstr(rows[i].url), out, &len));
        assert_true(view_eq(view_of(out, len), plain));
    }
}

static void test_rejects(void **state) {
    (void)state;
    static const struct {
        const char *name, *text;
        bool url;
    } rows[] = {
        {"one character", "Z", false},
        {"no padding", "Zg", false},
        {"short padding", "Zg=", false},
        {"padding only", "====", false},
        {"three pads", "Z===", false},
        {"pad in the middle", "Zg==Zg==", false},
        {"pad then text", "Z=g=", false},
        {"unused bits of two", "Zh==", false},
        {"unused bits of three", "Zm9=", false},
        {"space", "Zm9 ", false},
        {"newline", "Zm9v\n", false},
        {"newline inside", "Zm\n9", false},
        {"url alphabet", "-__-", false},
        {"high byte", "Zm9\xff", false},
        {"five", "Zm9vY", false},
        {"high byte in the tail", "Z\xe9==", false},
        {"url: one", "Z", true},
        {"url: five", "Zm9vY", true},
        {"url: padded", "Zg==", true},
        {"url: standard alphabet", "+//+", true},
        {"url: unused bits of two", "Zh", true},
        {"url: unused bits of three", "Zm9", true},
        {"url: space", "Zg ", true},
        {"url: dot", "Zm9v.", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[32];
        size_t len;
        struct view text = view_from_cstr(rows[i].text);
        print_message("%s\n", rows[i].name);
        assert_false(rows[i].url ? base64url_decode(text, out, &len) : base64_decode(text, out, &len));
    }
    char out[32];
    size_t len;
    assert_false(base64_decode(VIEW("Zm\0v"), out, &len));
    assert_true(base64_decode((struct view){NULL, 0}, out, &len));
    assert_int_equal(len, 0);
}

static void test_round_trips(void **state) {
    (void)state;
    srand(7);
    for (size_t len = 0; len < 300; len++) {
        /* Exact sizes from the heap, so that a sanitizer sees a byte too many. */
        char *in = malloc(len + 1), *text = malloc(base64_encoded_len(len) + 1);
        size_t ret_len = 0;
        for (size_t i = 0; i < len; i++) in[i] = (char)rand();
        size_t encoded = base64_encode(view_of(in, len), text);
        char *out = malloc(base64_decoded_max(encoded));
        assert_true(base64_decode(view_of(text, encoded), out, &ret_len));
        assert_true(view_eq(view_of(out, ret_len), view_of(in, len)));
        encoded = base64url_encode(view_of(in, len), text);
        assert_true(base64url_decode(view_of(text, encoded), out, &ret_len));
        assert_true(view_eq(view_of(out, ret_len), view_of(in, len)));
        free(in), free(text), free(out);
    }
}

/* Behind what is there, and never beyond the buffer's bound. */
static void test_append(void **state) {
    (void)state;
    struct buf out;
    buf_init(&out, 20);
    assert_true(buf_append_view(&out, VIEW("a.")));
    assert_true(base64url_append(&out, VIEW("\xfb\xff\xfe"
                                            "foob")));
    assert_true(base64url_append(&out, VIEW("")));
    assert_true(view_eq(buf_view(&out), VIEW("a.-__-Zm9vYg")));
    assert_false(base64url_append(&out, VIEW("too much for it")));
    buf_done(&out);
}

static void test_every_byte_value(void **state) {
    (void)state;
    size_t good = 0, good_url = 0;
    for (int byte = 0; byte < 256; byte++) {
        char text[4] = {'A', 'A', 'A', (char)byte}, out[8];
        size_t len;
        good += base64_decode(view_of(text, 4), out, &len) && len == 3;
        good_url += base64url_decode(view_of(text, 4), out, &len);
    }
    assert_int_equal(good, 64);
    assert_int_equal(good_url, 64);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),          cmocka_unit_test(test_rejects),
        cmocka_unit_test(test_round_trips),      cmocka_unit_test(test_append),
        cmocka_unit_test(test_every_byte_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
