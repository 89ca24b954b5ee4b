/* ttf-gateway: wires the adapters of one process to the handler core. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "access_file.h"
#include "admin/admin.h"
#include "admin/admin_command.h"
#include "admin/health.h"
#include "administration.h"
#include "agents/agent_accept.h"
#include "backend.h"
#include "base/heap.h"
#include "base/ids.h"
#include "base/platform.h"
#include "cluster/peering.h"
#include "config/config.h"
#include "config/config_texts.h"
#include "config/secret_file.h"
#include "config/token_command.h"
#include "config/token_keys.h"
#include "confinement.h"
#include "core_setup.h"
#include "drain.h"
#include "entrances.h"
#include "handover.h"
#include "log_buffer.h"
#include "metrics/metrics_table.h"
#include "metrics_page.h"
#include "notify.h"
#include "outside.h"
#include "pressure.h"
#include "public/visitor.h"
#include "sandbox/sandbox.h"
#include "sockets/inherited.h"
#include "successor.h"
#include "urls.h"
#include "version.h"

#define CLEANUP_MS 60000

/* What may take longer is left to the system: nobody could stop it any more, as signals are ignored then. */
#define TEARDOWN_MS 2000

struct gateway {
    struct config config;
    struct loop loop;
    uv_work_t first_work;
    struct clients visitor_clients, proxied_clients, agent_clients, proxied_agents, admin_clients;
    struct backend *backend;
    struct agent_ws *agents;
    struct peering *peering; /* NULL: no other gateways */
    struct outside outside;
    struct core *core;
    struct agent_accept *accept;
    struct visitors *visitors;
    struct admin *admin;
    struct administration administration;
    struct metrics_page metrics;
    struct pressure pressure;
    struct entrances entrances;
    struct listener *admin_port;
    struct timer cleanup;
    struct drain drain;
    struct handover handover;
    bool started; /* visitors and agents are let in */
    struct secret_keys keys;
    struct secret_text jwt_older[JWT_OLDER_MAX];
    struct secret_text jwt_secret; /* empty: agents' tokens are not signed with one */
    struct token_keys token_keys;
    char public_url[PUBLIC_URL_MAX], peer_url[GATEWAY_MAX + 1];
};

/* `to`: who takes over, or NULL. */
static void begin_drain(struct gateway *gateway, struct handover *to) {
    outside_stop_acme(&gateway->outside);
    struct drain_parts parts = {.loop = &gateway->loop,
                                .admin = gateway->admin,
                                .visitors = gateway->visitors,
                                .agents = gateway->agents,
                                .accept = gateway->accept,
                                .core = gateway->core,
                                .backend = gateway->backend,
                                .peering = gateway->peering,
                                .visitor_entrance = &gateway->entrances.visitors,
                                .agent_entrance = &gateway->entrances.agents,
                                .admin_port = &gateway->admin_port,
                                .handover = to,
                                .delay_ms = gateway->config.drain_delay_ms,
                                .timeout_ms = gateway->config.drain_timeout_ms};
    drain_start(&gateway->drain, &parts);
}

static bool goes_down(void *ctx) {
    return ((struct gateway *)ctx)->drain.phase != DRAIN_NO;
}

static void go_down(void *ctx) {
    if (!goes_down(ctx)) begin_drain(ctx, NULL);
}

static void on_stop(void *ctx, unsigned times, int number) {
    (void)number, (void)times;
    struct gateway *gateway = ctx;
    if (!gateway->started)
        loop_quit(&gateway->loop);
    else if (goes_down(gateway))
        drain_hurry(&gateway->drain);
    else
        begin_drain(gateway, NULL);
}

static bool may_hand_over(void *ctx) {
    const struct gateway *gateway = ctx;
    return gateway->started && !goes_down(ctx);
}

static void on_successor_ready(void *ctx) {
    struct gateway *gateway = ctx;
    if (may_hand_over(gateway)) begin_drain(gateway, &gateway->handover);
}

