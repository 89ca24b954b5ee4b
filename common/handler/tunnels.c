/* The tunnels that have requests, and how many a second each may have. Between requests a tunnel costs
 * nothing, but for the second in which its bucket fills again. */
#include <stdlib.h>

#include "base/bucket.h"
#include "handler/core_state.h"

enum { REST_MS = 1000 }; /* any bucket is full then */

#define NS_PER_MS 1000000ull

static struct timers *timers_of(const struct core *core) {
    return core->ports.clock.timers;
}

/* ---- in use ---- */

static struct tunnel_use *tunnel_use_new(struct core *core, struct view tunnel_id) {
    struct tunnel_use *tunnel = calloc(1, sizeof(*tunnel));
    if (!tunnel) return NULL;
    list_init(&tunnel->waiting);
    list_init(&tunnel->exchanges);
    list_init(&tunnel->rest_node);
    view_copy_to(tunnel_id, tunnel->tunnel_id, sizeof(tunnel->tunnel_id));
    if (table_put(&core->tunnels, &tunnel->node, view_from_cstr(tunnel->tunnel_id))) return tunnel;
    free(tunnel);
    return NULL;
}

static void tunnel_free(struct core *core, struct tunnel_use *tunnel) {
    list_remove(&tunnel->rest_node);
    table_remove(&core->tunnels, &tunnel->node);
    free(tunnel);
}

bool tunnel_join(struct exchange *exchange) {
    struct core *core = exchange->core;
    struct table_node *node = table_get(&core->tunnels, exchange->route.tunnel_id);
    struct tunnel_use *tunnel =
        node ? TABLE_ENTRY(node, struct tunnel_use, node) : tunnel_use_new(core, exchange->route.tunnel_id);
    if (!tunnel) return false;
    list_remove(&tunnel->rest_node);
    tunnel->exchange_count++;
    list_append(&tunnel->exchanges, &exchange->use_node);
    exchange->tunnel = tunnel;
    return true;
}

/* All rest for the same time: the first to rest is the first to go. */
static void rest(struct core *core, struct tunnel_use *tunnel) {
    tunnel->rest_until_ms = core_now_ms(core) + REST_MS;
    list_append(&core->resting, &tunnel->rest_node);
    if (!timer_armed(&core->rest_timer)) timer_start(timers_of(core), &core->rest_timer, REST_MS);
}

void tunnel_leave(struct exchange *exchange) {
    struct core *core = exchange->core;
    struct tunnel_use *tunnel = exchange->tunnel;
    if (!tunnel) return;
    list_remove(&exchange->tunnel_node);
    list_remove(&exchange->use_node);
    if (exchange->is_cut) tunnel->cut_count--;
    if (exchange->long_lived) tunnel->long_lived_count--;
    if (--tunnel->exchange_count > 0) return;
    if (tunnel->full_ns > core_now_ms(core) * NS_PER_MS)
        rest(core, tunnel);
    else
        tunnel_free(core, tunnel);
}

void tunnels_on_rest(struct timer *timer) {
    struct core *core = LIST_ENTRY(timer, struct core, rest_timer);
    uint64_t now = core_now_ms(core);
    while (!list_empty(&core->resting)) {
        struct tunnel_use *tunnel = LIST_ENTRY(core->resting.next, struct tunnel_use, rest_node);
        if (tunnel->rest_until_ms > now) {
            timer_start(timers_of(core), timer, tunnel->rest_until_ms - now);
            return;
        }
        tunnel_free(core, tunnel);
    }
}

void tunnels_done(struct core *core) {
    timer_stop(timers_of(core), &core->rest_timer);
    while (!list_empty(&core->resting))
        tunnel_free(core, LIST_ENTRY(core->resting.next, struct tunnel_use, rest_node));
    table_done(&core->tunnels);
}

/* ---- requests a second ---- */

/* Its stream ends at the gateway that holds the agent, and is counted there. */
static bool is_counted_elsewhere(const struct exchange *exchange) {
    const struct link *link = &exchange->claim.member.link;
    return link->protocol == LINK_V2 &&
           !view_eq(view_from_cstr(link->gateway), exchange->core->settings.gateway);
}

bool tunnel_admit(struct exchange *exchange) {
    struct core *core = exchange->core;
    const struct registry *registry = &core->ports.registry;
    size_t per_second = core->settings.tunnel_requests_per_second;
    if (per_second == 0 || exchange->admitted || is_counted_elsewhere(exchange)) return true;
    exchange->admitted =
        bucket_take(&exchange->tunnel->full_ns, core_now_ms(core) * NS_PER_MS, per_second) &&
        (!registry->admit || registry->admit(registry->ctx, exchange->route.tunnel_id, per_second));
    return exchange->admitted;
}
