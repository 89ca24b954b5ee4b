/* See measure.h. */
#include "display/measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *measure_size(uint64_t bytes, char out[MEASURE_BYTES]) {
    static const char *const names[] = {"B", "KB", "MB", "GB", "TB", "PB", "EB"};
    double size = (double)bytes;
    size_t unit = 0;
    /* 999.5 would be written with four digits */
    while (unit < 6 && size >= (unit ? 999.5 : 1000)) {
        size /= 1024;
        unit++;
    }
    snprintf(out, MEASURE_BYTES, unit && size < 9.95 ? "%.1f %s" : "%.0f %s", size, names[unit]);
    return out;
}

const char *measure_time(uint64_t ms, char out[MEASURE_BYTES]) {
    static const struct {
        uint64_t ms, below_ms;
        const char *name;
    } units[] = {{1000, 100 * 1000, "s"},
                 {60 * 1000, 100 * 60 * 1000, "min"},
                 {3600 * 1000, 100ull * 3600 * 1000, "h"},
                 {24 * 3600 * 1000, UINT64_MAX, "d"}};
    size_t unit = 0;
    if (ms < 1000) {
        snprintf(out, MEASURE_BYTES, "%u ms", (unsigned)ms);
        return out;
    }
    while (ms >= units[unit].below_ms && unit < 3) unit++;
    double count = (double)ms / (double)units[unit].ms;
    snprintf(out, MEASURE_BYTES, unit == 0 && count < 9.95 ? "%.1f %s" : "%.0f %s", count, units[unit].name);
    return out;
}

void quantiles_add(struct quantiles *quantiles, uint64_t ms) {
    quantiles->times_ms[quantiles->next] = ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
    quantiles->next = (quantiles->next + 1) % QUANTILES_KEPT;
    if (quantiles->count < QUANTILES_KEPT) quantiles->count++;
}

static int by_time(const void *a, const void *b) {
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

void quantiles_of(const struct quantiles *quantiles, const unsigned percents[], size_t count,
                  uint64_t ret_ms[]) {
    uint32_t sorted[QUANTILES_KEPT];
    memcpy(sorted, quantiles->times_ms, quantiles->count * sizeof(sorted[0]));
    qsort(sorted, quantiles->count, sizeof(sorted[0]), by_time);
    for (size_t i = 0; i < count; i++) {
        size_t rank = (quantiles->count * percents[i] + 99) / 100;
        ret_ms[i] = rank ? sorted[rank - 1] : 0;
    }
}
