/* Routing, see route.h and docs/ARCHITECTURE.md, Routing. */
#include "handler/route.h"

#include "auth/domain.h"

static const char *const routings[] = {"subdomain", "path", "both"};

bool routing_parse(struct view text, bool *ret_subdomain, bool *ret_path) {
    size_t i = 0;
    while (i < 3 && !view_eq(text, view_from_cstr(routings[i]))) i++;
    *ret_subdomain = i == 0 || i == 2;
    *ret_path = i == 1 || i == 2;
    return i < 3;
}

const char *routing_name(bool subdomain, bool path) {
    if (subdomain && path) return routings[2];
    return routings[path ? 1 : 0];
}

bool route_is_own_name(const struct route_names *names, struct view name) {
    if (view_eq(name, names->domain)) return true;
    for (size_t i = 0; i < names->other_names_count; i++)
        if (view_eq(name, names->other_names[i])) return true;
    return false;
}

struct view route_tunnel_label(const struct route_names *names, struct view name) {
    struct view none = {0};
    if (!names->subdomain_routing || name.len <= names->domain.len + 1) return none;
    size_t len = name.len - names->domain.len - 1;
    if (name.ptr[len] != '.' || !view_eq(view_skip(name, len + 1), names->domain)) return none;
    struct view label = view_slice(name, 0, len);
    return view_find(label, '.') == label.len ? label : none;
}

static enum http_error route_subdomain(struct view label, const struct gate_verdict *verdict,
                                       struct arena *arena, struct route *route) {
    if (!host_is_tunnel_label(label)) return HTTP_ERROR_TUNNEL_NOT_FOUND;
    route->mode = ROUTE_SUBDOMAIN;
    route->tunnel_id = label;
    route->target = target_origin(&verdict->target, arena);
    return route->target.ptr ? HTTP_ERROR_NONE : HTTP_ERROR_INTERNAL;
}

/* What is below the gateway's own name is nobody else's. */
struct view route_custom_name(const struct route_names *names, struct view domain, struct arena *arena) {
    struct view none = {0}, end = view_skip(domain, domain.len - names->domain.len - 1);
    bool is_below =
        domain.len > names->domain.len && end.ptr[0] == '.' && view_eq(view_skip(end, 1), names->domain);
    char name[DOMAIN_NAME_LEN + 1];
    if (!names->custom_domains || is_below || route_is_own_name(names, domain) || !domain_is_sane(domain))
        return none;
    return domain_name(domain, name) ? arena_copy(arena, view_of(name, DOMAIN_NAME_LEN)) : none;
}

static enum http_error route_custom(const struct route_names *names, const struct gate_verdict *verdict,
                                    struct arena *arena, struct route *route) {
    struct view name = route_custom_name(names, verdict->host.name, arena);
    if (!name.ptr) return HTTP_ERROR_UNKNOWN_HOST;
    route->is_custom = true;
    return route_subdomain(name, verdict, arena, route);
}

static enum http_error route_path(const struct gate_verdict *verdict, struct arena *arena,
                                  struct route *route) {
    if (verdict->target.form == TARGET_ASTERISK) return HTTP_ERROR_TUNNEL_NOT_FOUND;
    struct view path = verdict->target.path;
    size_t end = 1 + view_find(view_skip(path, 1), '/');
    route->mode = ROUTE_PATH;
    if (!host_is_tunnel_label(view_slice(path, 1, end))) return HTTP_ERROR_TUNNEL_NOT_FOUND;
    route->prefix = view_slice(path, 0, end);
    route->tunnel_id = view_skip(route->prefix, 1);
    struct view rest = view_skip(path, end);
    if (path_escapes(rest)) return HTTP_ERROR_BAD_REQUEST;
    route->is_bare = rest.len == 0;
    struct view query = verdict->target.query;
    route->target = arena_printf(arena, "%s%.*s%s%.*s", rest.len ? "" : "/", VIEW_ARG(rest),
                                 query.ptr ? "?" : "", VIEW_ARG(query));
    return route->target.ptr ? HTTP_ERROR_NONE : HTTP_ERROR_INTERNAL;
}

enum http_error route_guess(const struct gate_verdict *verdict, struct view tunnel_id, struct arena *arena,
                            struct route *ret_route) {
    *ret_route = (struct route){.mode = ROUTE_PATH, .tunnel_id = tunnel_id, .is_guess = true};
    if (path_escapes(verdict->target.path)) return HTTP_ERROR_BAD_REQUEST;
    ret_route->target = target_origin(&verdict->target, arena);
    ret_route->prefix = arena_printf(arena, "/%.*s", VIEW_ARG(tunnel_id));
    return ret_route->target.ptr && ret_route->prefix.ptr ? HTTP_ERROR_NONE : HTTP_ERROR_INTERNAL;
}

enum http_error route_request(const struct route_names *names, const struct gate_verdict *verdict,
                              struct arena *arena, struct route *ret_route) {
    *ret_route = (struct route){0};
    struct view label = route_tunnel_label(names, verdict->host.name);
    if (label.ptr) return route_subdomain(label, verdict, arena, ret_route);
    if (!verdict->host.is_ip && !route_is_own_name(names, verdict->host.name))
        return route_custom(names, verdict, arena, ret_route);
    return names->path_routing ? route_path(verdict, arena, ret_route) : HTTP_ERROR_TUNNEL_NOT_FOUND;
}
