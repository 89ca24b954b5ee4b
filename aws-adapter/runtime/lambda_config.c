#include "runtime/lambda_config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "auth/secret_strength.h"
#include "base/regular_file.h"
#include "doorman/doorman.h"
#include "handler/core.h"
#include "handler/route.h"
#include "issuer/jwks_url.h"
#include "policy/policy.h"

#define JWKS_PATH_DEFAULT "/var/task/jwks.json"

enum { SECRET_MIN = 16 };

static bool complain(char why[256], const char *name, const char *what) {
    snprintf(why, 256, "%s: %.200s", name, what);
    return false;
}

static const char *variable(const char *name) {
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static bool required(const char *name, const char **ret_value, char why[256]) {
    *ret_value = variable(name);
    return *ret_value || complain(why, name, "it is not set");
}

static bool read_bool(const char *name, bool *ret_value, char why[256]) {
    const char *value = variable(name);
    if (!value) return true;
    bool yes = strcasecmp(value, "true") == 0 || strcmp(value, "1") == 0;
    bool no = strcasecmp(value, "false") == 0 || strcmp(value, "0") == 0;
    *ret_value = yes;
    return yes || no || complain(why, name, "expected true or false");
}

/* ---- names ---- */

static bool contains(struct view text, struct view part) {
    for (size_t i = 0; i < text.len; i++)
        if (view_starts_with(view_skip(text, i), part)) return true;
    return false;
}

/* The last segment of "wss://host/stage"; absent for none, and for "$default". */
static struct view stage_of(struct view endpoint) {
    struct view rest = view_skip(endpoint, view_find(endpoint, ':') + 3);
    struct view path = view_skip(rest, view_find(rest, '/') + 1);
    while (path.len && path.ptr[path.len - 1] == '/') path.len--;
    return path.len == 0 || view_eq(path, VIEW("$default")) ? (struct view){0} : path;
}

/* DOMAIN_NAME is a custom domain, or the API's own host, perhaps with the stage behind it ("host/dev"). Where
 * that is not said, HTTP API and WebSocket API have stages of one name. */
static bool read_names(struct lambda_config *config, char why[256]) {
    const char *domain, *url = variable("PUBLIC_URL");
    if (!required("DOMAIN_NAME", &domain, why)) return false;
    struct view host = view_from_cstr(domain);
    struct view path = view_skip(host, view_find(host, '/'));
    host = view_slice(host, 0, view_find(host, '/'));
    if (!view_copy_to(host, config->domain, sizeof(config->domain)) || host.len == 0)
        return complain(why, "DOMAIN_NAME", "expected a host name");
    for (char *at = config->domain; *at; at++)
        if (*at >= 'A' && *at <= 'Z') *at = (char)(*at | 0x20);
    struct view stage = {0};
    if (path.len <= 1 && contains(host, VIEW(".execute-api.")))
        stage = stage_of(view_from_cstr(config->websocket_endpoint));
    int len = url ? snprintf(config->public_url, sizeof(config->public_url), "%s", url)
                  : snprintf(config->public_url, sizeof(config->public_url), "https://%s%.*s%s%.*s",
                             config->domain, VIEW_ARG(path), stage.len ? "/" : "", VIEW_ARG(stage));
    if (len <= 0 || (size_t)len >= sizeof(config->public_url))
        return complain(why, "DOMAIN_NAME", "it is too long");
    while (len > 0 && config->public_url[len - 1] == '/') config->public_url[--len] = '\0';
    return contains(view_from_cstr(config->public_url), VIEW("://")) ||
           complain(why, "PUBLIC_URL", "expected https://…");
}

/* By commas. */
static bool read_list(const char *variable_name, const char *fallback, struct lambda_names *names,
                      char why[256]) {
    const char *text = variable(variable_name);
    struct view rest = view_from_cstr(text ? text : fallback), name;
    while (view_split(&rest, ',', &name)) {
        name = view_trim(name);
        if (name.len == 0) continue;
        if (names->count == LAMBDA_NAMES_MAX) return complain(why, variable_name, "too many names");
        names->items[names->count++] = name;
    }
    return true;
}

/* ENABLE_SUBDOMAIN_ROUTING is what earlier versions called it, and says less. */
static bool read_routing(struct lambda_config *config, char why[256]) {
    const char *routing = variable("ROUTING"), *older = variable("ENABLE_SUBDOMAIN_ROUTING");
    bool subdomains = false;
    config->path_routing = true;
    if (!read_bool("ENABLE_SUBDOMAIN_ROUTING", &subdomains, why)) return false;
    config->subdomain_routing = subdomains;
    if (!routing) return true;
    if (!routing_parse(view_from_cstr(routing), &config->subdomain_routing, &config->path_routing))
        return complain(why, "ROUTING", "expected subdomain, path or both");
    return !older || subdomains == config->subdomain_routing ||
           complain(why, "ROUTING", "it contradicts ENABLE_SUBDOMAIN_ROUTING");
}

/* ---- secrets ---- */

/* Of its own, or made from the secret of the tokens. */
static bool read_secret(struct lambda_config *config, char why[256]) {
    const char *own = variable("TUNNEL_SECRET"), *shared = variable("JWT_SECRET");
    unsigned char derived[SECRET_LEN];
    if (own && strlen(own) < SECRET_MIN) return complain(why, "TUNNEL_SECRET", "it has fewer than 16 bytes");
    if (!own && (!shared || strlen(shared) < SECRET_MIN)) return true;
    const char *weakness =
        !own && strlen(shared) >= JWT_SECRET_MIN ? secret_weakness(view_from_cstr(shared)) : NULL;
    if (weakness) return complain(why, "JWT_SECRET", weakness);
    bool ok = own || secret_derive(view_from_cstr(shared), VIEW("tunnel"), derived);
    struct view secret = own ? view_from_cstr(own) : view_of(derived, sizeof(derived));
    ok = ok && secret_derive(secret, VIEW("resume"), config->resume_key) &&
         secret_derive(secret, VIEW("waiter"), config->waiter_key);
    explicit_bzero(derived, sizeof(derived));
    config->has_secret = ok;
    return ok || complain(why, "TUNNEL_SECRET", "no key could be made from it");
}

/* JWKS, or else the file, which need not be there if nobody said so. */
static bool read_key_set(struct lambda_config *config, char why[256]) {
    const char *text = variable("JWKS"), *said = variable("JWKS_PATH"),
               *path = said ? said : JWKS_PATH_DEFAULT;
    char what[JWKS_WHY_MAX];
    struct buf file;
    buf_init(&file, JWKS_READ_MAX);
    int error = text ? 0 : jwks_read_file(path, &file);
    bool absent = !text && !said && error == ENOENT;
    if (error)
        snprintf(what, sizeof(what), "%s: %s", path, file_problem(error));
    else
        config->jwks = jwks_parse(text ? view_from_cstr(text) : buf_view(&file), what);
    buf_done(&file);
    return config->jwks || absent || complain(why, text ? "JWKS" : "JWKS_PATH", what);
}

/* Instead of a set that the package brings along. */
static bool read_key_url(struct lambda_config *config, char why[256]) {
    const char *fault = jwks_url_fault(view_from_cstr(config->jwks_url));
    if (fault) return complain(why, "JWKS_URL", fault);
    if (variable("JWKS") || variable("JWKS_PATH"))
        return complain(why, "JWKS_URL", "it contradicts JWKS and JWKS_PATH: one key set is enough");
    return config->jwt.audience.len ||
           complain(why, "JWKS_URL",
                    "tokens that its issuer makes for others would be let in: say what their aud must be "
                    "(JWT_AUDIENCE)");
}

static bool judge_token_secret(const char *name, struct view secret, char why[256]) {
    if (!secret.len) return true;
    const char *weakness =
        secret.len < JWT_SECRET_MIN ? "it has fewer than 32 bytes" : secret_weakness(secret);
    return !weakness || complain(why, name, weakness);
}

/* Keys are looked at only where they count. */
static bool read_auth(struct lambda_config *config, char why[256]) {
    if (!variable("REQUIRE_AUTH"))
        return complain(why, "REQUIRE_AUTH", "say false if any agent may open tunnels");
    config->enforce_exp = true;
    if (!read_bool("REQUIRE_AUTH", &config->require_auth, why) ||
        !read_bool("ENFORCE_EXP", &config->enforce_exp, why))
        return false;
    config->jwt = (struct jwt_settings){.secret = view_from_cstr(variable("JWT_SECRET")),
                                        .older = {view_from_cstr(variable("JWT_OLDER_SECRET"))},
                                        .audience = view_from_cstr(variable("JWT_AUDIENCE")),
                                        .issuer = view_from_cstr(variable("JWT_ISSUER"))};
    if (!config->require_auth) return true;
    config->jwks_url = variable("JWKS_URL");
    if (!(config->jwks_url ? read_key_url(config, why) : read_key_set(config, why))) return false;
    config->jwt.keys = config->jwks;
    if (!config->jwt.secret.len && !config->jwks && !config->jwks_url)
        return complain(why, "JWT_SECRET", "REQUIRE_AUTH wants it, or JWKS, JWKS_PATH or JWKS_URL");
    return judge_token_secret("JWT_SECRET", config->jwt.secret, why) &&
           judge_token_secret("JWT_OLDER_SECRET", config->jwt.older[0], why) &&
           (config->jwt.secret.len || !config->jwt.older[0].len ||
            complain(why, "JWT_OLDER_SECRET", "the secret that replaces it is needed, JWT_SECRET"));
}

static bool read_visitor_policy(struct lambda_config *config, char why[256]) {
    char fault[200];
    config->visitor_policy = view_from_cstr(variable("VISITOR_POLICY"));
    if (policy_fault(config->visitor_policy, fault, sizeof(fault)))
        return complain(why, "VISITOR_POLICY", fault);
    return config->require_auth || !(policy_takes(config->visitor_policy) & POLICY_TAKES_TOKEN) ||
           complain(why, "VISITOR_POLICY",
                    "nobody could visit: no token is known here that one could show (private) without "
                    "REQUIRE_AUTH=true");
}

/* Who is asked about visitors, as at gateways. */
static bool read_forward_auth(struct lambda_config *config, char why[256]) {
    struct lambda_names *fields = &config->door_fields, *cookies = &config->door_cookies;
    config->forward_auth = view_from_cstr(variable("FORWARD_AUTH"));
    if (!config->forward_auth.ptr) return true;
    const char *fault = door_url_fault(config->forward_auth);
    if (fault) return complain(why, "FORWARD_AUTH", fault);
    if (!read_list("FORWARD_AUTH_HEADERS", DOOR_FIELDS_DEFAULT, fields, why) ||
        !read_list("FORWARD_AUTH_COOKIES", DOOR_COOKIES_DEFAULT, cookies, why))
        return false;
    if (!door_names_are_fields(fields->items, fields->count))
        return complain(why, "FORWARD_AUTH_HEADERS", "expected names of fields, such as remote-user");
    return door_names_are_cookies(cookies->items, cookies->count) ||
           complain(why, "FORWARD_AUTH_COOKIES", "expected names of cookies, or how they begin");
}

static bool read_rate(struct lambda_config *config, char why[256]) {
    const char *text = variable("PER_TUNNEL_RATE_LIMIT");
    uint64_t rate = 0;
    bool good = !text || (view_parse_u64(view_from_cstr(text), &rate) && rate <= TUNNEL_RATE_MAX);
    config->tunnel_rate = (size_t)rate;
    return good || complain(why, "PER_TUNNEL_RATE_LIMIT", "expected 0 (any) to 1000000 requests a second");
}

/* USE_EVENT_DRIVEN is what earlier versions called it. */
static bool read_wait_mode(struct lambda_config *config, char why[256]) {
    static const char *const modes[] = {"polling", "stream", "direct"};
    const char *mode = variable("WAIT_MODE");
    bool event_driven = false;
    if (!mode) {
        if (!read_bool("USE_EVENT_DRIVEN", &event_driven, why)) return false;
        config->wait_mode = event_driven ? WAIT_DIRECT : WAIT_POLLING;
        return true;
    }
    for (enum wait_mode i = WAIT_POLLING; i <= WAIT_DIRECT; i++) {
        config->wait_mode = i;
        if (strcmp(mode, modes[i]) == 0) return true;
    }
    return complain(why, "WAIT_MODE", "expected polling, stream or direct");
}

static bool read_level(struct lambda_config *config, char why[256]) {
    const char *text = variable("LOG_LEVEL");
    config->log_level = LOG_LEVEL_INFO;
    if (!text) return true;
    for (enum log_level level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
        config->log_level = level;
        if (strcasecmp(text, log_level_name(level)) == 0) return true;
    }
    return complain(why, "LOG_LEVEL", "expected error, warn, info or debug");
}

static bool read_metrics(struct lambda_config *config, char why[256]) {
    const char *format = variable("METRICS");
    config->tells_metrics = format && strcmp(format, "emf") == 0;
    return !format || config->tells_metrics || complain(why, "METRICS", "expected emf");
}

bool lambda_config_read(struct lambda_config *config, char why[256]) {
    const char *missing = NULL;
    bool publish = false;
    *config = (struct lambda_config){.runtime_api = variable("AWS_LAMBDA_RUNTIME_API")};
    if (!aws_environment_read(&config->aws, &missing)) return complain(why, missing, "it is not set");
    bool ok = required("CONNECTIONS_TABLE_NAME", &config->connections_table, why) &&
              required("PENDING_REQUESTS_TABLE_NAME", &config->requests_table, why) &&
              required("WEBSOCKET_API_ENDPOINT", &config->websocket_endpoint, why) &&
              read_names(config, why) && read_list("OTHER_NAMES", NULL, &config->other_names, why) &&
              read_list("ALLOWED_NAMES", NULL, &config->allowed_names, why) && read_routing(config, why) &&
              read_bool("PUBLISH_EVENTS", &publish, why) &&
              read_bool("CUSTOM_DOMAINS", &config->custom_domains, why) && read_secret(config, why) &&
              read_auth(config, why) && read_visitor_policy(config, why) && read_forward_auth(config, why) &&
              read_rate(config, why) && read_wait_mode(config, why) && read_level(config, why) &&
              read_metrics(config, why);
    if (ok && publish) ok = required("EVENT_BUS_NAME", &config->event_bus, why);
    return ok;
}

void lambda_config_done(struct lambda_config *config) {
    jwks_free(config->jwks);
    config->jwks = NULL;
}
