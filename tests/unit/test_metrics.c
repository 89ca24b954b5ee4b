/* The table of metrics, and the page that scrapers get. */
#include <jansson.h>
#include <stdlib.h>
#include <time.h>

#include "cmocka_setup.h"
#include "metrics/metrics.h"
#include "metrics/metrics_emf.h"
#include "metrics/metrics_table.h"
#include "metrics/metrics_text.h"
#include "metrics/metrics_tunnels.h"
#include "metrics/process.h"

static char text[256 * 1024];

static const char *page(enum metrics_format format) {
    struct buf out;
    buf_init(&out, sizeof(text) - 1);
    metrics_put_families(&out, format, METRIC_OF_GATEWAY);
    metrics_put_end(&out, format);
    assert_false(out.failed);
    assert_true(view_copy_to(buf_view(&out), text, sizeof(text)));
    buf_done(&out);
    return text;
}

static void test_table_has_all_slots(void **state) {
    (void)state;
    size_t next = 0;
    for (size_t i = 0; i < metric_families_count; i++) {
        const struct metric_family *family = &metric_families[i];
        assert_int_equal(family->first, next);
        next += family->count * (family->kind == METRIC_KIND_HISTOGRAM ? METRIC_BUCKETS + 1 : 1);
        assert_true(family->kind != METRIC_KIND_HISTOGRAM || !family->label.name);
        for (size_t value = 0; family->label.name && value < family->count; value++)
            assert_true(family->label.value(value).len > 0);
    }
    assert_int_equal(next, METRIC_SLOTS);
}

static void test_names(void **state) {
    (void)state;
    for (size_t i = 0; i < metric_families_count; i++) {
        const struct metric_family *family = &metric_families[i];
        struct view name = view_from_cstr(family->name);
        if (family->unit == METRIC_UNIT_SECONDS) assert_true(view_ends_with(name, VIEW("_seconds")));
        if (family->unit == METRIC_UNIT_BYTES) assert_true(view_ends_with(name, VIEW("_bytes")));
        assert_false(view_ends_with(name, VIEW("_total")));
        assert_true(view_starts_with(name, VIEW("ttf_")) || view_starts_with(name, VIEW("process_")));
    }
}

