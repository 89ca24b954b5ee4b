/* See meter.h. */
#include "inspect/meter.h"

#include <stdlib.h>
#include <string.h>

#define FORGOTTEN 2000u /* steps without anything, after which nothing is left of a rate */

/* What a step weighs: 1 - e^(-5 s / 1, 5, 15 min). */
static const double weights[METER_RATES] = {0.07995558537067671, 0.016528546178382508, 0.005540151995103271};

void meter_done(struct meter *meter) {
    free(meter->took_us);
    *meter = (struct meter){0};
}

/* ---- rates ---- */

static void end_step(struct meter *meter, double rate) {
    for (size_t i = 0; i < METER_RATES; i++)
        meter->rates[i] = meter->has_rates ? meter->rates[i] + weights[i] * (rate - meter->rates[i]) : rate;
    meter->has_rates = true;
}

static void go_to(struct meter *meter, uint64_t now_ms) {
    if (!meter->step_ms) meter->step_ms = now_ms;
    uint64_t steps = (now_ms - meter->step_ms) / METER_STEP_MS;
    meter->step_ms += steps * METER_STEP_MS;
    for (uint64_t i = 0; i < steps && i < FORGOTTEN; i++) {
        end_step(meter, (double)meter->since_step * 1000 / METER_STEP_MS);
        meter->since_step = 0;
    }
}

void meter_mark(struct meter *meter, uint64_t now_ms) {
    go_to(meter, now_ms);
    meter->count++;
    meter->since_step++;
}

/* ---- times ---- */

void meter_took(struct meter *meter, uint64_t us) {
    if (!meter->took_us) meter->took_us = malloc(METER_WINDOW * sizeof(*meter->took_us));
    if (!meter->took_us) return;
    meter->took_us[meter->took_count++ % METER_WINDOW] = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static int compare(const void *a, const void *b) {
    uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;
    return one < other ? -1 : one > other;
}

/* Between the two that are nearest; `sorted` are not none. */
static double percentile(const uint32_t *sorted, size_t count, double part) {
    double at = part * (double)(count + 1);
    size_t below = (size_t)at;
    if (below < 1) return sorted[0];
    if (below >= count) return sorted[count - 1];
    return sorted[below - 1] + (at - (double)below) * ((double)sorted[below] - sorted[below - 1]);
}

static void read_times(const struct meter *meter, struct meter_figures *figures) {
    uint32_t sorted[METER_WINDOW];
    size_t count = meter->took_count < METER_WINDOW ? (size_t)meter->took_count : METER_WINDOW;
    if (!count) return;
    memcpy(sorted, meter->took_us, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), compare);
    figures->p50_us = percentile(sorted, count, 0.5);
    figures->p90_us = percentile(sorted, count, 0.9);
    figures->p95_us = percentile(sorted, count, 0.95);
    figures->p99_us = percentile(sorted, count, 0.99);
}

struct meter_figures meter_read(struct meter *meter, uint64_t now_ms) {
    struct meter_figures figures = {.count = meter->count};
    go_to(meter, now_ms);
    memcpy(figures.rates, meter->rates, sizeof(figures.rates));
    read_times(meter, &figures);
    return figures;
}
