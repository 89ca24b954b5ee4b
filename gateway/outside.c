/* See outside.h. */
#include "outside.h"

#include <stdio.h>

#include "acme/acme.h"
#include "dns/dns_proofs.h"
#include "doorman/doorman.h"
#include "issuer/jwks_url.h"
#include "net/authorities.h"

static bool make_client(struct outside *outside, struct loop *loop, const struct config *config) {
    if (!config->forward_auth && !config->jwks_url && !config->acme_email) return true;
    authorities_init(&outside->authorities, authorities_file());
    outside->http = http_client_new(&loop->uv, &loop->timers, &outside->authorities);
    if (outside->http && config->jwks_url)
        outside->jwks_url = jwks_url_new(loop, outside->http, config->jwks_url, false);
    return outside->http && (outside->jwks_url || !config->jwks_url);
}

static bool make_door(struct outside *outside, struct loop *loop, const struct config *config) {
    if (!config->forward_auth) return true;
    struct doorman_settings settings = {.http = outside->http,
                                        .timers = &loop->timers,
                                        .tasks = &loop->tasks,
                                        .url = view_from_cstr(config->forward_auth),
                                        .fields = config->forward_auth_headers.items,
                                        .fields_count = config->forward_auth_headers.count,
                                        .timeout_ms = config->forward_auth_timeout_ms,
                                        .keep_ms = config->forward_auth_cache_ms,
                                        .per_url = config->forward_auth_per_url};
    outside->door = door_new(&settings);
    return outside->door != NULL;
}

static bool make_proofs(struct outside *outside, struct loop *loop, const struct config *config) {
    if (!config->custom_domains || config->require_auth != ANSWER_YES) return true;
    outside->proofs = dns_proofs_new(loop, config->dns_servers, view_from_cstr(config->domain));
    if (!outside->proofs) fprintf(stderr, "ttf-gateway: --dns-servers: no name server can be asked\n");
    return outside->proofs != NULL;
}

#define NAMES_MAX 16

static bool make_acme(struct outside *outside, struct loop *loop, const struct config *config,
                      struct entrances *entrances, struct backend *backend, const unsigned char *seal) {
    struct view names[NAMES_MAX] = {view_from_cstr(config->domain)};
    size_t count = 1;
    const char *why;
    if (!config->acme_email) return true;
    for (size_t i = 0; i < config->names.count && count < NAMES_MAX; i++)
        names[count++] = config->names.items[i];
    const struct acme_settings settings = {.loop = loop,
                                           .http = outside->http,
                                           .challenges = &entrances->challenges,
                                           .store = backend_redis(backend),
                                           .seal = seal,
                                           .directory = config->acme_directory,
                                           .email = config->acme_email,
                                           .hook = config->acme_dns_hook,
                                           .folder = entrances->files.folder,
                                           .names = names,
                                           .names_count = count};
    outside->challenges = &entrances->challenges;
    outside->acme = acme_new(&settings, &why);
    if (!outside->acme) fprintf(stderr, "ttf-gateway: --acme-email: %s\n", why);
    if (!outside->acme) return false;
    backend_set_acme(backend, &(struct backend_acme){outside->acme, acme_changed, acme_reached});
    return true;
}

bool outside_open(struct outside *outside, struct loop *loop, const struct config *config,
                  struct entrances *entrances, struct backend *backend, const unsigned char *seal) {
    return make_client(outside, loop, config) && make_door(outside, loop, config) &&
           make_proofs(outside, loop, config) && make_acme(outside, loop, config, entrances, backend, seal);
}

void outside_keys(const struct outside *outside, struct core_settings *settings) {
    if (!outside->jwks_url) return;
    settings->jwt.keys = jwks_url_keys(outside->jwks_url);
    settings->jwt.source = jwks_url_source(outside->jwks_url);
}

void outside_ports(const struct outside *outside, struct ports *ports) {
    if (outside->door) ports->doorman = door_port(outside->door);
    if (outside->proofs) ports->proofs = dns_proofs_port(outside->proofs);
    if (outside->acme) ports->challenges = (struct challenges_port){outside->challenges, acme_answer};
}

void outside_start(struct outside *outside, struct core *core) {
    if (outside->jwks_url) jwks_url_start(outside->jwks_url, core);
}

void outside_start_acme(struct outside *outside, struct core *core) {
    if (outside->acme) acme_start(outside->acme, core);
}

void outside_stop_acme(struct outside *outside) {
    acme_stop(outside->acme);
}

void outside_stop(struct outside *outside) {
    acme_stop(outside->acme);
    dns_proofs_stop(outside->proofs);
    jwks_url_stop(outside->jwks_url);
}

void outside_free(struct outside *outside) {
    dns_proofs_free(outside->proofs);
    acme_free(outside->acme);
    door_free(outside->door);
    jwks_url_free(outside->jwks_url);
    http_client_free(outside->http);
}

void outside_done(struct outside *outside) {
    authorities_done(&outside->authorities);
}
