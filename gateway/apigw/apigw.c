/* See apigw.h: wires the parts. */
#include "apigw/apigw.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/admin.h"
#include "apigw/function_environment.h"
#include "apigw/http_api.h"
#include "apigw/mapping.h"
#include "apigw/meter.h"
#include "apigw/ws_api.h"
#include "log_buffer.h"
#include "sockets/listener.h"

#define HTTP_API_ID "tunnelhttp"
#define WS_API_ID "tunnelwsck"
#define WS_TIMEOUT_MAX_MS 29000
#define INIT_TIMEOUT_MS 10000
#define HEAD_TIMEOUT_MS 10000
#define CONNECTS_A_SECOND 500
#define CLOSE_AGENTS_MS 2000

enum stop_phase { STOP_NO, STOP_FINISHING, STOP_CLOSING };

struct apigw {
    const struct config *config;
    const struct described *described;
    struct loop loop;
    struct usage usage;
    struct clients clients, admin_clients;
    struct listener *public_port, *agent_port, *admin_port;
    struct admin *admin;
    struct http_client *http;
    struct aws_environment environment;
    struct aws_client aws;
    struct meter *meter;
    struct function_environment variables;
    struct lambda_pool *pool;
    struct throttle throttle;
    struct http_api *visitors;
    struct ws_api *agents;
    struct mapping *mapping;
    struct timer schedule, stopping;
    uv_signal_t renew;
    struct shape_api http_shape, ws_shape;
    char http_domain[320], ws_domain[320], public_url[512], websocket_url[512];
    enum stop_phase stop_phase;
    uint64_t stop_deadline_ms;
};

/* ---- stopping ---- */

static void close_ports(struct apigw *apigw) {
    listener_free(apigw->public_port);
    listener_free(apigw->agent_port);
    apigw->public_port = apigw->agent_port = NULL;
}

static void on_stopping(struct timer *timer) {
    struct apigw *apigw = LIST_ENTRY(timer, struct apigw, stopping);
    bool late = loop_now(&apigw->loop) >= apigw->stop_deadline_ms;
    if (apigw->stop_phase == STOP_FINISHING && (late || http_api_busy(apigw->visitors) == 0)) {
        ws_api_close_all(apigw->agents);
        apigw->stop_phase = STOP_CLOSING;
        apigw->stop_deadline_ms = loop_now(&apigw->loop) + CLOSE_AGENTS_MS;
    } else if (apigw->stop_phase == STOP_CLOSING &&
               (late || (ws_api_count(apigw->agents) == 0 && lambda_pool_busy(apigw->pool) == 0))) {
        loop_quit(&apigw->loop);
        return;
    }
    timer_start(&apigw->loop.timers, &apigw->stopping, 20);
}

static void on_stop(void *ctx, unsigned times, int number) {
    (void)number;
    struct apigw *apigw = ctx;
    if (times > 1) {
        apigw->stop_deadline_ms = loop_now(&apigw->loop);
        return;
    }
    admin_set_state(apigw->admin, ADMIN_DRAINING);
    listener_accept_waiting(apigw->public_port);
    close_ports(apigw);
    apigw->stop_phase = STOP_FINISHING;
    apigw->stop_deadline_ms = loop_now(&apigw->loop) + apigw->config->drain_timeout_ms;
    on_stopping(&apigw->stopping);
}

/* ---- while it runs ---- */

static void on_scheduled(void *ctx, enum lambda_outcome outcome, struct view answer) {
    (void)ctx;
    log_info("schedule", "cleanup %s: %.*s", outcome == LAMBDA_OK ? "done" : "failed",
             VIEW_ARG(view_slice(answer, 0, 200)));
}

static void on_schedule(struct timer *timer) {
    struct apigw *apigw = LIST_ENTRY(timer, struct apigw, schedule);
    json_t *event = shape_schedule(loop_wall_ms(NULL));
    char *text = event ? json_dumps(event, JSON_COMPACT) : NULL;
    if (text) lambda_pool_invoke(apigw->pool, SOURCE_SCHEDULE, view_from_cstr(text), on_scheduled, NULL);
    free(text);
    json_decref(event);
    timer_start(&apigw->loop.timers, &apigw->schedule, apigw->config->cleanup_interval_ms);
}

