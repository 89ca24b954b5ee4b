/* See metrics_page.h. */
#include "metrics_page.h"

#include "access_file.h"
#include "base/heap.h"
#include "log_buffer.h"
#include "metrics/metrics_tunnels.h"
#include "metrics/process.h"

#define LAG_MS 500

/* ---- how late the loop is ---- */

static void expect(struct metrics_page *page) {
    page->due_us = metrics_now_us() + LAG_MS * 1000;
    timer_start(&page->loop->timers, &page->lag, LAG_MS);
}

static void on_lag(struct timer *timer) {
    struct metrics_page *page = LIST_ENTRY(timer, struct metrics_page, lag);
    uint64_t now = metrics_now_us();
    metrics_observe(METRIC_LOOP_LAG, now > page->due_us ? now - page->due_us : 0);
    expect(page);
}

void metrics_page_start(struct metrics_page *page, struct loop *loop, size_t tunnels) {
    page->loop = loop;
    metrics_tunnels_limit(tunnels);
    timer_init(&page->lag, on_lag);
    expect(page);
}

void metrics_page_stop(struct metrics_page *page) {
    timer_stop(&page->loop->timers, &page->lag);
    metrics_tunnels_done();
}

/* ---- what is asked of the parts ---- */

static void read_ports(const struct metrics_page *page) {
    for (size_t i = 0; i < METRIC_PORT_COUNT; i++) {
        const struct clients *clients = page->ports[i];
        metrics_set(METRIC_CONNECTIONS, i, clients->count);
        metrics_set(METRIC_CONNECTIONS_LIMIT, i, clients->max);
        metrics_set(METRIC_CONNECTIONS_REFUSED, i, clients->refused);
        metrics_set(METRIC_CONNECTIONS_EVICTED, i, clients->spared);
    }
}

static void read_agents(const struct metrics_page *page) {
    size_t v1 = agent_ws_v1_count(page->agents);
    const struct link_budget *budget = agent_ws_budget(page->agents);
    metrics_set(METRIC_AGENTS, METRIC_PROTOCOL_V1, v1);
    metrics_set(METRIC_AGENTS, METRIC_PROTOCOL_V2, agent_ws_count(page->agents) - v1);
    metrics_set(METRIC_PEERS, METRIC_DIRECTION_IN, agent_ws_peers(page->agents));
    metrics_set(METRIC_STREAMS, 0, budget->streams);
    metrics_set(METRIC_LINK_BUFFERED, 0, budget->held_bytes);
    metrics_set(METRIC_LINK_WINDOWS, 0, budget->granted_bytes);
    metrics_set(METRIC_LINK_BUDGET, 0, budget->max_bytes);
}

const char *metrics_page_print(void *ctx, struct view accept, struct buf *out) {
    const struct metrics_page *page = ctx;
    enum metrics_format format = metrics_choose_format(accept);
    metrics_read_process();
    read_ports(page);
    if (page->agents) read_agents(page);
    if (page->peering) metrics_set(METRIC_PEERS, METRIC_DIRECTION_OUT, peering_link_count(page->peering));
    if (page->core) metrics_set(METRIC_IN_FLIGHT, 0, core_exchange_count(page->core));
    metrics_set(METRIC_MEMORY, 0, heap_used_bytes());
    if (page->pressure) metrics_set(METRIC_MEMORY_LIMIT, 0, page->pressure->limit_bytes);
    metrics_set(METRIC_LOG_DROPPED, 0, log_buffer_dropped() + access_file_dropped());
    metrics_put_families(out, format, METRIC_OF_GATEWAY);
    metrics_tunnels_put(out, format);
    metrics_put_end(out, format);
    return out->failed ? NULL : metrics_media_type(format);
}
