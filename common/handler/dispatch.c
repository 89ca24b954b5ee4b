/* Dispatch: finds the tunnel's agent by its claim, waits a moment for one that has just gone, and starts the
 * delivery. */
#include "base/log.h"
#include "handler/core_state.h"
#include "handler/quotas.h"
#include "metrics/metrics.h"

static void wait_for_agent(struct exchange *exchange, uint64_t wait_ms) {
    exchange->state = EXCHANGE_WAITING;
    list_remove(&exchange->share.tunnel_node);
    list_append(&exchange->share.tunnel->waiting, &exchange->share.tunnel_node);
    if (!timer_armed(&exchange->timer))
        timer_start(exchange->core->ports.clock.timers, &exchange->timer, wait_ms);
    dispatch_recheck_later(exchange);
}

/* How long a request waits for the agent of this claim; 0: not at all. */
static uint64_t grace_left(const struct exchange *exchange, const struct claim *claim) {
    uint64_t grace = exchange->core->settings.grace_ms;
    if (claim->member.state != CLAIM_OFFLINE) return grace;
    uint64_t now = core_wall_ms(exchange->core),
             gone = now > claim->member.changed_ms ? now - claim->member.changed_ms : 0;
    return gone < grace ? grace - gone : 0;
}

static void deliver(struct exchange *exchange) {
    enum quota met = quota_admit(exchange);
    if (met) {
        quota_refuse(exchange, met);
        return;
    }
    bool by_stream = exchange->claim.member.link.protocol == LINK_V2;
    exchange->given_us = metrics_now_us();
    exchange->delivery = by_stream ? &stream_delivery : &mailbox_delivery;
    exchange->delivery->start(exchange);
}

/* A request that another gateway sent here: by its agent as it was meant, or not at all. What we know may be
 * older than what the other one knows. */
static void serve_peer(struct exchange *exchange, enum status status, const struct claim *claim,
                       struct view options) {
    if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
        exchange_fail(exchange, HTTP_ERROR_OVERLOADED);
        return;
    }
    if (!visitor_policy(exchange, claim, options)) return;
    bool is_old = status == STATUS_OK && claim->epoch < exchange->peer_epoch;
    bool is_meant = status == STATUS_OK && !claim_has_expired(exchange->core, claim) &&
                    claim->member.epoch == exchange->peer_epoch &&
                    view_eq(view_from_cstr(claim->member.link.gateway), exchange->gateway) &&
                    claim->member.link.protocol == LINK_V2;
    if (is_meant && claim->member.state == CLAIM_READY) {
        exchange->claim = *claim;
        exchange_stop_waiting(exchange);
        deliver(exchange);
    } else if (is_old || (is_meant && claim->member.state == CLAIM_CONNECTING)) {
        wait_for_agent(exchange, exchange->core->settings.grace_ms);
    } else {
        exchange_fail(exchange, HTTP_ERROR_STALE_EPOCH);
    }
}

/* Is there an agent that may have it? */
static bool is_there(const struct exchange *exchange, const struct claim *claim) {
    if (claim->member.state != CLAIM_READY ||
        strcmp(claim->member.link.connection, exchange->lost_connection) == 0)
        return false;
    if (!claim_has_expired(exchange->core, claim)) return true;
    claim_expired(exchange->core, claim);
    return false;
}

static void serve_visitor(struct exchange *exchange, const struct claim *claim, struct view options) {
    if (!visitor_policy(exchange, claim, options)) return;
    if (is_there(exchange, claim)) {
        exchange->claim = *claim;
        exchange_stop_waiting(exchange);
        deliver(exchange);
    } else {
        uint64_t wait_ms = grace_left(exchange, claim);
        if (wait_ms > 0)
            wait_for_agent(exchange, wait_ms);
        else
            exchange_fail(exchange, exchange_lost_error(exchange));
    }
}

/* The store has just lost what it held: whoever holds the agent is about to write its claim again. */
static bool may_come_back(const struct exchange *exchange) {
    const struct registry *registry = &exchange->core->ports.registry;
    return registry->names_reserved && registry->names_reserved(registry->ctx);
}

static void serve_unknown(struct exchange *exchange) {
    if (may_come_back(exchange))
        wait_for_agent(exchange, exchange->core->settings.grace_ms);
    else
        exchange_fail(exchange,
                      exchange->route.is_custom ? HTTP_ERROR_UNKNOWN_HOST : HTTP_ERROR_TUNNEL_NOT_FOUND);
}

void dispatch_found(struct exchange *exchange, enum status status, const struct claim *claim,
                    struct view options) {
    if (exchange->from_peer)
        serve_peer(exchange, status, claim, options);
    else if (status == STATUS_OK)
        serve_visitor(exchange, claim, options);
    else if (status == STATUS_NOT_FOUND)
        serve_unknown(exchange);
    else
        exchange_fail(exchange, HTTP_ERROR_OVERLOADED);
}

