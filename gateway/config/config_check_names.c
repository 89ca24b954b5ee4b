/* Where visitors and agents come, and by which names. */
#include <stdio.h>
#include <stdlib.h>

#include "config/config_check.h"
#include "config/config_parse.h"
#include "handler/claim.h"
#include "handler/route.h"
#include "net/ws_url.h"

static int parse_proxies(struct config *config) {
    config->proxies = calloc(config->proxies_text.count + 1, sizeof(*config->proxies));
    for (size_t i = 0; config->proxies && i < config->proxies_text.count; i++) {
        if (!network_parse(config->proxies_text.items[i], &config->proxies[i]))
            return config_complain(config, &config->proxies_text, "expected networks such as 10.0.0.0/8");
        if (config->proxies[i].bits == 0)
            return config_complain(
                config, &config->proxies_text,
                "anybody could say that he comes from wherever he likes: name the networks of "
                "your proxies alone");
    }
    return config->proxies ? 0 : 2;
}

static int check_protocols(const struct config *config) {
    for (size_t i = 0; i < config->agent_protocols.count; i++) {
        struct view name = config->agent_protocols.items[i];
        if (!view_eq(name, VIEW("v1")) && !view_eq(name, VIEW("v2")))
            return config_complain(config, &config->agent_protocols, "expected v2,v1, v2 or v1");
    }
    return config->agent_protocols.count
               ? 0
               : config_complain(config, &config->agent_protocols, "expected v2,v1, v2 or v1");
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
                return config_contradict(config, ports[i], ports[j], "they are the same address");
    return 0;
}

static int check_urls(const struct config *config) {
    struct view url = view_from_cstr(config->public_url);
    if (url.ptr && !view_starts_with(url, VIEW("http://")) && !view_starts_with(url, VIEW("https://")))
        return config_complain(config, &config->public_url, "expected http://… or https://…");
    struct ws_url peer_url;
    url = view_from_cstr(config->peer_url);
    if (url.len > GATEWAY_MAX) return config_complain(config, &config->peer_url, "it is too long");
    const char *wrong = url.ptr ? ws_url_parse(url, &peer_url) : NULL;
    return wrong ? config_complain(config, &config->peer_url, wrong) : 0;
}

/* The older setting says less. */
static int check_routing(struct config *config) {
    bool subdomains, was_said = config_said(config, &config->routing), old = config->subdomain_routing,
                     old_was_said = config_said(config, &config->subdomain_routing);
    if (!routing_parse(view_from_cstr(config->routing), &subdomains, &config->path_routing))
        return config_complain(config, &config->routing, "expected subdomain, path or both");
    if (was_said && old_was_said && subdomains != old)
        return config_contradict(config, &config->routing, &config->subdomain_routing, "the first is enough");
    if (was_said || !old_was_said) config->subdomain_routing = subdomains;
    if (settings_are_of(PROGRAM_APIGW) && !config->api_custom_domain && !config->path_routing)
        return config_contradict(config, &config->routing, &config->api_custom_domain,
                                 "names under execute-api have no subdomains");
    return 0;
}

static int check_domains(const struct config *config) {
    return config->dns_servers && !config->custom_domains
               ? config_complain(config, &config->dns_servers,
                                 "it says nothing without --custom-domains=true (CUSTOM_DOMAINS)")
               : 0;
}

/* ---- right, and perhaps not what was meant ---- */

static void warn_of_scheme(const struct config *config) {
    if (!view_starts_with(view_from_cstr(config->public_url), VIEW("https://"))) return;
    if (config->proxies_text.count || settings_are_of(PROGRAM_APIGW)) return;
    if (config_said(config, &config->public_tls_listen)) return;
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
    bool was_said = config_said(config, &config->routing) || config_said(config, &config->subdomain_routing);
    bool is_local = strcmp(config->domain, "localhost") == 0;
    if (was_said || config->require_auth != ANSWER_YES || is_local || settings_are_of(PROGRAM_APIGW)) return;
    fprintf(
        stderr,
        "%s: tunnels are reached by paths as well, where they share one origin and read each other's pages "
        "and storage: --routing subdomain (ROUTING) refuses paths, both keeps them\n",
        program_name());
}

int config_check_names(struct config *config) {
    int code = parse_proxies(config);
    if (!code) code = check_protocols(config);
    if (!code) code = check_urls(config);
    if (!code) code = check_routing(config);
    if (!code) code = check_ports(config);
    if (!code) code = check_domains(config);
    return code;
}

void config_warn_of_names(const struct config *config) {
    warn_of_scheme(config);
    warn_of_shared_origin(config);
}
