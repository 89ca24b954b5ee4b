/* `/metrics` of the inspector's port: what ttf counts, as the gateway's page has what that counts. */
#include "inspect/inspect_state.h"
#include "metrics/metrics_text.h"
#include "metrics/process.h"

#define PAGE_MAX ((size_t)1024 * 1024)

/* What is known already, and not counted as it happens. */
static void look(const struct inspect *inspect) {
    const struct inspect_tunnels *tunnels = &inspect->tunnels;
    struct inspect_tunnel tunnel;
    const void *cursor = NULL;
    uint64_t count = 0, up = 0;
    for (; tunnels->next && tunnels->next(tunnels->ctx, &cursor, &tunnel); count++) up += tunnel.is_up;
    metrics_set(METRIC_AGENT_TUNNELS, 0, count);
    metrics_set(METRIC_AGENT_TUNNELS_UP, 0, up);
    metrics_set(METRIC_AGENT_KEPT, 0, inspect->store.bytes);
    metrics_set(METRIC_AGENT_KEPT_LIMIT, 0, inspect->store.max_bytes);
    metrics_read_process();
}

static void put_tunnels(const struct traffic *traffic, struct buf *out, enum metrics_format format) {
    static const char name[] = "ttf_agent_tunnel_requests";
    metrics_put_counter_head(out, format, name, NULL,
                             "Requests that came through a tunnel, those under way too.");
    for (struct list *node = traffic->tunnels.next; node != &traffic->tunnels; node = node->next) {
        const struct traffic_tunnel *tunnel = LIST_ENTRY(node, struct traffic_tunnel, node);
        const char *label = tunnel->label[0] ? tunnel->label : INSPECT_ONLY_TUNNEL;
        metrics_put_counter(out, name, "tunnel", view_from_cstr(label), tunnel->conns.count);
    }
}

enum MHD_Result metrics_answer(struct inspect *inspect, struct MHD_Connection *connection) {
    const char *accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
    enum metrics_format format = metrics_choose_format(view_from_cstr(accept));
    struct buf out;
    buf_init(&out, PAGE_MAX);
    look(inspect);
    metrics_put_families(&out, format, METRIC_OF_AGENT);
    put_tunnels(&inspect->traffic, &out, format);
    metrics_put_end(&out, format);
    return inspect_answer(connection, MHD_HTTP_OK, metrics_media_type(format), &out);
}
