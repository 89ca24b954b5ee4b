#include "endpoint.h"

#include <stdio.h>
#include <uv.h>

#include "base/log.h"
#include "http/chars.h"
#include "http/host.h"
#include "net/addresses.h"

static bool fail(char *error, size_t error_size, const char *text, const char *reason) {
    snprintf(error, error_size, "'%.200s' %s", text, reason);
    return false;
}

/* Takes the scheme off; says what a user probably meant where it is another one. */
static bool take_scheme(const char *text, struct view *rest, bool *ret_tls, char *error, size_t error_size) {
    struct view all = view_from_cstr(text);
    static const struct {
        const char *scheme, *meant;
    } others[] = {{"http://", "ws://"}, {"https://", "wss://"}};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        size_t len = strlen(others[i].scheme);
        if (!view_eq_nocase(view_slice(all, 0, len), view_from_cstr(others[i].scheme))) continue;
        snprintf(error, error_size, "'%.200s' is not a WebSocket URL (did you mean %s%.200s ?)", text,
                 others[i].meant, text + len);
        return false;
    }
    bool tls = view_eq_nocase(view_slice(all, 0, 6), VIEW("wss://"));
    if (!tls && !view_eq_nocase(view_slice(all, 0, 5), VIEW("ws://"))) {
        if (strstr(text, "://")) return fail(error, error_size, text, "must begin with ws:// or wss://");
        snprintf(error, error_size, "'%.200s' has no scheme (did you mean ws://%.200s ?)", text, text);
        return false;
    }
    *rest = view_skip(all, tls ? 6 : 5);
    *ret_tls = tls;
    return true;
}

static bool printable(struct view v) {
    return http_is_visible(v) && view_find(v, '#') == v.len;
}

/* `authority` up to the first '/' or '?'. */
static bool parse_authority(struct view authority, struct endpoint *endpoint) {
    struct arena arena;
    struct host host;
    arena_init(&arena, 4096);
    bool ok = host_parse(authority, &arena, &host) &&
              view_copy_to(host.name, endpoint->host, sizeof(endpoint->host));
    if (ok) {
        uint16_t usual = endpoint->tls ? 443 : 80;
        bool brackets = memchr(endpoint->host, ':', strlen(endpoint->host)) != NULL;
        const char *before = brackets ? "[" : "", *behind = brackets ? "]" : "";
        endpoint->port = host.port ? host.port : usual;
        int len = endpoint->port == usual
                      ? snprintf(endpoint->authority, sizeof(endpoint->authority), "%s%s%s", before,
                                 endpoint->host, behind)
                      : snprintf(endpoint->authority, sizeof(endpoint->authority), "%s%s%s:%u", before,
                                 endpoint->host, behind, endpoint->port);
        ok = len > 0 && (size_t)len < sizeof(endpoint->authority);
    }
    arena_done(&arena);
    return ok;
}

static bool make_shown(struct endpoint *endpoint, bool bare) {
    struct buf shown;
    buf_init(&shown, sizeof(endpoint->shown));
    bool ok = buf_printf(&shown, "%s://%s", endpoint->tls ? "wss" : "ws", endpoint->authority) &&
              (bare || log_redact_target(&shown, view_from_cstr(endpoint->target))) &&
              view_copy_to(buf_view(&shown), endpoint->shown, sizeof(endpoint->shown));
    buf_done(&shown);
    return ok;
}

bool endpoint_parse(const char *text, struct endpoint *ret_endpoint, char *error, size_t error_size) {
    *ret_endpoint = (struct endpoint){0};
    struct view rest = {NULL, 0};
    if (!take_scheme(text, &rest, &ret_endpoint->tls, error, error_size)) return false;
    if (!printable(rest))
        return fail(error, error_size, text, "has a space, a '#' or a byte that no URL may have");

    size_t authority_len = 0;
    while (authority_len < rest.len && rest.ptr[authority_len] != '/' && rest.ptr[authority_len] != '?')
        authority_len++;
    struct view authority = view_slice(rest, 0, authority_len), target = view_skip(rest, authority_len);
    if (view_find(authority, '@') < authority.len)
        return fail(error, error_size, "the endpoint",
                    "must not hold a user name (give the token with --token)");
    if (!authority.len) return fail(error, error_size, text, "has no host name");
    if (!parse_authority(authority, ret_endpoint))
        return fail(error, error_size, text, "has a malformed host name or port");
    if (target.len > ENDPOINT_TARGET_MAX) return fail(error, error_size, "the endpoint", "is too long");
    snprintf(ret_endpoint->target, sizeof(ret_endpoint->target), "%s%.*s",
             target.len && target.ptr[0] == '/' ? "" : "/", VIEW_ARG(target));
    return make_shown(ret_endpoint, target.len == 0) ||
           fail(error, error_size, "the endpoint", "is too long");
}

bool endpoint_is_loopback(const struct endpoint *endpoint) {
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    if (uv_ip4_addr(endpoint->host, 0, &v4) == 0) return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
    if (uv_ip6_addr(endpoint->host, 0, &v6) == 0) return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
    return addresses_are_loopback(endpoint->host);
}

bool endpoint_is_aws(const struct endpoint *endpoint) {
    struct view host = view_from_cstr(endpoint->host);
    return view_ends_with(host, VIEW(".amazonaws.com")) || view_ends_with(host, VIEW(".amazonaws.com.cn"));
}
