/* The record of an ended request, and the line that the access log makes of it. The core is played. */
#include "base/log.h"
#include "cmocka_setup.h"
#include "handler/access.h"
#include "handler/core.h"

static char seen[1100];
static enum log_level seen_level;

static struct exchange_facts facts;

struct exchange_facts exchange_facts(const struct exchange *exchange) {
    assert_non_null(exchange);
    return facts;
}

static void sink(void *ctx, enum log_level level, const char *component, struct view line) {
    (void)ctx;
    assert_string_equal(component, LOG_ACCESS);
    assert_true(view_copy_to(line, seen, sizeof(seen)));
    seen_level = level;
}

static int setup(void **state) {
    (void)state;
    seen[0] = '\0';
    log_set_level(LOG_LEVEL_INFO);
    log_set_sink(sink, NULL);
    return 0;
}

struct row {
    const char *target;
    int status; /* 0: no head */
    enum http_error error;
    bool has_exchange, is_whole;
    enum access_fate fate;
    const char *line;
};

static void check(const struct row *row) {
    struct arena arena;
    struct access access;
    const struct answer_head head = {.status = row->status, .error = row->error};
    char none; /* an exchange that nobody looks into */
    arena_init(&arena, 4096);
    access_begin(&access, 1000);
    access.client = VIEW("192.0.2.1");
    access.method = VIEW("GET");
    access.target = view_from_cstr(row->target);
    facts = (struct exchange_facts){.tunnel = VIEW("tunnel"), .request_id = VIEW("id"), .sent_again = true};
    if (row->status)
        access_head(&access, row->has_exchange ? (const struct exchange *)(const void *)&none : NULL, &head,
                    &arena, 1010);
    facts = (struct exchange_facts){0}; /* it has its own copy */
    access.bytes_out = 5;
    access_end(&access, row->is_whole, 1020);
    assert_string_equal(seen, row->line);
    assert_int_equal(access.fate, row->fate);
    assert_int_equal(access.head_ms, row->status ? 1010 : 0);
    assert_int_equal(access.end_ms - access.begin_ms, 20);
    assert_true(access.sent_again == row->has_exchange);
    assert_true(view_eq(access.request_id, row->has_exchange ? VIEW("id") : VIEW("")));
    arena_done(&arena);
}

static void test_lines(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"/a?token=secret", 200, HTTP_ERROR_NONE, true, true, ACCESS_WHOLE,
         "192.0.2.1 GET /a?token=*** 200 20ms 5B tunnel=tunnel error=-"},
        {"/b", 404, HTTP_ERROR_TUNNEL_NOT_FOUND, true, true, ACCESS_WHOLE,
         "192.0.2.1 GET /b 404 20ms 5B tunnel=tunnel error=tunnel_not_found"},
        {"?", 400, HTTP_ERROR_BAD_REQUEST, false, true, ACCESS_WHOLE,
         "192.0.2.1 GET ? 400 20ms 5B tunnel=- error=bad_request"},
        {"/c", 200, HTTP_ERROR_NONE, true, false, ACCESS_CUT,
         "192.0.2.1 GET /c 200 20ms 5B tunnel=tunnel error=- cut"},
        {"/d", 0, HTTP_ERROR_NONE, false, false, ACCESS_ABORTED,
         "192.0.2.1 GET /d 0 20ms 5B tunnel=- error=- aborted"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) check(&rows[i]);
}

static void test_long_targets_are_cut(void **state) {
    (void)state;
    char target[400];
    memset(target, 'x', sizeof(target));
    struct access access;
    access_begin(&access, 0);
    access.target = view_of(target, sizeof(target));
    access_end(&access, false, 0);
    assert_int_equal(strspn(seen + strcspn(seen, "x"), "x"), 300);
}

static void test_another_gateways_request_is_for_debugging(void **state) {
    (void)state;
    struct access access;
    access_begin(&access, 0);
    access.from_peer = true;
    access_end(&access, true, 0);
    assert_string_equal(seen, "");
    log_set_level(LOG_LEVEL_DEBUG);
    access_end(&access, true, 0);
    assert_string_equal(seen, "-   0 0ms 0B tunnel=- error=-");
    assert_int_equal(seen_level, LOG_LEVEL_DEBUG);
}

/* What a request of these adds to the slots that a test names. */
static uint64_t slot(enum metric metric, size_t which) {
    return metrics_slots[metric + which];
}

static uint64_t observed(enum metric metric) {
    uint64_t count = 0;
    for (size_t i = 0; i < METRIC_BUCKETS; i++) count += slot(metric, i);
    return count;
}

