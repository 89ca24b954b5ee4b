/* See agent.h. A tunnel that ends is told so from within its own events, so it is taken down by a task. */
#include "agent.h"

#include <stdio.h>
#include <stdlib.h>

#include "auth/domain.h"
#include "base/log.h"
#include "folder/folder.h"
#include "heartbeat.h"
#include "route_watch.h"
#include "tunnel.h"
#include "visitor_rules.h"

#define REQUEST_TIMEOUT_GATEWAY_MS 60000u
#define REQUEST_TIMEOUT_AWS_MS 25000u

struct agent_tunnel {
    struct list node;
    struct agent *agent;
    struct tunnel_options options; /* its strings are in `texts` */
    void *texts;
    char service[300];                     /* the local one, for people */
    char domain_name[DOMAIN_NAME_LEN + 1]; /* of options.domain */
    struct visitor_rules rules;
    struct folder *folder; /* whose files are the service; NULL: it is a service */
    struct resume_store resume;
    struct host_field host_field;
    struct hints hints;
    struct tunnel_turn turn;
    uint64_t number; /* of all that there were */
    struct tunnel *tunnel;
    bool has_ended, is_forgiven;
};

struct agent {
    struct loop *loop;
    struct agent_settings settings;
    void (*on_exit)(void *ctx, int code);
    void *ctx;
    struct uplinks *uplinks;
    struct token_command *token_command; /* NULL: none */
    struct route_watch *routes;          /* NULL: nobody tells */
    struct list tunnels;
    struct list leaving; /* removed; saying goodbye */
    struct tunnel_turns turns;
    uint64_t last_number; /* of a tunnel */
    struct task reap;
    bool runs;
    int exit_code;
};

/* ---- whose turn it is ---- */

/* Tunnels have come or gone. One that is alone takes no turns. */
static void share_turns(struct agent *agent) {
    bool is_one = agent->tunnels.next == agent->tunnels.prev;
    for (struct list *node = agent->tunnels.next; node != &agent->tunnels; node = node->next) {
        struct agent_tunnel *tunnel = LIST_ENTRY(node, struct agent_tunnel, node);
        tunnel->turn.taker.share = is_one ? 0 : turns_share(tunnel->number);
    }
}

/* ---- the end of tunnels ---- */

static void tunnel_bury(struct agent_tunnel *tunnel) {
    list_remove(&tunnel->node);
    if (tunnel->tunnel) tunnel_shut(tunnel->tunnel);
    hints_done(&tunnel->hints);
    tunnel_free(tunnel->tunnel);
    folder_free(tunnel->folder);
    resume_store_close(&tunnel->resume);
    free(tunnel->texts);
    visitor_rules_done(&tunnel->rules);
    free(tunnel);
}

static void bury_ended(struct list *tunnels) {
    for (struct list *node = tunnels->next, *next; node != tunnels; node = next) {
        struct agent_tunnel *tunnel = LIST_ENTRY(node, struct agent_tunnel, node);
        next = node->next;
        if (tunnel->has_ended) tunnel_bury(tunnel);
    }
}

static void on_reap(struct task *task) {
    struct agent *agent = LIST_ENTRY(task, struct agent, reap);
    bury_ended(&agent->tunnels);
    bury_ended(&agent->leaving);
    share_turns(agent);
    if (!list_empty(&agent->tunnels) || !list_empty(&agent->leaving) || !agent->runs) return;
    agent->runs = false;
    agent->on_exit(agent->ctx, agent->exit_code);
}

static void on_tunnel_exit(void *ctx, int code) {
    struct agent_tunnel *tunnel = ctx;
    struct agent *agent = tunnel->agent;
    tunnel->has_ended = true;
    if (code > agent->exit_code && !tunnel->is_forgiven) agent->exit_code = code;
    tasks_post(&agent->loop->tasks, &agent->reap);
}

/* ---- one more ---- */

/* That the gateway is asked for; NULL: none. */
static const char *name_of(const struct agent_tunnel *tunnel) {
    return tunnel->options.domain ? tunnel->domain_name : tunnel->options.name;
}

/* False when another ttf, or another tunnel of this one, uses that name. */
static bool open_resume_store(struct agent_tunnel *tunnel, char *error, size_t error_size) {
    const struct agent *agent = tunnel->agent;
    const struct tunnel_options *options = &tunnel->options;
    struct view url = view_from_cstr(agent->settings.endpoint->shown);
    char *dir = resume_store_default_dir();
    char *folder = options->folder ? realpath(options->folder, NULL) : NULL;
    char *without_query = view_to_cstr(view_slice(url, 0, view_find(url, '?')));
    struct resume_key key = {.endpoint = without_query ? without_query : "",
                             .name = name_of(tunnel),
                             .label = options->label,
                             .folder = folder,
                             .port = (uint16_t)options->port};
    char place[300];
    snprintf(place, sizeof(place), "port %ld", options->port);
    if (options->folder) tunnel_options_print_service(options, place, sizeof(place));
    enum resume_claim claim = resume_store_open(&tunnel->resume, dir, &key, error, error_size);
    free(without_query);
    free(folder);
    free(dir);
    if (claim == RESUME_BUSY)
        snprintf(error, error_size, "another ttf on this machine already runs the tunnel '%s' for %s",
                 options->domain ? options->domain : options->name, place);
    else if (claim == RESUME_UNAVAILABLE)
        console_error(agent->settings.console, "the tunnel's URL will not survive a restart of ttf: %s",
                      error);
    return claim != RESUME_BUSY;
}

