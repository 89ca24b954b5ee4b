/* What the answer says of hosts, mapped back for the visitor: see host_field.h. */
#include "base/buf.h"
#include "host_field.h"

#define VALUE_MAX ((size_t)256 * 1024)

/* Where in a field's value an URL may begin. */
enum place {
    PLACE_NONE,
    PLACE_FRONT,
    PLACE_ORIGIN, /* likewise, and it has no path */
    PLACE_LINK,
    PLACE_REFRESH,
    PLACE_SOURCE, /* of a policy: a scheme may be missing */
    PLACE_COOKIE,
};

struct site {
    struct view name;
    uint64_t port;
};

struct mapping {
    const struct host_field *field;
    const struct visitor *visitor;
    enum place place;
};

/* An URL from its scheme to the end of its authority. */
struct url_front {
    struct view scheme; /* absent: none */
    bool slashes;       /* behind it */
    struct view authority;
    size_t len; /* of all */
};

static enum place place_of(struct view name) {
    switch (name.len) {
    case 4: return view_eq_nocase(name, VIEW("link")) ? PLACE_LINK : PLACE_NONE;
    case 7: return view_eq_nocase(name, VIEW("refresh")) ? PLACE_REFRESH : PLACE_NONE;
    case 8: return view_eq_nocase(name, VIEW("location")) ? PLACE_FRONT : PLACE_NONE;
    case 10: return view_eq_nocase(name, VIEW("set-cookie")) ? PLACE_COOKIE : PLACE_NONE;
    case 16: return view_eq_nocase(name, VIEW("content-location")) ? PLACE_FRONT : PLACE_NONE;
    case 23: return view_eq_nocase(name, VIEW("content-security-policy")) ? PLACE_SOURCE : PLACE_NONE;
    case 27: return view_eq_nocase(name, VIEW("access-control-allow-origin")) ? PLACE_ORIGIN : PLACE_NONE;
    case 35:
        return view_eq_nocase(name, VIEW("content-security-policy-report-only")) ? PLACE_SOURCE : PLACE_NONE;
    default: return PLACE_NONE;
    }
}

/* ---- whose it is ---- */

/* False when it cannot be an authority: a port that is no number. */
static bool site_of(struct view authority, uint64_t usual_port, struct site *ret_site) {
    size_t bracket = view_find(authority, ']');
    size_t from = bracket < authority.len ? bracket : 0;
    size_t colon = from + view_find(view_skip(authority, from), ':');
    *ret_site = (struct site){.name = view_slice(authority, 0, colon), .port = usual_port};
    return colon >= authority.len || view_parse_u64(view_skip(authority, colon + 1), &ret_site->port);
}

static uint64_t usual_port(struct view scheme) {
    return view_eq_nocase(scheme, VIEW("https")) || view_eq_nocase(scheme, VIEW("wss")) ? 443 : 80;
}

static bool same_site(const struct site *a, struct view name, uint64_t port) {
    return a->port == port && view_eq_nocase(a->name, name);
}

/* Does it mean the local service, in a way that the visitor cannot use? */
static bool is_service(const struct mapping *mapping, const struct url_front *url) {
    const struct host_field *field = mapping->field;
    const struct visitor *visitor = mapping->visitor;
    struct view scheme = url->scheme.ptr ? url->scheme : view_from_cstr(field->scheme);
    struct site found, said, public;
    if (!site_of(url->authority, usual_port(scheme), &found)) return false;
    if (!site_of(visitor->authority, usual_port(visitor->scheme), &public)) return false;
    if (same_site(&found, public.name, public.port)) return false;
    if (field->service_port && same_site(&found, public.name, field->service_port)) return true;
    if (field->preserve || !site_of(view_from_cstr(field->value), usual_port(scheme), &said)) return false;
    return same_site(&found, said.name, said.port) ||
           (field->service_port && same_site(&found, said.name, field->service_port));
}

/* ---- URLs ---- */

static bool ends_authority(char byte) {
    return byte <= ' ' || strchr("/?#;,\"'<>\\", byte) != NULL;
}

static bool take_scheme(struct view text, struct url_front *url) {
    static const struct view schemes[] = {{"http", 4}, {"https", 5}, {"ws", 2}, {"wss", 3}};
    url->scheme = view_slice(text, 0, view_find(text, ':'));
    if (!view_starts_with(view_skip(text, url->scheme.len), VIEW("://"))) return false;
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
        if (view_eq_nocase(url->scheme, schemes[i])) return true;
    return false;
}

static bool take_front(enum place place, struct view text, struct url_front *ret_url) {
    *ret_url = (struct url_front){.slashes = true};
    struct view rest;
    if (take_scheme(text, ret_url)) {
        rest = view_skip(text, ret_url->scheme.len + 3);
    } else {
        ret_url->scheme = (struct view){0};
        ret_url->slashes = view_starts_with(text, VIEW("//"));
        if (!ret_url->slashes && place != PLACE_SOURCE) return false;
        rest = view_skip(text, ret_url->slashes ? 2 : 0);
    }
    size_t len = 0;
    while (len < rest.len && !ends_authority(rest.ptr[len])) len++;
    ret_url->authority = view_slice(rest, 0, len);
    ret_url->len = text.len - rest.len + len;
    return len > 0;
}

