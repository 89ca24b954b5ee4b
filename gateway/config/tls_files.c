/* See tls_files.h. */
#include "config/tls_files.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "config/acme_settings.h"
#include "metrics/metrics.h"

#define LOOKS_A_DAY 86400
#define SOON_S ((int64_t)14 * 24 * 60 * 60)

static void name_files(void *ctx, uint64_t *mark) {
    const struct tls_files *files = ctx;
    const struct config *config = files->config;
    if (files->folder) file_watch_add(mark, view_from_cstr(files->folder)); /* files come to it by rename */
    for (size_t i = 0; i < config->tls_cert.count; i++) {
        file_watch_add(mark, config->tls_cert.items[i]);
        file_watch_add(mark, config->tls_key.items[i]);
    }
}

static void add_one(struct certificates *set, const char *folder, const char *name) {
    char why[CERTIFICATES_WHY_MAX], path[4400];
    int len = snprintf(path, sizeof(path), "%s/%s", folder, name);
    struct view file = view_of(path, (size_t)len);
    if (len < (int)sizeof(path) && !certificates_add(set, file, file, (int64_t)time(NULL), why))
        log_warn("tls", "a certificate by ACME is passed over: %s", why);
}

static void add_folder(struct certificates *set, const char *folder) {
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (view_ends_with(view_from_cstr(entry->d_name), VIEW(".pem"))) add_one(set, folder, entry->d_name);
    if (dir) closedir(dir);
}

static struct certificates *read_files(const struct tls_files *files, char why[CERTIFICATES_WHY_MAX]) {
    const struct config *config = files->config;
    struct certificates *set = certificates_load(config->tls_cert.items, config->tls_key.items,
                                                 config->tls_cert.count, (int64_t)time(NULL), why);
    if (set && files->folder) add_folder(set, files->folder);
    return set;
}

static void tell_end(const struct tls_files *files) {
    if (certificates_count(files->set) == 0) return;
    int64_t end_s = certificates_end_s(files->set), left_s = end_s - (int64_t)time(NULL);
    metrics_set(METRIC_TLS_END, 0, (uint64_t)end_s * 1000000);
    if (left_s < SOON_S && files->config->tls_cert.count) /* of what comes by ACME it is said there */
        log_warn("tls", "a certificate ends in %" PRId64 " days: renew it", left_s < 0 ? 0 : left_s / 86400);
}

static void warn_of_name(const struct tls_files *files) {
    const char *domain = files->config->domain;
    char below[300];
    if (files->folder) return; /* they are on their way, and asked for by name */
    snprintf(below, sizeof(below), "name.%s", domain);
    if (!certificates_name(files->set, domain) && !certificates_name(files->set, below))
        log_warn("tls", "no certificate is for %s, which is what tunnels are reached by", domain);
    else if (files->config->subdomain_routing && !certificates_name(files->set, below))
        log_warn("tls", "no certificate is for *.%s, which is what tunnels are reached by", domain);
}

static void read_again(void *ctx) {
    struct tls_files *files = ctx;
    char why[CERTIFICATES_WHY_MAX];
    struct certificates *set = read_files(files, why);
    if (!set) {
        log_error("tls", "--tls-cert: %s; the certificates of before stay", why);
        return;
    }
    certificates_free(files->set); /* connections have references of their own */
    files->set = set;
    log_info("tls", "%zu certificates were read anew", certificates_count(set));
    tell_end(files);
}

static void on_looked(void *ctx) {
    struct tls_files *files = ctx;
    if (++files->looks % LOOKS_A_DAY == 0) tell_end(files);
}

static const struct file_watch_owner owner = {name_files, read_again, on_looked};

bool tls_files_load(struct tls_files *files, const struct config *config) {
    char why[CERTIFICATES_WHY_MAX];
    *files = (struct tls_files){.config = config};
    if (!config->tls_cert.count && !config->acme_email) return true;
    if (config->acme_email && !(files->folder = config_acme_folder(config))) return false;
    file_watch_init(&files->watch, &owner, files);
    files->set = read_files(files, why);
    if (!files->set) fprintf(stderr, "ttf-gateway: --tls-cert: %s\n", why);
    return files->set;
}

void tls_files_watch(struct tls_files *files, struct loop *loop) {
    if (!files->set) return;
    tell_end(files);
    warn_of_name(files);
    file_watch_start(&files->watch, loop);
}

void tls_files_stop(struct tls_files *files) {
    file_watch_stop(&files->watch);
}

void tls_files_done(struct tls_files *files) {
    certificates_free(files->set);
    files->set = NULL;
    free(files->folder);
    files->folder = NULL;
}
