/* See access.h. */
#include "handler/access.h"

#include "handler/access_log.h"
#include "handler/core.h"
#include "metrics/metrics_tunnels.h"

void access_begin(struct access *access, uint64_t now_ms) {
    *access = (struct access){.begin_ms = now_ms, .begin_us = metrics_now_us()};
}

/* They go with the exchange. */
static void keep_facts(struct access *access, const struct exchange_facts *facts, struct arena *arena) {
    if (facts->owner.len) access->owner = arena_copy(arena, facts->owner);
    if (facts->x_request_id.len) access->x_request_id = arena_copy(arena, facts->x_request_id);
    if (facts->trace_id.len) access->trace_id = arena_copy(arena, facts->trace_id);
    if (facts->given_us) access->agent_protocol = facts->protocol == LINK_V2 ? VIEW("v2") : VIEW("v1");
}

void access_head(struct access *access, const struct exchange *exchange, const struct answer_head *head,
                 struct arena *arena, uint64_t now_ms) {
    access->status = head->status;
    access->error = head->error;
    access->head_ms = now_ms;
    if (head->status == 101 && !access->from_peer) metrics_add(METRIC_WEBSOCKETS, 0, 1);
    if (!exchange) return;
    struct exchange_facts facts = exchange_facts(exchange);
    if (facts.tunnel.len) access->tunnel = arena_copy(arena, facts.tunnel);
    if (facts.request_id.len) access->request_id = arena_copy(arena, facts.request_id);
    access->sent_again = facts.sent_again;
    access->quota = facts.quota;
    access->given_us = facts.given_us;
    access->answered_us = facts.answered_us;
    if (access_log_wants_facts()) keep_facts(access, &facts, arena);
}

/* ---- metrics ---- */

/* The one that answers at once has ended when its first byte left: that needs no look at the clock. */
static uint64_t end_us(const struct access *access) {
    bool is_short = access->passed_us && access->passed_us / 1000 >= access->end_ms;
    return is_short ? access->passed_us : metrics_now_us();
}

static void count_times(const struct access *access) {
    bool is_answered = access->answered_us && access->given_us && access->passed_us;
    uint64_t own = is_answered ? access->given_us - access->begin_us + access->passed_us - access->answered_us
                               : access->passed_us - access->begin_us;
    if (is_answered) metrics_observe(METRIC_REQUEST_SERVICE, access->answered_us - access->given_us);
    if (access->passed_us && (is_answered || !access->given_us)) metrics_observe(METRIC_REQUEST_OWN, own);
    if (access->status != 101) metrics_observe(METRIC_REQUEST_DURATION, end_us(access) - access->begin_us);
}

static void count(const struct access *access) {
    enum metric_status status = metrics_status(access->status);
    if (access->from_peer) {
        metrics_add(METRIC_PEER_REQUESTS, status, 1);
        return;
    }
    metrics_add(METRIC_REQUESTS, status, 1);
    if (access->error) metrics_add(METRIC_REQUEST_ERRORS, access->error - 1, 1);
    if (access->error && !access->tunnel.len) metrics_add(METRIC_GATE_REFUSALS, access->error - 1, 1);
    if (access->fate == ACCESS_CUT) metrics_add(METRIC_REQUESTS_CUT, 0, 1);
    if (access->sent_again) metrics_add(METRIC_REQUEST_RETRIES, 0, 1);
    if (access->status == 101) metrics_subtract(METRIC_WEBSOCKETS, 0, 1);
    count_times(access);
    if (access->given_us) /* others' names anybody can make up */
        metrics_tunnels_count(access->tunnel, access->status, access->bytes_in, access->bytes_out);
}

void access_end(struct access *access, bool is_whole, uint64_t now_ms) {
    access->end_ms = now_ms;
    access->fate = is_whole ? ACCESS_WHOLE : access->status ? ACCESS_CUT : ACCESS_ABORTED;
    count(access);
    access_log_write(access);
}