static void say_scheme(const struct mapping *mapping, const struct url_front *url, struct buf *out) {
    bool secure = view_eq(mapping->visitor->scheme, VIEW("https"));
    bool socket = url->scheme.len && (url->scheme.ptr[0] == 'w' || url->scheme.ptr[0] == 'W');
    const char *plain = socket ? "ws" : "http";
    if (url->scheme.ptr) buf_printf(out, "%s%s:", plain, secure ? "s" : "");
    if (url->slashes) buf_append_view(out, VIEW("//"));
}

/* Behind the first "url=", quoted perhaps. */
static bool is_behind_equals(struct view text, size_t at) {
    size_t equals = view_find(text, '=');
    return at == equals + 1 || (at == equals + 2 && strchr(" \"'", text.ptr[at - 1]) != NULL);
}

static bool may_begin(enum place place, struct view text, size_t at) {
    char before = at ? text.ptr[at - 1] : '\0';
    switch (place) {
    case PLACE_FRONT:
    case PLACE_ORIGIN: return at == 0;
    case PLACE_LINK: return before == '<';
    case PLACE_SOURCE: return at == 0 || strchr(" \t;,", before) != NULL;
    case PLACE_REFRESH: return is_behind_equals(text, at);
    default: return false;
    }
}

/* Where the next URL of the service begins, at or behind `at`; text.len: none. */
static size_t next_url(const struct mapping *mapping, struct view text, size_t at,
                       struct url_front *ret_url) {
    for (; at < text.len; at++)
        if (may_begin(mapping->place, text, at) && take_front(mapping->place, view_skip(text, at), ret_url) &&
            is_service(mapping, ret_url))
            break;
    return at;
}

/* Says `text` with its URLs mapped; false, and nothing is said, when there are none. */
static bool map_urls(const struct mapping *mapping, struct view text, struct buf *out) {
    struct url_front url;
    size_t at = next_url(mapping, text, 0, &url), said = 0;
    if (at == text.len) return false;
    for (; at < text.len; at = next_url(mapping, text, said, &url)) {
        buf_append_view(out, view_slice(text, said, at));
        said = at + url.len;
        say_scheme(mapping, &url, out);
        buf_append_view(out, mapping->visitor->authority);
    }
    buf_append_view(out, view_skip(text, said));
    return true;
}

/* ---- cookies ---- */

/* " Domain=localhost" becomes the visitor's name. */
static bool map_attribute(const struct mapping *mapping, struct view attribute, struct buf *out) {
    struct site said, public;
    size_t equals = view_find(attribute, '=');
    struct view domain = view_trim(view_skip(attribute, equals + 1));
    if (!view_eq_nocase(view_trim(view_slice(attribute, 0, equals)), VIEW("domain"))) return false;
    if (domain.len && domain.ptr[0] == '.') domain = view_skip(domain, 1);
    if (!site_of(view_from_cstr(mapping->field->value), 0, &said) ||
        !site_of(mapping->visitor->authority, 0, &public) || !view_eq_nocase(domain, said.name))
        return false;
    buf_printf(out, " Domain=%.*s", VIEW_ARG(public.name));
    return true;
}

static bool map_cookie(const struct mapping *mapping, struct view text, struct buf *out) {
    struct view piece;
    bool changed = false;
    if (mapping->field->preserve) return false;
    for (bool first = true; view_split(&text, ';', &piece); first = false) {
        if (!first) buf_append_byte(out, ';');
        if (!first && map_attribute(mapping, piece, out))
            changed = true;
        else
            buf_append_view(out, piece);
    }
    return changed;
}

/* ---- the head ---- */

static bool map_field(const struct mapping *mapping, struct headers *headers, struct header *field) {
    struct buf out;
    struct view value = field->value;
    buf_init(&out, VALUE_MAX);
    bool changed =
        mapping->place == PLACE_COOKIE ? map_cookie(mapping, value, &out) : map_urls(mapping, value, &out);
    bool ok = !changed || !out.failed;
    if (changed && ok) {
        value = arena_copy(headers->arena, buf_view(&out));
        ok = value.ptr != NULL;
    }
    buf_done(&out);
    if (!ok) return false;
    headers->bytes = headers->bytes - field->value.len + value.len;
    field->value = value;
    return true;
}

bool host_field_return(const struct host_field *field, const struct visitor *visitor,
                       struct headers *headers) {
    struct mapping mapping = {.field = field, .visitor = visitor};
    for (size_t i = 0; i < headers->count; i++) {
        mapping.place = place_of(headers->fields[i].name);
        if (mapping.place != PLACE_NONE && !map_field(&mapping, headers, &headers->fields[i])) return false;
    }
    bool is_told = visitor->prefix.len && field->service_port;
    return !is_told || headers_add(headers, VIEW("x-tunnel-service"), view_from_cstr(field->authority));
}
