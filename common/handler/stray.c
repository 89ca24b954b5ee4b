/* See stray.h. At most one look a candidate; the claim that is found is the one that is served by. */
#include "handler/stray.h"

#include "handler/core_state.h"
#include "handler/urls.h"
#include "rewrite/fields.h"

enum { CANDIDATES_MAX = 3 };

struct stray {
    struct view ids[CANDIDATES_MAX]; /* the likeliest first */
    size_t count, at;
};

/* ---- who may be meant ---- */

/* "<id>" of "/<id>" or "/<id>/…"; absent when that is no tunnel's name. */
static struct view first_label(struct view path) {
    if (path.len == 0 || path.ptr[0] != '/') return (struct view){NULL, 0};
    path = view_skip(path, 1);
    size_t end = 0;
    while (end < path.len && !memchr("/?#", path.ptr[end], 3)) end++;
    struct view label = view_slice(path, 0, end);
    return host_is_tunnel_label(label) ? label : (struct view){NULL, 0};
}

/* The path of an URL of the visitor's own origin, as we see paths; else absent. */
static struct view own_path(const struct exchange *exchange, struct view url) {
    struct rewrite_site site = {.scheme = headers_get(&exchange->headers, VIEW("x-forwarded-proto")),
                                .host = exchange->verdict.host_field};
    size_t colon = view_find(url, ':');
    struct view rest = view_skip(url, colon), base = urls_base(&exchange->core->settings);
    if (!view_starts_with(rest, VIEW("://"))) return (struct view){NULL, 0};
    rest = view_skip(rest, 3);
    size_t path = view_find(rest, '/');
    bool is_own = url_is_host(&site, view_slice(url, 0, colon), view_slice(rest, 0, path)) &&
                  view_starts_with(view_skip(rest, path), base);
    return is_own ? view_skip(rest, path + base.len) : (struct view){NULL, 0};
}

/* Pages are under "/<id>/"; "/login" is none, though it may have been served as if it were. */
static struct view referer_id(const struct exchange *exchange) {
    struct view path = own_path(exchange, headers_get(&exchange->headers, VIEW("referer")));
    struct view label = first_label(path);
    return label.ptr && view_starts_with(view_skip(path, 1 + label.len), VIEW("/")) ? label
                                                                                    : (struct view){NULL, 0};
}

static struct view id_in(struct view cookies) {
    struct view cookie, name = VIEW(FIELD_PATH_COOKIE "=");
    while (view_split(&cookies, ';', &cookie)) {
        cookie = view_trim(cookie);
        if (!view_starts_with(cookie, name)) continue;
        struct view value = view_skip(cookie, name.len), label = first_label(value);
        if (label.ptr && label.len + 1 == value.len) return label;
    }
    return (struct view){NULL, 0};
}

/* What the last page told; absent: nothing. */
static struct view cookie_id(const struct exchange *exchange) {
    const struct headers *headers = &exchange->headers;
    for (size_t i = 0; i < headers->count; i++) {
        struct view id = view_eq(headers->fields[i].name, VIEW("cookie")) ? id_in(headers->fields[i].value)
                                                                          : (struct view){NULL, 0};
        if (id.ptr) return id;
    }
    return (struct view){NULL, 0};
}

static void add(struct stray *stray, struct view id) {
    for (size_t i = 0; i < stray->count; i++)
        if (view_eq(stray->ids[i], id)) return;
    if (id.ptr) stray->ids[stray->count++] = id;
}

static bool is_worker(const struct headers *headers) {
    return headers_count(headers, VIEW("service-worker")) > 0 ||
           view_eq(headers_get(headers, VIEW("sec-fetch-dest")), VIEW("serviceworker"));
}

static struct stray candidates(const struct exchange *exchange) {
    struct stray stray = {.count = 0};
    bool may_guess = !is_worker(&exchange->headers);
    if (may_guess) add(&stray, referer_id(exchange));
    add(&stray, exchange->route.tunnel_id);
    if (may_guess) add(&stray, cookie_id(exchange));
    return stray;
}

/* "/<id>", of which relative URLs would lead out. An upgrade is not redirected: browsers would not follow. */
static bool is_bare(const struct exchange *exchange) {
    return exchange->route.is_bare && !exchange->verdict.is_upgrade;
}

enum http_error stray_look(struct exchange *exchange, enum http_error error) {
    bool may_stray = error == HTTP_ERROR_NONE || error == HTTP_ERROR_TUNNEL_NOT_FOUND;
    if (exchange->route.mode != ROUTE_PATH || !may_stray) return error;
    struct stray found = candidates(exchange);
    bool is_plain = error == HTTP_ERROR_NONE && found.count == 1 && !is_bare(exchange);
    if (is_plain || found.count == 0) return error;
    exchange->stray = arena_calloc(&exchange->arena, sizeof(*exchange->stray));
    if (!exchange->stray) return HTTP_ERROR_HEADERS_TOO_LARGE;
    *exchange->stray = found;
    return HTTP_ERROR_NONE;
}

