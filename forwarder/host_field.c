/* See host_field.h; answers are in host_return.c. */
#include "host_field.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "http/chars.h"
#include "net/addresses.h"

static bool is_loopback(const char *host) {
    struct in_addr v4;
    if (inet_pton(AF_INET, host, &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
    return strcmp(host, "::1") == 0 || strcmp(host, "localhost") == 0;
}

/* As a browser beside the service would say it. Development servers know themselves as "localhost", and not
 * by the numbers of this machine. */
static void say_authority(struct host_field *field, const char *host, uint16_t port) {
    bool usual = port == 0 || port == (strcmp(field->scheme, "https") == 0 ? 443 : 80);
    const char *name = is_loopback(host) ? "localhost" : host;
    const char *before = strchr(name, ':') ? "[" : "", *behind = *before ? "]" : "";
    char digits[8] = "";
    if (!usual) snprintf(digits, sizeof(digits), ":%u", port);
    snprintf(field->authority, sizeof(field->authority), "%s%.255s%s%s", before, name, behind, digits);
}

bool host_field_init(struct host_field *field, const char *option, const char *host, uint16_t port,
                     const char *scheme) {
    *field = (struct host_field){.scheme = scheme, .service_port = port};
    struct view value = view_from_cstr(option);
    say_authority(field, port ? host : "localhost", port);
    field->preserve = view_eq(value, VIEW("preserve"));
    if (view_eq(value, VIEW("rewrite"))) value = view_from_cstr(field->authority);
    return value.len > 0 && http_is_field_value(value) && view_find(value, ' ') == value.len &&
           view_find(value, '\t') == value.len && view_copy_to(value, field->value, sizeof(field->value));
}

/* "http://HOST" at the front of `url`, where HOST is the visitor's; what stands behind it. */
static bool behind_origin(struct view url, struct view host, struct view *ret_rest) {
    size_t colon = view_find(url, ':');
    struct view scheme = view_slice(url, 0, colon), rest = view_skip(url, colon);
    if (!view_eq_nocase(scheme, VIEW("http")) && !view_eq_nocase(scheme, VIEW("https"))) return false;
    if (!view_starts_with(rest, VIEW("://"))) return false;
    rest = view_skip(rest, 3);
    if (rest.len < host.len || !view_eq_nocase(view_slice(rest, 0, host.len), host)) return false;
    *ret_rest = view_skip(rest, host.len);
    return ret_rest->len == 0 || ret_rest->ptr[0] == '/';
}

/* The path as the service knows it. */
static struct view without_prefix(struct view path, struct view prefix) {
    if (!prefix.len || !view_starts_with(path, prefix)) return path;
    struct view rest = view_skip(path, prefix.len);
    return rest.len == 0 || rest.ptr[0] == '/' || rest.ptr[0] == '?' ? rest : path;
}

static bool follow(const struct host_field *field, const struct visitor *visitor, struct headers *headers,
                   struct view name) {
    struct view rest, value = headers_get(headers, name);
    bool tagged = view_starts_with(value, VIEW("<")); /* WebDAV's If */
    if (!value.ptr || !behind_origin(view_skip(value, tagged), visitor->authority, &rest)) return true;
    rest = without_prefix(rest, visitor->prefix);
    value = arena_printf(headers->arena, "%s%s://%s%.*s", tagged ? "<" : "", field->scheme, field->value,
                         VIEW_ARG(rest));
    return value.ptr && headers_set(headers, name, value);
}

/* What else tells of the way by which the visitor came. */
static bool contradicts(void *ctx, const struct header *field) {
    (void)ctx;
    static const struct view names[] = {{"forwarded", 9},           {"x-forwarded-port", 16},
                                        {"x-forwarded-scheme", 18}, {"x-forwarded-ssl", 15},
                                        {"x-forwarded-server", 18}, {"x-original-host", 15},
                                        {"front-end-https", 15}};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (view_eq_nocase(field->name, names[i])) return true;
    return false;
}

static bool replace(struct headers *headers, struct view name, const char *value) {
    return !headers_get(headers, name).ptr || headers_set(headers, name, view_from_cstr(value));
}

static bool rewrite(const struct host_field *field, const struct visitor *visitor, struct headers *headers) {
    headers_remove_if(headers, contradicts, NULL);
    return follow(field, visitor, headers, VIEW("origin")) &&
           follow(field, visitor, headers, VIEW("referer")) &&
           follow(field, visitor, headers, VIEW("destination")) &&
           follow(field, visitor, headers, VIEW("if")) &&
           replace(headers, VIEW("x-forwarded-host"), field->value) &&
           replace(headers, VIEW("x-forwarded-proto"), field->scheme) &&
           headers_set(headers, VIEW("host"), view_from_cstr(field->value));
}

bool host_field_apply(const struct host_field *field, struct headers *headers, struct view visitor_host,
                      struct visitor *ret_visitor) {
    struct view host = headers_get(headers, VIEW("host")), proto;
    if (!headers_set(headers, VIEW("host"), host.ptr ? host : visitor_host)) return false;
    proto = headers_get(headers, VIEW("x-forwarded-proto"));
    ret_visitor->authority = headers_get(headers, VIEW("host"));
    ret_visitor->prefix = headers_get(headers, VIEW("x-forwarded-prefix"));
    ret_visitor->scheme = view_eq_nocase(proto, VIEW("https")) ? VIEW("https") : VIEW("http");
    return field->preserve || rewrite(field, ret_visitor, headers);
}

void host_field_own(const struct host_field *field, struct host_field *ret_own) {
    *ret_own = *field;
    ret_own->preserve = false;
    memcpy(ret_own->value, field->authority, sizeof(ret_own->value));
}