static void wait_for_handover(struct gateway *gateway, char **argv) {
    const struct handover_parts parts = {.loop = &gateway->loop,
                                         .argv = argv,
                                         .life = successor_life(),
                                         .ports = {{"public", &gateway->entrances.visitors.plain},
                                                   {"public-tls", &gateway->entrances.visitors.tls},
                                                   {"agent", &gateway->entrances.agents.plain},
                                                   {"agent-tls", &gateway->entrances.agents.tls},
                                                   {"admin", &gateway->admin_port}},
                                         .ctx = gateway,
                                         .may = may_hand_over,
                                         .ready = on_successor_ready};
    handover_init(&gateway->handover, &parts);
}

static void on_cleanup(struct timer *timer) {
    struct gateway *gateway = LIST_ENTRY(timer, struct gateway, cleanup);
    core_cleanup(gateway->core, NULL, NULL);
    timer_start(&gateway->loop.timers, &gateway->cleanup, CLEANUP_MS);
}

/* ---- starting ---- */

static void on_visitor(void *ctx, const struct conn *conn, struct client *client,
                       const struct sockaddr *address, socklen_t len) {
    struct gateway *gateway = ctx;
    visitors_accept(gateway->visitors, conn, client, address, len);
}

static void on_agent(void *ctx, const struct conn *conn, struct client *client,
                     const struct sockaddr *address, socklen_t len) {
    struct gateway *gateway = ctx;
    agent_accept_take(gateway->accept, conn, client, address, len);
}

static void on_admin(void *ctx, int fd, struct client *client, const struct sockaddr *address,
                     socklen_t len) {
    struct gateway *gateway = ctx;
    admin_accept(gateway->admin, fd, client, address, len);
}

static bool limit_rates(struct gateway *gateway) {
    size_t rate = gateway->config.connection_rate;
    return clients_limit_rate(&gateway->visitor_clients, rate) &&
           clients_limit_rate(&gateway->agent_clients, rate) &&
           clients_limit_rate(&gateway->proxied_agents, rate);
}

/* Who connects when all are connected that may be takes the place of one who does nothing. */
static bool spare_visitor(void *ctx) {
    struct gateway *gateway = ctx;
    return visitors_spare(gateway->visitors) || entrance_spare(&gateway->entrances.visitors);
}

static bool spare_agent(void *ctx) {
    struct gateway *gateway = ctx;
    return agent_accept_spare(gateway->accept) || entrance_spare(&gateway->entrances.agents);
}

static void spare_idle(struct gateway *gateway) {
    gateway->visitor_clients.spare = spare_visitor;
    gateway->agent_clients.spare = spare_agent;
    gateway->visitor_clients.spare_ctx = gateway->agent_clients.spare_ctx = gateway;
}

/* First, because the public URL wants the port. Who connects meanwhile waits in the socket's queue: the loop
 * does not run yet. */
static bool open_ports(struct gateway *gateway) {
    const struct config *config = &gateway->config;
    const size_t max = config->max_connections, each = config->max_connections_per_address;
    const size_t proxies = config->proxies_text.count;
    clients_init(&gateway->visitor_clients, max, each, config->proxies, proxies);
    clients_init(&gateway->proxied_clients, 0, each, NULL,
                 0); /* these are counted among the proxy's connections */
    clients_init(&gateway->agent_clients, max, each, config->proxies, proxies);
    clients_init(&gateway->proxied_agents, 0, each, NULL, 0);
    clients_init(&gateway->admin_clients, 64, 0, NULL, 0);
    if (!limit_rates(gateway)) return false;
    const struct entrances_owner owner = {.visitors = &gateway->visitor_clients,
                                          .agents = &gateway->agent_clients,
                                          .on_visitor = on_visitor,
                                          .on_agent = on_agent,
                                          .ctx = gateway};
    if (!entrances_open(&gateway->entrances, &gateway->loop, &owner)) return false;
    gateway->admin_port = listener_open(&gateway->loop, "admin-listen", &config->admin_listen,
                                        &gateway->admin_clients, on_admin, gateway);
    gateway->metrics.ports[METRIC_PORT_PUBLIC] = &gateway->visitor_clients;
    gateway->metrics.ports[METRIC_PORT_AGENT] = &gateway->agent_clients;
    gateway->metrics.ports[METRIC_PORT_ADMIN] = &gateway->admin_clients;
    if (!gateway->admin_port) return false;
    inherited_close_rest();
    listener_hold(gateway->admin_port, successor_waits());
    return true;
}

