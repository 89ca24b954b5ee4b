/* API Gateway's throttling: a token bucket ("Throttle requests to your HTTP APIs", API Gateway Developer
 * Guide). One counts for the whole account: visitors' requests, agents' connects and messages, and calls of
 * "@connections" ("Amazon API Gateway quotas"). */
#ifndef GATEWAY_APIGW_THROTTLE_H
#define GATEWAY_APIGW_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

struct throttle {
    double rate; /* tokens a second; 0: no bound */
    double burst, tokens;
    uint64_t filled_ms;
};

static inline void throttle_init(struct throttle *throttle, uint64_t rate, uint64_t burst) {
    *throttle = (struct throttle){.rate = (double)rate, .burst = (double)burst, .tokens = (double)burst};
}

/* Takes a token; false when there is none. `now_ms` of a monotonic clock. */
static inline bool throttle_take(struct throttle *throttle, uint64_t now_ms) {
    if (throttle->rate <= 0) return true;
    throttle->tokens += (double)(now_ms - throttle->filled_ms) * throttle->rate / 1000;
    throttle->filled_ms = now_ms;
    if (throttle->tokens > throttle->burst) throttle->tokens = throttle->burst;
    if (throttle->tokens < 1) return false;
    throttle->tokens -= 1;
    return true;
}

#endif
