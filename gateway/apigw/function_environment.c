/* See function_environment.h. */
#include "apigw/function_environment.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "config/secret_file.h"
#include "handler/route.h"

extern char **environ;

#define SET_MAX 28
#define VARIABLES_MAX 4096 /* "Lambda quotas": all environment variables of a function */

static bool put(struct function_environment *environment, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool put(struct function_environment *environment, const char *format, ...) {
    char *text = NULL;
    va_list args;
    va_start(args, format);
    bool made = vasprintf(&text, format, args) >= 0;
    va_end(args);
    if (made) environment->variables[environment->count++] = text;
    return made;
}

/* Set by us, or by nobody. */
static bool is_ours(const char *variable) {
    static const char *const names[] = {"AWS_LAMBDA_",
                                        "AWS_ENDPOINT_URL",
                                        "DOMAIN_NAME=",
                                        "PUBLIC_URL=",
                                        "WEBSOCKET_API_ENDPOINT=",
                                        "ROUTING=",
                                        "ENABLE_SUBDOMAIN_ROUTING=",
                                        "REQUIRE_AUTH=",
                                        "ENFORCE_EXP=",
                                        "OTHER_NAMES=",
                                        "ALLOWED_NAMES=",
                                        "PER_TUNNEL_RATE_LIMIT=",
                                        "TUNNEL_SECRET=",
                                        "JWT_SECRET=",
                                        "JWT_OLDER_SECRET=",
                                        "JWT_AUDIENCE=",
                                        "JWT_ISSUER=",
                                        "JWKS=",
                                        "JWKS_PATH=",
                                        "JWKS_URL=",
                                        "REQUEST_TIMEOUT=",
                                        "RECONNECT_GRACE=",
                                        "OFFLINE_KEEP=",
                                        "LAMBDA_TASK_ROOT=",
                                        "_HANDLER="};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strncmp(variable, names[i], strlen(names[i])) == 0) return true;
    return false;
}

/* With a description the function has what stands there, as it would on AWS, and what it needs to run here.
 */
static bool is_needed(const char *variable) {
    static const char *const names[] = {"AWS_", "PATH=", "HOME=", "LANG=", "TZ=", "LD_", "ASAN_", "UBSAN_"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strncmp(variable, names[i], strlen(names[i])) == 0) return true;
    return false;
}

static bool is_described(const struct described *described, const char *variable) {
    size_t name = strcspn(variable, "=") + 1;
    for (size_t i = 0; i < described->count; i++)
        if (strncmp(variable, described->variables[i], name) == 0) return true;
    return described->count > 0 && !is_needed(variable);
}

static bool copy(struct function_environment *environment, const char *variable) {
    char *text = strdup(variable);
    if (text) environment->variables[environment->count++] = text;
    return text != NULL;
}

static bool inherit(struct function_environment *environment, const struct described *described) {
    for (char **variable = environ; *variable; variable++)
        if (!is_ours(*variable) && !is_described(described, *variable) && !copy(environment, *variable))
            return false;
    for (size_t i = 0; i < described->count; i++)
        if (!copy(environment, described->variables[i])) return false;
    return true;
}

/* Where the program is. ("/var/task" at AWS, which is also the working directory there.) */
static bool put_task(struct function_environment *environment, const char *bootstrap) {
    char *path = realpath(bootstrap, NULL);
    struct view whole = view_from_cstr(path ? path : bootstrap);
    size_t slash = view_find_last(whole, '/');
    bool ok = put(environment, "LAMBDA_TASK_ROOT=%.*s", VIEW_ARG(view_slice(whole, 0, slash))) &&
              put(environment, "_HANDLER=%.*s", VIEW_ARG(view_skip(whole, slash + 1)));
    free(path);
    return ok;
}

static bool put_names(struct function_environment *environment, const char *name,
                      const struct text_list *names) {
    struct buf text;
    buf_init(&text, 16 * VARIABLES_MAX);
    for (size_t i = 0; i < names->count; i++)
        buf_printf(&text, "%s%.*s", i ? "," : "", VIEW_ARG(names->items[i]));
    struct view joined = buf_view(&text);
    bool ok = !text.failed && put(environment, "%s=%.*s", name, VIEW_ARG(joined));
    buf_done(&text);
    return ok;
}

static bool put_time(struct function_environment *environment, const char *name, uint64_t ms) {
    return put(environment, "%s=%" PRIu64 "ms", name, ms);
}

static bool put_given(struct function_environment *environment, const char *name, const char *value) {
    return !value || put(environment, "%s=%s", name, value);
}

typedef bool secret_fn(const struct config *config, struct secret_text *ret_secret);