/* ---- navigations ---- */

/* Browsers say the mode to secure origins only. */
bool stray_is_navigation(const struct exchange *exchange) {
    struct view mode = headers_get(&exchange->headers, VIEW("sec-fetch-mode"));
    if (!view_eq(exchange->method, VIEW("GET")) || exchange->verdict.is_upgrade) return false;
    return mode.ptr ? view_eq(mode, VIEW("navigate")) : http_wants_html(exchange->accept);
}

/* ---- the look ---- */

static void go_on(struct exchange *exchange, enum status status, const struct claim *claim,
                  struct view options) {
    enum http_error error = ingress_routed(exchange);
    if (error == HTTP_ERROR_NONE) error = exchange_admit(exchange);
    if (error == HTTP_ERROR_NONE)
        dispatch_found(exchange, status, claim, options);
    else
        exchange_fail(exchange, error);
}

/* The claim of this candidate has been found. */
static void settle(struct exchange *exchange, struct view id, enum status status, const struct claim *claim,
                   struct view options) {
    enum http_error error = HTTP_ERROR_NONE;
    exchange->stray = NULL;
    if (!view_eq(id, exchange->route.tunnel_id))
        error = route_guess(&exchange->verdict, id, &exchange->arena, &exchange->route);
    if (error != HTTP_ERROR_NONE)
        exchange_fail(exchange, error);
    else if (exchange->route.is_guess && stray_is_navigation(exchange))
        exchange_redirect(exchange, 307, exchange->route.target, (struct view){0});
    else if (is_bare(exchange))
        exchange_redirect(exchange, 308, exchange->route.target, (struct view){0});
    else
        go_on(exchange, status, claim, options);
}

static void on_lookup(void *target, uint64_t ticket, enum status status, const struct claim *claim,
                      struct view options) {
    struct exchange *exchange = exchange_find(target, ticket);
    if (!exchange || exchange->state != EXCHANGE_LOOKUP || !exchange->stray) return;
    struct stray *stray = exchange->stray;
    if (status == STATUS_OK)
        settle(exchange, stray->ids[stray->at], status, claim, options);
    else if (status != STATUS_NOT_FOUND)
        exchange_fail(exchange, HTTP_ERROR_OVERLOADED);
    else if (++stray->at < stray->count)
        stray_start(exchange);
    else
        exchange_fail(exchange, HTTP_ERROR_TUNNEL_NOT_FOUND);
}

void stray_start(struct exchange *exchange) {
    struct registry *registry = &exchange->core->ports.registry;
    exchange->state = EXCHANGE_LOOKUP;
    registry->lookup(registry->ctx, exchange->stray->ids[exchange->stray->at], on_lookup, exchange->core,
                     exchange->ticket);
}

/* ---- answers ---- */

/* A frame in another tunnel's page is no page of its own. */
bool stray_is_to_be_remembered(const struct exchange *exchange) {
    struct view dest = headers_get(&exchange->headers, VIEW("sec-fetch-dest"));
    bool is_page = stray_is_navigation(exchange) && (!dest.ptr || view_eq(dest, VIEW("document")));
    return is_page && !view_eq(cookie_id(exchange), exchange->route.tunnel_id);
}

static bool remember(const struct exchange *exchange, struct headers *headers) {
    bool is_secure = view_eq(exchange->site->scheme, VIEW("https"));
    struct view cookie =
        arena_printf(headers->arena, FIELD_PATH_COOKIE "=%.*s; Path=%.*s/; HttpOnly; SameSite=Lax%s",
                     VIEW_ARG(exchange->route.prefix), VIEW_ARG(urls_base(&exchange->core->settings)),
                     is_secure ? "; Secure" : "");
    return cookie.ptr && headers_add(headers, VIEW("set-cookie"), cookie);
}

bool stray_answer(const struct exchange *exchange, struct headers *headers) {
    return (!exchange->tells_cookie || remember(exchange, headers)) &&
           (!exchange->route.is_guess || headers_set(headers, VIEW("cache-control"), VIEW("no-store")));
}

struct view stray_cookie_path(struct exchange *exchange) {
    if (!exchange->route.is_guess) return (struct view){NULL, 0};
    struct view path = exchange->verdict.target.path;
    path = view_slice(path, 0, view_find_last(path, '/'));
    return arena_printf(&exchange->arena, "%.*s%.*s%.*s", VIEW_ARG(urls_base(&exchange->core->settings)),
                        VIEW_ARG(exchange->route.prefix), VIEW_ARG(path));
}
