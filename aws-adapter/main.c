/* bootstrap, the Lambda's custom runtime: wires the adapters of one execution environment to the handler
 * core. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ids.h"
#include "doorman/doorman.h"
#include "issuer/jwks_url.h"
#include "runtime/invocations.h"
#include "runtime/lambda_config.h"
#include "runtime/lambda_times.h"
#include "runtime/log_json.h"
#include "runtime/runtime_client.h"
#include "runtime/stored_secrets.h"

#define CONNECTION_TTL_MS 7200000    /* API Gateway ends a WebSocket connection after two hours */
#define REQUEST_TIMEOUT_MAX_MS 28000 /* an HTTP API gives up after 30 s */
#define HEARTBEAT_MS 300000          /* API Gateway ends what is idle for 600 s, and bills each message */
#define RECHECK_WAITING_MS 250
#define RECHECK_SENT_MS 1000

struct program {
    struct lambda_config config;
    struct loop loop;
    struct authorities authorities;
    struct http_client *http;
    struct door *door;         /* NULL: no doorman */
    struct jwks_url *jwks_url; /* NULL: the keys of tokens are not at a URL */
    struct aws_client aws;
    struct dynamodb dynamodb;
    struct connections connections;
    struct publisher publisher;
    struct core_settings settings;
    struct store_dynamodb *store;
    struct waiter *waiter;         /* NULL: answers are polled for */
    struct mailbox_direct *direct; /* NULL: no secret */
    struct agents_apigw agents;
    struct core *core;
    struct invocations *invocations;
};

/* ---- starting ---- */

static void make_settings(struct program *program) {
    const struct lambda_config *config = &program->config;
    struct core_settings *settings = &program->settings;
    settings->domain = view_from_cstr(config->domain);
    settings->public_url = view_from_cstr(config->public_url);
    settings->other_names = config->other_names.items;
    settings->other_names_count = config->other_names.count;
    settings->guards_names = true;
    settings->allowed_names = config->allowed_names.items;
    settings->allowed_names_count = config->allowed_names.count;
    settings->subdomain_routing = config->subdomain_routing;
    settings->path_routing = config->path_routing;
    settings->custom_domains = config->custom_domains;
    if (config->has_secret) settings->resume_secret = view_of(config->resume_key, sizeof(config->resume_key));
    settings->require_auth = config->require_auth;
    settings->jwt.secret = config->jwt.secret;
    settings->jwt.older[0] = config->jwt.older[0];
    settings->jwt.keys = config->jwt.keys;
    settings->jwt.audience = config->jwt.audience;
    settings->jwt.issuer = config->jwt.issuer;
    settings->ends_with_token = config->enforce_exp;
    settings->visitor_policy = config->visitor_policy;
    settings->door_fields = config->door_fields.items;
    settings->door_fields_count = config->door_fields.count;
    settings->door_cookies = config->door_cookies.items;
    settings->door_cookies_count = config->door_cookies.count;
    settings->tunnel_requests_per_second = config->tunnel_rate;
    settings->claim_ttl_ms = CONNECTION_TTL_MS;
    settings->request_timeout_max_ms = REQUEST_TIMEOUT_MAX_MS;
    if (settings->request_timeout_ms > REQUEST_TIMEOUT_MAX_MS)
        settings->request_timeout_ms = REQUEST_TIMEOUT_MAX_MS;
    settings->heartbeat_ms = HEARTBEAT_MS;
    settings->recheck_waiting_ms = RECHECK_WAITING_MS;
    settings->recheck_sent_ms = RECHECK_SENT_MS;
}

static bool make_door(struct program *program) {
    const struct lambda_config *config = &program->config;
    if (!config->forward_auth.ptr) return true;
    struct doorman_settings settings = {.http = program->http,
                                        .timers = &program->loop.timers,
                                        .tasks = &program->loop.tasks,
                                        .url = config->forward_auth,
                                        .fields = config->door_fields.items,
                                        .fields_count = config->door_fields.count,
                                        .timeout_ms = DOOR_TIMEOUT_MS,
                                        .keep_ms = DOOR_KEEP_MS,
                                        .per_url = true};
    program->door = door_new(&settings);
    return program->door != NULL;
}

