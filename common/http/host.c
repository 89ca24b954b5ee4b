/* The Host field. Names keep to letters, digits, '-', '_' and '.', because they become keys, labels and log
 * text. */
#include "http/host.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/hex.h"
#include "http/chars.h"

#define NAME_MAX_BYTES 253

static bool is_alnum(char byte) {
    char lower = http_lower(byte);
    return (lower >= 'a' && lower <= 'z') || (byte >= '0' && byte <= '9');
}

static bool is_ip(int family, struct view name) {
    char text[INET6_ADDRSTRLEN];
    unsigned char address[sizeof(struct in6_addr)];
    return view_copy_to(name, text, sizeof(text)) && inet_pton(family, text, address) == 1;
}

/* As addresses do, and few names. */
static bool ends_in_digit(struct view name) {
    return name.len && name.ptr[name.len - 1] >= '0' && name.ptr[name.len - 1] <= '9';
}

/* inet_pton() alone will not do: some take a zone id. */
static bool is_ip6(struct view name) {
    for (size_t i = 0; i < name.len; i++)
        if (hex_value(name.ptr[i]) < 0 && name.ptr[i] != ':' && name.ptr[i] != '.') return false;
    return is_ip(AF_INET6, name);
}

static bool is_registered_name(struct view name) {
    if (name.len == 0 || name.len > NAME_MAX_BYTES) return false;
    char before = '.';
    for (size_t i = 0; i < name.len; before = name.ptr[i++]) {
        char c = name.ptr[i];
        if (c == '.' ? before == '.' : !is_alnum(c) && c != '-' && c != '_') return false;
    }
    return before != '.';
}

static bool parse_port(struct view v, uint16_t *ret_port) {
    uint64_t port;
    if (v.len > 5 || !view_parse_u64(v, &port) || port == 0 || port > 65535) return false;
    *ret_port = (uint16_t)port;
    return true;
}

static bool copy_lower(struct view name, struct arena *arena, struct view *ret_copy) {
    char *copy = arena_alloc(arena, name.len + 1);
    if (!copy) return false;
    http_lower_copy(copy, name);
    copy[name.len] = '\0';
    *ret_copy = (struct view){copy, name.len};
    return true;
}

/* Cuts the name, checked, off the front; what is left is empty or the port with its colon. */
static bool take_name(struct view *v, struct host *host) {
    if (v->len && v->ptr[0] == '[') {
        size_t end = view_find(*v, ']');
        if (end == v->len) return false;
        host->name = view_slice(*v, 1, end);
        host->is_ip = true;
        *v = view_skip(*v, end + 1);
        return is_ip6(host->name);
    }
    size_t colon = view_find(*v, ':');
    host->name = view_slice(*v, 0, colon);
    if (view_ends_with(host->name, VIEW("."))) host->name.len--;
    host->is_ip = ends_in_digit(host->name) && is_ip(AF_INET, host->name);
    *v = view_skip(*v, colon);
    return is_registered_name(host->name);
}

bool host_parse(struct view v, struct arena *arena, struct host *ret_host) {
    *ret_host = (struct host){.port = 0};
    struct host host = {.port = 0};
    if (!take_name(&v, &host)) return false;
    if (v.len && (v.ptr[0] != ':' || !parse_port(view_skip(v, 1), &host.port))) return false;
    if (!copy_lower(host.name, arena, &host.name)) return false;
    *ret_host = host;
    return true;
}

bool host_is_tunnel_label(struct view label) {
    if (label.len < 3 || label.len > 63) return false;
    for (size_t i = 0; i < label.len; i++) {
        char c = label.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) return false;
    }
    return label.ptr[0] != '-' && label.ptr[label.len - 1] != '-';
}

bool host_is_this_machine(const char *field) {
    struct arena arena;
    struct host host;
    arena_init(&arena, 1024);
    bool own = field && host_parse(view_from_cstr(field), &arena, &host) &&
               (view_eq(host.name, VIEW("localhost")) || view_eq(host.name, VIEW("127.0.0.1")) ||
                view_eq(host.name, VIEW("::1")));
    arena_done(&arena);
    return own;
}
