/* Each value is walked over once, into the buffer; whether it has changed is seen at the end. */
#include "rewrite/fields.h"

#include "http/chars.h"
#include "rewrite/csp.h"
#include "rewrite/url_list.h"

static void on_edit(void *ctx, enum edit edit, struct view bytes) {
    if (edit != EDIT_DROP) buf_append_view(ctx, bytes);
}

/* White space before something counts as part of what is before it. */
static size_t skip_space(struct view v, size_t at) {
    while (at < v.len && (v.ptr[at] == ' ' || v.ptr[at] == '\t')) at++;
    return at;
}

/* ---- Link (RFC 8288) ---- */

static size_t skip_quoted(struct view v, size_t at) {
    for (at++; at < v.len && v.ptr[at] != '"'; at++)
        if (v.ptr[at] == '\\') at++;
    return at < v.len ? at + 1 : v.len;
}

/* Every <…> that stands at a link's beginning. */
static void rewrite_link(const struct rewrite_site *site, struct view value, const struct edit_sink *sink) {
    size_t said = 0, at = 0;
    bool begins = true;
    while (at < value.len) {
        char byte = value.ptr[at];
        if (byte == '<' && begins) {
            size_t end = at + 1 + view_find(view_skip(value, at + 1), '>');
            edit_to(sink, EDIT_COPY, view_slice(value, said, at + 1));
            url_rewrite(site, view_slice(value, at + 1, end), sink);
            said = at = end;
            begins = false;
        } else if (byte == '"') {
            at = skip_quoted(value, at);
        } else {
            begins = byte == ',' || (begins && (byte == ' ' || byte == '\t'));
            at++;
        }
    }
    edit_to(sink, EDIT_COPY, view_skip(value, said));
}

/* ---- Set-Cookie (RFC 6265 5.2) ---- */

static bool is_path_cookie(struct view pair) {
    return view_eq(view_trim(view_slice(pair, 0, view_find(pair, '='))), VIEW(FIELD_PATH_COOKIE));
}

/* The host's name of an authority: without port and brackets' worth of doubt. */
static struct view name_of(struct view authority) {
    size_t colon = view_find_last(authority, ':');
    bool bracket = authority.len && authority.ptr[authority.len - 1] == ']';
    return colon < authority.len && !bracket ? view_slice(authority, 0, colon) : authority;
}

static bool is_own_domain(const struct rewrite_site *site, struct view domain) {
    if (domain.len && domain.ptr[0] == '.') domain = view_skip(domain, 1);
    return domain.len &&
           (view_eq_nocase(domain, name_of(site->host)) || view_eq_nocase(domain, name_of(site->service)));
}

static void rewrite_cookie_path(const struct rewrite_site *site, struct view attribute, size_t at,
                                const struct edit_sink *sink) {
    struct view path = view_trim(view_skip(attribute, at));
    size_t from = at;
    while (from < attribute.len && (attribute.ptr[from] == ' ' || attribute.ptr[from] == '\t')) from++;
    edit_to(sink, EDIT_COPY, view_slice(attribute, 0, from));
    if (path.len && path.ptr[0] == '/') {
        struct view rest = view_skip(path, site->prefix.len);
        bool inside = view_starts_with(path, site->prefix) && (!rest.len || rest.ptr[0] == '/');
        if (!inside) edit_to(sink, EDIT_PUT, site->prefix);
    }
    edit_to(sink, EDIT_COPY, view_skip(attribute, from));
}

static bool is_path(struct view attribute) {
    return view_eq_nocase(view_trim(view_slice(attribute, 0, view_find(attribute, '='))), VIEW("path"));
}

/* Else it means the default, whatever stood before (RFC 6265 5.2.4). */
static bool says_path(struct view attribute) {
    return view_starts_with(view_trim(view_skip(attribute, view_find(attribute, '=') + 1)), VIEW("/"));
}

