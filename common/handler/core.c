/* The core's life: settings, tables, and what the stores tell it. */
#include "handler/core.h"

#include <stdlib.h>

#include "base/log.h"
#include "handler/core_state.h"
#include "policy/login_failures.h"

enum { CHUNKS_HELD_MAX = 64 * 1024 * 1024, CHUNKED_MESSAGES_MAX = 1024, SPARE_EXCHANGES = 64 };

void core_settings_init(struct core_settings *settings) {
    *settings = (struct core_settings){
        .domain = VIEW("localhost"),
        .public_url = VIEW("http://localhost"),
        .subdomain_routing = true,
        .path_routing = true,
        .jwt = {.leeway_s = 30},
        .ends_with_token = true,
        .limits = HTTP_LIMITS_DEFAULT,
        .v1_body_bytes = 2 * 1024 * 1024,
        .request_timeout_ms = 25 * 1000,
        .request_timeout_max_ms = 3600 * 1000,
        .body_idle_timeout_ms = 300 * 1000,
        .pending_ms = 30 * 1000,
        .grace_ms = 5 * 1000,
        .retire_ms = 30 * 1000,
        .keep_anonymous_ms = 5 * 60 * 1000,
        .keep_owned_ms = 24 * 3600 * 1000,
        .claim_ttl_ms = 0,
        .resume_ttl_ms = 7ULL * 24 * 3600 * 1000,
        .exchanges_per_tunnel = 256,
        .visitor_share_percent = 50,
        .long_lived_per_tunnel = 4096,
        .long_wait_ms = 5 * 1000,
        .exchanges_total = 16384,
    };
}

static bool keep_view(struct core *core, struct view *view) {
    if (view->len == 0) return true;
    *view = arena_copy(&core->texts, *view);
    return view->ptr != NULL;
}

static bool keep_views(struct core *core, const struct view **views, size_t count) {
    if (count == 0) return true;
    struct view *copies = arena_alloc(&core->texts, count * sizeof(*copies));
    if (!copies) return false;
    for (size_t i = 0; i < count; i++) {
        copies[i] = (*views)[i];
        if (!keep_view(core, &copies[i])) return false;
    }
    *views = copies;
    return true;
}

static bool keep_older(struct core *core, struct jwt_settings *jwt) {
    bool kept = true;
    for (size_t i = 0; i < JWT_OLDER_MAX; i++) kept = kept && keep_view(core, &jwt->older[i]);
    return kept;
}

static bool keep_settings(struct core *core) {
    struct core_settings *settings = &core->settings;
    return keep_view(core, &settings->domain) && keep_view(core, &settings->public_url) &&
           keep_view(core, &settings->resume_secret) && keep_view(core, &settings->gateway) &&
           keep_view(core, &settings->visitor_policy) && keep_view(core, &settings->jwt.secret) &&
           keep_older(core, &settings->jwt) && keep_view(core, &settings->jwt.audience) &&
           keep_view(core, &settings->jwt.issuer) &&
           keep_views(core, &settings->other_names, settings->other_names_count) &&
           keep_views(core, &settings->allowed_names, settings->allowed_names_count) &&
           keep_views(core, &settings->pass_fields, settings->pass_fields_count) &&
           keep_views(core, &settings->door_fields, settings->door_fields_count) &&
           keep_views(core, &settings->door_cookies, settings->door_cookies_count) &&
           keep_views(core, &settings->allowed_origins, settings->allowed_origins_count);
}

struct core *core_new(const struct core_settings *settings, const struct ports *ports) {
    struct core *core = calloc(1, sizeof(*core));
    if (!core) return NULL;
    core->settings = *settings;
    core->ports = *ports;
    arena_init(&core->texts, 64 * 1024);
    core->spare_exchanges = (struct spares){.size = sizeof(struct exchange), .most = SPARE_EXCHANGES};
    table_init(&core->links);
    table_init(&core->tunnels);
    list_init(&core->young);
    table_init(&core->requests);
    list_init(&core->operations);
    list_init(&core->resting);
    table_init(&core->owners);
    table_init(&core->holdings);
    list_init(&core->spenders);
    timer_init(&core->spend_timer, spending_on_timer);
    timer_init(&core->rest_timer, tunnels_on_rest);
    chunks_init(&core->chunks, &(struct chunks_limits){.message_bytes = core_message_max(core),
                                                       .sender_bytes = 4 * core_message_max(core),
                                                       .all_bytes = CHUNKS_HELD_MAX,
                                                       .messages = CHUNKED_MESSAGES_MAX,
                                                       .pending_ms = settings->pending_ms});
    if (!keep_settings(core)) {
        core_free(core);
        return NULL;
    }
    core->names = (struct route_names){.domain = core->settings.domain,
                                       .other_names = core->settings.other_names,
                                       .other_names_count = core->settings.other_names_count,
                                       .subdomain_routing = core->settings.subdomain_routing,
                                       .custom_domains = core->settings.custom_domains,
                                       .path_routing = core->settings.path_routing};
    return core;
}

