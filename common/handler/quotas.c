/* May a request be sent to the agent of its claim? What is counted of it: requests a second of its tunnel and
 * of its owner, requests at once of its owner, and bytes that both still owe (pace.c). What belongs to a
 * tunnel or its owner is counted where the agent is, v1's where the visitor is. */
#include "handler/quotas.h"

#include <inttypes.h>

#include "base/bucket.h"
#include "base/log.h"
#include "handler/core_state.h"
#include "handler/pace.h"
#include "metrics/metrics.h"

#define NOTICE_NS (10 * BUCKET_NS_PER_S)

/* ---- what holds ---- */

struct bounds {
    size_t tunnel_rate, owner_rate, owner_requests;
    uint64_t tunnel_bandwidth, owner_bandwidth;
};

/* What the tunnel's token says comes first. Where other processes of ours carry requests of this tunnel, too,
 * they can only be counted for the tunnel. */
static struct bounds bounds_of(const struct exchange *exchange) {
    const struct core_settings *settings = &exchange->core->settings;
    const struct quota_settings *quotas = &settings->quotas;
    const struct allowance *token = &exchange->claim.member.allowance;
    struct bounds bounds = {.tunnel_rate = settings->tunnel_requests_per_second,
                            .owner_rate = token->rate ? token->rate : quotas->owner_rate,
                            .owner_requests =
                                token->connections ? token->connections : quotas->owner_requests,
                            .tunnel_bandwidth = quotas->tunnel_bandwidth,
                            .owner_bandwidth = token->bandwidth ? token->bandwidth : quotas->owner_bandwidth};
    if (settings->keeps_links) return bounds;
    bool is_less = bounds.owner_rate && (!bounds.tunnel_rate || bounds.owner_rate < bounds.tunnel_rate);
    return (struct bounds){.tunnel_rate = is_less ? bounds.owner_rate : bounds.tunnel_rate};
}

static bool are_none(const struct bounds *bounds) {
    return !bounds->tunnel_rate && !bounds->owner_rate && !bounds->owner_requests &&
           !bounds->tunnel_bandwidth && !bounds->owner_bandwidth;
}

/* Some setting bounds tunnels or owners. */
static bool has_quotas(const struct core_settings *settings) {
    const struct quota_settings *quotas = &settings->quotas;
    return settings->tunnel_requests_per_second | quotas->owner_rate | quotas->owner_requests |
           quotas->tunnel_bandwidth | quotas->owner_bandwidth;
}

/* Its stream ends at the gateway that holds the agent, and is counted there. */
static bool is_counted_elsewhere(const struct exchange *exchange) {
    const struct link *link = &exchange->claim.member.link;
    return link->protocol == LINK_V2 &&
           !view_eq(view_from_cstr(link->gateway), exchange->core->settings.gateway);
}

/* ---- the owner ---- */

/* The tunnel keeps its owner as long as there is something of his buckets to be remembered. */
static struct owner_use *find_owner(struct exchange *exchange) {
    struct core *core = exchange->core;
    struct tunnel_use *tunnel = exchange->share.tunnel;
    const char *name = exchange->claim.owner;
    if (tunnel->owner && strcmp(tunnel->owner->name, name) == 0) return tunnel->owner;
    struct owner_use *owner = owner_use_get(core, name);
    if (!owner) return NULL;
    if (tunnel->owner) owner_use_end(core, tunnel->owner);
    tunnel->owner = owner;
    return owner;
}

/* Counted until the exchange ends. */
static void count_request(struct exchange *exchange, struct owner_use *owner) {
    owner->use_count++;
    owner->exchange_count++;
    exchange->share.owner = owner;
}

void quota_leave(struct exchange *exchange) {
    struct owner_use *owner = exchange->share.owner;
    if (!owner) return;
    exchange->share.owner = NULL;
    owner->exchange_count--;
    owner_use_end(exchange->core, owner);
}

static enum quota admit_owner(struct exchange *exchange, const struct bounds *bounds, uint64_t now_ns) {
    struct owner_use *owner = find_owner(exchange);
    if (!owner) return QUOTA_OWNER_REQUESTS;
    if (bounds->owner_requests && owner->exchange_count >= bounds->owner_requests)
        return QUOTA_OWNER_REQUESTS;
    if (bounds->owner_bandwidth && pace_is_late(owner->bytes_full_ns, now_ns)) return QUOTA_OWNER_BANDWIDTH;
    if (bounds->owner_rate && !bucket_take(&owner->full_ns, now_ns, bounds->owner_rate))
        return QUOTA_OWNER_RATE;
    owner->rate = bounds->owner_rate;
    owner->bandwidth = bounds->owner_bandwidth;
    if (bounds->owner_rate) spending_note(exchange->core, owner, 1, 0);
    count_request(exchange, owner);
    return QUOTA_NONE;
}

/* ---- the tunnel ---- */

