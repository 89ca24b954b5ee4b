#include "net/ws_url.h"

#include "http/chars.h"
#include "http/host.h"

static bool copy_host(struct view authority, struct ws_url *url) {
    struct arena arena;
    struct host host;
    arena_init(&arena, 4096);
    bool is_host =
        host_parse(authority, &arena, &host) && view_copy_to(host.name, url->host, sizeof(url->host));
    if (is_host) url->port = host.port ? host.port : url->tls ? 443 : 80;
    arena_done(&arena);
    return is_host && view_copy_to(authority, url->authority, sizeof(url->authority));
}

static bool copy_path(struct view path, struct ws_url *url) {
    if (!http_is_visible(path) || view_find(path, '#') < path.len) return false;
    return view_copy_to(path.len ? path : VIEW("/"), url->path, sizeof(url->path));
}

const char *ws_url_parse(struct view text, struct ws_url *ret_url) {
    *ret_url = (struct ws_url){.tls = view_starts_with(text, VIEW("wss://"))};
    if (!ret_url->tls && !view_starts_with(text, VIEW("ws://")))
        return "it does not begin with ws:// or wss://";
    struct view rest = view_skip(text, ret_url->tls ? 6 : 5);
    size_t slash = view_find(rest, '/');
    if (!copy_host(view_slice(rest, 0, slash), ret_url)) return "its host is malformed";
    return copy_path(view_skip(rest, slash), ret_url) ? NULL : "its path is malformed";
}
