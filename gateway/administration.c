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

bool administration_serve(struct administration *it, const struct control_settings *control,
                          struct backend *backend) {
    struct control_settings settings = *control;
    settings.redis = backend_redis(backend);
    it->control = control_new(&settings);
    if (!it->control) return false;
    backend_answer(backend, control_answer, it->control);
    api_serve(it->api, it->control, settings.core);
    return true;
}

void administration_show(struct administration *it) {
    if (it->socket) admin_socket_show(it->socket);
}

void administration_stop(struct administration *it) {
    admin_socket_free(it->socket);
    it->socket = NULL;
}

void administration_free(struct administration *it) {
    api_free(it->api);
    control_free(it->control);
}
