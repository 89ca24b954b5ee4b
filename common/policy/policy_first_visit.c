/* first-visit=on: a person who comes for the first time is told that this is somebody's tunnel, and goes on
 * by a button. So a page that looks like a bank's is no trap for who was sent its link. Programs are let in.
 *
 * The button is a form, which comes to POLICY_VISIT_DOOR; one of another site's is not believed. */
#include "http/form.h"
#include "policy/policy_rules.h"
#include "policy/policy_target.h"

#define FORM_MOST 8192

bool policy_first_visit_valid(struct view value) {
    return view_eq(value, VIEW("on"));
}

/* Browsers say the one, or the other, or to insecure origins at least the second. */
static bool is_of_own_page(const struct policy_request *request) {
    struct view site = headers_get(request->headers, VIEW("sec-fetch-site")),
                origin = headers_get(request->headers, VIEW("origin")),
                host = headers_get(request->headers, VIEW("x-forwarded-host"));
    size_t colon = view_find(origin, ':');
    if (site.ptr) return view_eq(site, VIEW("same-origin"));
    return view_starts_with(view_skip(origin, colon), VIEW("://")) &&
           view_eq_nocase(view_skip(origin, colon + 3), host);
}

static bool has_seen(const struct policy_request *request) {
    for (size_t i = 0; i < request->headers->count; i++) {
        if (!view_eq(request->headers->fields[i].name, VIEW("cookie"))) continue;
        struct view rest = request->headers->fields[i].value;
        if (cookie_next(&rest, VIEW(POLICY_SEEN_COOKIE)).ptr) return true;
    }
    return false;
}

static enum policy_verdict hear(const struct policy_request *request, struct policy_outcome *outcome) {
    outcome->target = VIEW("/");
    if (!view_eq(request->method, VIEW("POST")) || !form_is_one(request->headers) || !is_of_own_page(request))
        return POLICY_WARNS;
    outcome->body_most = FORM_MOST;
    if (!request->has_body) return POLICY_READS;
    outcome->target = policy_own_target(form_get(request->body, VIEW("to"), request->arena));
    outcome->cookie = VIEW(POLICY_SEEN_COOKIE "=1");
    outcome->cookie_age_s = POLICY_SEEN_S;
    return POLICY_LEADS;
}

enum policy_verdict policy_first_visit_check(struct view value, const struct policy_request *request,
                                             struct policy_outcome *outcome) {
    struct view path = view_slice(request->target, 0, view_find(request->target, '?'));
    (void)value;
    if (view_eq(path, VIEW(POLICY_VISIT_DOOR))) return hear(request, outcome);
    if (request->skips_page || !request->is_page || has_seen(request)) return POLICY_LETS_IN;
    outcome->target = policy_own_target(request->target);
    return POLICY_WARNS;
}
