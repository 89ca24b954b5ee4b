/* See api.h. Routes, and the words that all answers share. */
#include "admin/api.h"

#include <stdlib.h>

#include "admin/api_events.h"
#include "admin/api_state.h"
#include "admin/status_page.h"
#include "base/log.h"
#include "policy/login_failures.h"
#include "protocol/json_text.h"

#define PREFIX "/api/v1/"
#define LIMIT_DEFAULT 100u

static const struct route {
    const char *method, *path; /* '*': any one segment */
    api_handler_fn *handler;
} routes[] = {
    {"GET", PREFIX "tunnels", api_list_tunnels},
    {"GET", PREFIX "tunnels/*", api_show_tunnel},
    {"POST", PREFIX "tunnels/*/kick", api_kick_tunnel},
    {"GET", PREFIX "names", api_list_names},
    {"POST", PREFIX "names/*/release", api_release_name},
    {"GET", PREFIX "gateways", api_list_gateways},
    {"POST", PREFIX "drain", api_drain},
    {"GET", PREFIX "events", api_watch},
    {"GET", PREFIX "blocks", api_list_blocks},
    {"POST", PREFIX "blocks", api_block},
    {"DELETE", PREFIX "blocks", api_unblock},
    {"GET", PREFIX "revocations", api_list_revocations},
    {"POST", PREFIX "revocations", api_revoke},
    {"DELETE", PREFIX "revocations", api_unrevoke},
};

bool api_has(const char *url) {
    return view_starts_with(view_from_cstr(url), VIEW(PREFIX)) && strcmp(url, PREFIX "tls-ask") != 0;
}

/* ---- answers ---- */

static void put_error(struct buf *out, const char *why) {
    buf_append_view(out, VIEW("{\"error\":"));
    json_text_string(out, view_from_cstr(why));
    buf_append_view(out, VIEW("}\n"));
}

enum MHD_Result api_refuse(const struct api_call *call, unsigned status, const char *why) {
    struct buf out;
    buf_init(&out, 1024);
    put_error(&out, why);
    enum MHD_Result result = admin_answer(call->connection, status, API_JSON, buf_view(&out));
    buf_done(&out);
    return result;
}

unsigned api_status(enum status status) {
    switch (status) {
    case STATUS_OK: return MHD_HTTP_OK;
    case STATUS_INVALID: return MHD_HTTP_BAD_REQUEST;
    case STATUS_NOT_FOUND: return MHD_HTTP_NOT_FOUND;
    case STATUS_CONFLICT: return MHD_HTTP_CONFLICT;
    default: return MHD_HTTP_SERVICE_UNAVAILABLE;
    }
}

void api_say_error(struct waiting *waiting, unsigned status, const char *why) {
    put_error(&waiting->text, why);
    waiting_answer(waiting, status);
}

size_t api_limit(const struct api_call *call) {
    uint64_t limit;
    if (!view_parse_u64(admin_argument(call->connection, "limit"), &limit) || !limit) return LIMIT_DEFAULT;
    return limit < QUESTION_LIMIT_MAX ? (size_t)limit : QUESTION_LIMIT_MAX;
}

struct waiting *api_wait(const struct api_call *call) {
    struct waiting *waiting = waiting_new(call->api->settings.admin, call->connection, API_JSON);
    if (waiting) *call->request = waiting;
    return waiting;
}

void api_audit(const struct api_call *call, const char *what, struct view whom) {
    log_from(LOG_LEVEL_INFO, LOG_AUDIT, view_from_cstr(admin_client(call->connection)->text),
             "administration %s %.*s by %s", what, VIEW_ARG(whom), call->who);
}

/* Lists take one; what has no use for it is not told. */
static bool has_good_limit(const struct api_call *call) {
    uint64_t limit;
    struct view text = admin_argument(call->connection, "limit");
    return !text.ptr || (view_parse_u64(text, &limit) && limit);
}

/* ---- routes ---- */

static bool path_fits(const char *pattern, const char *path, struct view *ret_segment) {
    const char *star = strchr(pattern, '*');
    struct view rest = view_from_cstr(path), before = view_of(pattern, star ? (size_t)(star - pattern) : 0);
    *ret_segment = VIEW("");
    if (!star) return strcmp(pattern, path) == 0;
    if (!view_starts_with(rest, before)) return false;
    rest = view_skip(rest, before.len);
    size_t len = view_find(rest, '/');
    *ret_segment = view_slice(rest, 0, len < rest.len ? len : rest.len);
    return ret_segment->len && view_eq(view_skip(rest, ret_segment->len), view_from_cstr(star + 1));
}

static enum MHD_Result route(struct api_call *call, const char *url, const char *method) {
    bool is_known = false;
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (!path_fits(routes[i].path, url, &call->segment)) continue;
        is_known = true;
        if (strcmp(routes[i].method, method) == 0) return routes[i].handler(call);
    }
    if (is_known)
        return api_refuse(call, MHD_HTTP_METHOD_NOT_ALLOWED,
                          "this method is not for that (see openapi.json)");
    return api_refuse(call, MHD_HTTP_NOT_FOUND, "there is no such thing (see openapi.json)");
}

enum MHD_Result api_request(struct api *api, struct MHD_Connection *connection, const char *url,
                            const char *method, void **request) {
    struct api_call call = {.api = api, .connection = connection, .request = request};
    enum MHD_Result result;
    if (strcmp(method, "HEAD") == 0) method = "GET";
    if (strcmp(url, PREFIX "openapi.json") == 0) return status_page_openapi(connection);
    if (!api_let_in(&call, &result)) return result;
    if (!api->sources.control)
        return api_refuse(&call, MHD_HTTP_SERVICE_UNAVAILABLE, "the gateway is starting");
    if (!has_good_limit(&call))
        return api_refuse(&call, MHD_HTTP_BAD_REQUEST, "the limit is a whole number, 1 at least");
    return route(&call, url, method);
}

/* ---- the module ---- */

struct api *api_new(const struct api_settings *settings) {
    struct api *api = calloc(1, sizeof(*api));
    if (!api) return NULL;
    api->settings = *settings;
    api->events = api_events_new(api);
    if (api->events) return api;
    api_free(api);
    return NULL;
}

void api_serve(struct api *api, const struct api_sources *sources) {
    api->sources = *sources;
}

void api_stop(struct api *api) {
    if (api) api_events_stop(api->events);
}

void api_free(struct api *api) {
    if (!api) return;
    api_events_free(api->events);
    login_failures_free(api->failures);
    explicit_bzero(api->settings.token, sizeof(api->settings.token));
    free(api);
}
