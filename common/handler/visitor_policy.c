/* May this visitor come in? By the gateway's rules and by those of the tunnel's owner (policy.h), asked once
 * for each request, where the visitor is. Another gateway's word that it has asked is believed; one that does
 * not give it is older than rules are. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "handler/core_state.h"
#include "handler/stray.h"
#include "http/door_page.h"
#include "http/forwarded.h"
#include "policy/login_failures.h"
#include "policy/policy.h"

static struct view authorization_of(const struct exchange *exchange) {
    struct view name = VIEW("authorization");
    return headers_count(&exchange->headers, name) == 1 ? headers_get(&exchange->headers, name)
                                                        : (struct view){0};
}

/* ---- tokens ---- */

static bool is_token(const struct exchange *exchange, struct view token) {
    const struct core *core = exchange->core;
    struct jwt_claims claims;
    const char *reason;
    return token.len && core->settings.require_auth &&
           jwt_check(&core->settings.jwt, token, core_wall_ms(core) / 1000, &claims, &reason);
}

/* Of the first cookie of that name alone: each check is worth some time. */
static struct view token_cookie(const struct exchange *exchange) {
    struct view rest = headers_get(&exchange->headers, VIEW("cookie"));
    return cookie_next(&rest, VIEW(POLICY_TOKEN_COOKIE));
}

static bool shows_token(struct exchange *exchange) {
    struct view field = authorization_of(exchange), scheme = VIEW("Bearer ");
    bool is_bearer = view_eq_nocase(view_slice(field, 0, scheme.len), scheme);
    if (!exchange->door.shows_token && is_bearer)
        exchange->door.shows_token = is_token(exchange, view_trim(view_skip(field, scheme.len)));
    return exchange->door.shows_token || is_token(exchange, token_cookie(exchange));
}

/* ---- what is asked ---- */

struct view visitor_address(const struct exchange *exchange) {
    return forwarded_nearest(&exchange->headers, VIEW("x-forwarded-for"), exchange->door.visitor_hops);
}

static struct policy_request request_of(struct exchange *exchange, unsigned takes) {
    return (struct policy_request){
        .method = exchange->method,
        .target = exchange->route.target,
        .address = visitor_address(exchange),
        .authorization = takes & POLICY_TAKES_AUTHORIZATION ? authorization_of(exchange) : (struct view){0},
        .headers = &exchange->headers,
        .tunnel = exchange->route.tunnel_id,
        .base = exchange_base(exchange),
        .now_s = core_wall_ms(exchange->core) / 1000,
        .is_navigation = stray_is_navigation(exchange),
        .is_page = http_wants_html(exchange->accept),
        .skips_page = exchange->door.skips_page,
        .is_at_door = (takes & POLICY_TAKES_DOOR) && policy_is_door(exchange->route.target),
        .has_token = (takes & POLICY_TAKES_TOKEN) && shows_token(exchange),
        .has_body = exchange->door.is_held,
        .body = buf_view(&exchange->body),
        .arena = &exchange->arena};
}

/* ---- wrong passwords ---- */

/* Without memory for it nobody is counted. */
static struct login_failures *failures_of(struct core *core) {
    uint64_t seed;
    if (!core->login_failures) {
        core->ports.ids.random(&seed, sizeof(seed));
        core->login_failures = login_failures_new(seed);
    }
    return core->login_failures;
}

static struct view shown_by(const struct policy_request *request) {
    return request->is_at_door ? request->body : request->authorization;
}

static void note_failure(struct exchange *exchange, const struct policy_request *request) {
    struct login_failures *failures = failures_of(exchange->core);
    uint64_t now_ms = core_now_ms(exchange->core);
    if (failures)
        login_failures_note(failures, exchange->route.tunnel_id, request->address, shown_by(request), now_ms);
}

/* Whoever says no password is told that one is needed, whatever he tried before. */
static bool is_shut_out(struct exchange *exchange, const struct policy_request *request) {
    const struct login_failures *failures = exchange->core->login_failures;
    bool says_one = request->is_at_door ? request->has_body : request->authorization.ptr != NULL;
    return failures && says_one &&
           login_failures_shut_out(failures, exchange->route.tunnel_id, request->address,
                                   core_now_ms(exchange->core));
}

/* ---- what is told to whom is not let in ---- */

static enum http_error refuse(struct exchange *exchange, enum policy_verdict verdict) {
    if (verdict == POLICY_FAILS)
        log_from(LOG_LEVEL_WARN, "policy", exchange->route.tunnel_id,
                 "has rules for visitors that this gateway does not know: nobody is let in");
    return HTTP_ERROR_FORBIDDEN;
}