/* Longer than API Gateway waits nothing is worth waiting for there. */
static uint64_t request_timeout_ms(const struct tunnel_options *options, bool is_aws) {
    if (options->request_timeout_s) return (uint64_t)options->request_timeout_s * 1000;
    return is_aws ? REQUEST_TIMEOUT_AWS_MS : REQUEST_TIMEOUT_GATEWAY_MS;
}

static struct tunnel *make_tunnel(struct agent_tunnel *tunnel) {
    const struct agent *agent = tunnel->agent;
    const struct tunnel_options *options = &tunnel->options;
    tunnel_options_print_service(options, tunnel->service, sizeof(tunnel->service));
    bool is_aws = endpoint_is_aws(agent->settings.endpoint);
    struct local_target target = agent_tunnel_target(tunnel);
    struct tunnel_settings settings = {
        .endpoint = agent->settings.endpoint,
        .endpoint_is_default = agent->settings.endpoint_is_default,
        .uplinks = agent->uplinks,
        .token = agent->settings.token,
        .token_command = agent->token_command,
        .label = options->label,
        .name = name_of(tunnel),
        .domain = options->domain,
        .service = tunnel->service,
        .target = &target,
        .host_field = &tunnel->host_field,
        .health_check = options->health_check,
        .rewrite = options->rewrite,
        .opens_url = options->open,
        .may_index = name_of(tunnel) || options->index,
        .rules = &tunnel->rules,
        .turn = &tunnel->turn,
        .hints = &tunnel->hints,
        .connect_timeout_ms = agent->settings.connect_timeout_ms,
        .request_timeout_ms = request_timeout_ms(options, is_aws),
        .heartbeat_ms = is_aws ? HEARTBEAT_AWS_MS : HEARTBEAT_GATEWAY_MS,
        .console = agent->settings.console,
        .watch = agent->settings.watch,
        .resume = &tunnel->resume,
    };
    return tunnel_new(agent->loop, &settings, on_tunnel_exit, tunnel);
}

static bool init_parts(struct agent_tunnel *tunnel, const struct tunnel_options *options, char *error,
                       size_t error_size) {
    const char *how = options->host_header ? options->host_header : "preserve";
    if (options->domain && !domain_name(view_from_cstr(options->domain), tunnel->domain_name)) return false;
    tunnel->resume = (struct resume_store){.lock_fd = -1};
    hints_init(&tunnel->hints, tunnel->agent->settings.console, NULL, &tunnel->host_field, true);
    snprintf(error, error_size, "out of memory");
    tunnel->texts = tunnel_options_copy(options, &tunnel->options);
    if (!tunnel->texts) return false;
    hints_init(&tunnel->hints, tunnel->agent->settings.console, tunnel->options.label, &tunnel->host_field,
               options->no_hints || options->folder);
    if (!host_field_init(&tunnel->host_field, how, options->host,
                         options->unix_path || options->folder ? 0 : (uint16_t)options->port,
                         options->local_https ? "https" : "http")) {
        snprintf(error, error_size, "host-header wants preserve, rewrite or a host name");
        return false;
    }
    if (!visitor_rules_make(&tunnel->options, &tunnel->rules, error, error_size)) return false;
    if (options->folder &&
        !(tunnel->folder = folder_new(tunnel->options.folder, options->list, error, error_size)))
        return false;
    if (!open_resume_store(tunnel, error, error_size)) return false;
    snprintf(error, error_size, "out of memory");
    tunnel->tunnel = make_tunnel(tunnel);
    return tunnel->tunnel;
}