static bool take_of_tunnel(struct exchange *exchange, size_t rate, uint64_t now_ns) {
    const struct registry *registry = &exchange->core->ports.registry;
    return bucket_take(&exchange->share.tunnel->full_ns, now_ns, rate) &&
           (!registry->admit || registry->admit(registry->ctx, exchange->route.tunnel_id, rate));
}

static enum quota admit(struct exchange *exchange, const struct bounds *bounds) {
    uint64_t now_ns = core_now_ns(exchange->core);
    if (bounds->tunnel_bandwidth && pace_is_late(exchange->share.tunnel->bytes_full_ns, now_ns))
        return QUOTA_TUNNEL_BANDWIDTH;
    if (bounds->tunnel_rate && !take_of_tunnel(exchange, bounds->tunnel_rate, now_ns))
        return QUOTA_TUNNEL_RATE;
    bool is_owners = bounds->owner_rate || bounds->owner_requests || bounds->owner_bandwidth;
    enum quota met = is_owners ? admit_owner(exchange, bounds, now_ns) : QUOTA_NONE;
    bool has_pace = bounds->tunnel_bandwidth || bounds->owner_bandwidth;
    if (met || !has_pace) return met;
    return pace_start(exchange, bounds->tunnel_bandwidth, bounds->owner_bandwidth) ? QUOTA_NONE
                                                                                   : QUOTA_TUNNEL_BANDWIDTH;
}

enum quota quota_admit(struct exchange *exchange) {
    bool is_bound =
        has_quotas(&exchange->core->settings) || !allowance_is_none(&exchange->claim.member.allowance);
    if (!is_bound || exchange->share.admitted || is_counted_elsewhere(exchange)) return QUOTA_NONE;
    struct bounds bounds = bounds_of(exchange);
    if (are_none(&bounds)) return QUOTA_NONE;
    enum quota met = admit(exchange, &bounds);
    exchange->share.admitted = met == QUOTA_NONE;
    return met;
}

/* ---- the visitor ---- */

bool quota_admit_visitor(struct exchange *exchange) {
    struct core *core = exchange->core;
    size_t rate = core->settings.quotas.visitor_rate;
    if (!rate || !exchange->share.visitor || exchange->from_peer) return true;
    if (core_buckets_take(core, &core->visitors, exchange->share.visitor, BUCKET_NS_PER_S, rate)) return true;
    exchange->share.quota = QUOTA_VISITOR_RATE;
    metrics_add(METRIC_QUOTA_REFUSALS, QUOTA_VISITOR_RATE - 1, 1);
    return false;
}

/* ---- who met one is told ---- */

/* The owner's agent hears of it, too, but not of each. */
static void tell_agent(struct exchange *exchange, enum quota quota) {
    struct core *core = exchange->core;
    const struct link *link = &exchange->claim.member.link;
    struct view id = exchange->route.tunnel_id;
    bool is_here =
        core->settings.keeps_links && view_eq(view_from_cstr(link->gateway), core->settings.gateway);
    if (!is_here || !core_buckets_take(core, &core->notices, buckets_key(id), NOTICE_NS, 1)) return;
    char text[200];
    struct buf message;
    snprintf(text, sizeof(text), "a quota is met, %.*s (%.*s)", VIEW_ARG(quota_text(quota)),
             VIEW_ARG(quota_name(quota)));
    buf_init(&message, 1024);
    if (v1_encode_error(&message, (struct view){0}, VIEW(V1_CODE_QUOTA), view_from_cstr(text),
                        (struct view){0}))
        core->ports.agents.send(core->ports.agents.ctx, link, buf_view(&message), NULL, NULL, 0);
    buf_done(&message);
    log_from(LOG_LEVEL_INFO, "quota", id, "%s", text);
}

/* Seconds after which it may be worth a try. */
static unsigned retry_after_s(const struct exchange *exchange, enum quota quota) {
    uint64_t full_ns = quota == QUOTA_TUNNEL_BANDWIDTH  ? exchange->share.tunnel->bytes_full_ns
                       : quota == QUOTA_OWNER_BANDWIDTH ? exchange->share.tunnel->owner->bytes_full_ns
                                                        : 0;
    return full_ns ? pace_late_s(full_ns, core_now_ns(exchange->core)) : 1;
}

void quota_heard(struct exchange *exchange, const struct headers *headers) {
    uint64_t seconds;
    exchange->share.quota = quota_from_name(headers_get(headers, VIEW("x-tunnel-quota")));
    bool is_good = view_parse_u64(headers_get(headers, VIEW("retry-after")), &seconds) && seconds <= 3600;
    if (exchange->share.quota && is_good) exchange->share.retry_s = (unsigned)seconds;
}

void quota_refuse(struct exchange *exchange, enum quota quota) {
    exchange->share.quota = quota;
    exchange->share.retry_s = retry_after_s(exchange, quota);
    metrics_add(METRIC_QUOTA_REFUSALS, quota - 1, 1);
    tell_agent(exchange, quota);
    exchange_fail(exchange, HTTP_ERROR_RATE_LIMITED);
}
