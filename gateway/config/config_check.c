/* Settings that are right one by one and do not go together. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/acme_settings.h"
#include "config/config_parse.h"
#include "config/machine.h"
#include "doorman/doorman.h"
#include "handler/core.h"
#include "handler/route.h"
#include "issuer/jwks_url.h"
#include "link/link.h"
#include "metrics/metrics_tunnels.h"
#include "net/ws_url.h"
#include "policy/policy.h"
#include "sandbox/sandbox.h"
#include "sockets/certificates.h"
#include "store/redis_url.h"

static int complain(const struct config *config, const void *member, const char *why) {
    char origin[CONFIG_ORIGIN_MAX];
    fprintf(stderr, "%s: %s: %s\n", program_name(),
            config_origin(config, config_setting_at(config, member), origin), why);
    return 2;
}

static int contradict(const struct config *config, const void *member, const void *other, const char *why) {
    char origin[CONFIG_ORIGIN_MAX], others[CONFIG_ORIGIN_MAX];
    fprintf(stderr, "%s: %s and %s contradict each other: %s\n", program_name(),
            config_origin(config, config_setting_at(config, member), origin),
            config_origin(config, config_setting_at(config, other), others), why);
    return 2;
}

static bool said(const struct config *config, const void *member) {
    return config_was_said(config, config_setting_at(config, member));
}

static int parse_proxies(struct config *config) {
    config->proxies = calloc(config->proxies_text.count + 1, sizeof(*config->proxies));
    for (size_t i = 0; config->proxies && i < config->proxies_text.count; i++) {
        if (!network_parse(config->proxies_text.items[i], &config->proxies[i]))
            return complain(config, &config->proxies_text, "expected networks such as 10.0.0.0/8");
        if (config->proxies[i].bits == 0)
            return complain(config, &config->proxies_text,
                            "anybody could say that he comes from wherever he likes: name the networks of "
                            "your proxies alone");
    }
    return config->proxies ? 0 : 2;
}

static int check_protocols(const struct config *config) {
    for (size_t i = 0; i < config->agent_protocols.count; i++) {
        struct view name = config->agent_protocols.items[i];
        if (!view_eq(name, VIEW("v1")) && !view_eq(name, VIEW("v2")))
            return complain(config, &config->agent_protocols, "expected v2,v1, v2 or v1");
    }
    return config->agent_protocols.count
               ? 0
               : complain(config, &config->agent_protocols, "expected v2,v1, v2 or v1");
}

static int check_ports(const struct config *config) {
    const struct listen_address *ports[] = {&config->public_listen, &config->agent_listen,
                                            &config->admin_listen, &config->public_tls_listen,
                                            &config->agent_tls_listen};
    const size_t count = sizeof(ports) / sizeof(ports[0]);
    for (size_t i = 0; i < count; i++)
        for (size_t j = i + 1; j < count; j++)
            if (ports[i]->port && ports[i]->port == ports[j]->port &&
                strcmp(ports[i]->host, ports[j]->host) == 0)
                return contradict(config, ports[i], ports[j], "they are the same address");
    return 0;
}

static int check_tls(const struct config *config) {
    const void *has_cert = config->tls_cert.count ? &config->tls_cert : NULL;
    const void *port = said(config, &config->public_tls_listen)  ? &config->public_tls_listen
                       : said(config, &config->agent_tls_listen) ? &config->agent_tls_listen
                                                                 : NULL;
    if (port && !has_cert && !config->acme_email)
        return complain(config, port,
                        "TLS needs a certificate: name it with --tls-cert and --tls-key, or have it come by "
                        "itself with --acme-email");
    if (has_cert && !port)
        return complain(config, has_cert,
                        "no port has TLS: say --public-tls-listen :443, and --agent-tls-listen for agents");
    if (config->tls_cert.count > CERTIFICATES_MAX)
        return complain(config, has_cert, "expected 64 certificates at most");
    if (config->tls_cert.count != config->tls_key.count)
        return contradict(config, &config->tls_cert, &config->tls_key,
                          "each certificate needs its key, in the same order");
    if (config->https_redirect && !said(config, &config->public_tls_listen))
        return complain(config, &config->https_redirect,
                        "there is no https to send visitors to: say --public-tls-listen :443");
    if (config->https_redirect && config->public_url &&
        !view_starts_with(view_from_cstr(config->public_url), VIEW("https://")))
        return contradict(config, &config->https_redirect, &config->public_url,
                          "visitors are sent to https, and shown URLs of http: say https://… there");
    if (config->proxy_protocol && !config->proxies_text.count)
        return complain(config, &config->proxy_protocol,
                        "it is believed of trusted proxies alone: name them with --trusted-proxies");
    return 0;
}

static int check_acme(const struct config *config) {
    const void *email = &config->acme_email, *hook = &config->acme_dns_hook, *url = &config->acme_directory;
    const void *alone = config->acme_dns_hook ? hook : said(config, url) ? url : NULL;
    const char *fault;
    if (!config->acme_email)
        return alone ? complain(config, alone, "it says nothing without --acme-email (ACME_EMAIL)") : 0;
    if ((fault = acme_email_fault(view_from_cstr(config->acme_email)))) return complain(config, email, fault);
    if ((fault = acme_directory_fault(view_from_cstr(config->acme_directory))))
        return complain(config, url, fault);
    if ((fault = acme_domain_fault(view_from_cstr(config->domain))))
        return complain(config, &config->domain, fault);
    if (config->acme_dns_hook && (fault = acme_hook_fault(config->acme_dns_hook)))
        return complain(config, hook, fault);
    if (!said(config, &config->public_tls_listen))
        return complain(config, email, "no port has TLS: say --public-tls-listen :443 (PUBLIC_TLS_LISTEN)");
    return config->acme_agree
               ? 0
               : complain(config, email,
                          "the authority has terms of service: read them, and say --acme-agree "
                          "(ACME_AGREE=true)");
}

/* A setting that verifies tokens, of those that were said; NULL: none was. */
static const void *token_key(const struct config *config) {
    if (config->jwt_secret_file) return &config->jwt_secret_file;
    if (config->jwt_secret) return &config->jwt_secret;
    if (config->jwks_path) return &config->jwks_path;
    if (config->jwks_url) return &config->jwks_url;
    return config->jwks ? &config->jwks : NULL;
}

