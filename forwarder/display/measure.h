/* Sizes, times and counts in units that people read, and what is usual among many times. */
#ifndef DISPLAY_MEASURE_H
#define DISPLAY_MEASURE_H

#include <stddef.h>
#include <stdint.h>

#define MEASURE_BYTES 16 /* room for any text of below, its end included */

/* "0 B", "426 B", "4.1 KB", "23 MB" (of 1024 each): 7 cells at most. */
const char *measure_size(uint64_t bytes, char out[MEASURE_BYTES]);
/* "3 ms", "1.2 s", "12 s", "3 min", "5 h": 6 cells at most, up to days. */
const char *measure_time(uint64_t ms, char out[MEASURE_BYTES]);

#define QUANTILES_KEPT 512

/* The last times, of which `quantiles_of()` tells which one so many in a hundred do not exceed. */
struct quantiles {
    uint32_t times_ms[QUANTILES_KEPT];
    size_t count, next;
};

void quantiles_add(struct quantiles *quantiles, uint64_t ms);
/* `percents` ascending or not; all 0 where there is no time yet. */
void quantiles_of(const struct quantiles *quantiles, const unsigned percents[], size_t count,
                  uint64_t ret_ms[]);

#endif