static bool make_issuer(struct program *program) {
    struct jwt_settings *jwt = &program->settings.jwt;
    if (!program->config.jwks_url) return true;
    program->jwks_url = jwks_url_new(&program->loop, program->http, program->config.jwks_url, true);
    if (!program->jwks_url) return false;
    jwt->keys = jwks_url_keys(program->jwks_url);
    jwt->source = jwks_url_source(program->jwks_url);
    return true;
}

static bool make_core(struct program *program) {
    struct ports ports = {
        .registry = store_dynamodb_registry(program->store),
        .mailbox =
            program->direct ? mailbox_direct_port(program->direct) : store_dynamodb_mailbox(program->store),
        .agents = agents_apigw_port(&program->agents),
        .clock = {.wall_ms = loop_wall_ms, .timers = &program->loop.timers, .tasks = &program->loop.tasks},
        .ids = {.tunnel = ids_tunnel, .random = ids_random},
    };
    if (program->door) ports.doorman = door_port(program->door);
    program->core = core_new(&program->settings, &ports);
    if (!program->core) return false;
    if (program->jwks_url) jwks_url_start(program->jwks_url, program->core);
    store_dynamodb_listen(program->store, core_store_events(program->core));
    if (program->direct) mailbox_direct_listen(program->direct, core_store_events(program->core));
    return true;
}

/* Answers to requests of other environments may have to be sent on, whatever the mode of this one. */
static bool make_direct(struct program *program) {
    const struct lambda_config *config = &program->config;
    if (!config->has_secret) return true;
    bool waits = config->wait_mode != WAIT_POLLING;
    struct waiter_settings waiter = {.loop = &program->loop,
                                     .authorities = &program->authorities,
                                     .websocket_endpoint = config->websocket_endpoint,
                                     .key = config->waiter_key,
                                     .wall_ms = loop_wall_ms,
                                     .message_max = CONNECTIONS_MESSAGE_MAX};
    if (waits) program->waiter = waiter_new(&waiter);
    struct mailbox_direct_settings direct = {.store = program->store,
                                             .connections = &program->connections,
                                             .waiter = program->waiter,
                                             .by_stream = config->wait_mode == WAIT_STREAM,
                                             .key = config->waiter_key,
                                             .core = &program->settings};
    program->direct = mailbox_direct_new(&direct);
    return program->direct && (program->waiter || !waits);
}

static bool make_adapters(struct program *program) {
    const struct lambda_config *config = &program->config;
    program->aws = (struct aws_client){.http = program->http,
                                       .environment = &config->aws,
                                       .timers = &program->loop.timers,
                                       .tasks = &program->loop.tasks,
                                       .wall_ms = loop_wall_ms};
    program->dynamodb.aws = program->connections.aws = program->publisher.aws = &program->aws;
    program->publisher.bus = config->event_bus;
    make_settings(program);
    struct store_dynamodb_settings tables = {.connections_table = config->connections_table,
                                             .requests_table = config->requests_table,
                                             .core = &program->settings};
    program->store = store_dynamodb_new(&program->dynamodb, &tables);
    return program->store && make_direct(program) && make_door(program) && make_issuer(program) &&
           make_core(program) &&
           aws_environment_endpoint(&config->aws, "dynamodb", program->dynamodb.endpoint) &&
           aws_environment_endpoint(&config->aws, "events", program->publisher.endpoint) &&
           connections_set_endpoint(&program->connections, view_from_cstr(config->websocket_endpoint));
}