static int check_jwks_url(const struct config *config) {
    const char *fault = config->jwks_url ? jwks_url_fault(view_from_cstr(config->jwks_url)) : NULL;
    const void *other = config->jwks ? &config->jwks : config->jwks_path ? &config->jwks_path : NULL;
    if (!config->jwks_url) return 0;
    if (fault) return complain(config, &config->jwks_url, fault);
    if (other) return contradict(config, &config->jwks_url, other, "one key set is enough");
    return config->jwt_audience
               ? 0
               : complain(config, &config->jwks_url,
                          "tokens that its issuer makes for others would be let in: say what their aud must "
                          "be (JWT_AUDIENCE)");
}

static const void *older_secret(const struct config *config) {
    if (config->jwt_older_files.count) return &config->jwt_older_files;
    return config->jwt_older_secret ? &config->jwt_older_secret : NULL;
}

static int check_client_ca(const struct config *config) {
    if (!config->agent_client_ca)
        return config->agent_client_crl
                   ? complain(config, &config->agent_client_crl,
                              "it says nothing without --agent-client-ca (AGENT_CLIENT_CA)")
                   : 0;
    if (!said(config, &config->agent_tls_listen))
        return complain(
            config, &config->agent_client_ca,
            "certificates are shown at a port with TLS: say --agent-tls-listen (AGENT_TLS_LISTEN)");
    return config->require_auth == ANSWER_YES
               ? 0
               : complain(config, &config->agent_client_ca,
                          "it says nothing without --require-auth=true (REQUIRE_AUTH)");
}

