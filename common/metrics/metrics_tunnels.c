/* See metrics_tunnels.h. */
#include "metrics/metrics_tunnels.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/table.h"

enum { REQUESTS, FAILURES, BYTES_IN, BYTES_OUT, COUNTS };

struct tunnel {
    struct table_node node;
    struct list used; /* of all.used: longest ago first */
    uint64_t counts[COUNTS];
    char name[64];
};

static struct {
    struct table table;
    struct list used;
    uint64_t other[COUNTS];
    size_t most;
} all;

void metrics_tunnels_limit(size_t most) {
    all.most = most;
    table_init(&all.table);
    list_init(&all.used);
}

static void forget(struct tunnel *tunnel) {
    for (size_t i = 0; i < COUNTS; i++) all.other[i] += tunnel->counts[i];
    table_remove(&all.table, &tunnel->node);
    list_remove(&tunnel->used);
    free(tunnel);
}

static void forget_oldest(void) {
    forget(LIST_ENTRY(all.used.next, struct tunnel, used));
}

void metrics_tunnels_done(void) {
    if (!all.most) return;
    while (!list_empty(&all.used)) forget_oldest();
    table_done(&all.table);
    all.most = 0;
}

static struct tunnel *tunnel_new(struct view name) {
    struct tunnel *tunnel = calloc(1, sizeof(*tunnel));
    if (!tunnel) return NULL;
    list_init(&tunnel->used);
    if (view_copy_to(name, tunnel->name, sizeof(tunnel->name)) &&
        table_put(&all.table, &tunnel->node, view_from_cstr(tunnel->name)))
        return tunnel;
    free(tunnel);
    return NULL;
}

static struct tunnel *find(struct view name) {
    struct table_node *node = table_get(&all.table, name);
    if (node) return TABLE_ENTRY(node, struct tunnel, node);
    if (all.table.count >= all.most) forget_oldest();
    return tunnel_new(name);
}

void metrics_tunnels_count(struct view name, int status, uint64_t bytes_in, uint64_t bytes_out) {
    if (!all.most) return;
    struct tunnel *tunnel = find(name);
    uint64_t *counts = tunnel ? tunnel->counts : all.other;
    counts[REQUESTS]++;
    if (status == 0 || status >= 500) counts[FAILURES]++;
    counts[BYTES_IN] += bytes_in;
    counts[BYTES_OUT] += bytes_out;
    if (!tunnel) return;
    list_remove(&tunnel->used);
    list_append(&all.used, &tunnel->used);
}

void metrics_tunnels_put(struct buf *out, enum metrics_format format) {
    static const struct {
        const char *name, *unit, *help;
    } families[COUNTS] = {
        {"ttf_tunnel_requests", NULL, "Visitors' requests of a tunnel that an agent had."},
        {"ttf_tunnel_failures", NULL, "Of these: without an answer, or with a status of 500 or more."},
        {"ttf_tunnel_request_body_bytes", "bytes", "Bytes of their bodies."},
        {"ttf_tunnel_response_body_bytes", "bytes", "Bytes of their answers' bodies."},
    };
    if (!all.most) return;
    for (size_t i = 0; i < COUNTS; i++) {
        metrics_put_counter_head(out, format, families[i].name, families[i].unit, families[i].help);
        for (const struct list *node = all.used.next; node != &all.used; node = node->next) {
            const struct tunnel *tunnel = LIST_ENTRY(node, const struct tunnel, used);
            metrics_put_counter(out, families[i].name, "tunnel", view_from_cstr(tunnel->name),
                                tunnel->counts[i]);
        }
        metrics_put_counter(out, families[i].name, "tunnel", VIEW("_other"), all.other[i]);
    }
}
