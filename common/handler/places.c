/* The places of a tunnel: how many requests it may have at once, and who of its visitors gets one when they
 * run out.
 *
 * While there are enough everybody gets one, and nothing is counted. Of the last quarter nobody does who has
 * a share already; and when all are taken, the request goes whose visitor has done nothing for the longest
 * time. */
#include "base/log.h"
#include "handler/core_state.h"

enum { STALL_LEAST_MS = 5000 }; /* less says nothing about a network */

static size_t taken(const struct tunnel_use *tunnel, bool long_lived) {
    if (long_lived) return tunnel->long_lived_count;
    return tunnel->exchange_count - tunnel->long_lived_count - tunnel->cut_count;
}

/* Of the tunnel's visitor of this exchange, itself among them. */
static size_t count_own(const struct exchange *exchange) {
    const struct list *all = &exchange->share.tunnel->exchanges;
    size_t count = 0;
    for (const struct list *node = all->next; node != all; node = node->next) {
        const struct exchange *other = LIST_ENTRY(node, const struct exchange, share.use_node);
        if (other->share.visitor == exchange->share.visitor &&
            other->share.long_lived == exchange->share.long_lived && !other->share.is_cut)
            count++;
    }
    return count;
}

static bool has_share(const struct exchange *exchange, size_t places) {
    size_t percent = exchange->core->settings.visitor_share_percent, share = places * percent / 100;
    if (!exchange->share.visitor || percent == 0 || percent >= 100) return false;
    return count_own(exchange) > (share ? share : 1);
}

static bool is_earlier(const struct exchange *exchange, const struct exchange *than) {
    return !than || exchange->share.stalled_ms < than->share.stalled_ms;
}

static struct exchange *longest_stalled(const struct tunnel_use *tunnel, uint64_t now_ms) {
    struct exchange *found = NULL;
    for (const struct list *node = tunnel->exchanges.next; node != &tunnel->exchanges; node = node->next) {
        struct exchange *each = LIST_ENTRY((struct list *)(uintptr_t)node, struct exchange, share.use_node);
        bool stalls = each->share.stalled_ms && now_ms - each->share.stalled_ms >= STALL_LEAST_MS;
        bool may_end = !each->share.long_lived && !each->share.is_cut && each->state != EXCHANGE_FAILING;
        if (stalls && may_end && is_earlier(each, found)) found = each;
    }
    return found;
}

/* Ends at the next safe point; its place is free at once. */
static bool cut_stalled(struct tunnel_use *tunnel, struct core *core) {
    struct exchange *stalled = longest_stalled(tunnel, core_now_ms(core));
    if (!stalled) return false;
    log_from(LOG_LEVEL_INFO, "core", view_from_cstr(tunnel->tunnel_id),
             "full: a request that stalls is ended for another");
    stalled->share.is_cut = true;
    tunnel->cut_count++;
    tasks_post(core->ports.clock.tasks, &stalled->task);
    return true;
}

bool place_take(struct exchange *exchange) {
    struct core *core = exchange->core;
    const struct core_settings *settings = &core->settings;
    bool is_long = exchange->share.long_lived;
    size_t places = is_long ? settings->long_lived_per_tunnel : settings->exchanges_per_tunnel;
    size_t count = taken(exchange->share.tunnel, is_long);
    if (count <= places - places / 4) return true;
    if (has_share(exchange, places)) return false;
    return count <= places || (!is_long && cut_stalled(exchange->share.tunnel, core));
}

void exchange_stalled(struct exchange *exchange, uint64_t since_ms) {
    exchange->share.stalled_ms = since_ms;
}