static int check_auth(const struct config *config) {
    const void *key = token_key(config), *older = older_secret(config);
    if (config->jwt_secret && config->jwt_secret_file)
        return contradict(config, &config->jwt_secret, &config->jwt_secret_file, "one secret is enough");
    if (older && !config->jwt_secret && !config->jwt_secret_file)
        return complain(config, older,
                        "the secret that replaces it is needed, JWT_SECRET or JWT_SECRET_FILE");
    if (config->jwt_older_files.count > JWT_OLDER_MAX - 1)
        return complain(config, &config->jwt_older_files, "3 files at most");
    if (config->jwks && config->jwks_path)
        return contradict(config, &config->jwks, &config->jwks_path, "one key set is enough");
    if (check_jwks_url(config)) return 2;
    if (config->require_auth == ANSWER_YES && !key && !config->agent_client_ca)
        return complain(
            config, &config->require_auth,
            "tokens cannot be verified without JWT_SECRET or JWT_SECRET_FILE, or a key set (JWKS, "
            "JWKS_PATH or JWKS_URL), nor agents known by certificates without --agent-client-ca "
            "(AGENT_CLIENT_CA)");
    if (config->require_auth == ANSWER_NO && key)
        return contradict(config, &config->require_auth, key, "no token is asked for");
    if (config->require_auth == ANSWER_UNSAID && key)
        return complain(config, key,
                        "it is there, but tokens are not asked for: say --require-auth=true "
                        "(REQUIRE_AUTH), or leave it out");
    if (config->require_auth != ANSWER_YES && (config->jwt_audience || config->jwt_issuer))
        return complain(config, config->jwt_audience ? &config->jwt_audience : &config->jwt_issuer,
                        "it says nothing without --require-auth=true (REQUIRE_AUTH)");
    bool tls_is_open =
        said(config, &config->agent_tls_listen) && !listen_address_is_loopback(&config->agent_tls_listen);
    bool is_open = tls_is_open || !listen_address_is_loopback(&config->agent_listen);
    if (config->require_auth == ANSWER_UNSAID && is_open)
        return complain(config, tls_is_open ? &config->agent_tls_listen : &config->agent_listen,
                        "others than this machine could open tunnels: say --require-auth=true "
                        "(REQUIRE_AUTH) and JWT_SECRET, or --require-auth=false if they may");
    return 0;
}

static int check_domains(const struct config *config) {
    return config->dns_servers && !config->custom_domains
               ? complain(config, &config->dns_servers,
                          "it says nothing without --custom-domains=true (CUSTOM_DOMAINS)")
               : 0;
}

static int check_secrets(const struct config *config) {
    if (config->secret && config->secret_file)
        return contradict(config, &config->secret, &config->secret_file, "one secret is enough");
    if (config->secret && strlen(config->secret) < 16)
        return complain(config, &config->secret, "it has fewer than 16 bytes");
    return 0;
}

static int check_visitor_policy(const struct config *config) {
    char why[200];
    struct view policy = view_from_cstr(config->visitor_policy);
    const char *fault = policy_fault(policy, why, sizeof(why));
    if (fault) return complain(config, &config->visitor_policy, fault);
    return (policy_takes(policy) & POLICY_TAKES_TOKEN) && config->require_auth != ANSWER_YES
               ? complain(config, &config->visitor_policy,
                          "nobody could visit: no token is known here that one could show (private) without "
                          "--require-auth=true (REQUIRE_AUTH)")
               : 0;
}

/* The first that was said of what says something only with an URL to ask; NULL: none was. */
static const void *said_of_forward_auth(const struct config *config) {
    const void *members[] = {&config->forward_auth_headers, &config->forward_auth_cookies,
                             &config->forward_auth_timeout_ms, &config->forward_auth_cache_ms,
                             &config->forward_auth_per_url};
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        if (said(config, members[i])) return members[i];
    return NULL;
}

