/* See core_setup.h. */
#include "core_setup.h"

static void set_names(const struct config *config, struct core_settings *settings) {
    settings->domain = view_from_cstr(config->domain);
    settings->other_names = config->names.items;
    settings->other_names_count = config->names.count;
    settings->subdomain_routing = config->subdomain_routing;
    settings->path_routing = config->path_routing;
    settings->custom_domains = config->custom_domains;
    settings->allowed_names = config->allowed_names.items;
    settings->allowed_names_count = config->allowed_names.count;
}

static void set_policy(const struct config *config, struct core_settings *settings) {
    settings->https_only = config->https_redirect;
    settings->first_visit_page = config->first_visit_page;
    settings->visitor_policy = view_from_cstr(config->visitor_policy);
    settings->door_fields = config->forward_auth_headers.items;
    settings->door_fields_count = config->forward_auth_headers.count;
    settings->door_cookies = config->forward_auth_cookies.items;
    settings->door_cookies_count = config->forward_auth_cookies.count;
    settings->pass_fields = config->pass_fields.items;
    settings->pass_fields_count = config->pass_fields.count;
    settings->require_auth = config->require_auth == ANSWER_YES;
    settings->jwt.audience = view_from_cstr(config->jwt_audience);
    settings->jwt.issuer = view_from_cstr(config->jwt_issuer);
    settings->ends_with_token = config->enforce_exp;
    settings->allowed_origins = config->allowed_origins.items;
    settings->allowed_origins_count = config->allowed_origins.count;
}

static void set_bounds(const struct config *config, struct core_settings *settings) {
    settings->subject_tunnels_per_day = config->subject_tunnels;
    settings->v1_body_bytes = config->body_bytes;
    settings->limits.headers_bytes = config->request_head_bytes;
    settings->limits.answer_bytes = config->answer_head_bytes;
    settings->request_timeout_ms = config->request_timeout_ms;
    settings->body_idle_timeout_ms = config->body_idle_timeout_ms;
    settings->grace_ms = config->grace_ms;
    settings->keep_anonymous_ms = config->offline_keep_ms;
    if (settings->pending_ms < settings->request_timeout_ms + 5000)
        settings->pending_ms = settings->request_timeout_ms + 5000;
    settings->exchanges_total = config->max_connections;
    settings->exchanges_per_tunnel = config->tunnel_requests;
    settings->visitor_share_percent = config->visitor_share;
    settings->tunnel_requests_per_second = config->tunnel_rate;
    settings->quotas = (struct quota_settings){.owner_rate = config->owner_rate,
                                               .visitor_rate = config->visitor_rate,
                                               .owner_requests = config->owner_requests,
                                               .tunnel_bandwidth = config->tunnel_bandwidth,
                                               .owner_bandwidth = config->owner_bandwidth,
                                               .owner_tunnels = config->owner_tunnels,
                                               .owner_connects = config->owner_connects};
}

static void set_logs(const struct config *config, struct core_settings *settings) {
    settings->request_ids = config->request_ids;
    if (config->access_form == ACCESS_FORM_JSON) settings->traces = TRACES_NOTED;
    if (config->make_traceparent) settings->traces = TRACES_MADE;
}

void core_setup(const struct config *config, struct core_settings *ret_settings) {
    core_settings_init(ret_settings);
    set_names(config, ret_settings);
    set_policy(config, ret_settings);
    set_bounds(config, ret_settings);
    set_logs(config, ret_settings);
    ret_settings->guards_names = true;
    ret_settings->keeps_links = true;
}