static void on_renew(uv_signal_t *signal, int number) {
    (void)number;
    struct apigw *apigw = signal->data;
    lambda_pool_renew(apigw->pool);
}

static const char *print_usage(void *ctx, struct view accept, struct buf *out) {
    (void)accept;
    const struct apigw *apigw = ctx;
    return usage_print(&apigw->usage, out) ? "application/json" : NULL;
}

static void on_visitor(void *ctx, int fd, struct client *client, const struct sockaddr *address,
                       socklen_t len) {
    struct apigw *apigw = ctx;
    http_api_accept(apigw->visitors, fd, client, address, len);
}

static void on_agent(void *ctx, int fd, struct client *client, const struct sockaddr *address,
                     socklen_t len) {
    struct apigw *apigw = ctx;
    ws_api_accept(apigw->agents, fd, client, address, len);
}

static void on_admin(void *ctx, int fd, struct client *client, const struct sockaddr *address,
                     socklen_t len) {
    struct apigw *apigw = ctx;
    admin_accept(apigw->admin, fd, client, address, len);
}

/* ---- starting ---- */

/* First, because URLs want ports. Who connects meanwhile waits in the socket's queue. */
static bool open_ports(struct apigw *apigw) {
    const struct config *config = apigw->config;
    clients_init(&apigw->clients, config->max_connections, config->max_connections_per_address,
                 config->proxies, config->proxies_text.count);
    clients_init(&apigw->admin_clients, 64, 0, NULL, 0);
    apigw->public_port = listener_open(&apigw->loop, "public-listen", &config->public_listen, &apigw->clients,
                                       on_visitor, apigw);
    apigw->agent_port =
        listener_open(&apigw->loop, "agent-listen", &config->agent_listen, &apigw->clients, on_agent, apigw);
    apigw->admin_port = listener_open(&apigw->loop, "admin-listen", &config->admin_listen,
                                      &apigw->admin_clients, on_admin, apigw);
    return apigw->public_port && apigw->agent_port && apigw->admin_port;
}

/* "" with a custom domain, and for visitors where the stage is `$default`. */
static void stage_path(const struct config *config, char out[128]) {
    bool named = !config->api_custom_domain && strcmp(config->api_stage, "$default") != 0;
    snprintf(out, 128, "%s%s", named ? "/" : "", named ? config->api_stage : "");
}

static void make_shapes(struct apigw *apigw) {
    const struct config *config = apigw->config;
    const char *prefix = config->api_custom_domain ? "" : ".execute-api.";
    unsigned public_port = listener_port(apigw->public_port), agent_port = listener_port(apigw->agent_port);
    char stage[128];
    snprintf(apigw->http_domain, sizeof(apigw->http_domain), "%s%s%s",
             config->api_custom_domain ? "" : HTTP_API_ID, prefix, config->domain);
    snprintf(apigw->ws_domain, sizeof(apigw->ws_domain), "%s%s%s", config->api_custom_domain ? "" : WS_API_ID,
             prefix, config->domain);
    apigw->http_shape = (struct shape_api){.id = HTTP_API_ID,
                                           .domain = apigw->http_domain,
                                           .stage = config->api_stage,
                                           .has_custom_domain = config->api_custom_domain,
                                           .is_payload_1 = strcmp(config->api_payload, "1.0") == 0,
                                           .port = (uint16_t)public_port};
    apigw->ws_shape = apigw->http_shape;
    apigw->ws_shape.id = WS_API_ID;
    apigw->ws_shape.domain = apigw->ws_domain;
    apigw->ws_shape.port = (uint16_t)agent_port;
    stage_path(config, stage);
    if (config->public_url)
        snprintf(apigw->public_url, sizeof(apigw->public_url), "%s", config->public_url);
    else
        snprintf(apigw->public_url, sizeof(apigw->public_url), "http://%s:%u%s", apigw->http_domain,
                 public_port, stage);
    if (config->websocket_url)
        snprintf(apigw->websocket_url, sizeof(apigw->websocket_url), "%s", config->websocket_url);
    else
        snprintf(apigw->websocket_url, sizeof(apigw->websocket_url), "ws://127.0.0.1:%u%s", agent_port,
                 config->api_custom_domain ? "" : stage);
}