static int check_forward_auth(const struct config *config) {
    struct view url = view_from_cstr(config->forward_auth);
    const void *other = said_of_forward_auth(config);
    if (!url.ptr)
        return other ? complain(config, other, "it says nothing without --forward-auth (FORWARD_AUTH)") : 0;
    const char *fault = door_url_fault(url);
    if (fault) return complain(config, &config->forward_auth, fault);
    if (!door_names_are_fields(config->forward_auth_headers.items, config->forward_auth_headers.count))
        return complain(config, &config->forward_auth_headers,
                        "expected names of fields that the gateway does not say itself, such as remote-user");
    if (!door_names_are_cookies(config->forward_auth_cookies.items, config->forward_auth_cookies.count))
        return complain(config, &config->forward_auth_cookies,
                        "expected names of cookies, or how they begin");
    if (config->forward_auth_timeout_ms == 0 || config->forward_auth_timeout_ms > 60000)
        return complain(config, &config->forward_auth_timeout_ms, "expected 1ms to 1m");
    if (config->forward_auth_cache_ms > 3600000)
        return complain(config, &config->forward_auth_cache_ms, "expected 0 (none) to 1h");
    return 0;
}

static int check_times(const struct config *config) {
    const uint64_t *times[] = {&config->header_timeout_ms,      &config->keepalive_timeout_ms,
                               &config->request_timeout_ms,     &config->body_idle_timeout_ms,
                               &config->agent_ping_interval_ms, &config->min_rate_grace_ms};
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
        if (*times[i] == 0) return complain(config, times[i], "it may not be 0");
    return 0;
}

static bool is_head_size(size_t bytes) {
    return bytes >= HTTP_HEAD_LEAST && bytes <= HTTP_HEAD_MOST;
}

static int check_heads(const struct config *config) {
    if (!is_head_size(config->request_head_bytes))
        return complain(config, &config->request_head_bytes, "expected 8KiB to 192KiB");
    if (!is_head_size(config->answer_head_bytes))
        return complain(config, &config->answer_head_bytes, "expected 8KiB to 192KiB");
    return 0;
}

static int check_quotas(const struct config *config) {
    const size_t *rates[] = {&config->tunnel_rate,    &config->owner_rate,    &config->visitor_rate,
                             &config->owner_requests, &config->owner_tunnels, &config->owner_connects};
    const size_t *bandwidths[] = {&config->tunnel_bandwidth, &config->owner_bandwidth};
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
        if (*rates[i] > TUNNEL_RATE_MAX) return complain(config, rates[i], "expected 0 (any) to 1000000");
    for (size_t i = 0; i < 2; i++)
        if (*bandwidths[i] &&
            (*bandwidths[i] < ALLOWANCE_BANDWIDTH_MIN || *bandwidths[i] > ALLOWANCE_BANDWIDTH_MAX))
            return complain(config, bandwidths[i], "expected 0 (any), or 1000 bytes a second to 1 TB");
    return 0;
}

static int check_bounds(const struct config *config) {
    if (config->max_connections == 0 || config->max_connections > 1000000)
        return complain(config, &config->max_connections, "expected 1 to 1000000");
    if (config->body_bytes > ((size_t)1 << 30))
        return complain(config, &config->body_bytes, "expected at most 1GiB: v1 keeps bodies in memory");
    if (config->visitor_share > 100)
        return complain(config, &config->visitor_share, "expected 0 (no share) to 100");
    if (config->agent_link_requests == 0 || config->agent_link_requests > LINK_REQUESTS_MAX)
        return complain(config, &config->agent_link_requests, "expected 1 to 536870912");
    if (config->metrics_tunnels > METRICS_TUNNELS_MAX)
        return complain(config, &config->metrics_tunnels, "expected 0 (none) to 2000");
    if (config->tunnel_requests == 0 || config->tunnel_requests > 4096)
        return complain(config, &config->tunnel_requests, "expected 1 to 4096");
    if (said(config, &config->max_connections) && said(config, &config->max_connections_per_address) &&
        config->max_connections_per_address > config->max_connections)
        return contradict(config, &config->max_connections_per_address, &config->max_connections,
                          "one address cannot have more than there are in all");
    return 0;
}

