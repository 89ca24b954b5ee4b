/* The look at one URL. It never needs more than its head: scheme, authority and one path segment. */
#include "rewrite/url.h"

static bool is_slash(char byte) {
    return byte == '/' || byte == '\\';
}

static bool ends_segment(char byte) {
    return is_slash(byte) || byte == '?' || byte == '#';
}

static char byte_at(struct view v, size_t at) {
    return at < v.len ? v.ptr[at] : '\0';
}

/* Browsers take tabs and line ends out of a URL before they read it. */
static size_t skip_breaks(struct view v, size_t at) {
    while (at < v.len && (v.ptr[at] == '\t' || v.ptr[at] == '\n' || v.ptr[at] == '\r')) at++;
    return at;
}

static size_t skip_space(struct view v) {
    size_t at = 0;
    while (at < v.len && (unsigned char)v.ptr[at] <= 0x20) at++;
    return at;
}

static bool is_secure(struct view scheme) {
    return scheme.len > 0 && (scheme.ptr[scheme.len - 1] | 0x20) == 's' && scheme.len != 2;
}

static bool is_web_socket(struct view scheme) {
    return scheme.len > 0 && (scheme.ptr[0] | 0x20) == 'w';
}

struct view url_without_port(struct view scheme, struct view authority) {
    struct view port = is_secure(scheme) ? VIEW(":443") : VIEW(":80");
    return view_ends_with(authority, port) ? view_slice(authority, 0, authority.len - port.len) : authority;
}

/* Most URLs lead to hosts that can be told by their first letter. */
static bool begin_alike(struct view a, struct view b) {
    return a.len > 0 && b.len > 0 && (a.ptr[0] | 0x20) == (b.ptr[0] | 0x20);
}

bool url_is_host(const struct rewrite_site *site, struct view scheme, struct view authority) {
    if (!begin_alike(site->host, authority)) return false;
    struct view ours = url_without_port(site->scheme, site->host);
    return ours.len > 0 && view_eq_nocase(url_without_port(scheme, authority), ours);
}

/* The port, with its colon, of an authority whose host is this machine. */
static bool is_loopback(struct view authority, struct view *ret_port) {
    static const struct view names[] = {{"localhost", 9}, {"127.0.0.1", 9}, {"[::1]", 5}, {"0.0.0.0", 7}};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        *ret_port = view_skip(authority, names[i].len);
        if (view_eq_nocase(view_slice(authority, 0, names[i].len), names[i]) &&
            (ret_port->len == 0 || ret_port->ptr[0] == ':'))
            return true;
    }
    return false;
}

bool url_is_service(const struct rewrite_site *site, struct view scheme, struct view authority) {
    struct view port, service_port;
    if (!begin_alike(site->service, authority) && !memchr("lL1[0", byte_at(authority, 0), 5)) return false;
    struct view service = url_without_port(VIEW("http"), site->service);
    struct view other = url_without_port(scheme, authority);
    if (service.len == 0 || other.len == 0) return false;
    if (view_eq_nocase(other, service)) return true;
    return is_loopback(other, &port) && is_loopback(service, &service_port) && view_eq(port, service_port);
}

bool url_is_rooted(struct view url) {
    size_t at = skip_space(url);
    return is_slash(byte_at(url, at)) && !is_slash(byte_at(url, skip_breaks(url, at + 1)));
}

static bool is_inside(const struct rewrite_site *site, struct view path) {
    struct view rest = view_skip(path, site->prefix.len);
    return view_starts_with(path, site->prefix) && (rest.len == 0 || ends_segment(rest.ptr[0]));
}

/* "/../x" is "/x" where there is nothing above; under a prefix there is. */
static size_t leading_dots(struct view path) {
    size_t at = 0;
    while (at < URL_HEAD_MAX / 2 && is_slash(byte_at(path, at)) && byte_at(path, at + 1) == '.') {
        size_t next = byte_at(path, at + 2) == '.' ? at + 3 : at + 2;
        if (next < path.len && !ends_segment(path.ptr[next])) break;
        at = next;
    }
    return at;
}

static void put(struct url_edit *edit, struct view text) {
    size_t i = 0;
    while (edit->put[i].len) i++;
    edit->put[i] = text;
}