static void set_keys(const struct gateway *gateway, struct core_settings *settings) {
    settings->resume_secret = view_of(gateway->keys.resume, SECRET_LEN);
    settings->jwt.secret = view_of(gateway->jwt_secret.bytes, gateway->jwt_secret.len);
    for (size_t i = 0; i < JWT_OLDER_MAX; i++)
        settings->jwt.older[i] = view_of(gateway->jwt_older[i].bytes, gateway->jwt_older[i].len);
    settings->jwt.keys = gateway->token_keys.set;
}

static bool make_core(struct gateway *gateway) {
    struct core_settings settings;
    core_setup(&gateway->config, &settings);
    set_keys(gateway, &settings);
    outside_keys(&gateway->outside, &settings);
    settings.public_url = view_from_cstr(gateway->public_url);
    if (backend_is_shared(gateway->backend)) settings.gateway = view_from_cstr(gateway->peer_url);
    struct agents agents = agent_ws_port(gateway->agents);
    struct ports ports = {
        .clock = {.wall_ms = loop_wall_ms, .timers = &gateway->loop.timers, .tasks = &gateway->loop.tasks},
        .ids = {.tunnel = ids_tunnel, .random = ids_random},
        .denials = administration_denials(&gateway->administration),
    };
    struct peer_links *peers = gateway->peering ? peering_links(gateway->peering) : NULL;
    outside_ports(&gateway->outside, &ports);
    if (!backend_ports(gateway->backend, &agents, peers, &ports)) return false;
    gateway->core = core_new(&settings, &ports);
    if (!gateway->core) return false;
    agent_ws_set_core(gateway->agents, gateway->core);
    backend_listen(gateway->backend, core_store_events(gateway->core));
    return true;
}

static bool make_peering(struct gateway *gateway) {
    if (!backend_is_shared(gateway->backend)) return true;
    gateway->peering = peering_new(&gateway->loop, gateway->peer_url, gateway->agents);
    if (gateway->peering) peering_set_key(gateway->peering, gateway->keys.peer);
    return gateway->peering != NULL;
}

/* Without a secret that was given a shared store keeps it. */
static bool keeps_secret_there(const struct config *config) {
    return strcmp(config->store_url, "memory") != 0 && !config->secret && !config->secret_file;
}

static bool make_adapters(struct gateway *gateway) {
    const struct config *config = &gateway->config;
    struct visitor_settings settings = {
        .header_timeout_ms = config->header_timeout_ms,
        .head_bytes = config->request_head_bytes,
        .keepalive_timeout_ms = config->keepalive_timeout_ms,
        .body_idle_timeout_ms = config->body_idle_timeout_ms,
        .min_rate = config->min_rate,
        .min_rate_grace_ms = config->min_rate_grace_ms,
    };
    gateway->agents = agent_ws_new(&gateway->loop, config->agent_ping_interval_ms,
                                   (uint32_t)config->agent_link_requests, config->answer_head_bytes);
    if (!gateway->agents || !make_peering(gateway) ||
        !outside_open(&gateway->outside, &gateway->loop, config, &gateway->entrances, gateway->backend,
                      keeps_secret_there(config) ? NULL : gateway->keys.seal) ||
        !make_core(gateway))
        return false;
    gateway->visitors = visitors_new(&gateway->loop, gateway->core, &settings, &gateway->proxied_clients);
    gateway->accept = agent_accept_new(&gateway->loop, gateway->core, gateway->agents,
                                       backend_is_shared(gateway->backend) ? gateway->peer_url : "",
                                       config_speaks(config, VIEW("v1")), config_speaks(config, VIEW("v2")),
                                       config->header_timeout_ms, &gateway->proxied_agents);
    admin_set_core(gateway->admin, gateway->core);
    gateway->metrics.agents = gateway->agents;
    gateway->metrics.peering = gateway->peering;
    gateway->metrics.core = gateway->core;
    token_keys_watch(&gateway->token_keys, &gateway->loop, gateway->core);
    outside_start(&gateway->outside, gateway->core);
    if (!gateway->visitors || !gateway->accept) return false;
    spare_idle(gateway);
    pressure_start(&gateway->pressure, &gateway->loop, gateway->core, gateway->visitors,
                   config->memory_limit_bytes);
    gateway->metrics.pressure = &gateway->pressure;
    return !gateway->peering || peering_serve(gateway->peering, gateway->core, gateway->accept);
}