static int check_urls(const struct config *config) {
    struct view url = view_from_cstr(config->public_url);
    if (url.ptr && !view_starts_with(url, VIEW("http://")) && !view_starts_with(url, VIEW("https://")))
        return complain(config, &config->public_url, "expected http://… or https://…");
    struct ws_url peer_url;
    url = view_from_cstr(config->peer_url);
    if (url.len > GATEWAY_MAX) return complain(config, &config->peer_url, "it is too long");
    const char *wrong = url.ptr ? ws_url_parse(url, &peer_url) : NULL;
    return wrong ? complain(config, &config->peer_url, wrong) : 0;
}

/* The older setting says less. */
static int check_routing(struct config *config) {
    bool subdomains, was_said = said(config, &config->routing), old = config->subdomain_routing,
                     old_was_said = said(config, &config->subdomain_routing);
    if (!routing_parse(view_from_cstr(config->routing), &subdomains, &config->path_routing))
        return complain(config, &config->routing, "expected subdomain, path or both");
    if (was_said && old_was_said && subdomains != old)
        return contradict(config, &config->routing, &config->subdomain_routing, "the first is enough");
    if (was_said || !old_was_said) config->subdomain_routing = subdomains;
    if (settings_are_of(PROGRAM_APIGW) && !config->api_custom_domain && !config->path_routing)
        return contradict(config, &config->routing, &config->api_custom_domain,
                          "names under execute-api have no subdomains");
    return 0;
}

static int check_store(const struct config *config) {
    struct redis_url url;
    bool is_memory = strcmp(config->store_url, "memory") == 0;
    const char *why = is_memory ? NULL : redis_url_parse(view_from_cstr(config->store_url), &url);
    if (why) return complain(config, &config->store_url, why);
    if (config->lease_ms < 1000 || config->lease_ms > 600000)
        return complain(config, &config->lease_ms, "expected 1s to 10m");
    return 0;
}

static int check_backend(const struct config *config) {
    if (strcmp(config->backend, "gateway") == 0) return 0;
    return complain(config, &config->backend,
                    strcmp(config->backend, "lambda") == 0
                        ? "the stand-in for API Gateway and Lambda is a program of its own now: ttf-apigw"
                        : "expected gateway");
}

static int check_apigw(const struct config *config) {
    if (!config->bootstrap)
        return complain(config, &config->bootstrap, "expected the function: a program with a custom runtime");
    if (!config->dynamodb_endpoint)
        return complain(config, &config->dynamodb_endpoint, "expected the URL of DynamoDB Local");
    if (strcmp(config->api_payload, "2.0") != 0 && strcmp(config->api_payload, "1.0") != 0)
        return complain(config, &config->api_payload, "expected 2.0 or 1.0");
    if (config->lambda_concurrency == 0 || config->lambda_concurrency > 1000)
        return complain(config, &config->lambda_concurrency, "expected 1 to 1000");
    if (config->stream_batch == 0 || config->stream_batch > 1000)
        return complain(config, &config->stream_batch, "expected 1 to 1000");
    return 0;
}

static int check_access_log(struct config *config) {
    if (!access_form_parse(view_from_cstr(config->access_log_format), &config->access_form))
        return complain(config, &config->access_log_format, "expected text, combined, json or off");
    bool is_line = config->access_form == ACCESS_FORM_COMBINED || config->access_form == ACCESS_FORM_JSON;
    if (!is_line && strcmp(config->access_log, "stderr") != 0)
        return contradict(config, &config->access_log, &config->access_log_format,
                          "a file holds combined or json");
    return 0;
}

static int check_sandbox(struct config *config) {
    if (sandbox_parse(config->sandbox_how, &config->sandbox)) return 0;
    return complain(config, &config->sandbox_how, "expected auto or off");
}

/* Right, and perhaps not what was meant. */
static void warn_of_scheme(const struct config *config) {
    if (!view_starts_with(view_from_cstr(config->public_url), VIEW("https://"))) return;
    if (config->proxies_text.count || settings_are_of(PROGRAM_APIGW)) return;
    if (said(config, &config->public_tls_listen)) return;
    char origin[CONFIG_ORIGIN_MAX];
    fprintf(
        stderr,
        "%s: %s: visitors come by https, but services are told x-forwarded-proto: http, since no proxy is "
        "believed: name yours with --trusted-proxies (TRUSTED_PROXIES)\n",
        program_name(), config_origin(config, config_setting_at(config, &config->public_url), origin));
}

