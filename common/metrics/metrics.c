/* See metrics.h. */
#include "metrics/metrics.h"

#include <time.h>

#include "metrics/metrics_table.h"

uint64_t metrics_slots[METRIC_SLOTS] = {[METRIC_BUILD] = 1};

const uint64_t metric_bounds[METRIC_BUCKETS - 1] = {METRIC_BOUNDS};

void metrics_observe(enum metric metric, uint64_t us) {
    size_t bucket = 0;
    while (bucket < METRIC_BUCKETS - 1 && us > metric_bounds[bucket]) bucket++;
    metrics_slots[metric + bucket]++;
    metrics_slots[metric + METRIC_BUCKETS] += us;
}

uint64_t metrics_now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

enum metric_status metrics_status(int status) {
    return status < 100 || status > 599 ? METRIC_STATUS_NONE
                                        : (enum metric_status)(METRIC_STATUS_1XX + status / 100 - 1);
}
