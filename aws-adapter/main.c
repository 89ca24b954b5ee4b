/* bootstrap, the Lambda's custom runtime: wires the adapters of one execution environment to the handler
 * core. */
#include "runtime/invocations.h"
#include "runtime/lambda_config.h"
#include "runtime/lambda_times.h"
#include "runtime/log_json.h"
#include "runtime/runtime_client.h"

#include "base/ids.h"

#include <curl/curl.h>
#include <stdio.h>

#define CONNECTION_TTL_MS 7200000    /* API Gateway ends a WebSocket connection after two hours */
#define REQUEST_TIMEOUT_MAX_MS 28000 /* an HTTP API gives up after 30 s */
#define HEARTBEAT_MS 300000          /* API Gateway ends what is idle for 600 s, and bills each message */
#define RECHECK_WAITING_MS 250
#define RECHECK_SENT_MS 1000

struct lambda {
    struct lambda_config config;
    struct loop loop;
    struct authorities authorities;
    struct http_client *http;
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

static void make_settings(struct lambda *lambda) {
    const struct lambda_config *config = &lambda->config;
    struct core_settings *settings = &lambda->settings;
    settings->domain = view_from_cstr(config->domain);
    settings->public_url = view_from_cstr(config->public_url);
    settings->other_names = config->other_names;
    settings->other_names_count = config->other_names_count;
    settings->subdomain_routing = config->subdomain_routing;
    if (config->has_secret) settings->resume_secret = view_of(config->resume_key, sizeof(config->resume_key));
    settings->require_auth = config->require_auth;
    settings->jwt.secret = config->jwt.secret;
    settings->jwt.keys = config->jwt.keys;
    settings->jwt.audience = config->jwt.audience;
    settings->jwt.issuer = config->jwt.issuer;
    settings->tunnel_requests_per_second = config->tunnel_rate;
    settings->claim_ttl_ms = CONNECTION_TTL_MS;
    settings->request_timeout_max_ms = REQUEST_TIMEOUT_MAX_MS;
    if (settings->request_timeout_ms > REQUEST_TIMEOUT_MAX_MS)
        settings->request_timeout_ms = REQUEST_TIMEOUT_MAX_MS;
    settings->heartbeat_ms = HEARTBEAT_MS;
    settings->recheck_waiting_ms = RECHECK_WAITING_MS;
    settings->recheck_sent_ms = RECHECK_SENT_MS;
}

static bool make_core(struct lambda *lambda) {
    struct ports ports = {
        .registry = store_dynamodb_registry(lambda->store),
        .mailbox =
            lambda->direct ? mailbox_direct_port(lambda->direct) : store_dynamodb_mailbox(lambda->store),
        .agents = agents_apigw_port(&lambda->agents),
        .clock = {.wall_ms = loop_wall_ms, .timers = &lambda->loop.timers, .tasks = &lambda->loop.tasks},
        .ids = {.tunnel = ids_tunnel, .random = ids_random},
    };
    lambda->core = core_new(&lambda->settings, &ports);
    if (!lambda->core) return false;
    store_dynamodb_listen(lambda->store, core_store_events(lambda->core));
    if (lambda->direct) mailbox_direct_listen(lambda->direct, core_store_events(lambda->core));
    return true;
}

/* Answers to requests of other environments may have to be sent on, whatever the mode of this one. */
static bool make_direct(struct lambda *lambda) {
    const struct lambda_config *config = &lambda->config;
    if (!config->has_secret) return true;
    bool waits = config->wait_mode != WAIT_POLLING;
    struct waiter_settings waiter = {.loop = &lambda->loop,
                                     .authorities = &lambda->authorities,
                                     .websocket_endpoint = config->websocket_endpoint,
                                     .key = config->waiter_key,
                                     .wall_ms = loop_wall_ms,
                                     .message_max = CONNECTIONS_MESSAGE_MAX};
    if (waits) lambda->waiter = waiter_new(&waiter);
    struct mailbox_direct_settings direct = {.store = lambda->store,
                                             .connections = &lambda->connections,
                                             .waiter = lambda->waiter,
                                             .by_stream = config->wait_mode == WAIT_STREAM,
                                             .key = config->waiter_key,
                                             .core = &lambda->settings};
    lambda->direct = mailbox_direct_new(&direct);
    return lambda->direct && (lambda->waiter || !waits);
}

static bool make_adapters(struct lambda *lambda) {
    const struct lambda_config *config = &lambda->config;
    lambda->aws = (struct aws_client){.http = lambda->http,
                                      .environment = &config->aws,
                                      .timers = &lambda->loop.timers,
                                      .tasks = &lambda->loop.tasks,
                                      .wall_ms = loop_wall_ms};
    lambda->dynamodb.aws = lambda->connections.aws = lambda->publisher.aws = &lambda->aws;
    lambda->publisher.bus = config->event_bus;
    make_settings(lambda);
    struct store_dynamodb_settings tables = {.connections_table = config->connections_table,
                                             .requests_table = config->requests_table,
                                             .core = &lambda->settings};
    lambda->store = store_dynamodb_new(&lambda->dynamodb, &tables);
    return lambda->store && make_direct(lambda) && make_core(lambda) &&
           aws_environment_endpoint(&config->aws, "dynamodb", lambda->dynamodb.endpoint) &&
           aws_environment_endpoint(&config->aws, "events", lambda->publisher.endpoint) &&
           connections_set_endpoint(&lambda->connections, view_from_cstr(config->websocket_endpoint));
}

static bool make_invocations(struct lambda *lambda) {
    struct invocations_parts parts = {.loop = &lambda->loop,
                                      .http = lambda->http,
                                      .aws = &lambda->aws,
                                      .core = lambda->core,
                                      .store = lambda->store,
                                      .direct = lambda->direct,
                                      .waiter_key =
                                          lambda->config.has_secret ? lambda->config.waiter_key : NULL,
                                      .connections = &lambda->connections,
                                      .agents = &lambda->agents,
                                      .publisher = &lambda->publisher,
                                      .runtime_api = lambda->config.runtime_api};
    lambda->invocations = invocations_new(&parts);
    return lambda->invocations != NULL;
}

/* ---- a start that failed is told to Lambda ---- */

static void quit(void *ctx) {
    loop_quit(ctx);
}

static void quit_posted(void *ctx, enum status status) {
    (void)status;
    loop_quit(ctx);
}

static void tell_init_error(struct lambda *lambda, const char *why) {
    struct runtime_client runtime = {.http = lambda->http,
                                     .api = lambda->config.runtime_api,
                                     .ctx = &lambda->loop,
                                     .on_posted = quit_posted,
                                     .on_gone = quit};
    log_error("bootstrap", "%s", why);
    runtime_fail_init(&runtime, "Runtime.BadConfiguration", why);
    loop_run(&lambda->loop);
}

/* ---- the whole ---- */

/* In the order in which the parts refer to each other; the loop runs the last close callbacks. */
static void free_all(struct lambda *lambda) {
    invocations_free(lambda->invocations);
    core_free(lambda->core);
    mailbox_direct_free(lambda->direct);
    waiter_free(lambda->waiter);
    store_dynamodb_free(lambda->store);
    agents_apigw_done(&lambda->agents);
    http_client_free(lambda->http);
    authorities_done(&lambda->authorities);
    loop_done(&lambda->loop);
    lambda_config_done(&lambda->config);
}

static int run(struct lambda *lambda) {
    char why[256] = "out of memory, or an endpoint makes no sense";
    core_settings_init(&lambda->settings);
    bool configured = lambda_config_read(&lambda->config, why) && lambda_times_read(&lambda->settings, why);
    if (!lambda->config.runtime_api) {
        fprintf(
            stderr,
            "bootstrap v%s is the custom runtime of an AWS Lambda function: it wants Lambda's environment "
            "(AWS_LAMBDA_RUNTIME_API)\n",
            TTF_VERSION);
        return 2;
    }
    if (!loop_init(&lambda->loop)) return 1;
    log_json_start();
    log_set_level(lambda->config.log_level);
    agents_apigw_init(&lambda->agents, &lambda->connections);
    authorities_init(&lambda->authorities, lambda->config.aws.ca_file);
    lambda->http = http_client_new(&lambda->loop.uv, &lambda->loop.timers, &lambda->authorities);
    bool started = lambda->http && configured && make_adapters(lambda) && make_invocations(lambda);
    if (started) {
        if (!lambda->config.has_secret)
            log_warn("bootstrap",
                     "neither TUNNEL_SECRET nor JWT_SECRET is set: agents cannot resume their tunnels");
        if (lambda->config.wait_mode != WAIT_POLLING && !lambda->waiter)
            log_warn("bootstrap", "WAIT_MODE wants a secret: answers are polled for");
        invocations_start(lambda->invocations);
        loop_run(&lambda->loop); /* until there is no runtime API any more */
    } else if (lambda->http) {
        tell_init_error(lambda, why);
    }
    free_all(lambda);
    return 1;
}

int main(void) {
    static struct lambda lambda;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0) return 1;
    int code = run(&lambda);
    curl_global_cleanup();
    return code;
}