static void test_format_is_negotiated(void **state) {
    (void)state;
    static const struct {
        const char *accept;
        enum metrics_format format;
    } rows[] = {
        {NULL, METRICS_PROMETHEUS},
        {"", METRICS_PROMETHEUS},
        {"*/*", METRICS_PROMETHEUS},
        {"text/html, */*;q=0.8", METRICS_PROMETHEUS},
        {"text/plain; version=0.0.4", METRICS_PROMETHEUS},
        {"application/openmetrics-text", METRICS_OPENMETRICS},
        {"Application/OpenMetrics-Text; version=1.0.0; charset=utf-8", METRICS_OPENMETRICS},
        {"application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         METRICS_OPENMETRICS},
        {"application/openmetrics-text;q=0.5,text/plain;q=0.501", METRICS_PROMETHEUS},
        {"application/openmetrics-text;q=0", METRICS_PROMETHEUS},
        {"application/openmetrics-text;q=0.0,text/plain;q=0", METRICS_PROMETHEUS},
        {"application/openmetrics-text;q=,;;;,,q=", METRICS_OPENMETRICS},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(metrics_choose_format(view_from_cstr(rows[i].accept)), rows[i].format);
}

static bool has(const char *line) {
    return strstr(text, line) != NULL;
}

static void test_openmetrics(void **state) {
    (void)state;
    memset(metrics_slots, 0, sizeof(metrics_slots));
    metrics_add(METRIC_REQUESTS, METRIC_STATUS_4XX, 7);
    metrics_set(METRIC_PROCESS_CPU, 0, 1234567);
    page(METRICS_OPENMETRICS);
    assert_true(has("# TYPE ttf_requests counter\n"));
    assert_true(has("\nttf_requests_total{status=\"4xx\"} 7\n"));
    assert_true(
        has("\nttf_requests_total{status=\"5xx\"} 0\n")); /* what has not happened yet is there, too */
    assert_true(has("# UNIT process_cpu_seconds seconds\n"));
    assert_true(has("\nprocess_cpu_seconds_total 1.234567\n"));
    assert_true(has("# TYPE ttf_build info\n"));
    assert_true(has("\nttf_build_info{version=\""));
    assert_string_equal(text + strlen(text) - 6, "# EOF\n");
    assert_null(strstr(text, "\n\n"));
}

static void test_prometheus(void **state) {
    (void)state;
    page(METRICS_PROMETHEUS);
    assert_true(has("# TYPE ttf_requests_total counter\n"));
    assert_true(has("# TYPE ttf_build_info gauge\n"));
    assert_false(has("# UNIT"));
    assert_false(has("# EOF"));
}

static void test_histogram(void **state) {
    (void)state;
    memset(metrics_slots, 0, sizeof(metrics_slots));
    metrics_observe(METRIC_LOOP_LAG, 0);
    metrics_observe(METRIC_LOOP_LAG, 100); /* bounds belong to their bucket */
    metrics_observe(METRIC_LOOP_LAG, 101);
    metrics_observe(METRIC_LOOP_LAG, 30000000);
    metrics_observe(METRIC_LOOP_LAG, 30000001);
    page(METRICS_OPENMETRICS);
    assert_true(has("\nttf_loop_lag_seconds_bucket{le=\"0.0001\"} 2\n"));
    assert_true(has("\nttf_loop_lag_seconds_bucket{le=\"0.00025\"} 3\n"));
    assert_true(has("\nttf_loop_lag_seconds_bucket{le=\"1.0\"} 3\n"));
    assert_true(has("\nttf_loop_lag_seconds_bucket{le=\"30.0\"} 4\n"));
    assert_true(has("\nttf_loop_lag_seconds_bucket{le=\"+Inf\"} 5\n"));
    assert_true(has("\nttf_loop_lag_seconds_sum 60.000202\nttf_loop_lag_seconds_count 5\n"));
}

static void test_labels_are_escaped(void **state) {
    (void)state;
    struct buf out;
    buf_init(&out, 1024);
    metrics_put_counter_head(&out, METRICS_OPENMETRICS, "x_bytes", "bytes", "Help.");
    metrics_put_counter(&out, "x_bytes", "name", VIEW("a\"b\\c\nd\re\x7f"), 9);
    assert_true(
        view_eq(buf_view(&out), VIEW("# HELP x_bytes Help.\n# TYPE x_bytes counter\n# UNIT x_bytes bytes\n"
                                     "x_bytes_total{name=\"a\\\"b\\\\c\\nd?e?\"} 9\n")));
    buf_done(&out);
}

static const char *tunnels(void) {
    struct buf out;
    buf_init(&out, sizeof(text) - 1);
    metrics_tunnels_put(&out, METRICS_PROMETHEUS);
    assert_true(view_copy_to(buf_view(&out), text, sizeof(text)));
    buf_done(&out);
    return text;
}

static void test_tunnels(void **state) {
    (void)state;
    metrics_tunnels_count(VIEW("a"), 200, 1, 2);
    assert_string_equal(tunnels(), ""); /* off */
    metrics_tunnels_limit(2);
    metrics_tunnels_count(VIEW("a"), 200, 1, 2);
    metrics_tunnels_count(VIEW("b"), 200, 0, 0);
    metrics_tunnels_count(VIEW("a"), 502, 10, 20);
    metrics_tunnels_count(VIEW("c"), 0, 0, 0); /* b was used longest ago */
    tunnels();
    assert_true(has("# TYPE ttf_tunnel_requests_total counter\n"));
    assert_true(has("\nttf_tunnel_requests_total{tunnel=\"a\"} 2\n"));
    assert_true(has("\nttf_tunnel_failures_total{tunnel=\"a\"} 1\n"));
    assert_true(has("\nttf_tunnel_failures_total{tunnel=\"c\"} 1\n"));
    assert_true(has("\nttf_tunnel_request_body_bytes_total{tunnel=\"a\"} 11\n"));
    assert_true(has("\nttf_tunnel_response_body_bytes_total{tunnel=\"a\"} 22\n"));
    assert_true(has("\nttf_tunnel_requests_total{tunnel=\"_other\"} 1\n"));
    assert_false(has("tunnel=\"b\""));
    metrics_tunnels_done();
    assert_string_equal(tunnels(), "");
}

static void test_status(void **state) {
    (void)state;
    assert_int_equal(metrics_status(0), METRIC_STATUS_NONE);
    assert_int_equal(metrics_status(99), METRIC_STATUS_NONE);
    assert_int_equal(metrics_status(100), METRIC_STATUS_1XX);
    assert_int_equal(metrics_status(599), METRIC_STATUS_5XX);
    assert_int_equal(metrics_status(600), METRIC_STATUS_NONE);
}

static void test_process(void **state) {
    (void)state;
    metrics_read_process();
    assert_true(metrics_slots[METRIC_PROCESS_RESIDENT] > 100000);
    assert_true(metrics_slots[METRIC_PROCESS_VIRTUAL] > metrics_slots[METRIC_PROCESS_RESIDENT]);
    assert_in_range(metrics_slots[METRIC_PROCESS_FDS], 1, metrics_slots[METRIC_PROCESS_FDS_LIMIT]);
    uint64_t begin = metrics_slots[METRIC_PROCESS_START] / 1000000, now = (uint64_t)time(NULL);
    assert_in_range(begin, now - 3600, now + 2);
}

/* The members of what is put. */
static json_t *emf(bool *ret_more) {
    struct buf out;
    buf_init(&out, METRICS_EMF_BYTES);
    *ret_more = metrics_put_emf(&out, 1234567890123);
    json_t *object = out.len ? json_loadb(buf_view(&out).ptr, out.len, JSON_REJECT_DUPLICATES, NULL) : NULL;
    assert_false(out.failed);
    assert_true(!out.len || view_ends_with(buf_view(&out), VIEW("}\n")));
    buf_done(&out);
    return object;
}

static json_int_t number(const json_t *object, const char *name) {
    return json_integer_value(json_object_get(object, name));
}

static void test_emf(void **state) {
    (void)state;
    bool more;
    memset(metrics_slots, 0, sizeof(metrics_slots));
    metrics_add(METRIC_REQUESTS, METRIC_STATUS_2XX, 2);
    metrics_add(METRIC_RESPONSE_BYTES, 0, 5);
    metrics_set(METRIC_WEBSOCKETS, 0, 3);
    metrics_set(METRIC_PROCESS_CPU, 0, 3);
    metrics_observe(METRIC_REQUEST_DURATION, 1500000);
    json_t *object = emf(&more);
    assert_true(more);
    const json_t *aws = json_object_get(object, "_aws");
    assert_int_equal(number(aws, "Timestamp"), 1234567890123);
    assert_int_equal(json_array_size(json_object_get(aws, "CloudWatchMetrics")), 3);
    assert_int_equal(number(object, "ttf_requests_total"), 2);
    assert_string_equal(json_string_value(json_object_get(object, "status")), "2xx");
    assert_int_equal(number(object, "ttf_response_body_bytes_total"), 5);
    assert_true(json_real_value(json_object_get(object, "ttf_request_duration_seconds")) == 1.5);
    assert_int_equal(json_object_size(object), 5);
    const json_t *first = json_array_get(json_object_get(aws, "CloudWatchMetrics"), 0);
    char *shown = json_dumps(first, JSON_COMPACT);
    assert_string_equal(shown, "{\"Namespace\":\"ttf\",\"Dimensions\":[[\"status\"]],\"Metrics\":[{\"Name\":"
                               "\"ttf_requests_total\",\"Unit\":\"Count\"}]}");
    free(shown);
    json_decref(object);
    assert_null(emf(&more)); /* it was told */
    assert_false(more);
}

/* A line has one value of a dimension. */
static void test_emf_lines(void **state) {
    (void)state;
    bool more;
    memset(metrics_slots, 0, sizeof(metrics_slots));
    metrics_add(METRIC_REQUESTS, METRIC_STATUS_2XX, 2);
    metrics_add(METRIC_REQUESTS, METRIC_STATUS_5XX, 1);
    metrics_add(METRIC_REQUEST_ERRORS, HTTP_ERROR_TIMEOUT - 1, 1);
    metrics_add(METRIC_GATE_REFUSALS, HTTP_ERROR_TIMEOUT - 1, 1);
    json_t *one = emf(&more), *two = emf(&more);
    assert_int_equal(number(one, "ttf_requests_total"), 2);
    assert_int_equal(number(one, "ttf_request_errors_total"), 1);
    assert_int_equal(number(one, "ttf_gate_refusals_total"), 1);
    assert_string_equal(json_string_value(json_object_get(one, "error")), "timeout");
    assert_int_equal(number(two, "ttf_requests_total"), 1);
    assert_string_equal(json_string_value(json_object_get(two, "status")), "5xx");
    json_decref(one);
    json_decref(two);
    assert_null(emf(&more));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_has_all_slots),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_format_is_negotiated),
        cmocka_unit_test(test_openmetrics),
        cmocka_unit_test(test_prometheus),
        cmocka_unit_test(test_histogram),
        cmocka_unit_test(test_labels_are_escaped),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_process),
        cmocka_unit_test(test_emf),
        cmocka_unit_test(test_emf_lines),
        cmocka_unit_test(test_tunnels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