static void free_link(void *ctx, struct table_node *node) {
    (void)ctx;
    link_use_free(TABLE_ENTRY(node, struct link_use, node));
}

void core_free(struct core *core) {
    if (!core) return;
    for (size_t i = 0; i < core->slot_count; i++) {
        struct exchange *exchange = core->slots[i];
        if (exchange) exchange_abort(exchange);
    }
    for (struct list *node; (node = list_pop(&core->operations));) {
        struct operation *operation = LIST_ENTRY(node, struct operation, node);
        operation->drop(operation);
    }
    table_each(&core->links, free_link, NULL);
    table_done(&core->links);
    tunnels_done(core);
    owners_done(core);
    spares_trim(&core->spare_exchanges);
    table_done(&core->requests);
    chunks_done(&core->chunks);
    free(core->slots);
    free(core->free_slots);
    buckets_done(&core->begins);
    buckets_done(&core->connects);
    buckets_done(&core->visitors);
    buckets_done(&core->notices);
    login_failures_free(core->login_failures);
    arena_done(&core->texts);
    free(core);
}

void operation_start(struct core *core, struct operation *operation,
                     void (*drop)(struct operation *operation)) {
    operation->core = core;
    operation->drop = drop;
    list_init(&operation->node);
    list_append(&core->operations, &operation->node);
}

void operation_end(struct operation *operation) {
    list_remove(&operation->node);
}

static void on_claim_changed(void *ctx, struct view tunnel_id) {
    dispatch_claim_changed(ctx, tunnel_id);
}

static void on_request_completed(void *ctx, struct view request_id) {
    mailbox_delivery_completed(ctx, request_id);
}

static void on_connection_gone(void *ctx, struct view connection_id) {
    link_lost(ctx, connection_id);
}

static void on_connection_replaced(void *ctx, const struct link *link) {
    link_taken_over(ctx, link);
}

static void on_connection_overdue(void *ctx, const struct link *link) {
    struct core *core = ctx;
    log_from(LOG_LEVEL_INFO, "core", view_from_cstr(link->connection), "was to finish, and has had its time");
    core->ports.agents.close(core->ports.agents.ctx, link);
}

static void on_spent(void *ctx, struct view owner, const struct spending *spent) {
    spending_heard(ctx, owner, spent);
}

static void ask_tunnel_again(void *ctx, struct table_node *node) {
    dispatch_claim_changed(ctx, node->key);
}

static void ask_request_again(void *ctx, struct table_node *node) {
    mailbox_delivery_completed(ctx, node->key);
}

static void on_missed(void *ctx) {
    struct core *core = ctx;
    table_each(&core->tunnels, ask_tunnel_again, core);
    table_each(&core->requests, ask_request_again, core);
}

struct store_events core_store_events(struct core *core) {
    return (struct store_events){.ctx = core,
                                 .claim_changed = on_claim_changed,
                                 .request_completed = on_request_completed,
                                 .connection_gone = on_connection_gone,
                                 .connection_replaced = on_connection_replaced,
                                 .connection_overdue = on_connection_overdue,
                                 .spent = on_spent,
                                 .missed = on_missed};
}

void core_set_resume_secret(struct core *core, const unsigned char secret[SECRET_LEN]) {
    struct view *place = &core->settings.resume_secret;
    if (place->len == SECRET_LEN)
        memcpy((char *)(uintptr_t)place->ptr, secret, SECRET_LEN); /* our own copy */
}

void core_set_token_keys(struct core *core, const struct jwks *keys) {
    core->settings.jwt.keys = keys;
}

void core_refuse_new(struct core *core, bool refuses) {
    core->refuses_new = refuses;
}

size_t core_exchange_count(const struct core *core) {
    return core->exchange_count;
}

size_t core_settings_message_max(const struct core_settings *settings) {
    /* a body in base64, and headers in which each byte may have become \u00XX */
    return (settings->v1_body_bytes + 2) / 3 * 4 + settings->limits.v1_headers_bytes * 6 + 64 * 1024;
}

size_t core_message_max(const struct core *core) {
    return core_settings_message_max(&core->settings);
}
