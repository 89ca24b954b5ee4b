/* See access.h. */
#include "handler/access.h"

#include "base/log.h"
#include "handler/core.h"

enum { TARGET_SHOWN = 300, TARGET_TEXT_MAX = 512 };

void access_begin(struct access *access, uint64_t now_ms) {
    *access = (struct access){.begin_ms = now_ms, .begin_us = metrics_now_us()};
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
    access->given_us = facts.given_us;
    access->answered_us = facts.answered_us;
}

static struct view or_dash(struct view text) {
    return text.len ? text : VIEW("-");
}

/* Of another gateway's request that one writes the line. */
static void write_line(const struct access *access) {
    static const char *const how[] = {"", " cut", " aborted"};
    enum log_level level = access->from_peer ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
    if (!log_enabled(level)) return;
    struct buf target;
    buf_init(&target, TARGET_TEXT_MAX);
    log_redact_target(&target, view_slice(access->target, 0, TARGET_SHOWN));
    struct view code = access->error ? http_error_code(access->error) : VIEW("-");
    log_each(level, LOG_ACCESS, "%.*s %.*s %.*s %d %llums %lluB tunnel=%.*s error=%.*s%s",
             VIEW_ARG(or_dash(access->client)), VIEW_ARG(access->method), VIEW_ARG(buf_view(&target)),
             access->status, (unsigned long long)(access->end_ms - access->begin_ms),
             (unsigned long long)access->bytes_out, VIEW_ARG(or_dash(access->tunnel)), VIEW_ARG(code),
             how[access->fate]);
    buf_done(&target);
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
}

void access_end(struct access *access, bool is_whole, uint64_t now_ms) {
    access->end_ms = now_ms;
    access->fate = is_whole ? ACCESS_WHOLE : access->status ? ACCESS_CUT : ACCESS_ABORTED;
    count(access);
    write_line(access);
}
