#include <stdio.h>

#include "cmocka_setup.h"
#include "seen_ids.h"

static void knows_what_it_saw(void **state) {
    (void)state;
    struct seen_ids seen;
    seen_ids_init(&seen);
    assert_true(seen_ids_add(&seen, VIEW("a")));
    assert_true(seen_ids_add(&seen, VIEW("b")));
    assert_false(seen_ids_add(&seen, VIEW("a")));
    assert_true(seen_ids_add(&seen, VIEW("")));
    assert_false(seen_ids_add(&seen, VIEW("")));
    seen_ids_done(&seen);
}

static void forgets_the_oldest(void **state) {
    (void)state;
    struct seen_ids seen;
    char id[16];
    seen_ids_init(&seen);
    for (unsigned i = 0; i <= SEEN_IDS_MAX; i++) {
        snprintf(id, sizeof(id), "%u", i);
        assert_true(seen_ids_add(&seen, view_from_cstr(id)));
    }
    assert_int_equal(seen.table.count, SEEN_IDS_MAX);
    assert_false(seen_ids_add(&seen, VIEW("1")));
    assert_true(seen_ids_add(&seen, VIEW("0")));
    seen_ids_done(&seen);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_what_it_saw),
        cmocka_unit_test(forgets_the_oldest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