/* One attribute, with the ';' before it. */
static void rewrite_attribute(const struct rewrite_site *site, struct view attribute,
                              const struct edit_sink *sink) {
    size_t sign = view_find(attribute, '=');
    struct view name = view_trim(view_slice(attribute, 0, sign)),
                value = view_trim(view_skip(attribute, sign + 1));
    if (view_eq_nocase(name, VIEW("domain")) && is_own_domain(site, value)) return;
    edit_to(sink, EDIT_COPY, VIEW(";"));
    if (sign < attribute.len && is_path(attribute))
        rewrite_cookie_path(site, attribute, sign + 1, sink);
    else
        edit_to(sink, EDIT_COPY, attribute);
}

static void rewrite_set_cookie(const struct rewrite_site *site, struct view value,
                               const struct edit_sink *sink) {
    struct view pair, attribute, host = VIEW("__Host-");
    bool has_path = false;
    if (!view_split(&value, ';', &pair)) return;
    size_t from = skip_space(pair, 0);
    if (view_eq_nocase(view_slice(pair, from, from + host.len), host)) {
        edit_to(sink, EDIT_COPY, view_slice(pair, 0, from));
        edit_to(sink, EDIT_PUT, VIEW(FIELD_HOST_COOKIE));
        pair = view_skip(pair, from + host.len);
    }
    edit_to(sink, EDIT_COPY, pair);
    while (view_split(&value, ';', &attribute)) {
        rewrite_attribute(site, attribute, sink);
        has_path = is_path(attribute) ? says_path(attribute) : has_path;
    }
    if (has_path || !site->cookie_path.len) return;
    edit_to(sink, EDIT_PUT, VIEW("; Path="));
    edit_to(sink, EDIT_PUT, site->cookie_path);
}

/* ---- origins ---- */

/* A scope that browsers could read in another way than we do becomes all of the prefix. */
static bool is_plain_path(struct view path) {
    if (path.len == 0 || path.ptr[0] != '/') return false;
    for (size_t i = 0; i < path.len; i++) {
        struct view pair = view_slice(path, i, i + 2);
        if (memchr("\\%?#", path.ptr[i], 4) || view_eq(pair, VIEW("//")) || view_eq(pair, VIEW("/.")))
            return false;
    }
    return true;
}

/* Scopes are compared byte by byte: "/abc" would be allowed "/abcd" too. */
static void rewrite_scope(const struct rewrite_site *site, struct view value, const struct edit_sink *sink) {
    struct view path = view_trim(value);
    bool is_plain = is_plain_path(path) && !view_eq(path, site->prefix);
    if (is_plain) {
        url_rewrite(site, path, sink);
        return;
    }
    edit_to(sink, EDIT_PUT, site->prefix);
    edit_to(sink, EDIT_PUT, VIEW("/"));
}

static void rewrite_origin(const struct rewrite_site *site, struct view value, const struct edit_sink *sink) {
    size_t colon = view_find(value, ':');
    struct view scheme = view_slice(value, 0, colon);
    bool absolute = view_starts_with(view_skip(value, colon), VIEW("://"));
    if (!absolute || !url_is_service(site, scheme, view_skip(value, colon + 3))) {
        edit_to(sink, EDIT_COPY, value);
        return;
    }
    edit_to(sink, EDIT_PUT, site->scheme);
    edit_to(sink, EDIT_PUT, VIEW("://"));
    edit_to(sink, EDIT_PUT, site->host);
}

static bool is_policy(struct view name) {
    return view_eq(name, VIEW("content-security-policy")) ||
           view_eq(name, VIEW("content-security-policy-report-only"));
}

