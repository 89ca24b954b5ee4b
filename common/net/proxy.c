/* See proxy.h. */
#include "net/proxy.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "http/chars.h"
#include "http/host.h"
#include "http/uri.h"
#include "net/addresses.h"
#include "net/sockaddr.h"

/* ---- a URL ---- */

static const struct {
    struct view prefix;
    enum proxy_kind kind;
} schemes[] = {
    {{"http://", 7}, PROXY_HTTP},
    {{"socks5://", 9}, PROXY_SOCKS5},
    {{"socks5h://", 10}, PROXY_SOCKS5},
};

static bool take_scheme(struct view *text, enum proxy_kind *ret_kind) {
    *ret_kind = PROXY_HTTP;
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (!view_eq_nocase(view_slice(*text, 0, schemes[i].prefix.len), schemes[i].prefix)) continue;
        *text = view_skip(*text, schemes[i].prefix.len);
        *ret_kind = schemes[i].kind;
        return true;
    }
    return memmem(text->ptr ? text->ptr : "", text->len, "://", 3) == NULL;
}

static bool decode_to(struct view text, struct arena *arena, char *out, size_t out_size) {
    if (text.len == 0) return true;
    struct view decoded = uri_decode(text, arena);
    return decoded.ptr && view_copy_to(decoded, out, out_size);
}

static bool take_user(struct view user, struct arena *arena, struct proxy *proxy) {
    size_t colon = view_find(user, ':');
    proxy->has_user = true;
    return decode_to(view_slice(user, 0, colon), arena, proxy->user, sizeof(proxy->user)) &&
           decode_to(view_skip(user, colon + 1), arena, proxy->password, sizeof(proxy->password)) &&
           !strchr(proxy->user, ':');
}

static bool take_authority(struct view authority, struct arena *arena, struct proxy *proxy) {
    struct host host;
    if (!host_parse(authority, arena, &host) || !view_copy_to(host.name, proxy->host, sizeof(proxy->host)))
        return false;
    proxy->port = host.port ? host.port : PROXY_PORT_DEFAULT;
    bool is_v6 = strchr(proxy->host, ':');
    snprintf(proxy->shown, sizeof(proxy->shown), "%s://%s%s%s:%u",
             proxy->kind == PROXY_HTTP ? "http" : "socks5", is_v6 ? "[" : "", proxy->host, is_v6 ? "]" : "",
             proxy->port);
    return true;
}

const char *proxy_parse(struct view url, struct proxy *ret_proxy) {
    struct arena arena;
    const char *wrong = NULL;
    *ret_proxy = (struct proxy){0};
    if (!http_is_visible(url) || !url.len) return "a space, or a byte that no URL may have";
    if (!take_scheme(&url, &ret_proxy->kind)) return "expected http://, socks5:// or socks5h://";
    url = view_slice(url, 0, view_find(url, '/'));
    size_t at = view_find_last(url, '@');
    arena_init(&arena, 4096);
    if (at < url.len && !take_user(view_slice(url, 0, at), &arena, ret_proxy))
        wrong = "its user or password is malformed, or longer than 255 bytes";
    else if (!take_authority(at < url.len ? view_skip(url, at + 1) : url, &arena, ret_proxy))
        wrong = "its host or port is malformed";
    arena_done(&arena);
    return wrong;
}

/* ---- who is reached without ---- */

struct ip {
    unsigned char bytes[16];
    unsigned bits; /* 32 or 128 */
};

static bool parse_ip(const char *text, struct ip *ret_ip) {
    ret_ip->bits = strchr(text, ':') ? 128 : 32;
    return uv_inet_pton(ret_ip->bits == 128 ? AF_INET6 : AF_INET, text, ret_ip->bytes) == 0;
}

static bool is_in_network(const struct ip *network, unsigned prefix, const struct ip *ip) {
    unsigned whole = prefix / 8, rest = prefix % 8;
    if (network->bits != ip->bits || prefix > ip->bits) return false;
    if (memcmp(network->bytes, ip->bytes, whole) != 0) return false;
    return !rest || (network->bytes[whole] ^ ip->bytes[whole]) >> (8 - rest) == 0;
}

/* An address, or a network. */
static bool matches_ip(struct view item, const struct ip *ip) {
    char text[64];
    struct ip network;
    uint64_t prefix = ip->bits;
    size_t slash = view_find(item, '/');
    struct view address = view_slice(item, 0, slash);
    if (view_starts_with(address, VIEW("[")) && view_ends_with(address, VIEW("]")))
        address = view_slice(address, 1, address.len - 1);
    if (slash < item.len && !view_parse_u64(view_skip(item, slash + 1), &prefix)) return false;
    return prefix <= 128 && view_copy_to(address, text, sizeof(text)) && parse_ip(text, &network) &&
           is_in_network(&network, (unsigned)prefix, ip);
}

/* "example.com" and ".example.com" are both that name and all below it. */
static bool matches_name(struct view item, struct view host) {
    while (view_starts_with(item, VIEW("."))) item = view_skip(item, 1);
    if (view_ends_with(item, VIEW("."))) item.len--;
    if (!item.len || item.len > host.len) return false;
    size_t above = host.len - item.len;
    return view_eq_nocase(view_skip(host, above), item) && (above == 0 || host.ptr[above - 1] == '.');
}

static bool matches(struct view item, const char *host, const struct ip *ip) {
    if (view_eq(item, VIEW("*"))) return true;
    return ip ? matches_ip(item, ip) : matches_name(item, view_from_cstr(host));
}

bool proxy_list_has(struct view list, const char *host) {
    struct ip ip;
    bool is_ip = parse_ip(host, &ip);
    while (list.len) {
        size_t end = 0;
        while (end < list.len && list.ptr[end] != ',' && list.ptr[end] != ' ' && list.ptr[end] != '\t') end++;
        if (end && matches(view_slice(list, 0, end), host, is_ip ? &ip : NULL)) return true;
        list = view_skip(list, end + 1);
    }
    return false;
}

/* ---- the environment ---- */

static bool is_this_machine(const char *host) {
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    if (uv_ip4_addr(host, 0, &v4) == 0) return sockaddr_is_loopback((struct sockaddr *)&v4);
    if (uv_ip6_addr(host, 0, &v6) == 0) return sockaddr_is_loopback((struct sockaddr *)&v6);
    return addresses_are_loopback(host);
}

static const char *value_of(const char *name) {
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* The first that is set; *ret_name is which one. */
static const char *first_set(const char *const names[], const char **ret_name) {
    for (; *names; names++) {
        *ret_name = *names;
        if (value_of(*names)) return value_of(*names);
    }
    return NULL;
}

enum proxy_choice proxy_of_environment(const char *host, bool tls, struct proxy *ret_proxy,
                                       const char **ret_variable, const char **ret_why) {
    static const char *const secure[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", NULL};
    static const char *const plain[] = {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", NULL};
    static const char *const none[] = {"no_proxy", "NO_PROXY", NULL};
    const char *unused;
    if (is_this_machine(host) || proxy_list_has(view_from_cstr(first_set(none, &unused)), host))
        return PROXY_NONE;
    const char *url = first_set(tls ? secure : plain, ret_variable);
    if (!url) return PROXY_NONE;
    *ret_why = proxy_parse(view_from_cstr(url), ret_proxy);
    return *ret_why ? PROXY_MALFORMED : PROXY_CHOSEN;
}
