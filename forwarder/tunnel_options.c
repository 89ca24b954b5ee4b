/* See tunnel_options.h. */
#include "tunnel_options.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/domain.h"
#include "folder/folder.h"
#include "host_field.h"
#include "http/chars.h"
#include "http/host.h"
#include "rewrite_wish.h"
#include "visitor_rules.h"

static const size_t texts[] = {
    offsetof(struct tunnel_options, label),          offsetof(struct tunnel_options, name),
    offsetof(struct tunnel_options, host),           offsetof(struct tunnel_options, unix_path),
    offsetof(struct tunnel_options, host_header),    offsetof(struct tunnel_options, rewrite),
    offsetof(struct tunnel_options, basic_auth),     offsetof(struct tunnel_options, basic_auth_file),
    offsetof(struct tunnel_options, allow_ip),       offsetof(struct tunnel_options, deny_ip),
    offsetof(struct tunnel_options, methods),        offsetof(struct tunnel_options, allow_path),
    offsetof(struct tunnel_options, deny_path),      offsetof(struct tunnel_options, health_check),
    offsetof(struct tunnel_options, share),          offsetof(struct tunnel_options, password),
    offsetof(struct tunnel_options, password_file),  offsetof(struct tunnel_options, verify_webhook),
    offsetof(struct tunnel_options, webhook_secret), offsetof(struct tunnel_options, webhook_secret_file),
    offsetof(struct tunnel_options, folder),         offsetof(struct tunnel_options, domain),
};
#define TEXT_COUNT (sizeof(texts) / sizeof(texts[0]))

static const char **text_of(struct tunnel_options *options, size_t i) {
    return (const char **)(void *)((char *)options + texts[i]);
}

bool tunnel_label_is_sane(const char *label) {
    size_t len = strspn(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    return len > 0 && len <= TUNNEL_LABEL_MAX && !label[len] && !strchr("._-", label[0]);
}

void tunnel_options_complete(struct tunnel_options *options) {
    if (!options->port) options->port = 3000;
    if (!options->host) options->host = "localhost";
}

static bool is_host(const char *host) {
    return host && http_is_visible(view_from_cstr(host)) && strlen(host) <= 255 && !strpbrk(host, "/?#@\\[]");
}

static bool is_host_header(const struct tunnel_options *options) {
    struct host_field field;
    return !options->host_header || host_field_init(&field, options->host_header, "localhost", 1, "http");
}

static bool is_path(const char *path) {
    return !path || (path[0] == '/' && strlen(path) < 1024 && http_is_visible(view_from_cstr(path)));
}

bool tunnel_options_check(const struct tunnel_options *options, const char *prefix, char *error,
                          size_t error_size) {
    const char *reason = NULL;
    struct visitor_rules rules = {0};
    char why[256];
    if (options->name && !host_is_tunnel_label(view_from_cstr(options->name)))
        reason = "name must be 3 to 63 of a-z, 0-9 and '-', with no '-' at either end";
    else if (options->domain && !domain_is_sane(view_from_cstr(options->domain)))
        reason = "domain wants a host name in lower case, as app.example.com (other scripts as xn--...)";
    else if (options->domain && options->name)
        reason = "domain and name are two ways to be reached: one of them";
    else if (!is_host(options->host))
        reason = "host must be a host name or an address, nothing else";
    else if (options->rewrite && !rewrite_wish_is_one(options->rewrite))
        reason = "rewrite wants on, off or json";
    else if (!is_path(options->health_check))
        reason = "health-check wants a path, such as /healthz";
    else if (!is_host_header(options))
        reason = "host-header wants preserve, rewrite or a host name";
    else if (options->list && !options->folder)
        reason = "list wants a folder to serve, as in ttf ./public --list";
    else if (options->local_https && options->folder)
        reason = "local-https is not for a folder";
    else if (!visitor_rules_make(options, &rules, why, sizeof(why)))
        reason = why;
    visitor_rules_done(&rules);
    if (!reason && options->folder) return folder_check(options->folder, error, error_size);
    if (reason) snprintf(error, error_size, "%s%s", prefix, reason);
    return !reason;
}

void tunnel_options_print_service(const struct tunnel_options *options, char *out, size_t size) {
    bool is_v6 = strchr(options->host, ':') != NULL;
    const char *scheme = options->local_https ? "https://" : "";
    if (options->folder)
        snprintf(out, size, "the folder %s", options->folder);
    else if (options->unix_path)
        snprintf(out, size, "%s%s", scheme, options->unix_path);
    else
        snprintf(out, size, "%s%s%.250s%s:%ld", scheme, is_v6 ? "[" : "", options->host, is_v6 ? "]" : "",
                 options->port);
}

void *tunnel_options_copy(const struct tunnel_options *options, struct tunnel_options *ret_copy) {
    size_t size = 1;
    *ret_copy = *options;
    for (size_t i = 0; i < TEXT_COUNT; i++)
        if (*text_of(ret_copy, i)) size += strlen(*text_of(ret_copy, i)) + 1;
    char *block = malloc(size), *end = block;
    for (size_t i = 0; i < TEXT_COUNT && block; i++) {
        const char **text = text_of(ret_copy, i);
        if (!*text) continue;
        size_t len = strlen(*text) + 1;
        memcpy(end, *text, len);
        *text = end;
        end += len;
    }
    return block;
}

static bool is_same(const char *a, const char *b) {
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool tunnel_options_are_equal(const struct tunnel_options *a, const struct tunnel_options *b) {
    struct tunnel_options one = *a, other = *b;
    for (size_t i = 0; i < TEXT_COUNT; i++)
        if (!is_same(*text_of(&one, i), *text_of(&other, i))) return false;
    return a->port == b->port && a->request_timeout_s == b->request_timeout_s &&
           a->local_https == b->local_https && a->no_hints == b->no_hints && a->index == b->index &&
           a->is_private == b->is_private && a->list == b->list;
}
