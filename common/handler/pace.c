/* See pace.h. */
#include "handler/pace.h"

#include <stdlib.h>

#include "handler/core_state.h"
#include "metrics/metrics.h"

struct pace {
    struct exchange *exchange;
    uint64_t tunnel_bandwidth, owner_bandwidth; /* 0: any */
    struct timer timer;                         /* something is held */
    size_t credit, grant;                       /* held: for the agent, for the visitor */
    size_t counted;                             /* bytes that have been counted, and have not come yet */
};

/* ---- one bucket ---- */

void pace_take(uint64_t *full_ns, uint64_t now_ns, uint64_t bandwidth, uint64_t bytes) {
    uint64_t full = *full_ns > now_ns ? *full_ns : now_ns, most = now_ns + PACE_BURST_NS + PACE_OWED_MAX_NS;
    if (bytes > PACE_COUNTED_MAX) bytes = PACE_COUNTED_MAX;
    full += bytes * BUCKET_NS_PER_S / bandwidth;
    *full_ns = full < most ? full : most;
}

static void put_back(uint64_t *full_ns, uint64_t bandwidth, size_t bytes) {
    uint64_t cost = (uint64_t)bytes * BUCKET_NS_PER_S / bandwidth;
    *full_ns -= cost < *full_ns ? cost : *full_ns;
}

/* Milliseconds until something may pass; 0: now. */
static uint64_t wait_ms(uint64_t full_ns, uint64_t now_ns) {
    uint64_t free_ns = now_ns + PACE_BURST_NS;
    return full_ns > free_ns ? (full_ns - free_ns) / 1000000 + 1 : 0;
}

/* ---- both ---- */

static void count(struct pace *pace, size_t bytes) {
    struct tunnel_use *tunnel = pace->exchange->share.tunnel;
    uint64_t now_ns = core_now_ns(pace->exchange->core);
    if (pace->tunnel_bandwidth) pace_take(&tunnel->bytes_full_ns, now_ns, pace->tunnel_bandwidth, bytes);
    if (!pace->owner_bandwidth) return;
    pace_take(&pace->exchange->share.owner->bytes_full_ns, now_ns, pace->owner_bandwidth, bytes);
    spending_note(pace->exchange->core, pace->exchange->share.owner, 0, bytes);
}

static uint64_t must_wait_ms(const struct pace *pace) {
    const struct exchange *exchange = pace->exchange;
    uint64_t now_ns = core_now_ns(exchange->core), own = 0, owners = 0;
    if (pace->tunnel_bandwidth) own = wait_ms(exchange->share.tunnel->bytes_full_ns, now_ns);
    if (pace->owner_bandwidth) owners = wait_ms(exchange->share.owner->bytes_full_ns, now_ns);
    return own > owners ? own : owners;
}

/* What is let go counts at once, or all who wait would be let go together. */
static void let_go(struct pace *pace) {
    struct exchange *exchange = pace->exchange;
    size_t credit = pace->credit, grant = pace->grant;
    pace->credit = pace->grant = 0;
    pace->counted += credit + grant;
    count(pace, credit + grant);
    if (grant) exchange->source.grant(exchange->source.ctx, grant);
    if (credit) exchange->delivery->credit(exchange, credit);
}

static void on_timer(struct timer *timer) {
    struct pace *pace = LIST_ENTRY(timer, struct pace, timer);
    uint64_t wait = must_wait_ms(pace);
    if (wait)
        timer_start(pace->exchange->core->ports.clock.timers, timer, wait);
    else
        let_go(pace);
}

/* True: it is not to be told yet. */
static bool hold(struct pace *pace, size_t *held, size_t bytes) {
    bool is_held = timer_armed(&pace->timer);
    uint64_t wait = is_held ? 0 : must_wait_ms(pace);
    if (!is_held && !wait) return false;
    *held += bytes;
    metrics_add(METRIC_QUOTA_HELD, 0, bytes);
    if (!is_held) timer_start(pace->exchange->core->ports.clock.timers, &pace->timer, wait);
    return true;
}

void pace_credit(struct exchange *exchange, size_t bytes) {
    if (!hold(exchange->share.pace, &exchange->share.pace->credit, bytes))
        exchange->delivery->credit(exchange, bytes);
}

void pace_grant(struct exchange *exchange, size_t bytes) {
    if (!hold(exchange->share.pace, &exchange->share.pace->grant, bytes))
        exchange->source.grant(exchange->source.ctx, bytes);
}

void pace_count(struct exchange *exchange, size_t bytes) {
    struct pace *pace = exchange->share.pace;
    size_t counted = bytes < pace->counted ? bytes : pace->counted;
    pace->counted -= counted;
    if (bytes > counted) count(pace, bytes - counted);
}

bool pace_start(struct exchange *exchange, uint64_t tunnel_bandwidth, uint64_t owner_bandwidth) {
    struct pace *pace = calloc(1, sizeof(*pace));
    if (!pace) return false;
    *pace = (struct pace){
        .exchange = exchange, .tunnel_bandwidth = tunnel_bandwidth, .owner_bandwidth = owner_bandwidth};
    timer_init(&pace->timer, on_timer);
    exchange->share.pace = pace;
    return true;
}

void pace_stop(struct exchange *exchange) {
    struct pace *pace = exchange->share.pace;
    if (!pace) return;
    timer_stop(exchange->core->ports.clock.timers, &pace->timer);
    if (pace->tunnel_bandwidth)
        put_back(&exchange->share.tunnel->bytes_full_ns, pace->tunnel_bandwidth, pace->counted);
    if (pace->owner_bandwidth)
        put_back(&exchange->share.owner->bytes_full_ns, pace->owner_bandwidth, pace->counted);
    free(pace);
    exchange->share.pace = NULL;
}