/* To browsers all tunnels of a host are one: those who need tokens may not trust each other. (Not the
 * default, which would take paths away from gateways that serve by them today.) */
static void warn_of_shared_origin(const struct config *config) {
    bool was_said = said(config, &config->routing) || said(config, &config->subdomain_routing);
    bool is_local = strcmp(config->domain, "localhost") == 0;
    if (was_said || config->require_auth != ANSWER_YES || is_local || settings_are_of(PROGRAM_APIGW)) return;
    fprintf(
        stderr,
        "%s: tunnels are reached by paths as well, where they share one origin and read each other's pages "
        "and storage: --routing subdomain (ROUTING) refuses paths, both keeps them\n",
        program_name());
}

/* Bounds that were asked for, and that something else will reach first. */
static void warn_of_bounds(const struct config *config) {
    static const char files[] = "open files (ulimit -n, LimitNOFILE)",
                      memory[] = "bytes of memory that there are",
                      bodies[] = "bytes of memory, and a body of v1 takes three times its size",
                      connections[] = "connections at once (max-connections)";
    const uint64_t descriptors = machine_descriptors(), bytes = machine_memory_bytes(),
                   most = config->max_connections;
    const struct {
        const size_t *member;
        uint64_t there_are, reached_at; /* 0: not known */
        const char *what;
    } bounds[] = {
        {&config->max_connections, descriptors, descriptors, files},
        {&config->max_connections_per_address, descriptors, descriptors, files},
        {&config->owner_tunnels, descriptors, descriptors, files},
        {&config->memory_limit_bytes, bytes, bytes, memory},
        {&config->body_bytes, bytes, bytes / 4, bodies},
        {&config->tunnel_requests, most, most, connections},
        {&config->owner_requests, most, most, connections},
        {&config->owner_tunnels, most, most, connections},
    };
    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        char origin[CONFIG_ORIGIN_MAX];
        const size_t *member = bounds[i].member;
        if (!said(config, member) || !bounds[i].reached_at || *member <= bounds[i].reached_at) continue;
        fprintf(stderr, "%s: %s: it is no bound here: something else is reached first, %" PRIu64 " %s\n",
                program_name(), config_origin(config, config_setting_at(config, member), origin),
                bounds[i].there_are, bounds[i].what);
    }
}

int config_check(struct config *config) {
    int code = parse_proxies(config);
    if (!code) code = settings_are_of(PROGRAM_APIGW) ? check_apigw(config) : check_backend(config);
    if (!code) code = check_protocols(config);
    if (!code) code = check_urls(config);
    if (!code) code = check_routing(config);
    if (!code) code = check_store(config);
    if (!code) code = check_ports(config);
    if (!code && settings_are_of(PROGRAM_GATEWAY)) code = check_tls(config);
    if (!code && settings_are_of(PROGRAM_GATEWAY)) code = check_acme(config);
    if (!code) code = check_auth(config);
    if (!code) code = check_client_ca(config);
    if (!code) code = check_domains(config);
    if (!code) code = check_secrets(config);
    if (!code) code = check_visitor_policy(config);
    if (!code) code = check_forward_auth(config);
    if (!code) code = check_times(config);
    if (!code && settings_are_of(PROGRAM_GATEWAY)) code = check_heads(config);
    if (!code && settings_are_of(PROGRAM_GATEWAY)) code = check_access_log(config);
    if (!code) code = check_sandbox(config);
    if (!code) code = check_bounds(config);
    if (!code) code = check_quotas(config);
    if (!code) warn_of_scheme(config);
    if (!code) warn_of_shared_origin(config);
    if (!code && settings_are_of(PROGRAM_GATEWAY)) warn_of_bounds(config);
    return code;
}