static void on_lookup(void *target, uint64_t ticket, enum status status, const struct claim *claim,
                      struct view options) {
    struct exchange *exchange = exchange_find(target, ticket);
    if (exchange && exchange->state == EXCHANGE_LOOKUP) dispatch_found(exchange, status, claim, options);
}

void dispatch_start(struct exchange *exchange) {
    struct registry *registry = &exchange->core->ports.registry;
    exchange->state = EXCHANGE_LOOKUP;
    registry->lookup(registry->ctx, exchange->route.tunnel_id, on_lookup, exchange->core, exchange->ticket);
}

void dispatch_claim_changed(struct core *core, struct view tunnel_id) {
    struct table_node *node = table_get(&core->tunnels, tunnel_id);
    if (!node) return;
    struct tunnel_use *tunnel = TABLE_ENTRY(node, struct tunnel_use, node);
    struct list waiting;
    list_init(&waiting);
    list_move_all(&waiting, &tunnel->waiting);
    for (struct list *entry; (entry = list_pop(&waiting));) {
        struct exchange *exchange = LIST_ENTRY(entry, struct exchange, share.tunnel_node);
        if (exchange->state == EXCHANGE_WAITING) dispatch_start(exchange);
    }
}

/* ---- where the store does not tell ---- */

void dispatch_recheck_later(struct exchange *exchange) {
    const struct core_settings *settings = &exchange->core->settings;
    uint64_t in_ms =
        exchange->state == EXCHANGE_SENT ? settings->recheck_sent_ms : settings->recheck_waiting_ms;
    if (in_ms > 0) timer_start(exchange->core->ports.clock.timers, &exchange->recheck, in_ms);
}

/* The agent that was asked has gone, or another has taken its place: no answer will come of it. */
static void on_rechecked(void *target, uint64_t ticket, enum status status, const struct claim *claim,
                         struct view options) {
    (void)options;
    struct exchange *exchange = exchange_find(target, ticket);
    if (!exchange || exchange->state != EXCHANGE_SENT) return;
    bool lost = status == STATUS_OK &&
                (claim->member.state == CLAIM_OFFLINE ||
                 strcmp(claim->member.link.connection, exchange->claim.member.link.connection) != 0);
    if (lost)
        dispatch_agent_lost(exchange);
    else
        dispatch_recheck_later(exchange);
}

void dispatch_recheck(struct exchange *exchange) {
    struct registry *registry = &exchange->core->ports.registry;
    if (exchange->state == EXCHANGE_WAITING)
        dispatch_start(exchange);
    else if (exchange->state == EXCHANGE_SENT)
        registry->lookup(registry->ctx, exchange->route.tunnel_id, on_rechecked, exchange->core,
                         exchange->ticket);
    else if (exchange->state == EXCHANGE_TAKING)
        dispatch_recheck_later(exchange);
}

static void look_again(struct exchange *exchange, uint64_t wait_ms) {
    exchange->delivery->stop(exchange);
    timer_stop(exchange->core->ports.clock.timers, &exchange->timer);
    wait_for_agent(exchange, wait_ms);
    dispatch_start(exchange);
}

/* Waits from now on for a connection other than the one it was on. */
static void wait_for_another(struct exchange *exchange) {
    struct registry *registry = &exchange->core->ports.registry;
    if (registry->forget) registry->forget(registry->ctx, exchange->route.tunnel_id);
    exchange->unreached_ms = 0;
    memcpy(exchange->lost_connection, exchange->claim.member.link.connection,
           sizeof(exchange->lost_connection));
    look_again(exchange, exchange->core->settings.grace_ms);
}

bool dispatch_may_send_twice(const struct exchange *exchange) {
    return !exchange->from_peer && http_method_is_safe(exchange->method) && !exchange->sent_again;
}

/* False when that has ended the exchange. */
static bool send_twice(struct exchange *exchange) {
    if (!dispatch_may_send_twice(exchange)) {
        exchange_fail(exchange, HTTP_ERROR_AGENT_LOST);
        return false;
    }
    exchange->sent_again = true;
    return true;
}

void dispatch_agent_lost(struct exchange *exchange) {
    if (send_twice(exchange)) wait_for_another(exchange);
}

void dispatch_severed(struct exchange *exchange) {
    exchange->unreached_ms = 0;
    if (send_twice(exchange)) look_again(exchange, exchange->core->settings.grace_ms);
}

void dispatch_undelivered(struct exchange *exchange) {
    if (exchange->from_peer)
        exchange_fail(exchange, HTTP_ERROR_STALE_EPOCH);
    else
        wait_for_another(exchange);
}

void dispatch_unreached(struct exchange *exchange) {
    uint64_t grace = exchange->core->settings.grace_ms, now = core_now_ms(exchange->core);
    if (!exchange->unreached_ms) exchange->unreached_ms = now;
    uint64_t waited = now - exchange->unreached_ms;
    if (waited < grace)
        look_again(exchange, grace - waited);
    else
        exchange_fail(exchange, exchange_lost_error(exchange));
}