/* `at`: where the path begins, or would. */
static enum url_kind change_path(const struct rewrite_site *site, struct view url, size_t at,
                                 struct url_edit *edit) {
    struct view path = view_skip(url, at);
    if (is_inside(site, path)) return URL_INSIDE;
    size_t dots = leading_dots(path);
    edit->drop += dots;
    put(edit, site->prefix);
    if (!is_slash(byte_at(path, dots))) put(edit, VIEW("/"));
    return URL_CHANGED;
}

/* The service's own address: the visitor's takes its place. */
static enum url_kind change_service(const struct rewrite_site *site, struct view url, struct view scheme,
                                    size_t path, struct url_edit *edit) {
    edit->at = skip_space(url);
    edit->drop = path - edit->at;
    if (scheme.len) {
        put(edit, is_web_socket(scheme) ? VIEW("ws") : VIEW("http"));
        put(edit, is_secure(site->scheme) ? VIEW("s://") : VIEW("://"));
    } else {
        put(edit, VIEW("//"));
    }
    put(edit, site->host);
    change_path(site, url, path, edit);
    return URL_CHANGED;
}

static enum url_kind look_absolute(const struct rewrite_site *site, struct view url, struct view scheme,
                                   size_t authority, struct url_edit *edit) {
    size_t path = authority;
    while (path < url.len && path - authority < URL_HEAD_MAX / 2 && !ends_segment(url.ptr[path])) path++;
    struct view host = view_slice(url, authority, path), said = scheme.len ? scheme : site->scheme;
    if (url_is_host(site, said, host)) {
        edit->at = path;
        return change_path(site, url, path, edit);
    }
    return url_is_service(site, said, host) ? change_service(site, url, scheme, path, edit) : URL_FOREIGN;
}

static bool is_known_scheme(struct view scheme) {
    return view_eq_nocase(scheme, VIEW("http")) || view_eq_nocase(scheme, VIEW("https")) ||
           view_eq_nocase(scheme, VIEW("ws")) || view_eq_nocase(scheme, VIEW("wss"));
}

static bool is_scheme_char(char byte) {
    char low = (char)(byte | 0x20);
    return (low >= 'a' && low <= 'z') || (byte >= '0' && byte <= '9') || byte == '+' || byte == '-' ||
           byte == '.';
}

static enum url_kind look_other(const struct rewrite_site *site, struct view url, size_t at,
                                struct url_edit *edit) {
    size_t colon = at;
    while (colon < url.len && colon - at < URL_HEAD_MAX / 2 && is_scheme_char(url.ptr[colon])) colon++;
    if (colon == at || byte_at(url, colon) != ':') return site->is_elsewhere ? URL_FOREIGN : URL_RELATIVE;
    struct view scheme = view_slice(url, at, colon);
    bool two = is_slash(byte_at(url, colon + 1)) && is_slash(byte_at(url, colon + 2));
    if (!two || !is_known_scheme(scheme)) return URL_FOREIGN;
    return look_absolute(site, url, scheme, colon + 3, edit);
}

enum url_kind url_look(const struct rewrite_site *site, struct view url, struct url_edit *ret_edit) {
    *ret_edit = (struct url_edit){0};
    if (site->prefix.len == 0) return URL_FOREIGN;
    size_t at = skip_space(url);
    if (!is_slash(byte_at(url, at))) return look_other(site, url, at, ret_edit);
    size_t next = skip_breaks(url, at + 1);
    if (is_slash(byte_at(url, next)))
        return look_absolute(site, url, (struct view){NULL, 0}, next + 1, ret_edit);
    if (site->is_elsewhere) return URL_FOREIGN;
    ret_edit->at = at;
    return change_path(site, url, at, ret_edit);
}

void url_apply(const struct url_edit *edit, struct view url, const struct edit_sink *sink) {
    edit_to(sink, EDIT_COPY, view_slice(url, 0, edit->at));
    edit_to(sink, EDIT_DROP, view_slice(url, edit->at, edit->at + edit->drop));
    for (size_t i = 0; i < URL_PUTS; i++) edit_to(sink, EDIT_PUT, edit->put[i]);
    edit_to(sink, EDIT_COPY, view_skip(url, edit->at + edit->drop));
}

enum url_kind url_rewrite(const struct rewrite_site *site, struct view url, const struct edit_sink *sink) {
    struct url_edit edit;
    enum url_kind kind = url_look(site, url, &edit);
    if (kind == URL_CHANGED)
        url_apply(&edit, url, sink);
    else
        edit_to(sink, EDIT_COPY, url);
    return kind;
}
