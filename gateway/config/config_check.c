/* Settings that are right one by one and do not go together. */
#include "config/config_check.h"

#include <stdio.h>

#include "config/config_parse.h"
#include "sandbox/sandbox.h"
#include "store/redis_url.h"

int config_complain(const struct config *config, const void *member, const char *why) {
    char origin[CONFIG_ORIGIN_MAX];
    fprintf(stderr, "%s: %s: %s\n", program_name(),
            config_origin(config, config_setting_at(config, member), origin), why);
    return 2;
}

int config_contradict(const struct config *config, const void *member, const void *other, const char *why) {
    char origin[CONFIG_ORIGIN_MAX], others[CONFIG_ORIGIN_MAX];
    fprintf(stderr, "%s: %s and %s contradict each other: %s\n", program_name(),
            config_origin(config, config_setting_at(config, member), origin),
            config_origin(config, config_setting_at(config, other), others), why);
    return 2;
}

void config_warn(const struct config *config, const void *member, const char *why) {
    (void)config_complain(config, member, why);
}

bool config_said(const struct config *config, const void *member) {
    return config_was_said(config, config_setting_at(config, member));
}

static int check_store(const struct config *config) {
    struct redis_url url;
    bool is_memory = strcmp(config->store_url, "memory") == 0;
    const char *why = is_memory ? NULL : redis_url_parse(view_from_cstr(config->store_url), &url);
    if (why) return config_complain(config, &config->store_url, why);
    if (config->lease_ms < 1000 || config->lease_ms > 600000)
        return config_complain(config, &config->lease_ms, "expected 1s to 10m");
    return 0;
}

static int check_backend(const struct config *config) {
    if (strcmp(config->backend, "gateway") == 0) return 0;
    return config_complain(
        config, &config->backend,
        strcmp(config->backend, "lambda") == 0
            ? "the stand-in for API Gateway and Lambda is a program of its own now: ttf-apigw"
            : "expected gateway");
}

static int check_apigw(const struct config *config) {
    if (!config->bootstrap)
        return config_complain(config, &config->bootstrap,
                               "expected the function: a program with a custom runtime");
    if (!config->dynamodb_endpoint)
        return config_complain(config, &config->dynamodb_endpoint, "expected the URL of DynamoDB Local");
    if (strcmp(config->api_payload, "2.0") != 0 && strcmp(config->api_payload, "1.0") != 0)
        return config_complain(config, &config->api_payload, "expected 2.0 or 1.0");
    if (config->lambda_concurrency == 0 || config->lambda_concurrency > 1000)
        return config_complain(config, &config->lambda_concurrency, "expected 1 to 1000");
    if (config->stream_batch == 0 || config->stream_batch > 1000)
        return config_complain(config, &config->stream_batch, "expected 1 to 1000");
    return 0;
}

static int check_access_log(struct config *config) {
    if (!access_form_parse(view_from_cstr(config->access_log_format), &config->access_form))
        return config_complain(config, &config->access_log_format, "expected text, combined, json or off");
    bool is_line = config->access_form == ACCESS_FORM_COMBINED || config->access_form == ACCESS_FORM_JSON;
    if (!is_line && strcmp(config->access_log, "stderr") != 0)
        return config_contradict(
            config, &config->access_log, &config->access_log_format,
            "a file holds lines of its own: say --access-log-format json or combined, too");
    return 0;
}

static void warn_of_access_log(const struct config *config) {
    if (config->access_log_query && config->access_form != ACCESS_FORM_COMBINED &&
        config->access_form != ACCESS_FORM_JSON)
        config_warn(config, &config->access_log_query,
                    "it says nothing without --access-log-format combined or json (ACCESS_LOG_FORMAT)");
}

static int check_sandbox(struct config *config) {
    if (sandbox_parse(config->sandbox_how, &config->sandbox)) return 0;
    return config_complain(config, &config->sandbox_how, "expected auto or off");
}

int config_check(struct config *config) {
    bool is_gateway = settings_are_of(PROGRAM_GATEWAY);
    int code = is_gateway ? check_backend(config) : check_apigw(config);
    if (!code) code = config_check_ports(config);
    if (!code) code = config_check_names(config);
    if (!code) code = check_store(config);
    if (!code && is_gateway) code = config_check_tls(config);
    if (!code) code = config_check_auth(config);
    if (!code && is_gateway) code = check_access_log(config);
    if (!code) code = check_sandbox(config);
    if (!code) code = config_check_bounds(config);
    if (code) return code;
    if (!is_gateway) return 0;
    config_warn_of_ports(config);
    config_warn_of_names(config);
    config_warn_of_auth(config);
    config_warn_of_bounds(config);
    warn_of_access_log(config);
    return 0;
}
