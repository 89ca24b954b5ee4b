#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/pages.h"
#include "cmocka_setup.h"

static bool is_resident(char *page) {
    unsigned char there;
    assert_int_equal(mincore(page, 1, (void *)&there), 0); /* Darwin's is of char */
    return there & 1;
}

static void test_large_blocks_stand_on_pages_of_their_own(void **state) {
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *small = pages_alloc(PAGES_LEAST - 1), *large = pages_alloc(PAGES_LEAST);
    assert_non_null(small);
    assert_non_null(large);
    assert_int_equal((uintptr_t)large % page, 0);
    memset(small, 'x', PAGES_LEAST - 1);
    free(small);
    free(large);
}

/* Whole pages go; the last part of one, which others may share, stays as it is. */
static void test_rest(void **state) {
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE), size = PAGES_LEAST + 10;
    char *block = pages_alloc(size);
    assert_non_null(block);
    memset(block, 'x', size);
    pages_rest(block, size);
    for (size_t at = 0; at + page <= size; at += page) assert_false(is_resident(block + at));
    for (size_t i = size / page * page; i < size; i++) assert_int_equal(block[i], 'x');
    memset(block, 'y', size); /* it is still ours */
    for (size_t i = 0; i < size; i++) assert_int_equal(block[i], 'y');
    free(block);
}

static void test_nothing_to_rest(void **state) {
    (void)state;
    char *small = pages_alloc(100);
    memset(small, 'x', 100);
    pages_rest(small, 100);
    for (size_t i = 0; i < 100; i++) assert_int_equal(small[i], 'x');
    pages_rest(NULL, 1 << 20);
    free(small);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large_blocks_stand_on_pages_of_their_own),
        cmocka_unit_test(test_rest),
        cmocka_unit_test(test_nothing_to_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