static bool administrate(struct gateway *gateway) {
    struct control_settings settings = {.loop = &gateway->loop,
                                        .agents = gateway->agents,
                                        .core = gateway->core,
                                        .gateway = gateway->peer_url,
                                        .is_draining = goes_down,
                                        .drain = go_down,
                                        .ctx = gateway};
    return administration_serve(&gateway->administration, &settings, gateway->backend);
}

/* Scripts wait for these lines. */
static void announce(const struct gateway *gateway) {
    struct buf lines;
    buf_init(&lines, 4096);
    buf_printf(&lines, "ttf-gateway v%s\n", TTF_VERSION);
    entrances_print(&gateway->entrances, &lines);
    entrances_print_port(&lines, "Admin: http://", gateway->admin_port);
    buf_append_view(&lines, VIEW("Ready\n"));
    log_buffer_announce(buf_view(&lines));
    buf_done(&lines);
}

/* Every connection is a descriptor; the default of 1024 is for programs that use select(). */
static void raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static bool derive_keys(struct gateway *gateway) {
    bool derived = secret_keys_derive(backend_secret(gateway->backend), &gateway->keys);
    if (derived) ticket_keys_set(&gateway->entrances.tickets, gateway->keys.ticket);
    return derived;
}

static void let_in(struct gateway *gateway) {
    gateway->started = true;
    administration_show(&gateway->administration);
    metrics_set(METRIC_STORE_UP, 0, 1);
    entrances_admit(&gateway->entrances, &gateway->loop, gateway->agents);
    outside_start_acme(&gateway->outside, gateway->core);
    listener_hold(gateway->admin_port, false);
    timer_start(&gateway->loop.timers, &gateway->cleanup, CLEANUP_MS);
    admin_set_state(gateway->admin, ADMIN_READY);
    confinement_log();
    announce(gateway);
    notify_tell("READY=1\nSTATUS=Serving");
}

static void on_go(void *ctx, struct view claims) {
    struct gateway *gateway = ctx;
    backend_import(gateway->backend, claims);
    let_in(gateway);
}

static void on_passed_visitor(void *ctx, int fd) {
    struct gateway *gateway = ctx;
    if (gateway->entrances.visitors.plain)
        listener_adopt(gateway->entrances.visitors.plain, fd);
    else
        close(fd);
}

/* The store can be used: everybody may come in, as soon as no other gateway stands here. */
static void on_backend_ready(void *ctx) {
    struct gateway *gateway = ctx;
    if (backend_secret(gateway->backend).len && !derive_keys(gateway)) abort(); /* OpenSSL does not work */
    ticket_keys_set(&gateway->entrances.tickets, gateway->keys.ticket);
    if (!administration_prepare(&gateway->administration, &gateway->loop, &gateway->config,
                                gateway->backend) ||
        !make_adapters(gateway) || !administrate(gateway)) {
        loop_quit(&gateway->loop);
        return;
    }
    const struct successor_events events = {.ctx = gateway, .go = on_go, .visitor = on_passed_visitor};
    if (successor_waits())
        successor_ready(&gateway->loop, &events);
    else
        let_in(gateway);
}