/* The cookie is for this tunnel alone: for its host, or for what is below its prefix. */
static struct view cookie_of(struct exchange *exchange, const struct policy_outcome *outcome) {
    bool is_secure = view_eq(headers_get(&exchange->headers, VIEW("x-forwarded-proto")), VIEW("https"));
    return arena_printf(&exchange->arena, "%.*s; Path=%.*s/; Max-Age=%" PRIu64 "; HttpOnly; SameSite=Lax%s",
                        VIEW_ARG(outcome->cookie), VIEW_ARG(exchange_base(exchange)), outcome->cookie_age_s,
                        is_secure ? "; Secure" : "");
}

static void lead(struct exchange *exchange, const struct policy_outcome *outcome) {
    struct view cookie = cookie_of(exchange, outcome);
    if (cookie.ptr)
        exchange_redirect(exchange, 303, outcome->target, cookie);
    else
        exchange_fail(exchange, HTTP_ERROR_HEADERS_TOO_LARGE);
}

/* A form where a person sees it, and otherwise an error. */
static void tell_page(struct exchange *exchange, enum http_error error, enum door door,
                      const struct policy_outcome *outcome) {
    struct answer_own own = {.status = http_error_status(error), .error = error};
    struct arena *arena = &exchange->arena;
    const char *way = door == DOOR_FIRST_VISIT ? POLICY_VISIT_DOOR : POLICY_DOOR;
    struct door_page page = {.door = door,
                             .action = arena_printf(arena, "%.*s%s", VIEW_ARG(exchange_base(exchange)), way),
                             .to = outcome->target,
                             .host = exchange->verdict.host_field};
    if (!http_wants_html(exchange->accept)) {
        exchange_fail(exchange, error);
        return;
    }
    own.body = door_page(&page, arena, &own.headers);
    if (own.body.ptr && page.action.ptr && answer_tell_error(exchange, error, &own.headers))
        exchange_tell(exchange, &own);
    else
        exchange_fail(exchange, HTTP_ERROR_HEADERS_TOO_LARGE);
}

static bool passes(struct exchange *exchange, struct view policy, unsigned takes) {
    if (policy.len == 0) return true;
    struct policy_request request = request_of(exchange, takes);
    struct policy_outcome outcome;
    enum policy_verdict verdict;
    if (is_shut_out(exchange, &request)) {
        exchange_fail(exchange, HTTP_ERROR_RATE_LIMITED);
        return false;
    }
    switch (verdict = policy_check(policy, &request, &outcome)) {
    case POLICY_LETS_IN: return true;
    case POLICY_ASKS_LOGIN:
        if (request.authorization.ptr) note_failure(exchange, &request);
        exchange_fail(exchange, HTTP_ERROR_UNAUTHORIZED);
        break;
    case POLICY_ASKS_LINK: exchange_fail(exchange, HTTP_ERROR_LINK_REQUIRED); break;
    case POLICY_ASKS_PASSWORD:
        tell_page(exchange, HTTP_ERROR_PASSWORD_REQUIRED, DOOR_PASSWORD, &outcome);
        break;
    case POLICY_WRONG_PASSWORD:
        note_failure(exchange, &request);
        tell_page(exchange, HTTP_ERROR_PASSWORD_REQUIRED, DOOR_WRONG_PASSWORD, &outcome);
        break;
    case POLICY_ASKS_TOKEN: exchange_fail(exchange, HTTP_ERROR_TOKEN_REQUIRED); break;
    case POLICY_ASKS_SIGNATURE: exchange_fail(exchange, HTTP_ERROR_BAD_SIGNATURE); break;
    case POLICY_WARNS: tell_page(exchange, HTTP_ERROR_FIRST_VISIT, DOOR_FIRST_VISIT, &outcome); break;
    case POLICY_READS: dispatch_hold(exchange, outcome.body_most); break;
    case POLICY_LEADS: lead(exchange, &outcome); break;
    case POLICY_REFUSES:
    case POLICY_FAILS: exchange_fail(exchange, refuse(exchange, verdict)); break;
    }
    return false;
}

/* ---- what was for us: the service neither needs it nor may take it for its own ---- */

static bool begins_with_any(struct view text, const struct view *prefixes, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (view_starts_with(text, prefixes[i])) return true;
    return false;
}

static struct view without(const struct view *prefixes, size_t count, struct view cookies,
                           struct arena *arena) {
    struct view cookie;
    struct buf out;
    buf_init(&out, cookies.len + 1);
    while (view_split(&cookies, ';', &cookie))
        if (!begins_with_any(view_trim(cookie), prefixes, count))
            buf_printf(&out, "%s%.*s", out.len ? "; " : "", VIEW_ARG(view_trim(cookie)));
    struct view kept = arena_copy(arena, buf_view(&out));
    buf_done(&out);
    return kept;
}

