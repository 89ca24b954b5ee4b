/* Who may open tunnels, and who may visit them. */
#include "config/config_check.h"
#include "doorman/doorman.h"
#include "issuer/jwks_url.h"
#include "policy/policy.h"

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
    if (fault) return config_complain(config, &config->jwks_url, fault);
    if (other) return config_contradict(config, &config->jwks_url, other, "one key set is enough");
    return config->jwt_audience
               ? 0
               : config_complain(
                     config, &config->jwks_url,
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
                   ? config_complain(config, &config->agent_client_crl,
                                     "it says nothing without --agent-client-ca (AGENT_CLIENT_CA)")
                   : 0;
    if (!config_said(config, &config->agent_tls_listen))
        return config_complain(
            config, &config->agent_client_ca,
            "certificates are shown at a port with TLS: say --agent-tls-listen (AGENT_TLS_LISTEN)");
    return config->require_auth == ANSWER_YES
               ? 0
               : config_complain(config, &config->agent_client_ca,
                                 "it says nothing without --require-auth=true (REQUIRE_AUTH)");
}

static int check_auth(const struct config *config) {
    const void *key = token_key(config), *older = older_secret(config);
    if (config->jwt_secret && config->jwt_secret_file)
        return config_contradict(config, &config->jwt_secret, &config->jwt_secret_file,
                                 "one secret is enough");
    if (older && !config->jwt_secret && !config->jwt_secret_file)
        return config_complain(config, older,
                               "the secret that replaces it is needed, JWT_SECRET or JWT_SECRET_FILE");
    if (config->jwt_older_files.count > JWT_OLDER_MAX - 1)
        return config_complain(config, &config->jwt_older_files, "3 files at most");
    if (config->jwks && config->jwks_path)
        return config_contradict(config, &config->jwks, &config->jwks_path, "one key set is enough");
    if (check_jwks_url(config)) return 2;
    if (config->require_auth == ANSWER_YES && !key && !config->agent_client_ca)
        return config_complain(
            config, &config->require_auth,
            "tokens cannot be verified without JWT_SECRET or JWT_SECRET_FILE, or a key set (JWKS, "
            "JWKS_PATH or JWKS_URL), nor agents known by certificates without --agent-client-ca "
            "(AGENT_CLIENT_CA)");
    if (config->require_auth == ANSWER_NO && key)
        return config_contradict(config, &config->require_auth, key, "no token is asked for");
    if (config->require_auth == ANSWER_UNSAID && key)
        return config_complain(config, key,
                               "it is there, but tokens are not asked for: say --require-auth=true "
                               "(REQUIRE_AUTH), or leave it out");
    if (config->require_auth != ANSWER_YES && (config->jwt_audience || config->jwt_issuer))
        return config_complain(config, config->jwt_audience ? &config->jwt_audience : &config->jwt_issuer,
                               "it says nothing without --require-auth=true (REQUIRE_AUTH)");
    bool tls_is_open = config_said(config, &config->agent_tls_listen) &&
                       !listen_address_is_loopback(&config->agent_tls_listen);
    bool is_open = tls_is_open || !listen_address_is_loopback(&config->agent_listen);
    if (config->require_auth == ANSWER_UNSAID && is_open)
        return config_complain(config, tls_is_open ? &config->agent_tls_listen : &config->agent_listen,
                               "others than this machine could open tunnels: say --require-auth=true "
                               "(REQUIRE_AUTH) and JWT_SECRET, or --require-auth=false if they may");
    return 0;
}

static int check_secrets(const struct config *config) {
    if (config->secret && config->secret_file)
        return config_contradict(config, &config->secret, &config->secret_file, "one secret is enough");
    if (config->secret && strlen(config->secret) < 16)
        return config_complain(config, &config->secret, "it has fewer than 16 bytes");
    return 0;
}

/* ---- visitors ---- */

static int check_visitor_policy(const struct config *config) {
    char why[200];
    struct view policy = view_from_cstr(config->visitor_policy);
    const char *fault = policy_fault(policy, why, sizeof(why));
    if (fault) return config_complain(config, &config->visitor_policy, fault);
    return (policy_takes(policy) & POLICY_TAKES_TOKEN) && config->require_auth != ANSWER_YES
               ? config_complain(
                     config, &config->visitor_policy,
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
        if (config_said(config, members[i])) return members[i];
    return NULL;
}

static int check_forward_auth(const struct config *config) {
    struct view url = view_from_cstr(config->forward_auth);
    const void *other = said_of_forward_auth(config);
    if (!url.ptr)
        return other ? config_complain(config, other, "it says nothing without --forward-auth (FORWARD_AUTH)")
                     : 0;
    const char *fault = door_url_fault(url);
    if (fault) return config_complain(config, &config->forward_auth, fault);
    if (!door_names_are_fields(config->forward_auth_headers.items, config->forward_auth_headers.count))
        return config_complain(
            config, &config->forward_auth_headers,
            "expected names of fields that the gateway does not say itself, such as remote-user");
    if (!door_names_are_cookies(config->forward_auth_cookies.items, config->forward_auth_cookies.count))
        return config_complain(config, &config->forward_auth_cookies,
                               "expected names of cookies, or how they begin");
    if (config->forward_auth_timeout_ms == 0 || config->forward_auth_timeout_ms > 60000)
        return config_complain(config, &config->forward_auth_timeout_ms, "expected 1ms to 1m");
    if (config->forward_auth_cache_ms > 3600000)
        return config_complain(config, &config->forward_auth_cache_ms, "expected 0 (none) to 1h");
    return 0;
}

int config_check_auth(const struct config *config) {
    int code = check_auth(config);
    if (!code) code = check_client_ca(config);
    if (!code) code = check_secrets(config);
    if (!code) code = check_visitor_policy(config);
    if (!code) code = check_forward_auth(config);
    return code;
}

/* ---- right, and perhaps not what was meant ---- */

void config_warn_of_auth(const struct config *config) {
    if (config->require_auth != ANSWER_YES && config_said(config, &config->enforce_exp))
        config_warn(config, &config->enforce_exp,
                    "it says nothing without --require-auth=true (REQUIRE_AUTH)");
}