/* What DynamoDB Local takes, where nothing else was said; the function inherits it. */
static bool read_aws(struct apigw *apigw) {
    const char *missing = NULL;
    setenv("AWS_REGION", "us-east-1", 0);
    setenv("AWS_ACCESS_KEY_ID", "local", 0);
    setenv("AWS_SECRET_ACCESS_KEY", "local", 0);
    if (!aws_environment_read(&apigw->environment, &missing)) {
        fprintf(stderr, "ttf-apigw: %s is not set\n", missing);
        return false;
    }
    apigw->http = http_client_new(&apigw->loop.uv, &apigw->loop.timers, NULL);
    apigw->aws = (struct aws_client){.http = apigw->http,
                                     .environment = &apigw->environment,
                                     .timers = &apigw->loop.timers,
                                     .tasks = &apigw->loop.tasks,
                                     .wall_ms = loop_wall_ms};
    return apigw->http != NULL;
}

static bool make_lambda(struct apigw *apigw, const char **ret_why) {
    const struct config *config = apigw->config;
    const struct meter_settings meter = {.endpoint = config->dynamodb_endpoint,
                                         .least_ms = config->dynamodb_latency_ms,
                                         .idle_ms = config->aws_idle_ms};
    apigw->meter = meter_new(&apigw->loop, apigw->http, &meter, &apigw->usage, ret_why);
    if (!apigw->meter || !function_environment_init(&apigw->variables, config, apigw->described,
                                                    &apigw->http_shape, apigw->public_url,
                                                    apigw->websocket_url, meter_port(apigw->meter), ret_why))
        return false;
    const struct lambda_pool_settings settings = {.bootstrap = config->bootstrap,
                                                  .environment = apigw->variables.variables,
                                                  .environments_max = config->lambda_concurrency,
                                                  .memory_mib = config->lambda_memory_bytes >> 20,
                                                  .timeout_ms = config->lambda_timeout_ms,
                                                  .init_timeout_ms = INIT_TIMEOUT_MS,
                                                  .idle_ms = config->lambda_idle_ms};
    apigw->pool = lambda_pool_new(&apigw->loop, &settings, &apigw->usage, ret_why);
    return apigw->pool != NULL;
}

static bool make_apis(struct apigw *apigw, const char **ret_why) {
    const struct config *config = apigw->config;
    const struct http_api_settings visitors = {.api = apigw->http_shape,
                                               .throttle = &apigw->throttle,
                                               .timeout_ms = config->api_timeout_ms,
                                               .connections_max = (unsigned)config->max_connections};
    uint64_t timeout_ms = config->api_timeout_ms;
    const struct ws_api_settings agents = {.api = apigw->ws_shape,
                                           .idle_ms = config->ws_idle_ms,
                                           .life_ms = config->ws_life_ms,
                                           .head_timeout_ms = HEAD_TIMEOUT_MS,
                                           .timeout_ms = timeout_ms < WS_TIMEOUT_MAX_MS ? timeout_ms
                                                                                        : WS_TIMEOUT_MAX_MS,
                                           .connect_rate = CONNECTS_A_SECOND,
                                           .manage_idle_ms = config->aws_idle_ms,
                                           .throttle = &apigw->throttle,
                                           .aws = &apigw->environment};
    throttle_init(&apigw->throttle, config->api_rate, config->api_burst);
    apigw->visitors = http_api_new(&apigw->loop, &visitors, apigw->pool, &apigw->usage);
    apigw->agents = ws_api_new(&apigw->loop, &agents, apigw->pool, &apigw->usage);
    apigw->admin = admin_new(&apigw->loop, !listen_address_is_loopback(&config->admin_listen));
    if (!apigw->visitors || !apigw->agents || !apigw->admin) return false;
    admin_add_page(apigw->admin, "/aws/usage", print_usage, apigw);
    if (!config->stream_table) return true;
    const struct mapping_settings mapping = {.table = config->stream_table,
                                             .endpoint = config->dynamodb_endpoint,
                                             .region = apigw->environment.region,
                                             .filter = config->stream_filter,
                                             .batch = config->stream_batch,
                                             .retries = config->stream_retries,
                                             .max_age_ms = config->stream_max_age_ms,
                                             .bisects = config->stream_bisect,
                                             .reports_failures = config->stream_report_failures};
    apigw->mapping = mapping_new(&apigw->loop, &mapping, &apigw->aws, apigw->pool, &apigw->usage, ret_why);
    return apigw->mapping != NULL;
}

