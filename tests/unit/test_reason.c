/* Reason phrases: some of each class, and a status that has none. */
#include "cmocka_setup.h"
#include "http/error.h"
#include "http/reason.h"

static void test_phrases(void **state) {
    (void)state;
    static const struct {
        int status;
        const char *phrase;
    } rows[] = {
        {100, "Continue"},    {101, "Switching Protocols"},
        {200, "OK"},          {304, "Not Modified"},
        {400, "Bad Request"}, {426, "Upgrade Required"},
        {599, "Unknown"},     {502, "Bad Gateway"},
        {0, "Unknown"},       {999, "Unknown"},
        {-1, "Unknown"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_true(view_eq(http_reason(rows[i].status), view_from_cstr(rows[i].phrase)));
}

static void test_all_errors_have_one(void **state) {
    (void)state;
#define X(name, status, code, text) assert_false(view_eq(http_reason(status), VIEW("Unknown")));
    HTTP_ERROR_LIST(X)
#undef X
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_phrases),
        cmocka_unit_test(test_all_errors_have_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
