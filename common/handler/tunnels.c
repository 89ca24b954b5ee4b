/* The tunnels that have requests. Between requests a tunnel costs nothing, but for the time in which its
 * buckets, or its owner's, fill again. */
#include <stdlib.h>

#include "handler/core_state.h"
#include "handler/pace.h"
#include "handler/quotas.h"

enum { REST_MS = 1000 }; /* any bucket of requests is full then */

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
    chain_turns_init(&tunnel->turns);
    view_copy_to(tunnel_id, tunnel->tunnel_id, sizeof(tunnel->tunnel_id));
    if (table_put(&core->tunnels, &tunnel->node, view_from_cstr(tunnel->tunnel_id))) return tunnel;
    free(tunnel);
    return NULL;
}

static void tunnel_free(struct core *core, struct tunnel_use *tunnel) {
    timer_stop(timers_of(core), &tunnel->turns.timer);
    list_remove(&tunnel->rest_node);
    table_remove(&core->tunnels, &tunnel->node);
    if (tunnel->owner) owner_use_end(core, tunnel->owner);
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
    list_append(&tunnel->exchanges, &exchange->share.use_node);
    exchange->share.tunnel = tunnel;
    return true;
}

/* Is some bucket not full yet? */
static bool must_rest(const struct core *core, const struct tunnel_use *tunnel) {
    const struct owner_use *owner = tunnel->owner;
    uint64_t now_ns = core_now_ns(core);
    return tunnel->full_ns > now_ns || tunnel->bytes_full_ns > now_ns ||
           (owner && (owner->full_ns > now_ns || owner->bytes_full_ns > now_ns));
}

/* All rest for the same time: the first to rest is the first to go. */
static void rest(struct core *core, struct tunnel_use *tunnel) {
    tunnel->rest_until_ms = core_now_ms(core) + REST_MS;
    list_append(&core->resting, &tunnel->rest_node);
    if (!timer_armed(&core->rest_timer)) timer_start(timers_of(core), &core->rest_timer, REST_MS);
}

void tunnel_leave(struct exchange *exchange) {
    struct core *core = exchange->core;
    struct tunnel_use *tunnel = exchange->share.tunnel;
    if (!tunnel) return;
    pace_stop(exchange);
    quota_leave(exchange);
    list_remove(&exchange->share.tunnel_node);
    list_remove(&exchange->share.use_node);
    if (exchange->share.is_cut) tunnel->cut_count--;
    if (exchange->share.long_lived) tunnel->long_lived_count--;
    if (--tunnel->exchange_count > 0) return;
    if (must_rest(core, tunnel))
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
        list_remove(&tunnel->rest_node);
        if (must_rest(core, tunnel))
            rest(core, tunnel);
        else
            tunnel_free(core, tunnel);
    }
}

void tunnels_done(struct core *core) {
    timer_stop(timers_of(core), &core->rest_timer);
    while (!list_empty(&core->resting))
        tunnel_free(core, LIST_ENTRY(core->resting.next, struct tunnel_use, rest_node));
    table_done(&core->tunnels);
}