static bool put_secret(struct function_environment *environment, const char *name, secret_fn *load,
                       const struct config *config, const char **ret_why) {
    struct secret_text secret;
    bool loaded = load(config, &secret), is_text = loaded && !memchr(secret.bytes, '\0', secret.len);
    if (!loaded)
        *ret_why = "a secret is missing";
    else if (!is_text)
        *ret_why = "a secret has zero bytes in it, which no variable holds";
    bool ok = is_text && put(environment, "%s=%.*s", name, (int)secret.len, secret.bytes);
    explicit_bzero(&secret, sizeof(secret));
    return ok;
}

/* Without a tunnel secret the function makes one from the other, or does without. */
static bool put_secrets(struct function_environment *environment, const struct config *config,
                        const char **ret_why) {
    bool has_own = config->secret || config->secret_file;
    bool has_jwt = config->jwt_secret || config->jwt_secret_file;
    return (!has_own || put_secret(environment, "TUNNEL_SECRET", secret_load_text, config, ret_why)) &&
           (!has_jwt || put_secret(environment, "JWT_SECRET", secret_load_jwt, config, ret_why)) &&
           put_given(environment, "JWT_OLDER_SECRET", config->jwt_older_secret) &&
           put_given(environment, "JWKS", config->jwks) &&
           put_given(environment, "JWKS_PATH", config->jwks_path) &&
           put_given(environment, "JWKS_URL", config->jwks_url) &&
           put_given(environment, "JWT_AUDIENCE", config->jwt_audience) &&
           put_given(environment, "JWT_ISSUER", config->jwt_issuer);
}

/* As Lambda measures: the JSON text of names and values, without what it sets itself. Of the inherited ones
 * nobody knows which a deployment would have. */
static size_t measured(const struct function_environment *environment, size_t inherited) {
    size_t bytes = 1;
    for (size_t i = inherited; i < environment->count; i++) {
        const char *variable = environment->variables[i];
        if (strncmp(variable, "AWS_", 4) == 0 || strncmp(variable, "LAMBDA_", 7) == 0 || *variable == '_')
            continue;
        bytes += strlen(variable) + 5;
        for (; *variable; variable++) bytes += *variable == '"' || *variable == '\\';
    }
    return bytes;
}

static bool fits(const struct function_environment *environment, size_t inherited, const char **ret_why) {
    if (measured(environment, inherited) <= VARIABLES_MAX) return true;
    *ret_why =
        "its settings make more than the 4 KB of variables that Lambda takes (a key set can be a file)";
    return false;
}

bool function_environment_init(struct function_environment *environment, const struct config *config,
                               const struct described *described, const struct shape_api *api,
                               const char *public_url, const char *websocket_url, uint16_t dynamodb_port,
                               const char **ret_why) {
    size_t inherited = 0;
    *ret_why = "out of memory";
    while (environ[inherited]) inherited++;
    environment->count = 0;
    environment->variables =
        calloc(inherited + described->count + SET_MAX + 1, sizeof(*environment->variables));
    bool subdomains = api->has_custom_domain && config->subdomain_routing;
    if (!environment->variables || !inherit(environment, described)) return false;
    inherited = environment->count - described->count;
    return put(environment, "AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:%u", dynamodb_port) &&
           put_task(environment, config->bootstrap) && put(environment, "AWS_LAMBDA_FUNCTION_NAME=tunnel") &&
           put(environment, "AWS_LAMBDA_FUNCTION_VERSION=$LATEST") &&
           put(environment, "AWS_LAMBDA_INITIALIZATION_TYPE=on-demand") &&
           put(environment, "AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/tunnel") &&
           put(environment, "AWS_LAMBDA_LOG_STREAM_NAME=standard error") &&
           put(environment, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=%zu", config->lambda_memory_bytes >> 20) &&
           put(environment, "DOMAIN_NAME=%s", api->domain) && put(environment, "PUBLIC_URL=%s", public_url) &&
           put(environment, "WEBSOCKET_API_ENDPOINT=%s", websocket_url) &&
           put(environment, "ROUTING=%s", routing_name(subdomains, config->path_routing)) &&
           put_names(environment, "OTHER_NAMES", &config->names) &&
           put_names(environment, "ALLOWED_NAMES", &config->allowed_names) &&
           put_time(environment, "REQUEST_TIMEOUT", config->request_timeout_ms) &&
           put_time(environment, "RECONNECT_GRACE", config->grace_ms) &&
           put_time(environment, "OFFLINE_KEEP", config->offline_keep_ms) &&
           put(environment, "PER_TUNNEL_RATE_LIMIT=%zu", config->tunnel_rate) &&
           put(environment, "REQUIRE_AUTH=%s", config->require_auth == ANSWER_YES ? "true" : "false") &&
           put(environment, "ENFORCE_EXP=%s", config->enforce_exp ? "true" : "false") &&
           put_secrets(environment, config, ret_why) && fits(environment, inherited, ret_why);
}

void function_environment_done(struct function_environment *environment) {
    for (size_t i = 0; i < environment->count; i++) free(environment->variables[i]);
    free(environment->variables);
    *environment = (struct function_environment){0};
}
