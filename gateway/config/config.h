/* The settings of ttf-gateway and of ttf-apigw: flags win over environment variables, variables over the
 * config file. One table (config_table.c) says all about each. */
#ifndef GATEWAY_CONFIG_H
#define GATEWAY_CONFIG_H

#include "base/help.h"
#include "base/log.h"
#include "config/config_table.h"
#include "handler/access_log.h"
#include "sockets/address.h"

#define PUBLIC_URL_MAX 512 /* with its NUL */

struct text_list {
    struct view *items; /* views into `storage` */
    size_t count;
    char *storage;
};

enum answer { ANSWER_UNSAID, ANSWER_NO, ANSWER_YES };

enum config_layer { LAYER_DEFAULT, LAYER_DESCRIPTION, LAYER_FILE, LAYER_VARIABLE, LAYER_FLAG };

struct config_source {
    enum config_layer layer;
    unsigned line;  /* in the file */
    char place[80]; /* in the description, as "throttling.burst" */
};

struct config {
    struct config_source sources[SETTINGS_MAX]; /* of each value, in the table's order */
    struct listen_address public_listen, agent_listen, admin_listen, public_tls_listen, agent_tls_listen;
    char *domain, *public_url,
        *store_url; /* public_url may be NULL: made of the domain and the public port */
    struct text_list names, proxies_text, pass_fields, allowed_names, allowed_origins, agent_protocols;
    char *agent_client_ca, *agent_client_crl;
    char *dns_servers;  /* NULL: the system's */
    char *forward_auth; /* NULL: nobody is asked */
    struct text_list forward_auth_headers, forward_auth_cookies;
    uint64_t forward_auth_timeout_ms, forward_auth_cache_ms;
    bool forward_auth_per_url;
    struct network *proxies;
    struct text_list tls_cert, tls_key;                /* paths; one for each other, once they are checked */
    char *acme_email, *acme_directory, *acme_dns_hook; /* acme_email NULL: no certificates by ACME */
    bool acme_agree, https_redirect;
    bool proxy_protocol;
    char *routing;
    bool first_visit_page, custom_domains;
    bool subdomain_routing, path_routing; /* by both of the settings, once they are checked */
    enum answer require_auth;
    bool enforce_exp;
    struct text_list jwt_older_files;
    char *jwt_older_secret, *jwt_secret, *jwt_secret_file, *jwks, *jwks_url, *jwks_path, *jwt_audience,
        *jwt_issuer, *visitor_policy;
    char *admin_token, *admin_token_file, *admin_socket;
    char *secret, *secret_file, *state_dir, *config_file;
    char *peer_url;    /* may be NULL: made of the agent listener */
    uint64_t lease_ms; /* of this gateway, in a shared store */
    uint64_t request_timeout_ms, body_idle_timeout_ms, grace_ms, min_rate_grace_ms, header_timeout_ms,
        keepalive_timeout_ms;
    uint64_t agent_ping_interval_ms, offline_keep_ms, drain_delay_ms, drain_timeout_ms;
    char *backend, *bootstrap, *api_stage, *api_payload; /* of ttf-apigw, but for `backend` */
    char *dynamodb_endpoint, *stream_table, *stream_filter, *websocket_url, *description;
    bool api_custom_domain, stream_bisect, stream_report_failures;
    size_t api_rate, api_burst, lambda_memory_bytes, lambda_concurrency, stream_batch, stream_retries;
    uint64_t api_timeout_ms, lambda_timeout_ms, lambda_idle_ms, dynamodb_latency_ms, cleanup_interval_ms,
        ws_idle_ms, ws_life_ms, stream_max_age_ms, aws_idle_ms;
    size_t body_bytes, request_head_bytes, answer_head_bytes, max_connections, max_connections_per_address,
        connection_rate, subject_tunnels, memory_limit_bytes, visitor_share, min_rate, tunnel_rate,
        tunnel_requests, agent_link_requests;
    size_t owner_tunnels, owner_connects, owner_requests, owner_rate, owner_bandwidth, tunnel_bandwidth,
        visitor_rate;
    enum log_level log_level;
    char *access_log, *access_log_format;
    enum access_form access_form; /* of access_log_format, once it is checked */
    size_t metrics_tunnels;
    bool access_log_query, request_ids, make_traceparent;
    char *sandbox_how;
    bool sandbox; /* by that, once it is checked */
    char *help;   /* what of it: config_print_help(); NULL: it is not asked for */
    bool wants_health, wants_version, wants_markdown, wants_metrics;
};

/* True: go on. False: *ret_exit is the exit code; what there was to say to the user has been said on standard
 * error. */
bool config_init(struct config *config, int argc, char **argv, int *ret_exit);
/* The same with a further layer under the others: `more` is asked when these have been taken, and only where
 * the program will run. It calls config_describe(), and answers with the exit code, 0 for all well. */
typedef int config_more_fn(void *ctx, struct config *config);
bool config_init_with(struct config *config, int argc, char **argv, config_more_fn *more, void *ctx,
                      int *ret_exit);
/* Takes what `config->description` says, at `place`, of a setting; an absent value: that it has none. Returns
 * 2, having said so, where it is no value, or where another one was said elsewhere; else 0. */
int config_describe(struct config *config, const struct setting *setting, const char *place,
                    struct view value);
/* The same without asking whether the settings go together: for what needs only some of them. */
bool config_load(struct config *config, int argc, char **argv, int *ret_exit);
void config_done(struct config *config);
/* "v1" or "v2", with agents. */
bool config_speaks(const struct config *config, struct view protocol);
/* The text for people, of a topic: HELP_USUAL, a group of settings (base/help.h), or HELP_ALL. To standard
 * output, and returns 0; or 2, having said what topics there are. */
#define HELP_USUAL "usual"
int config_print_help(const char *topic);
/* The document of all settings. */
void config_print_markdown(void);

#endif