static void pass(struct access *access, int status, enum http_error error, bool is_given) {
    struct arena arena;
    const struct answer_head head = {.status = status, .error = error};
    char none;
    uint64_t now = metrics_now_us();
    arena_init(&arena, 4096);
    access_begin(access, 0);
    access->begin_us = now - 30000;
    facts = (struct exchange_facts){.tunnel = VIEW("t"),
                                    .given_us = is_given ? now - 20000 : 0,
                                    .answered_us = is_given && !error ? now : 0};
    access_head(access, (const struct exchange *)(const void *)&none, &head, &arena, 0);
    access_received(access, 3);
    access_passed(access, 5);
    access_end(access, true, UINT64_MAX);
    arena_done(&arena);
}

static void test_metrics(void **state) {
    (void)state;
    struct access access;
    memset(metrics_slots, 0, sizeof(metrics_slots));
    pass(&access, 200, HTTP_ERROR_NONE, true);
    assert_int_equal(slot(METRIC_REQUESTS, METRIC_STATUS_2XX), 1);
    assert_int_equal(slot(METRIC_REQUEST_BYTES, 0), 3);
    assert_int_equal(slot(METRIC_RESPONSE_BYTES, 0), 5);
    assert_int_equal(slot(METRIC_REQUEST_SERVICE, METRIC_BUCKETS), 20000); /* the sum */
    assert_in_range(slot(METRIC_REQUEST_OWN, METRIC_BUCKETS), 10000, 19999);
    assert_in_range(slot(METRIC_REQUEST_DURATION, METRIC_BUCKETS), 30000, 1000000);

    pass(&access, 504, HTTP_ERROR_TIMEOUT, true); /* the service had it, and said nothing */
    assert_int_equal(slot(METRIC_REQUESTS, METRIC_STATUS_5XX), 1);
    assert_int_equal(slot(METRIC_REQUEST_ERRORS, HTTP_ERROR_TIMEOUT - 1), 1);
    assert_int_equal(slot(METRIC_GATE_REFUSALS, HTTP_ERROR_TIMEOUT - 1), 0);
    assert_int_equal(observed(METRIC_REQUEST_SERVICE), 1);
    assert_int_equal(observed(METRIC_REQUEST_OWN), 1);

    pass(&access, 502, HTTP_ERROR_AGENT_OFFLINE, false);
    assert_int_equal(observed(METRIC_REQUEST_OWN), 2);
    assert_int_equal(observed(METRIC_REQUEST_DURATION), 3);
}

static void test_metrics_of_refusals_and_cuts(void **state) {
    (void)state;
    struct access access;
    const struct answer_head head = {.status = 400, .error = HTTP_ERROR_BAD_REQUEST};
    memset(metrics_slots, 0, sizeof(metrics_slots));
    access_begin(&access, 0);
    access_head(&access, NULL, &head, NULL, 0);
    access_end(&access, false, 0);
    assert_int_equal(slot(METRIC_GATE_REFUSALS, HTTP_ERROR_BAD_REQUEST - 1), 1);
    assert_int_equal(slot(METRIC_REQUESTS_CUT, 0), 1);
    access_begin(&access, 0);
    access_end(&access, false, 0);
    assert_int_equal(slot(METRIC_REQUESTS, METRIC_STATUS_NONE), 1);
    assert_int_equal(slot(METRIC_REQUESTS_CUT, 0), 1);
}

static void test_metrics_of_upgrades_and_peers(void **state) {
    (void)state;
    struct access access;
    const struct answer_head head = {.status = 101};
    memset(metrics_slots, 0, sizeof(metrics_slots));
    access_begin(&access, 0);
    access_head(&access, NULL, &head, NULL, 0);
    assert_int_equal(slot(METRIC_WEBSOCKETS, 0), 1);
    access_end(&access, true, 0);
    assert_int_equal(slot(METRIC_WEBSOCKETS, 0), 0);
    assert_int_equal(observed(METRIC_REQUEST_DURATION), 0); /* it would last for hours */

    access_begin(&access, 0);
    access.from_peer = true;
    access_head(&access, NULL, &head, NULL, 0);
    access_received(&access, 3);
    access_passed(&access, 5);
    access_end(&access, true, 0);
    assert_int_equal(slot(METRIC_PEER_REQUESTS, METRIC_STATUS_1XX), 1);
    assert_int_equal(slot(METRIC_REQUESTS, METRIC_STATUS_1XX), 1);
    assert_int_equal(slot(METRIC_WEBSOCKETS, 0), 0);
    assert_int_equal(slot(METRIC_REQUEST_BYTES, 0) + slot(METRIC_RESPONSE_BYTES, 0), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_lines, setup),
        cmocka_unit_test_setup(test_long_targets_are_cut, setup),
        cmocka_unit_test_setup(test_another_gateways_request_is_for_debugging, setup),
        cmocka_unit_test_setup(test_metrics, setup),
        cmocka_unit_test_setup(test_metrics_of_refusals_and_cuts, setup),
        cmocka_unit_test_setup(test_metrics_of_upgrades_and_peers, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
