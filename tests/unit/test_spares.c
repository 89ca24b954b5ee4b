/* What is kept, and how many. */
#include <stdlib.h>
#include <string.h>

#include "base/spares.h"
#include "cmocka_setup.h"

enum { SIZE = 100, MOST = 3 };

static void test_the_last_one_comes_first(void **state) {
    (void)state;
    struct spares spares = {.size = SIZE, .most = MOST};
    void *first = spares_take(&spares), *second = spares_take(&spares);
    assert_non_null(first);
    assert_ptr_not_equal(first, second);
    memset(first, 1, SIZE);
    spares_give(&spares, first);
    spares_give(&spares, second);
    assert_int_equal(spares.count, 2);
    assert_ptr_equal(spares_take(&spares), second);
    assert_ptr_equal(spares_take(&spares), first);
    assert_int_equal(spares.count, 0);
    memset(second, 1, SIZE); /* all of it is ours again */
    free(first);
    free(second);
}

static void test_no_more_than_said(void **state) {
    (void)state;
    struct spares spares = {.size = SIZE, .most = MOST};
    void *blocks[MOST + 2];
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) blocks[i] = spares_take(&spares);
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) spares_give(&spares, blocks[i]);
    assert_int_equal(spares.count, MOST);
    spares_give(&spares, NULL);
    assert_int_equal(spares.count, MOST);
    spares_trim(&spares);
    assert_int_equal(spares.count, 0);
    assert_null(spares.first);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_last_one_comes_first),
        cmocka_unit_test(test_no_more_than_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