static void on_backend_degraded(void *ctx, const char *what) {
    struct gateway *gateway = ctx;
    admin_set_degraded(gateway->admin, what);
    metrics_set(METRIC_STORE_UP, 0, what ? 0 : 1);
}

static void on_secret_changed(void *ctx) {
    struct gateway *gateway = ctx;
    if (!derive_keys(gateway) || !gateway->core) return;
    core_set_resume_secret(gateway->core, gateway->keys.resume);
    if (gateway->peering) peering_set_key(gateway->peering, gateway->keys.peer);
}

static bool make_backend(struct gateway *gateway) {
    const struct config *config = &gateway->config;
    struct core_settings defaults;
    const char *why;
    core_settings_init(&defaults);
    struct backend_settings settings = {.loop = &gateway->loop,
                                        .store_url = config->store_url,
                                        .gateway = gateway->peer_url,
                                        .lease_ms = config->lease_ms,
                                        .keep_anonymous_ms = config->offline_keep_ms,
                                        .keep_owned_ms = defaults.keep_owned_ms,
                                        .retire_ms = defaults.retire_ms,
                                        .body_max_bytes = config->body_bytes,
                                        .keeps_secret = !config->secret && !config->secret_file,
                                        .ctx = gateway,
                                        .ready = on_backend_ready,
                                        .degraded = on_backend_degraded,
                                        .secret_changed = on_secret_changed};
    gateway->backend = backend_new(&settings, &why);
    if (!gateway->backend) fprintf(stderr, "ttf-gateway: --store: %s\n", why);
    return gateway->backend != NULL;
}

static void stop_adapters(struct gateway *gateway) {
    token_keys_stop(&gateway->token_keys);
    outside_stop(&gateway->outside);
    timer_stop(&gateway->loop.timers, &gateway->cleanup);
    metrics_page_stop(&gateway->metrics);
    pressure_stop(&gateway->pressure);
    drain_stop(&gateway->drain, &gateway->loop);
    handover_stop(&gateway->handover);
    successor_stop();
    notify_stop();
    entrances_stop(&gateway->entrances);
    listener_free(gateway->admin_port);
    agent_accept_stop(gateway->accept);
    visitors_stop(gateway->visitors);
    peering_stop(gateway->peering);
    administration_stop(&gateway->administration);
    admin_stop(gateway->admin);
    agent_ws_stop(gateway->agents);
    backend_stop(gateway->backend);
}

/* In the order in which the parts refer to each other; the loop runs the last close callbacks in between. */
static void free_all(struct gateway *gateway, int code) {
    explicit_bzero(&gateway->keys, sizeof(gateway->keys));
    explicit_bzero(&gateway->jwt_secret, sizeof(gateway->jwt_secret));
    core_free(gateway->core);
    outside_free(&gateway->outside);
    token_keys_done(&gateway->token_keys);
    access_file_stop();
    log_buffer_stop();
    if (!loop_done_within(&gateway->loop, TEARDOWN_MS)) _exit(code); /* a name is still looked up */
    peering_free(gateway->peering);
    agent_ws_free(gateway->agents);
    agent_accept_free(gateway->accept);
    visitors_free(gateway->visitors);
    admin_free(gateway->admin);
    administration_free(&gateway->administration);
    backend_free(gateway->backend);
    outside_done(&gateway->outside);
    clients_done(&gateway->visitor_clients);
    clients_done(&gateway->proxied_clients);
    clients_done(&gateway->agent_clients);
    clients_done(&gateway->proxied_agents);
    clients_done(&gateway->admin_clients);
    entrances_done(&gateway->entrances);
}

static bool load_secrets(struct gateway *gateway) {
    const struct config *config = &gateway->config;
    bool has_jwt_secret = config->jwt_secret || config->jwt_secret_file;
    return (keeps_secret_there(config) || secret_load(config, &gateway->keys)) &&
           (!has_jwt_secret || secret_load_jwt(config, &gateway->jwt_secret)) &&
           secret_load_older(config, gateway->jwt_older) && token_keys_load(&gateway->token_keys, config) &&
           entrances_load(&gateway->entrances, config);
}

