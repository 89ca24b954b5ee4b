/* Blocks come back, as they are, and not more of them than a bound. With AddressSanitizer none is kept. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/quick.h"
#include "cmocka_setup.h"

#if defined(__GLIBC__) && !defined(IS_CHECKED)
#define KEEPS true
#else
#define KEEPS false
#endif
#define LARGEST 1032

/* malloc() may give a little more than was asked for, where it has a piece that is not worth cutting; such a
 * one comes back for the next size. */
static void test_a_block_comes_back(void **state) {
    (void)state;
    size_t back = 0;
    for (size_t size = 1; size <= LARGEST; size++) {
        void *block = quick_alloc(size);
        assert_non_null(block);
        memset(block, 1, size);
        uintptr_t place = (uintptr_t)block;
        quick_free(block);
        block = quick_alloc(size);
        back += (uintptr_t)block == place;
        memset(block, 2, size);
        free(block); /* it is malloc()'s */
    }
    if (KEEPS) assert_in_range(back, LARGEST - 100, LARGEST);
}

/* One that is smaller is not taken for a larger one: each may be written to its end. */
static void test_each_is_as_large_as_asked(void **state) {
    (void)state;
    for (size_t size = 1; size <= LARGEST; size++) {
        void *small = malloc(size), *large = NULL;
        quick_free(small);
        for (size_t more = 0; more < 40; more++) {
            large = quick_alloc(size + more);
            assert_non_null(large);
            memset(large, 3, size + more);
            large = realloc(large, size + more + 100); /* which would see what was overwritten */
            assert_non_null(large);
            assert_int_equal(((char *)large)[size + more - 1], 3);
            free(large);
        }
    }
}

static void test_zeros(void **state) {
    (void)state;
    char *block = quick_alloc(100);
    memset(block, 1, 100);
    quick_free(block);
    block = quick_calloc(100);
    for (size_t i = 0; i < 100; i++) assert_int_equal(block[i], 0);
    quick_free(block);
}

static void test_large_ones_and_none(void **state) {
    (void)state;
    quick_free(NULL);
    char *block = quick_alloc(100 * 1000);
    assert_non_null(block);
    memset(block, 1, 100 * 1000);
    quick_free(block);
    quick_free(quick_alloc(0));
}

/* Those that were kept last come first; what is beyond the bound has gone back to malloc(). */
static void test_so_many_are_kept(void **state) {
    (void)state;
    enum { SIZE = 500, COUNT = 100, KEPT = 64 };
    void *used_up[COUNT], *blocks[COUNT], *again[COUNT];
    if (!KEEPS) return;
    for (size_t i = 0; i < COUNT; i++) used_up[i] = malloc(SIZE); /* pieces that are a little larger */
    for (size_t i = 0; i < COUNT; i++) blocks[i] = quick_alloc(SIZE);
    for (size_t i = 0; i < COUNT; i++) quick_free(blocks[i]);
    for (size_t i = 0; i < COUNT; i++) again[i] = quick_alloc(SIZE);
    for (size_t i = 0; i < KEPT; i++) assert_ptr_equal(again[i], blocks[KEPT - 1 - i]);
    for (size_t i = 0; i < COUNT; i++) free(again[i]);
    for (size_t i = 0; i < COUNT; i++) free(used_up[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_block_comes_back),
        cmocka_unit_test(test_each_is_as_large_as_asked),
        cmocka_unit_test(test_zeros),
        cmocka_unit_test(test_large_ones_and_none),
        cmocka_unit_test(test_so_many_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
