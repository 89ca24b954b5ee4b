/* See tls_files.h. Files are known to have changed by what stat(2) says of them, links followed: by rename,
 * by a link to another folder (as certbot and Kubernetes do), or in place. They are read when two looks found
 * the same, so that a pair that is being replaced is not read in the middle of it. */
#include "config/tls_files.h"

#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "config/acme_settings.h"
#include "config/file_mark.h"
#include "metrics/metrics.h"

#define LOOK_MS 1000
#define LOOKS_A_DAY 86400
#define SOON_S ((int64_t)14 * 24 * 60 * 60)

static uint64_t mark_of(const struct tls_files *files) {
    const struct config *config = files->config;
    uint64_t mark = FILE_MARK_NONE;
    if (files->folder) file_mark_add(&mark, view_from_cstr(files->folder)); /* files come to it by rename */
    for (size_t i = 0; i < config->tls_cert.count; i++) {
        file_mark_add(&mark, config->tls_cert.items[i]);
        file_mark_add(&mark, config->tls_key.items[i]);
    }
    return mark;
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

static struct certificates *read_files(struct tls_files *files, char why[CERTIFICATES_WHY_MAX]) {
    const struct config *config = files->config;
    files->seen = files->read = mark_of(files);
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

bool tls_files_load(struct tls_files *files, const struct config *config) {
    char why[CERTIFICATES_WHY_MAX];
    *files = (struct tls_files){.config = config};
    if (!config->tls_cert.count && !config->acme_email) return true;
    if (config->acme_email && !(files->folder = config_acme_folder(config))) return false;
    files->set = read_files(files, why);
    if (!files->set) fprintf(stderr, "ttf-gateway: --tls-cert: %s\n", why);
    return files->set;
}

static void read_again(struct tls_files *files) {
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

static void on_look(struct timer *timer) {
    struct tls_files *files = LIST_ENTRY(timer, struct tls_files, look);
    uint64_t mark = mark_of(files);
    bool is_settled = mark == files->seen, is_new = mark != files->read;
    files->seen = mark;
    if (is_settled && is_new) read_again(files);
    if (++files->looks % LOOKS_A_DAY == 0) tell_end(files);
    timer_start(&files->loop->timers, &files->look, LOOK_MS);
}

static void on_hangup(uv_signal_t *signal, int number) {
    (void)number;
    read_again(signal->data);
}

void tls_files_watch(struct tls_files *files, struct loop *loop) {
    if (!files->set) return;
    files->loop = loop;
    tell_end(files);
    warn_of_name(files);
    timer_init(&files->look, on_look);
    timer_start(&loop->timers, &files->look, LOOK_MS);
    uv_signal_init(&loop->uv, &files->hangup);
    files->hangup.data = files;
    uv_signal_start(&files->hangup, on_hangup, SIGHUP);
}

void tls_files_stop(struct tls_files *files) {
    if (!files->loop) return;
    timer_stop(&files->loop->timers, &files->look);
    uv_close((uv_handle_t *)&files->hangup, NULL);
    files->loop = NULL;
}

void tls_files_done(struct tls_files *files) {
    certificates_free(files->set);
    files->set = NULL;
    free(files->folder);
    files->folder = NULL;
}