static bool is_emptied_cookie(void *ctx, const struct header *field) {
    (void)ctx;
    return field->value.len == 0 && view_eq(field->name, VIEW("cookie"));
}

bool visitor_drop_cookies(struct exchange *exchange, const struct view *prefixes, size_t count) {
    struct headers *headers = &exchange->headers;
    for (size_t i = 0; i < headers->count; i++) {
        struct header *field = &headers->fields[i];
        if (!view_eq(field->name, VIEW("cookie"))) continue;
        struct view kept = without(prefixes, count, field->value, headers->arena);
        if (!kept.ptr) return false;
        headers->bytes = headers->bytes - field->value.len + kept.len;
        field->value = kept;
    }
    headers_remove_if(headers, is_emptied_cookie, NULL);
    return true;
}

static bool take_cookies(struct exchange *exchange) {
    return visitor_drop_cookies(exchange, &VIEW(POLICY_COOKIES), 1);
}

static bool take_parameter(struct exchange *exchange) {
    struct view name = VIEW("referer"), referer = headers_get(&exchange->headers, name);
    exchange->route.target = policy_share_strip(exchange->route.target, &exchange->arena);
    if (!referer.ptr || !exchange->route.target.ptr) return exchange->route.target.ptr;
    referer = policy_share_strip(referer, &exchange->arena);
    return referer.ptr && headers_set(&exchange->headers, name, referer);
}

static bool take(struct exchange *exchange, unsigned takes) {
    if ((takes & POLICY_TAKES_AUTHORIZATION) || exchange->door.shows_token)
        headers_remove(&exchange->headers, VIEW("authorization"));
    return (!(takes & POLICY_TAKES_COOKIES) || take_cookies(exchange)) &&
           (!(takes & POLICY_TAKES_PARAMETER) || take_parameter(exchange));
}

/* Of a tunnel whose owner has shown no token, where the gateway wants it. */
static struct view first_visit(const struct exchange *exchange, const struct claim *claim) {
    bool is_wanted = exchange->core->settings.first_visit_page && claim_is_anonymous(claim);
    return is_wanted ? VIEW("first-visit=on") : (struct view){0};
}

/* Each on its own, all of them: nobody loosens another's. */
static bool passes_all(struct exchange *exchange, const struct view policies[3], unsigned takes) {
    for (size_t i = 0; i < 3; i++)
        if (!passes(exchange, policies[i], takes)) return false;
    return true;
}

/* False: the visitor has been told, or the rest of his request is waited for. */
static bool passes_rules(struct exchange *exchange, const struct claim *claim, struct view options) {
    const struct view policies[3] = {first_visit(exchange, claim), exchange->core->settings.visitor_policy,
                                     options};
    unsigned takes = policy_takes(policies[0]) | policy_takes(policies[1]) | policy_takes(policies[2]);
    if (!passes_all(exchange, policies, takes)) return false;
    exchange->door.passes_rules = true;
    exchange->door.rules = arena_copy(&exchange->arena, options);
    if (exchange->door.rules.ptr && take(exchange, takes)) return true;
    exchange_fail(exchange, HTTP_ERROR_HEADERS_TOO_LARGE);
    return false;
}

/* An agent that has come back meanwhile may have others: what was shown for those of before does not count.
 */
static bool has_passed(const struct exchange *exchange, struct view options) {
    return exchange->door.passes_rules && view_eq(exchange->door.rules, options);
}

bool visitor_policy(struct exchange *exchange, const struct claim *claim, struct view options) {
    const struct core_settings *settings = &exchange->core->settings;
    bool has_doorman = exchange->core->ports.doorman.ask != NULL;
    if (exchange->from_peer) {
        if (exchange->door.is_let_in) return true;
        bool is_guarded = options.len || settings->visitor_policy.len || has_doorman;
        if (is_guarded) exchange_fail(exchange, HTTP_ERROR_FORBIDDEN);
        return !is_guarded;
    }
    bool has_rules = options.len || settings->visitor_policy.len || settings->first_visit_page;
    if (!has_rules && !has_doorman) return true;
    if (!has_passed(exchange, options) && !passes_rules(exchange, claim, options)) return false;
    if (exchange->door.is_let_in) return true;
    exchange->door.is_let_in = !has_doorman;
    if (has_doorman) visitor_door_ask(exchange); /* which may have ended it */
    return !has_doorman;
}
