/* libFuzzer target: the Host field and request targets. The whole input is read as each of them. */
#include "auth/domain.h"
#include "fuzz.h"
#include "http/host.h"
#include "http/uri.h"

/* What host_parse() made of it reads as itself. */
static void require_canonical(const struct host *host, struct arena *arena) {
    bool is_ip6 = view_find(host->name, ':') < host->name.len;
    struct host again;
    struct view text = arena_printf(arena, is_ip6 ? "[%.*s]" : "%.*s", VIEW_ARG(host->name));
    if (host->port) text = arena_printf(arena, "%.*s:%u", VIEW_ARG(text), (unsigned)host->port);
    require(text.ptr && host_parse(text, arena, &again));
    require(view_eq(again.name, host->name) && again.port == host->port && again.is_ip == host->is_ip);
}

static void check_host(struct view text, struct arena *arena) {
    struct host host;
    if (!host_parse(text, arena, &host)) return;
    require(host.name.len > 0 && host.name.len <= 253 && host.name.ptr[host.name.len] == '\0');
    for (size_t i = 0; i < host.name.len; i++) {
        char c = host.name.ptr[i];
        require((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || memchr("-_.:", c, 4));
    }
    require_canonical(&host, arena);
    char name[DOMAIN_NAME_LEN + 1];
    if (domain_is_sane(host.name))
        require(!host.is_ip && domain_name(host.name, name) && domain_is_name(view_from_cstr(name)) &&
                host_is_tunnel_label(view_from_cstr(name)));
}

/* path_escapes() in other words: over the decoded path, empty segments left out. */
static bool climbs(struct view decoded) {
    long depth = 0;
    for (size_t start = 0, i = 0; i <= decoded.len; i++) {
        if (i < decoded.len && decoded.ptr[i] != '/' && decoded.ptr[i] != '\\') continue;
        struct view segment = view_slice(decoded, start, i);
        start = i + 1;
        if (segment.len == 0 || view_eq(segment, VIEW("."))) continue;
        depth += view_eq(segment, VIEW("..")) ? -1 : 1;
        if (depth < 0) return true;
    }
    return false;
}

/* A domain is a host as it stands, and its name no domain. */
static void check_domain(struct view text, struct arena *arena) {
    struct host host;
    char name[DOMAIN_NAME_LEN + 1];
    if (domain_is_name(text)) require(text.len == DOMAIN_NAME_LEN);
    if (!domain_is_sane(text)) return;
    require(host_parse(text, arena, &host) && view_eq(host.name, text) && !host.is_ip && !host.port);
    require(domain_name(text, name) && domain_is_name(view_from_cstr(name)));
    require(host_is_tunnel_label(view_from_cstr(name)));
}

static void check_path(struct view path, struct arena *arena) {
    bool escapes = path_escapes(path);
    struct view decoded = uri_decode(path, arena);
    if (!decoded.ptr) return;
    require(decoded.len <= path.len && decoded.ptr[decoded.len] == '\0');
    require(escapes == climbs(decoded));
}

static void check_target(struct view text, struct arena *arena) {
    struct target target, origin;
    if (!target_parse(text, &target)) return;
    for (size_t i = 0; i < text.len; i++) require((unsigned char)text.ptr[i] > 0x20 && text.ptr[i] != 0x7f);
    if (target.form == TARGET_AUTHORITY || target.form == TARGET_ASTERISK) return;
    struct view joined = target_origin(&target, arena);
    require(target.path.ptr[0] == '/' && joined.ptr && target_parse(joined, &origin));
    require(origin.form == TARGET_ORIGIN && view_eq(origin.path, target.path));
    require(view_eq(origin.query, target.query) && !origin.query.ptr == !target.query.ptr);
    require(target.form != TARGET_ABSOLUTE || (target.authority.len && target.scheme.len));
    query_get(target.query, VIEW("token"), arena);
    check_path(target.path, arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena;
    char *copy = exact_copy(view_of(data, size));
    struct view text = view_of(copy, size);
    arena_init(&arena, (size_t)4 * 1024 * 1024);
    check_host(text, &arena);
    check_domain(text, &arena);
    check_target(text, &arena);
    check_path(text, &arena);
    query_get(text, VIEW("a"), &arena);
    host_is_tunnel_label(text);
    arena_done(&arena);
    free(copy);
    return 0;
}
