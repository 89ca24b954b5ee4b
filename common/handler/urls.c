#include "handler/urls.h"

/* Scheme and ":port" of "http://host:port/path". The host is the domain's, whatever stands in between. */
static void split(struct view url, struct view *ret_scheme, struct view *ret_port) {
    size_t colon = view_find(url, ':');
    *ret_scheme = view_slice(url, 0, colon);
    struct view authority = view_skip(url, colon + 3);
    size_t end = view_find(authority, '/');
    authority = view_slice(authority, 0, end);
    size_t port = view_find_last(authority, ':');
    if (port < authority.len && view_find(view_skip(authority, port), ']') < authority.len - port)
        port = authority.len;
    *ret_port = view_skip(authority, port);
}

bool urls_subdomain(struct buf *out, const struct core_settings *settings, struct view tunnel_id) {
    struct view scheme, port;
    split(settings->public_url, &scheme, &port);
    return buf_printf(out, "%.*s://%.*s.%.*s%.*s", VIEW_ARG(scheme), VIEW_ARG(tunnel_id),
                      VIEW_ARG(settings->domain), VIEW_ARG(port));
}

bool urls_path(struct buf *out, const struct core_settings *settings, struct view tunnel_id) {
    return buf_printf(out, "%.*s/%.*s", VIEW_ARG(settings->public_url), VIEW_ARG(tunnel_id));
}

struct view urls_port(const struct core_settings *settings) {
    struct view scheme, port;
    split(settings->public_url, &scheme, &port);
    return port;
}

struct view urls_base(const struct core_settings *settings) {
    struct view url = settings->public_url, authority = view_skip(url, view_find(url, ':') + 3);
    struct view path = view_skip(authority, view_find(authority, '/'));
    while (view_ends_with(path, VIEW("/"))) path.len--;
    return path;
}