static bool make_invocations(struct program *program) {
    struct invocations_parts parts = {.loop = &program->loop,
                                      .http = program->http,
                                      .aws = &program->aws,
                                      .core = program->core,
                                      .keys = program->jwks_url,
                                      .store = program->store,
                                      .direct = program->direct,
                                      .waiter_key =
                                          program->config.has_secret ? program->config.waiter_key : NULL,
                                      .connections = &program->connections,
                                      .agents = &program->agents,
                                      .publisher = &program->publisher,
                                      .runtime_api = program->config.runtime_api,
                                      .tells_metrics = program->config.tells_metrics};
    program->invocations = invocations_new(&parts);
    return program->invocations != NULL;
}

/* ---- a start that failed is told to Lambda ---- */

static void quit(void *ctx) {
    loop_quit(ctx);
}

static void quit_posted(void *ctx, enum status status) {
    (void)status;
    loop_quit(ctx);
}

static void tell_init_error(struct program *program, const char *why) {
    struct runtime_client runtime = {.http = program->http,
                                     .api = program->config.runtime_api,
                                     .ctx = &program->loop,
                                     .on_posted = quit_posted,
                                     .on_gone = quit};
    log_error("bootstrap", "%s", why);
    runtime_fail_init(&runtime, "Runtime.BadConfiguration", why);
    loop_run(&program->loop);
}

/* ---- the whole ---- */

/* In the order in which the parts refer to each other; the loop runs the last close callbacks. */
static void free_all(struct program *program) {
    invocations_free(program->invocations);
    jwks_url_stop(program->jwks_url);
    core_free(program->core);
    jwks_url_free(program->jwks_url);
    door_free(program->door);
    mailbox_direct_free(program->direct);
    waiter_free(program->waiter);
    store_dynamodb_free(program->store);
    agents_apigw_done(&program->agents);
    http_client_free(program->http);
    authorities_done(&program->authorities);
    loop_done(&program->loop);
    lambda_config_done(&program->config);
}

/* The secrets first, for the settings are made of them. */
static bool read_settings(struct program *program, const struct aws_environment *environment, char why[256]) {
    struct aws_client aws = {.http = program->http,
                             .environment = environment,
                             .timers = &program->loop.timers,
                             .tasks = &program->loop.tasks,
                             .wall_ms = loop_wall_ms};
    if (stored_secrets_wanted() && !stored_secrets_read(&aws, &program->loop, why)) return false;
    return lambda_config_read(&program->config, why) && lambda_times_read(&program->settings, why);
}

static int run(struct program *program) {
    char why[256] = "out of memory, or an endpoint makes no sense";
    struct aws_environment environment;
    const char *missing;
    core_settings_init(&program->settings);
    program->config.runtime_api = getenv("AWS_LAMBDA_RUNTIME_API");
    if (!program->config.runtime_api) {
        fprintf(
            stderr,
            "bootstrap v%s is the custom runtime of an AWS Lambda function: it wants Lambda's environment "
            "(AWS_LAMBDA_RUNTIME_API)\n",
            TTF_VERSION);
        return 2;
    }
    if (!loop_init(&program->loop)) return 1;
    log_json_start();
    aws_environment_read(&environment, &missing); /* what is missing is said with the other settings */
    authorities_init(&program->authorities, environment.ca_file);
    agents_apigw_init(&program->agents, &program->connections);
    program->http = http_client_new(&program->loop.uv, &program->loop.timers, &program->authorities);
    bool configured = program->http && read_settings(program, &environment, why);
    log_set_level(program->config.log_level);
    bool started = configured && make_adapters(program) && make_invocations(program);
    if (started) {
        if (!program->config.has_secret)
            log_warn("bootstrap",
                     "neither TUNNEL_SECRET nor JWT_SECRET is set: agents cannot resume their tunnels");
        if (program->config.wait_mode != WAIT_POLLING && !program->waiter)
            log_warn("bootstrap", "WAIT_MODE wants a secret: answers are polled for");
        invocations_start(program->invocations);
        loop_run(&program->loop); /* until there is no runtime API any more */
    } else if (program->http) {
        tell_init_error(program, why);
    }
    free_all(program);
    return 1;
}

int main(void) {
    static struct program program;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0) return 1;
    int code = run(&program);
    curl_global_cleanup();
    return code;
}
