/* See traffic.h. */
#include "inspect/traffic.h"

#include <stdlib.h>
#include <string.h>

#include "metrics/metrics.h"

void traffic_init(struct traffic *traffic) {
    *traffic = (struct traffic){0};
    list_init(&traffic->tunnels);
}

static void forget(struct traffic *traffic, struct list *node) {
    struct traffic_tunnel *tunnel = LIST_ENTRY(node, struct traffic_tunnel, node);
    list_remove(&tunnel->node);
    traffic->count--;
    meter_done(&tunnel->conns);
    meter_done(&tunnel->http);
    free(tunnel);
}

void traffic_done(struct traffic *traffic) {
    while (!list_empty(&traffic->tunnels)) forget(traffic, traffic->tunnels.next);
}

struct traffic_tunnel *traffic_find(const struct traffic *traffic, const char *label) {
    for (struct list *node = traffic->tunnels.next; node != &traffic->tunnels; node = node->next) {
        struct traffic_tunnel *tunnel = LIST_ENTRY(node, struct traffic_tunnel, node);
        if (strcmp(tunnel->label, label ? label : "") == 0) return tunnel;
    }
    return NULL;
}

static struct traffic_tunnel *tunnel_of(struct traffic *traffic, const char *label) {
    struct traffic_tunnel *tunnel = traffic_find(traffic, label);
    if (tunnel) {
        list_remove(&tunnel->node);
    } else {
        tunnel = calloc(1, sizeof(*tunnel));
        if (!tunnel) return NULL;
        view_copy_to(view_from_cstr(label ? label : ""), tunnel->label, sizeof(tunnel->label));
        traffic->count++;
    }
    list_append(traffic->tunnels.next, &tunnel->node); /* before the first */
    if (traffic->count > TRAFFIC_TUNNELS_MAX) forget(traffic, traffic->tunnels.prev);
    return tunnel;
}

void traffic_begin(struct traffic *traffic, const struct watch_request *request, uint64_t now_ms) {
    struct traffic_tunnel *tunnel = tunnel_of(traffic, request->tunnel);
    metrics_add(METRIC_AGENT_IN_FLIGHT, 0, 1);
    if (!tunnel) return;
    tunnel->open++;
    meter_mark(&tunnel->conns, now_ms);
    if (!request->upgrade.len) meter_mark(&tunnel->http, now_ms);
}

void traffic_end(struct traffic *traffic, const struct watch_end *end) {
    struct traffic_tunnel *tunnel = traffic_find(traffic, end->tunnel);
    metrics_subtract(METRIC_AGENT_IN_FLIGHT, 0, 1);
    metrics_add(METRIC_AGENT_REQUESTS, metrics_status(end->status), 1);
    if (end->code) metrics_add(METRIC_AGENT_FAILURES, 0, 1);
    if (!end->is_offer) metrics_observe(METRIC_AGENT_DURATION, end->took_us);
    if (!tunnel) return;
    if (tunnel->open) tunnel->open--;
    meter_took(&tunnel->conns, end->took_us);
    if (!end->is_offer) meter_took(&tunnel->http, end->took_us);
}
