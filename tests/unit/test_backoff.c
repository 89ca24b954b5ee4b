#include "backoff.h"
#include "cmocka_setup.h"

static void doubles_to_the_maximum(void **state) {
    (void)state;
    static const struct {
        uint64_t now_ms;
        uint32_t ceiling_ms;
    } rows[] = {{7, 1000},      {1000, 2000},    {2000, 4000},    {9000, 8000},    {20000, 8000},
                {300006, 8000}, {300007, 16000}, {310000, 32000}, {340000, 60000}, {400000, 60000}};
    struct backoff low = {0}, high = {0};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(backoff_next_ms(&high, UINT32_MAX, rows[i].now_ms), rows[i].ceiling_ms);
        assert_int_equal(backoff_next_ms(&low, 0, rows[i].now_ms), BACKOFF_MIN_MS);
    }
}

static void spreads_evenly(void **state) {
    (void)state;
    struct backoff backoff = {0};
    assert_in_range(backoff_next_ms(&backoff, UINT32_MAX / 2, 0), 540, 560);
}

static void begins_again(void **state) {
    (void)state;
    struct backoff backoff = {0};
    for (int i = 0; i < 5; i++) backoff_next_ms(&backoff, 7, 0);
    backoff_reset(&backoff);
    assert_int_equal(backoff_next_ms(&backoff, UINT32_MAX, 400000), BACKOFF_FIRST_MS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles_to_the_maximum),
        cmocka_unit_test(spreads_evenly),
        cmocka_unit_test(begins_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
