/* Status texts: one for each, none twice, never NULL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/status.h"

static void test_texts(void **state) {
    (void)state;
    static const enum status all[] = {
#define X(name, text) STATUS_##name,
        STATUS_LIST(X)
#undef X
    };
    size_t count = sizeof(all) / sizeof(all[0]);
    assert_int_equal(STATUS_OK, 0);
    for (size_t i = 0; i < count; i++) {
        assert_true(strlen(status_text(all[i])) > 0);
        for (size_t j = 0; j < i; j++) assert_string_not_equal(status_text(all[i]), status_text(all[j]));
    }
    assert_string_equal(status_text(STATUS_TIMEOUT), "took too long");
    assert_non_null(status_text((enum status)999));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
