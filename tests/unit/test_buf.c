/* The buffer: its maximum, appending, consuming, taking, and a random run against a plain array. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"

static void assert_bytes(const struct buf *buf, const char *expected) {
    assert_int_equal(buf->len, strlen(expected));
    if (buf->len) assert_memory_equal(buf_view(buf).ptr, expected, buf->len);
}

static void test_append_and_consume(void **state) {
    (void)state;
    struct buf buf;
    buf_init(&buf, 100);
    assert_null(buf.ptr);
    assert_true(buf_append(&buf, NULL, 0));
    assert_true(buf_append_view(&buf, VIEW("hello ")));
    assert_true(buf_append_byte(&buf, 'w'));
    assert_true(buf_printf(&buf, "%s%d", "orld", 7));
    assert_bytes(&buf, "hello world7");
    buf_consume(&buf, 6);
    assert_bytes(&buf, "world7");
    buf_consume(&buf, 6);
    assert_bytes(&buf, "");
    assert_int_equal(buf.start, 0);
    assert_false(buf.failed);
    buf_done(&buf);
    assert_null(buf.ptr);
    assert_int_equal(buf.max, 100);
}

static void test_maximum(void **state) {
    (void)state;
    struct buf buf;
    buf_init(&buf, 8);
    assert_true(buf_append(&buf, "12345678", 8));
    assert_false(buf_append(&buf, "9", 1));
    assert_true(buf.failed);
    assert_bytes(&buf, "12345678");
    assert_true(buf.cap <= 8);
    buf_consume(&buf, 3);
    assert_true(buf_append(&buf, "abc", 3));
    assert_true(buf.failed);
    assert_bytes(&buf, "45678abc");
    assert_null(buf_reserve(&buf, 1));
    assert_null(buf_reserve(&buf, SIZE_MAX));
    assert_false(buf_append(&buf, "x", SIZE_MAX - 4));
    buf_clear(&buf);
    assert_false(buf.failed);
    assert_bytes(&buf, "");
    assert_false(buf_printf(&buf, "%s", "123456789"));
    assert_bytes(&buf, "");
    assert_true(buf.failed);
    buf_done(&buf);
    assert_false(buf.failed);
    buf_init(&buf, 0);
    assert_false(buf_append_byte(&buf, 'x'));
    assert_non_null(buf_reserve(&buf, 0));
    buf_done(&buf);
}

static void test_reserve_and_commit(void **state) {
    (void)state;
    struct buf buf;
    buf_init(&buf, 1000);
    char *room = buf_reserve(&buf, 600);
    assert_non_null(room);
    memset(room, 'a', 600);
    assert_int_equal(buf.len, 0);
    buf_commit(&buf, 500);
    assert_int_equal(buf.len, 500);
    assert_non_null(buf_reserve(&buf, 500));
    assert_null(buf_reserve(&buf, 501));
    buf_done(&buf);
}

static void test_long_printf(void **state) {
    (void)state;
    struct buf buf;
    buf_init(&buf, 5000);
    assert_true(buf_printf(&buf, "%4000d|", 1));
    assert_true(buf_printf(&buf, "%511d|", 1));
    assert_true(buf_printf(&buf, "%*d", 480, 1));
    assert_int_equal(buf.len, 4993);
    assert_int_equal(buf_view(&buf).ptr[3999], '1');
    assert_int_equal(buf_view(&buf).ptr[4000], '|');
    buf_done(&buf);
}

static void test_numbers(void **state) {
    (void)state;
    static const uint64_t numbers[] = {0, 9, 10, 101, UINT32_MAX, UINT64_MAX};
    struct buf buf, expected;
    buf_init(&buf, 100);
    buf_init(&expected, 100);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        assert_true(buf_append_number(&buf, numbers[i]));
        assert_true(buf_printf(&expected, "%llu", (unsigned long long)numbers[i]));
    }
    assert_true(view_eq(buf_view(&buf), buf_view(&expected)));
    buf_done(&buf);
    buf_done(&expected);
    buf_init(&buf, 1);
    assert_false(buf_append_number(&buf, 10));
    assert_true(buf.failed);
    buf_done(&buf);
}

static void test_take(void **state) {
    (void)state;
    struct buf buf;
    size_t len = 7;
    buf_init(&buf, 100);
    assert_null(buf_take(&buf, &len));
    assert_int_equal(len, 0);
    buf_append(&buf, "abcdef", 6);
    buf_consume(&buf, 2);
    char *taken = buf_take(&buf, &len);
    assert_int_equal(len, 4);
    assert_memory_equal(taken, "cdef", 4);
    free(taken);
    assert_int_equal(buf.len, 0);
    assert_true(buf_append(&buf, "x", 1));
    assert_bytes(&buf, "x");
    buf_done(&buf);
}

static void test_random_run_against_an_array(void **state) {
    (void)state;
    enum { MAX = 3000 };
    static char model[MAX];
    size_t len = 0, next = 0;
    struct buf buf;
    buf_init(&buf, MAX);
    srand(42);
    for (int step = 0; step < 20000; step++) {
        size_t n = (size_t)rand() % 400;
        char bytes[400];
        for (size_t i = 0; i < n; i++) bytes[i] = (char)(next++ % 251);
        bool fits = len + n <= MAX;
        assert_int_equal(buf_append(&buf, bytes, n), fits);
        if (fits) memcpy(model + len, bytes, n), len += n;
        size_t gone = len ? (size_t)rand() % (len + 1) / (size_t)(1 + rand() % 3) : 0;
        buf_consume(&buf, gone);
        memmove(model, model + gone, len - gone);
        len -= gone;
        assert_int_equal(buf.len, len);
        assert_true(buf.cap <= MAX);
        if (len) assert_memory_equal(buf_view(&buf).ptr, model, len);
    }
    buf_done(&buf);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append_and_consume),
        cmocka_unit_test(test_maximum),
        cmocka_unit_test(test_reserve_and_commit),
        cmocka_unit_test(test_long_printf),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_random_run_against_an_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
