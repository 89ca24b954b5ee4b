/* By which names and URLs the gateway and its tunnels are reached. */
#include <stdio.h>
#include <string.h>

#include "config/config_check.h"
#include "config/config_parse.h"
#include "handler/claim.h"
#include "handler/route.h"
#include "http/chars.h"
#include "http/host.h"
#include "net/ws_url.h"

/* Host fields are compared in lower case, without a dot at the end: names are kept so, too. False: it is none
 * that somebody could ask for. */
static bool tidy_host(char *at, size_t *len) {
    struct arena arena;
    struct host host;
    arena_init(&arena, 1024);
    bool ok = host_parse(view_of(at, *len), &arena, &host) && !host.port && at[0] != '[';
    if (ok) memcpy(at, host.name.ptr, *len = host.name.len);
    arena_done(&arena);
    return ok;
}

static int tidy_names(struct config *config) {
    size_t len = strlen(config->domain);
    if (!tidy_host(config->domain, &len))
        return config_complain(
            config, &config->domain,
            "expected a host name, without a scheme or a port, such as tunnel.example.com");
    config->domain[len] = '\0';
    for (size_t i = 0; i < config->names.count; i++) {
        struct view *name = &config->names.items[i];
        if (!tidy_host(config->names.storage + (name->ptr - config->names.storage), &name->len))
            return config_complain(
                config, &config->names,
                "expected host names, without a scheme or a port, such as dev.example.org");
    }
    return 0;
}

static int check_allowed_names(const struct config *config) {
    for (size_t i = 0; i < config->allowed_names.count; i++) {
        struct view name = config->allowed_names.items[i];
        char label[64] = "";
        if (name.len < sizeof(label)) http_lower_copy(label, name);
        if (!host_is_tunnel_label(view_of(label, name.len < sizeof(label) ? name.len : 0)))
            return config_complain(
                config, &config->allowed_names,
                "expected names as a tunnel may have them, such as api: 3 to 63 of a-z, 0-9 "
                "and -, without the domain");
    }
    return 0;
}

/* Behind the host only a path may stand: a proxy before the gateway may have one. */
static struct view public_host(const struct config *config) {
    struct view url = view_from_cstr(config->public_url);
    struct view rest = view_skip(url, view_find(url, ':') + 3);
    return view_slice(rest, 0, view_find(rest, '/'));
}

static int check_public_url(const struct config *config) {
    struct view url = view_from_cstr(config->public_url);
    struct arena arena;
    struct host host;
    if (!url.ptr) return 0;
    if (!view_starts_with(url, VIEW("http://")) && !view_starts_with(url, VIEW("https://")))
        return config_complain(config, &config->public_url, "expected http://… or https://…");
    if (url.len >= PUBLIC_URL_MAX) return config_complain(config, &config->public_url, "it is too long");
    arena_init(&arena, 1024);
    bool ok = host_parse(public_host(config), &arena, &host) && http_is_visible(url) &&
              !strpbrk(config->public_url, "?#\"<>\\");
    arena_done(&arena);
    return ok ? 0
              : config_complain(
                    config, &config->public_url,
                    "expected a host and perhaps a port behind ://, as https://tunnel.example.com");
}

static int check_peer_url(const struct config *config) {
    struct ws_url peer_url;
    struct view url = view_from_cstr(config->peer_url);
    if (url.len > GATEWAY_MAX) return config_complain(config, &config->peer_url, "it is too long");
    const char *wrong = url.ptr ? ws_url_parse(url, &peer_url) : NULL;
    return wrong ? config_complain(config, &config->peer_url, wrong) : 0;
}

static bool is_address(struct view name) {
    struct arena arena;
    struct host host;
    arena_init(&arena, 1024);
    bool ok = host_parse(name, &arena, &host) && host.is_ip;
    arena_done(&arena);
    return ok;
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
    if (!config->path_routing && is_address(view_from_cstr(config->domain)))
        return config_contradict(config, &config->domain, &config->routing,
                                 "an address has no subdomains: say a name of yours with --domain");
    if (settings_are_of(PROGRAM_APIGW) && !config->api_custom_domain && !config->path_routing)
        return config_contradict(config, &config->routing, &config->api_custom_domain,
                                 "names under execute-api have no subdomains");
    return 0;
}