static bool rewrite_answer(const struct rewrite_site *site, struct view name, struct view value,
                           bool allow_script, const struct edit_sink *sink) {
    if (view_eq(name, VIEW("location")) || view_eq(name, VIEW("content-location")))
        url_rewrite(site, value, sink);
    else if (view_eq(name, VIEW("service-worker-allowed")))
        rewrite_scope(site, value, sink);
    else if (view_eq(name, VIEW("refresh")))
        url_list_refresh(site, value, sink);
    else if (view_eq(name, VIEW("link")))
        rewrite_link(site, value, sink);
    else if (view_eq(name, VIEW("set-cookie")))
        rewrite_set_cookie(site, value, sink);
    else if (view_eq(name, VIEW("access-control-allow-origin")))
        rewrite_origin(site, value, sink);
    else if (is_policy(name))
        csp_rewrite(site, value, allow_script, sink);
    else
        return false;
    return true;
}

static enum field_fate fate(const struct buf *out, size_t before, struct view value) {
    if (out->failed) return FIELD_FAILED;
    return view_eq(view_skip(buf_view(out), before), value) ? FIELD_KEPT : FIELD_CHANGED;
}

/* Nothing is left of a value that has not changed. */
static void take_back(struct buf *out, size_t before) {
    out->len = before;
}

/* What rules over the whole origin, which is other tunnels' as well: their data, their transport, their
 * processes, and who hears of their errors. */
static bool is_of_origin(struct view name) {
    static const struct view names[] = {
        {"clear-site-data", 15}, {"strict-transport-security", 25}, {"alt-svc", 7},           {"nel", 3},
        {"report-to", 9},        {"origin-agent-cluster", 20},      {"use-as-dictionary", 17}};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (view_eq(name, names[i])) return true;
    return false;
}

enum field_fate field_of_answer(const struct rewrite_site *site, struct view name, struct view value,
                                bool allow_script, struct buf *out) {
    struct edit_sink sink = {on_edit, out};
    size_t before = out->len;
    if (site->prefix.len == 0) return FIELD_KEPT;
    if (is_of_origin(name)) return FIELD_DROPPED;
    if (view_eq(name, VIEW("set-cookie")) && is_path_cookie(view_slice(value, 0, view_find(value, ';'))))
        return FIELD_DROPPED;
    if (!rewrite_answer(site, name, value, allow_script, &sink)) return FIELD_KEPT;
    enum field_fate is = fate(out, before, value);
    if (is == FIELD_KEPT) take_back(out, before);
    return is;
}

/* ---- requests ---- */

/* `at`: where the path begins. */
static void strip_prefix(const struct rewrite_site *site, struct view url, size_t at,
                         const struct edit_sink *sink) {
    struct view path = view_skip(url, at), rest = view_skip(path, site->prefix.len);
    bool inside = view_starts_with(path, site->prefix) && (!rest.len || memchr("/?#", rest.ptr[0], 3));
    edit_to(sink, EDIT_COPY, view_slice(url, 0, at));
    if (inside && (!rest.len || rest.ptr[0] != '/')) edit_to(sink, EDIT_PUT, VIEW("/"));
    edit_to(sink, EDIT_COPY, inside ? rest : path);
}

static void strip_url(const struct rewrite_site *site, struct view url, const struct edit_sink *sink) {
    size_t colon = view_find(url, ':'), from = colon + 3;
    if (url.len && url.ptr[0] == '/' && url_is_rooted(url)) {
        strip_prefix(site, url, 0, sink);
        return;
    }
    size_t path = from + view_find(view_skip(url, from), '/');
    bool ours = view_starts_with(view_skip(url, colon), VIEW("://")) &&
                url_is_host(site, view_slice(url, 0, colon), view_slice(url, from, path));
    if (ours)
        strip_prefix(site, url, path, sink);
    else
        edit_to(sink, EDIT_COPY, url);
}