static bool find_urls(struct gateway *gateway) {
    const struct entrances *entrances = &gateway->entrances;
    urls_public(&gateway->config, &entrances->visitors, gateway->public_url);
    urls_peer(&gateway->config, entrances->agents.plain, gateway->peer_url, sizeof(gateway->peer_url));
    if (successor_url(gateway->peer_url, sizeof(gateway->peer_url))) return true;
    fprintf(stderr, "ttf-gateway: --peer-url: it is too long to take over from another gateway\n");
    return false;
}

static void no_work(uv_work_t *work) {
    (void)work;
}

/* Signals are held by each thread for itself: those of libuv's pool begin here, while they are, and never
 * hear of any. One that did would be killed by what comes when the last handler has been closed. */
static void start_pool(struct gateway *gateway) {
    uv_queue_work(&gateway->loop.uv, &gateway->first_work, no_work, NULL);
}

static int run(struct gateway *gateway, char **argv) {
    platform_hold_signals(); /* until there is a handler for each */
    successor_init();
    log_set_level(gateway->config.log_level);
    sandbox_lock(&gateway->keys, sizeof(gateway->keys));
    sandbox_lock(&gateway->jwt_secret, sizeof(gateway->jwt_secret));
    sandbox_lock(&gateway->entrances.tickets, sizeof(gateway->entrances.tickets));
    sandbox_lock(gateway->jwt_older, sizeof(gateway->jwt_older));
    if (!load_secrets(gateway)) return 1;
    confinement_enter(&gateway->config);
    if (!loop_init(&gateway->loop)) return 1;
    start_pool(gateway);
    loop_on_stop(&gateway->loop, on_stop, gateway);
    log_buffer_start(&gateway->loop);
    timer_init(&gateway->cleanup, on_cleanup);
    drain_init(&gateway->drain);
    metrics_page_start(&gateway->metrics, &gateway->loop, gateway->config.metrics_tunnels);
    notify_start(&gateway->loop);
    if (open_ports(gateway) && find_urls(gateway))
        gateway->admin =
            admin_new(&gateway->loop, !listen_address_is_loopback(&gateway->config.admin_listen));
    wait_for_handover(gateway, argv);
    if (gateway->admin) admin_add_page(gateway->admin, "/metrics", metrics_page_print, &gateway->metrics);
    bool runs = gateway->admin &&
                administration_open(&gateway->administration, &gateway->loop, &gateway->config,
                                    successor_waits(), gateway->admin) &&
                access_file_start(&gateway->loop, &gateway->config, gateway->peer_url) &&
                make_backend(gateway);
    if (runs) {
        if (backend_is_shared(gateway->backend)) log_info("gateway", "waiting for the store");
        platform_let_signals();
        loop_run(&gateway->loop);
    }
    stop_adapters(gateway);
    int code = gateway->started || (runs && gateway->loop.stops) ? 0 : 1;
    free_all(gateway, code);
    return code;
}

static void print_metrics(void) {
    struct buf text;
    buf_init(&text, (size_t)64 * 1024);
    metrics_put_document(&text);
    fwrite(buf_view(&text).ptr, 1, text.len, stdout);
    buf_done(&text);
}

int main(int argc, char **argv) {
    static struct gateway gateway;
    int code;
    heap_init();
    raise_descriptor_limit();
    if (argc > 1 && strcmp(argv[1], "admin") == 0) return admin_command(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "token") == 0) return token_command(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "print") == 0) return config_texts_command(argc - 1, argv + 1);
    if (config_init(&gateway.config, argc, argv, &code)) {
        if (gateway.config.help)
            code = config_print_help(gateway.config.help);
        else if (gateway.config.wants_markdown)
            config_print_markdown();
        else if (gateway.config.wants_metrics)
            print_metrics();
        else if (gateway.config.wants_version)
            version_print(stdout);
        else if (gateway.config.wants_health)
            code = health_ask(&gateway.config.admin_listen);
        else
            code = run(&gateway, argv);
    }
    config_done(&gateway.config);
    return code;
}