static int check_domains(const struct config *config) {
    if (config->dns_servers && !config->custom_domains)
        return config_complain(config, &config->dns_servers,
                               "it says nothing without --custom-domains=true (CUSTOM_DOMAINS)");
    return config->custom_domains && config->require_auth != ANSWER_YES
               ? config_complain(config, &config->custom_domains,
                                 "nobody could bring one: the agent's token says whose a domain is, so say "
                                 "--require-auth=true (REQUIRE_AUTH)")
               : 0;
}

static const void *routing_member(const struct config *config) {
    return config_said(config, &config->routing) ? (const void *)&config->routing
                                                 : &config->subdomain_routing;
}

static int check_first_visit(const struct config *config) {
    return config->first_visit_page && !config->subdomain_routing
               ? config_contradict(
                     config, &config->first_visit_page, routing_member(config),
                     "tunnels that are reached by paths share one origin, where any of them can "
                     "go past the page for its visitors: say --routing subdomain")
               : 0;
}

/* ---- right, and perhaps not what was meant ---- */

static void warn_of_scheme(const struct config *config) {
    if (!view_starts_with(view_from_cstr(config->public_url), VIEW("https://"))) return;
    if (config->proxies_text.count || config_said(config, &config->public_tls_listen)) return;
    config_warn(config, &config->public_url,
                "visitors come by https, but services are told x-forwarded-proto: http, since no proxy is "
                "believed: name yours with --trusted-proxies (TRUSTED_PROXIES)");
}

static bool is_own_name(const struct config *config, struct view name) {
    if (view_eq(name, view_from_cstr(config->domain))) return true;
    for (size_t i = 0; i < config->names.count; i++)
        if (view_eq(name, config->names.items[i])) return true;
    return false;
}

/* A proxy may say another Host to us than visitors say to it. */
static void warn_of_foreign_name(const struct config *config) {
    struct arena arena;
    struct host host;
    arena_init(&arena, 1024);
    if (config->public_url && host_parse(public_host(config), &arena, &host) && !host.is_ip &&
        !is_own_name(config, host.name))
        config_warn(
            config, &config->public_url,
            "who follows it asks for a name that is none of the gateway's, and gets 421: say --domain "
            "(DOMAIN_NAME), or --names (OTHER_NAMES)");
    arena_done(&arena);
}

static void warn_of_first_visit(const struct config *config) {
    if (!config->first_visit_page) return;
    if (config->require_auth == ANSWER_YES)
        config_warn(
            config, &config->first_visit_page,
            "nobody is shown the page: it is for tunnels without a token, and --require-auth wants one "
            "of all");
    else if (config->path_routing && strcmp(config->domain, "localhost") != 0)
        config_warn(config, &config->first_visit_page,
                    "tunnels are reached by paths as well, where they can go past the page for each other's "
                    "visitors: --routing subdomain (ROUTING) refuses paths");
}

/* To browsers all tunnels of a host are one: those who need tokens may not trust each other. (Not the
 * default, which would take paths away from gateways that serve by them today.) */
static void warn_of_shared_origin(const struct config *config) {
    bool was_said = config_said(config, &config->routing) || config_said(config, &config->subdomain_routing);
    bool is_local = strcmp(config->domain, "localhost") == 0;
    if (was_said || config->require_auth != ANSWER_YES || is_local) return;
    fprintf(
        stderr,
        "%s: tunnels are reached by paths as well, where they share one origin and read each other's pages "
        "and storage: --routing subdomain (ROUTING) refuses paths, both keeps them\n",
        program_name());
}

int config_check_names(struct config *config) {
    int code = tidy_names(config);
    if (!code) code = check_allowed_names(config);
    if (!code) code = check_public_url(config);
    if (!code) code = check_peer_url(config);
    if (!code) code = check_routing(config);
    if (!code) code = check_domains(config);
    if (!code) code = check_first_visit(config);
    return code;
}

void config_warn_of_names(const struct config *config) {
    warn_of_scheme(config);
    warn_of_foreign_name(config);
    warn_of_first_visit(config);
    warn_of_shared_origin(config);
}