/* Scripts wait for these lines. */
static void announce(const struct apigw *apigw) {
    char public_text[ADDRESS_TEXT_MAX], agent_text[ADDRESS_TEXT_MAX], admin_text[ADDRESS_TEXT_MAX],
        stage[128];
    struct buf lines;
    stage_path(apigw->config, stage);
    listener_text(apigw->public_port, public_text);
    listener_text(apigw->agent_port, agent_text);
    listener_text(apigw->admin_port, admin_text);
    buf_init(&lines, 8192);
    buf_printf(
        &lines,
        "ttf-apigw v%s, API Gateway and Lambda for %.4000s\nPublic: http://%s\nAgents: ws://%s%s\nAdmin: "
        "http://%s\nReady\n",
        TTF_VERSION, apigw->config->bootstrap, public_text, agent_text, stage, admin_text);
    log_buffer_announce(buf_view(&lines));
    buf_done(&lines);
}

static bool start(struct apigw *apigw) {
    const char *why = "out of memory";
    if (!open_ports(apigw)) return false;
    make_shapes(apigw);
    if (read_aws(apigw) && make_lambda(apigw, &why) && make_apis(apigw, &why)) return true;
    fprintf(stderr, "ttf-apigw: the function cannot be run: %s\n", why);
    return false;
}

static void stop_all(struct apigw *apigw) {
    timer_stop(&apigw->loop.timers, &apigw->schedule);
    timer_stop(&apigw->loop.timers, &apigw->stopping);
    uv_close((uv_handle_t *)&apigw->renew, NULL);
    close_ports(apigw);
    listener_free(apigw->admin_port);
    lambda_pool_stop(apigw->pool);
    ws_api_stop(apigw->agents);
    http_api_stop(apigw->visitors);
    admin_stop(apigw->admin);
    mapping_free(apigw->mapping);
    meter_stop(apigw->meter);
    if (apigw->http) http_client_free(apigw->http);
}

static void free_all(struct apigw *apigw) {
    log_buffer_stop();
    loop_done(&apigw->loop);
    ws_api_free(apigw->agents);
    http_api_free(apigw->visitors);
    meter_free(apigw->meter);
    lambda_pool_free(apigw->pool);
    admin_free(apigw->admin);
    function_environment_done(&apigw->variables);
    clients_done(&apigw->clients);
    clients_done(&apigw->admin_clients);
}

int apigw_run(const struct config *config, const struct described *described) {
    static struct apigw apigw;
    apigw.config = config;
    apigw.described = described;
    if (!loop_init(&apigw.loop)) return 1;
    loop_on_stop(&apigw.loop, on_stop, &apigw);
    log_set_level(config->log_level);
    log_buffer_start(&apigw.loop);
    timer_init(&apigw.schedule, on_schedule);
    timer_init(&apigw.stopping, on_stopping);
    uv_signal_init(&apigw.loop.uv, &apigw.renew);
    apigw.renew.data = &apigw;
    bool started = start(&apigw);
    if (started) {
        uv_signal_start(&apigw.renew, on_renew, SIGHUP);
        timer_start(&apigw.loop.timers, &apigw.schedule, config->cleanup_interval_ms);
        admin_set_state(apigw.admin, ADMIN_READY);
        announce(&apigw);
        loop_run(&apigw.loop);
    }
    stop_all(&apigw);
    free_all(&apigw);
    return started ? 0 : 1;
}
