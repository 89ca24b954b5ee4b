/* How often something happens and how long it takes, in the figures that ngrok's agent API has: a count,
 * rates a second over the last 1, 5 and 15 minutes (exponentially weighted, a step each 5 s), and percentiles
 * of the last METER_WINDOW times. No clock: times are given. */
#ifndef FORWARDER_INSPECT_METER_H
#define FORWARDER_INSPECT_METER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define METER_WINDOW 1024u
#define METER_STEP_MS 5000u
#define METER_RATES 3

struct meter {
    uint64_t count;
    uint64_t since_step, step_ms; /* counted in the step that began then */
    double rates[METER_RATES];    /* a second */
    bool has_rates;               /* a step has ended */
    uint32_t *took_us;            /* the last ones, a ring of METER_WINDOW; NULL: none yet */
    uint64_t took_count;          /* ever */
};

struct meter_figures {
    uint64_t count;
    double rates[METER_RATES];
    double p50_us, p90_us, p95_us, p99_us; /* 0: nothing has ended */
};

/* Zeroed is a meter. */
void meter_done(struct meter *meter);
void meter_mark(struct meter *meter, uint64_t now_ms);
void meter_took(struct meter *meter, uint64_t us);
struct meter_figures meter_read(struct meter *meter, uint64_t now_ms);

#endif
