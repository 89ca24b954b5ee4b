/* forwarder/inspect/meter: rates and percentiles, which are what ngrok's agent API says of tunnels. */
#include "cmocka_setup.h"
#include "inspect/meter.h"

#define START_MS 1000

static bool is_near(double value, double wanted) {
    return value > wanted * 0.999 && value < wanted * 1.001;
}

static void a_fresh_one_says_nothing(void **state) {
    struct meter meter = {0};
    (void)state;
    struct meter_figures figures = meter_read(&meter, START_MS);
    assert_int_equal(figures.count, 0);
    for (size_t i = 0; i < METER_RATES; i++) assert_true(figures.rates[i] == 0);
    assert_true(figures.p50_us == 0 && figures.p99_us == 0);
    meter_done(&meter);
}

/* Ten a second, for as long as it takes: all rates are ten. */
static void steady_rate_is_the_rate(void **state) {
    struct meter meter = {0};
    (void)state;
    for (uint64_t ms = START_MS; ms < START_MS + 3600000; ms += 100) meter_mark(&meter, ms);
    struct meter_figures figures = meter_read(&meter, START_MS + 3600000);
    assert_int_equal(figures.count, 36000);
    for (size_t i = 0; i < METER_RATES; i++) assert_true(is_near(figures.rates[i], 10));
    meter_done(&meter);
}

/* Then nothing: after a minute e^-1 of it is left of rate1, after five of rate5. */
static void rates_fade(void **state) {
    struct meter meter = {0};
    (void)state;
    for (uint64_t ms = START_MS; ms < START_MS + 3600000; ms += 100) meter_mark(&meter, ms);
    uint64_t end_ms = START_MS + 3600000;
    assert_true(is_near(meter_read(&meter, end_ms + 60000).rates[0], 10 * 0.36788));
    assert_true(is_near(meter_read(&meter, end_ms + 300000).rates[1], 10 * 0.36788));
    assert_true(is_near(meter_read(&meter, end_ms + 900000).rates[2], 10 * 0.36788));
    assert_true(meter_read(&meter, end_ms + 4 * 86400000ull).rates[2] < 1e-3);
    assert_int_equal(meter_read(&meter, end_ms + 4 * 86400000ull).count, 36000);
    meter_done(&meter);
}

static void percentiles(void **state) {
    struct meter meter = {0};
    (void)state;
    for (uint64_t us = 1; us <= 1000; us++) meter_took(&meter, (us * 7919) % 1000 + 1);
    struct meter_figures figures = meter_read(&meter, START_MS);
    assert_true(is_near(figures.p50_us, 500.5));
    assert_true(is_near(figures.p90_us, 900.9));
    assert_true(is_near(figures.p95_us, 950.95));
    assert_true(is_near(figures.p99_us, 990.99));
    meter_done(&meter);
}

static void one_time_is_every_percentile(void **state) {
    struct meter meter = {0};
    (void)state;
    meter_took(&meter, 42);
    struct meter_figures figures = meter_read(&meter, START_MS);
    assert_true(figures.p50_us == 42 && figures.p99_us == 42);
    meter_took(&meter, UINT64_MAX); /* more than a ring's slot holds */
    assert_true(meter_read(&meter, START_MS).p99_us == UINT32_MAX);
    meter_done(&meter);
}

static void only_the_last_ones_count(void **state) {
    struct meter meter = {0};
    (void)state;
    for (int i = 0; i < 5000; i++) meter_took(&meter, 1000000);
    for (unsigned i = 0; i < METER_WINDOW; i++) meter_took(&meter, 3);
    assert_true(meter_read(&meter, START_MS).p99_us == 3);
    meter_done(&meter);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fresh_one_says_nothing),
        cmocka_unit_test(steady_rate_is_the_rate),
        cmocka_unit_test(rates_fade),
        cmocka_unit_test(percentiles),
        cmocka_unit_test(one_time_is_every_percentile),
        cmocka_unit_test(only_the_last_ones_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