static void restore_cookies(struct view value, const struct edit_sink *sink) {
    struct view cookie, ours = VIEW(FIELD_HOST_COOKIE);
    bool first = true;
    while (view_split(&value, ';', &cookie)) {
        size_t from = skip_space(cookie, 0);
        if (is_path_cookie(cookie)) continue;
        if (!first) edit_to(sink, EDIT_COPY, VIEW(";"));
        first = false;
        edit_to(sink, EDIT_COPY, view_slice(cookie, 0, from));
        cookie = view_skip(cookie, from);
        if (view_starts_with(cookie, ours)) {
            edit_to(sink, EDIT_PUT, VIEW("__Host-"));
            cookie = view_skip(cookie, ours.len);
        }
        edit_to(sink, EDIT_COPY, cookie);
    }
}

/* Takes the next entity tag (RFC 9110 8.8.3) off, with all up to it; the tag is absent behind the last. */
static void next_tag(struct view *rest, struct view *ret_before, struct view *ret_tag) {
    size_t from = view_find(*rest, '"');
    size_t end = from + 1 + view_find(view_skip(*rest, from + 1), '"') + 1;
    bool is_tag = end <= rest->len,
         is_weak = from >= 2 && view_eq(view_slice(*rest, from - 2, from), VIEW("W/"));
    if (is_weak) from -= 2;
    *ret_before = is_tag ? view_slice(*rest, 0, from) : *rest;
    *ret_tag = is_tag ? view_slice(*rest, from, end) : (struct view){NULL, 0};
    *rest = is_tag ? view_skip(*rest, end) : (struct view){NULL, 0};
}

static void restore_tags(struct view value, bool keep_weak, const struct edit_sink *sink) {
    struct view before, tag;
    do {
        next_tag(&value, &before, &tag);
        bool is_weak = tag.len && tag.ptr[0] == 'W';
        edit_to(sink, EDIT_COPY, before);
        if (is_weak && keep_weak) {
            edit_to(sink, EDIT_COPY, tag);
            edit_to(sink, EDIT_PUT, VIEW(", "));
        }
        edit_to(sink, EDIT_COPY, view_skip(tag, is_weak ? 2 : 0));
    } while (tag.ptr);
}

/* One member of Accept-Encoding: is it a coding that we can decode, or a word on others? */
static bool is_coding(struct view member) {
    static const struct view codings[] = {{"gzip", 4}, {"x-gzip", 6}, {"deflate", 7},
                                          {"br", 2},   {"zstd", 4},   {"identity", 8}};
    struct view name = view_trim(view_slice(member, 0, view_find(member, ';')));
    for (size_t i = 0; i < sizeof(codings) / sizeof(codings[0]); i++)
        if (view_eq_nocase(name, codings[i])) return true;
    return false;
}

static void cut_codings(struct view value, const struct edit_sink *sink) {
    struct view member;
    bool first = true;
    while (view_split(&value, ',', &member)) {
        if (!is_coding(member)) continue;
        if (!first) edit_to(sink, EDIT_COPY, VIEW(","));
        edit_to(sink, EDIT_COPY, member);
        first = false;
    }
    if (first) edit_to(sink, EDIT_PUT, VIEW("identity"));
}

enum field_fate field_of_request(const struct rewrite_site *site, struct view name, struct view value,
                                 struct buf *out) {
    struct edit_sink sink = {on_edit, out};
    size_t before = out->len;
    if (site->prefix.len == 0) return FIELD_KEPT;
    if (view_eq(name, VIEW("referer")) || view_eq(name, VIEW("destination")))
        strip_url(site, value, &sink);
    else if (view_eq(name, VIEW("cookie")))
        restore_cookies(value, &sink);
    else if (view_eq(name, VIEW("if-match")) || view_eq(name, VIEW("if-none-match")))
        restore_tags(value, view_eq(name, VIEW("if-none-match")), &sink);
    else if (view_eq(name, VIEW("accept-encoding")))
        cut_codings(value, &sink);
    else
        return FIELD_KEPT;
    enum field_fate is = fate(out, before, value);
    if (is == FIELD_CHANGED && view_trim(view_skip(buf_view(out), before)).len == 0) is = FIELD_DROPPED;
    if (is != FIELD_CHANGED) take_back(out, before);
    return is;
}