struct agent_tunnel *agent_add(struct agent *agent, const struct tunnel_options *options, char *error,
                               size_t error_size) {
    if (options->label && agent_find(agent, options->label)) {
        snprintf(error, error_size, "there is a tunnel '%s' already", options->label);
        return NULL;
    }
    struct agent_tunnel *tunnel = calloc(1, sizeof(*tunnel));
    if (!tunnel) {
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    tunnel->agent = agent;
    tunnel->number = ++agent->last_number;
    tunnel->turn =
        (struct tunnel_turn){.taker = {.turns = &agent->turns.turns}, .links = &agent->turns.links};
    list_append(&agent->tunnels, &tunnel->node);
    share_turns(agent);
    if (!init_parts(tunnel, options, error, error_size)) {
        tunnel_bury(tunnel);
        share_turns(agent);
        return NULL;
    }
    if (agent->runs) tunnel_start(tunnel->tunnel);
    return tunnel;
}

void agent_tunnel_forgive(struct agent_tunnel *tunnel) {
    tunnel->is_forgiven = true;
}

void agent_remove(struct agent *agent, struct agent_tunnel *tunnel) {
    list_remove(&tunnel->node);
    list_append(&agent->leaving, &tunnel->node);
    share_turns(agent);
    resume_store_close(&tunnel->resume); /* for who begins in its place */
    tunnel_stop(tunnel->tunnel);
}

/* ---- who there is ---- */

static struct agent_tunnel *living(const struct agent *agent, const struct list *node) {
    for (; node != &agent->tunnels; node = node->next) {
        struct agent_tunnel *tunnel = LIST_ENTRY(node, struct agent_tunnel, node);
        if (!tunnel->has_ended) return tunnel;
    }
    return NULL;
}

struct agent_tunnel *agent_first(const struct agent *agent) {
    return living(agent, agent->tunnels.next);
}

struct agent_tunnel *agent_next(const struct agent *agent, const struct agent_tunnel *tunnel) {
    return living(agent, tunnel->node.next);
}

struct agent_tunnel *agent_find(const struct agent *agent, const char *label) {
    for (struct agent_tunnel *tunnel = agent_first(agent); tunnel; tunnel = agent_next(agent, tunnel))
        if (tunnel->options.label && strcmp(tunnel->options.label, label) == 0) return tunnel;
    return NULL;
}

const struct tunnel_options *agent_tunnel_options(const struct agent_tunnel *tunnel) {
    return &tunnel->options;
}

struct local_target agent_tunnel_target(const struct agent_tunnel *tunnel) {
    const struct tunnel_options *options = &tunnel->options;
    if (tunnel->folder)
        return (struct local_target){.host = "localhost",
                                     .unix_path = options->folder,
                                     .dialler = {.dial = folder_dial, .ctx = tunnel->folder}};
    return (struct local_target){.host = options->host,
                                 .port = (uint16_t)options->port,
                                 .unix_path = options->unix_path,
                                 .tls = options->local_https};
}

const char *agent_tunnel_url(const struct agent_tunnel *tunnel) {
    return tunnel_url(tunnel->tunnel);
}

bool agent_tunnel_is_up(const struct agent_tunnel *tunnel) {
    return tunnel_is_up(tunnel->tunnel);
}

/* ---- life ---- */

static void on_routes_changed(void *ctx) {
    const struct agent *agent = ctx;
    log_debug("tunnel", "the network has changed");
    for (struct agent_tunnel *tunnel = agent_first(agent); tunnel; tunnel = agent_next(agent, tunnel))
        tunnel_doubt(tunnel->tunnel);
}

/* Where one is said. */
static bool make_token_command(struct agent *agent, char *error, size_t error_size) {
    struct token *token = agent->settings.token;
    if (!token->command) return true;
    agent->token_command = token_command_new(agent->loop, token->command, token);
    snprintf(error, error_size, "out of memory");
    return agent->token_command != NULL;
}

struct agent *agent_new(struct loop *loop, const struct agent_settings *settings,
                        void (*on_exit)(void *ctx, int code), void *ctx, char *error, size_t error_size) {
    struct agent *agent = calloc(1, sizeof(*agent));
    snprintf(error, error_size, "out of memory");
    if (!agent) return NULL;
    agent->loop = loop;
    agent->settings = *settings;
    agent->on_exit = on_exit;
    agent->ctx = ctx;
    list_init(&agent->tunnels);
    list_init(&agent->leaving);
    agent->turns.turns.loop = loop;
    task_init(&agent->reap, on_reap);
    agent->uplinks =
        uplinks_new(loop, settings->endpoint, settings->proxy, &settings->trust, error, error_size);
    if (agent->uplinks && make_token_command(agent, error, error_size)) return agent;
    uplinks_free(agent->uplinks);
    free(agent);
    return NULL;
}

void agent_start(struct agent *agent) {
    agent->runs = true;
    agent->routes = route_watch_new(agent->loop, on_routes_changed, agent);
    for (struct agent_tunnel *tunnel = agent_first(agent); tunnel; tunnel = agent_next(agent, tunnel))
        tunnel_start(tunnel->tunnel);
}

void agent_stop(struct agent *agent) {
    for (struct agent_tunnel *tunnel = agent_first(agent); tunnel; tunnel = agent_next(agent, tunnel))
        tunnel_stop(tunnel->tunnel);
}

void agent_shut(struct agent *agent) {
    agent->runs = false;
    task_cancel(&agent->reap);
    route_watch_stop(agent->routes);
    agent->routes = NULL;
    struct list *both[] = {&agent->tunnels, &agent->leaving};
    for (size_t i = 0; i < 2; i++)
        while (!list_empty(both[i])) tunnel_bury(LIST_ENTRY(both[i]->next, struct agent_tunnel, node));
    token_command_free(agent->token_command);
    agent->token_command = NULL;
}

void agent_free(struct agent *agent) {
    if (!agent) return;
    uplinks_free(agent->uplinks);
    free(agent);
}
