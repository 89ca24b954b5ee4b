/* forwarder/inspect/traffic: what is counted of each tunnel, and that there is a bound. */
#include <stdio.h>

#include "cmocka_setup.h"
#include "inspect/traffic.h"
#include "metrics/metrics.h"

static int set_up(void **state) {
    static struct traffic traffic;
    memset(metrics_slots, 0, sizeof(metrics_slots));
    traffic_init(&traffic);
    *state = &traffic;
    return 0;
}

static int tear_down(void **state) {
    traffic_done(*state);
    return 0;
}

static void begin(struct traffic *traffic, const char *label, const char *upgrade) {
    struct watch_request request = {.tunnel = label, .upgrade = view_from_cstr(upgrade)};
    traffic_begin(traffic, &request, 1000);
}

static void end(struct traffic *traffic, const char *label, bool is_offer, int status) {
    struct watch_end end = {.tunnel = label, .is_offer = is_offer, .status = status, .took_us = 2000};
    traffic_end(traffic, &end);
}

static void tunnels_are_told_apart(void **state) {
    begin(*state, "web", NULL);
    begin(*state, "web", "websocket");
    begin(*state, NULL, NULL);
    end(*state, "web", false, 200);
    const struct traffic_tunnel *web = traffic_find(*state, "web");
    assert_int_equal(web->conns.count, 2);
    assert_int_equal(web->http.count, 1);
    assert_int_equal(web->open, 1);
    assert_int_equal(traffic_find(*state, NULL)->conns.count, 1);
    assert_int_equal(traffic_find(*state, NULL)->open, 1);
    assert_null(traffic_find(*state, "other"));
}

static void counts_for_the_scraper(void **state) {
    begin(*state, "web", NULL);
    begin(*state, "web", "websocket");
    begin(*state, "web", NULL);
    assert_int_equal(metrics_slots[METRIC_AGENT_IN_FLIGHT], 3);
    end(*state, "web", false, 404);
    end(*state, "web", true, 101);
    end(*state, "web", false, 0);
    assert_int_equal(metrics_slots[METRIC_AGENT_IN_FLIGHT], 0);
    assert_int_equal(metrics_slots[(int)METRIC_AGENT_REQUESTS + (int)METRIC_STATUS_4XX], 1);
    assert_int_equal(metrics_slots[(int)METRIC_AGENT_REQUESTS + (int)METRIC_STATUS_1XX], 1);
    assert_int_equal(metrics_slots[(int)METRIC_AGENT_REQUESTS + (int)METRIC_STATUS_NONE], 1);
    assert_int_equal(metrics_slots[METRIC_AGENT_DURATION + METRIC_BUCKETS], 4000);
}

/* Names of tunnels come from the API: whoever adds and removes them all day fills nothing. */
static void the_one_used_least_lately_is_forgotten(void **state) {
    struct traffic *traffic = *state;
    char label[16];
    for (int i = 0; i < TRAFFIC_TUNNELS_MAX + 10; i++) {
        begin(traffic, "kept", NULL);
        snprintf(label, sizeof(label), "t%d", i);
        begin(traffic, label, NULL);
    }
    assert_int_equal(traffic->count, TRAFFIC_TUNNELS_MAX);
    assert_null(traffic_find(traffic, "t0"));
    assert_non_null(traffic_find(traffic, label));
    assert_non_null(traffic_find(traffic, "kept"));
    end(traffic, "t0", false, 200); /* of one that nobody knows any more */
    assert_null(traffic_find(traffic, "t0"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tunnels_are_told_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(counts_for_the_scraper, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_one_used_least_lately_is_forgotten, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
