/* See administration.h. */
#include "administration.h"

#include <stdio.h>
#include <string.h>

#include "config/secret_file.h"

static bool load_token(const struct config *config, struct api_settings *settings) {
    struct secret_text text;
    if (!config->admin_token && !config->admin_token_file) return true;
    settings->has_token =
        secret_load_admin(config, &text) &&
        secret_derive(view_of(text.bytes, text.len), VIEW(API_TOKEN_LABEL), settings->token);
    explicit_bzero(&text, sizeof(text));
    return settings->has_token;
}

static bool open_socket(struct administration *it, struct loop *loop, const char *path, bool takes_over,
                        struct admin *admin) {
    const char *why;
    if (!path) return true;
    it->socket = admin_socket_open(loop, path, takes_over, admin, &why);
    if (!it->socket) fprintf(stderr, "ttf-gateway: --admin-socket %s: %s\n", path, why);
    return it->socket;
}

bool administration_open(struct administration *it, struct loop *loop, const struct config *config,
                         bool takes_over, struct admin *admin) {
    struct api_settings settings = {.loop = loop, .admin = admin};
    if (!load_token(config, &settings)) return false;
    it->api = api_new(&settings);
    explicit_bzero(settings.token, sizeof(settings.token));
    if (!it->api) return false;
    admin_set_api(admin, it->api);
    return open_socket(it, loop, config->admin_socket, takes_over, admin);
}

/* ---- who is kept out ---- */

static const char *why_denied(void *ctx, const struct agent_card *card) {
    const struct applicant applicant = {.tunnel_id = card->tunnel,
                                        .owner = card->owner,
                                        .token_id = card->token_id,
                                        .token_issued_s = card->token_issued_s};
    return denial_list_why(ctx, &applicant);
}

/* Those that are here already go. */
static void on_denials(void *ctx) {
    struct administration *it = ctx;
    if (it->agents) agent_ws_kick(it->agents, why_denied, denial_keep_list(it->denials));
}

static bool on_asked(void *ctx, struct view question, struct buf *answer) {
    struct administration *it = ctx;
    return it->control && control_answer(it->control, question, answer);
}

static void on_denial_changed(void *ctx, struct view key, bool was_removed) {
    denial_keep_changed(((struct administration *)ctx)->denials, key, was_removed);
}

static void on_emptied(void *ctx) {
    denial_keep_emptied(((struct administration *)ctx)->denials);
}

static void on_reached(void *ctx) {
    denial_keep_reached(((struct administration *)ctx)->denials);
}

static void listen_to_store(struct administration *it, struct backend *backend) {
    const struct backend_control control = {.ctx = it,
                                            .asked = on_asked,
                                            .denial_changed = on_denial_changed,
                                            .emptied = on_emptied,
                                            .reached = on_reached};
    if (!backend_redis(backend)) return;
    backend_set_control(backend, &control);
    denial_keep_reached(it->denials);
}

bool administration_prepare(struct administration *it, struct loop *loop, const struct config *config,
                            struct backend *backend) {
    char path[STATE_PATH_MAX];
    const char *why;
    bool has_file = !backend_redis(backend) && config_state_path(config, "denials", path);
    struct denial_keep_settings settings = {.loop = loop,
                                            .redis = backend_redis(backend),
                                            .path = has_file && config_state_folder(config) ? path : NULL,
                                            .changed = on_denials,
                                            .ctx = it};
    it->denials = denial_keep_new(&settings, &why);
    if (it->denials)
        listen_to_store(it, backend);
    else
        fprintf(stderr, "ttf-gateway: %s: %s\n", has_file ? path : "denials", why);
    return it->denials;
}

struct denials administration_denials(struct administration *it) {
    return denial_list_port(denial_keep_list(it->denials));
}

/* ---- serving ---- */

bool administration_serve(struct administration *it, const struct control_settings *control,
                          struct backend *backend) {
    struct control_settings settings = *control;
    settings.redis = backend_redis(backend);
    it->control = control_new(&settings);
    if (!it->control) return false;
    it->agents = settings.agents;
    api_serve(it->api, &(struct api_sources){.control = it->control,
                                             .denials = it->denials,
                                             .core = settings.core,
                                             .names = {.tasks = &settings.loop->tasks,
                                                       .redis = settings.redis,
                                                       .memory = backend_memory(backend)}});
    return true;
}

void administration_show(struct administration *it) {
    if (it->socket) admin_socket_show(it->socket);
}

void administration_stop(struct administration *it) {
    admin_socket_free(it->socket);
    it->socket = NULL;
    it->agents = NULL;
    denial_keep_stop(it->denials);
}

void administration_free(struct administration *it) {
    api_free(it->api);
    control_free(it->control);
    denial_keep_free(it->denials);
}
