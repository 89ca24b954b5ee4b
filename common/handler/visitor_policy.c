/* May this visitor come in? By the gateway's rules and by those of the tunnel's owner (policy.h), asked once
 * for each request, where the visitor is. Another gateway's word that it has asked is believed; one that does
 * not give it is older than rules are. */
#include <stdlib.h>

#include "base/log.h"
#include "handler/core_state.h"
#include "http/forwarded.h"
#include "policy/login_failures.h"
#include "policy/policy.h"

static struct view authorization_of(const struct exchange *exchange) {
    struct view name = VIEW("authorization");
    return headers_count(&exchange->headers, name) == 1 ? headers_get(&exchange->headers, name)
                                                        : (struct view){0};
}

/* Without memory for it nobody is counted. */
static struct login_failures *failures_of(struct core *core) {
    uint64_t seed;
    if (!core->login_failures) {
        core->ports.ids.random(&seed, sizeof(seed));
        core->login_failures = login_failures_new(seed);
    }
    return core->login_failures;
}

static enum http_error ask_login(struct exchange *exchange, const struct policy_request *request) {
    struct login_failures *failures = failures_of(exchange->core);
    uint64_t now_ms = core_now_ms(exchange->core);
    if (!failures || !request->authorization.ptr) return HTTP_ERROR_UNAUTHORIZED;
    login_failures_note(failures, exchange->route.tunnel_id, request->address, now_ms);
    return HTTP_ERROR_UNAUTHORIZED;
}

static bool is_shut_out(struct exchange *exchange, const struct policy_request *request) {
    const struct login_failures *failures = exchange->core->login_failures;
    return failures && request->authorization.ptr &&
           login_failures_shut_out(failures, exchange->route.tunnel_id, request->address,
                                   core_now_ms(exchange->core));
}

static enum http_error judge(struct exchange *exchange, struct view policy) {
    struct policy_request request = {
        .method = exchange->method,
        .target = exchange->route.target,
        .address = forwarded_nearest(&exchange->headers, VIEW("x-forwarded-for"), exchange->visitor_hops),
        .authorization = authorization_of(exchange)};
    if (is_shut_out(exchange, &request)) return HTTP_ERROR_RATE_LIMITED;
    switch (policy_check(policy, &request, &exchange->arena)) {
    case POLICY_LETS_IN: return HTTP_ERROR_NONE;
    case POLICY_ASKS_LOGIN: return ask_login(exchange, &request);
    case POLICY_REFUSES: return HTTP_ERROR_FORBIDDEN;
    case POLICY_FAILS: break;
    }
    log_from(LOG_LEVEL_WARN, "policy", exchange->route.tunnel_id,
             "has rules for visitors that this gateway does not know: nobody is let in");
    return HTTP_ERROR_FORBIDDEN;
}

/* The password was for us: the service neither needs it nor may take it for one of its own. */
static void take_password(struct exchange *exchange, struct view policy) {
    if (policy_has_login(policy)) headers_remove(&exchange->headers, VIEW("authorization"));
}

enum http_error visitor_policy(struct exchange *exchange, struct view options) {
    struct view own = exchange->core->settings.visitor_policy;
    if ((options.len == 0 && own.len == 0) || exchange->is_let_in) return HTTP_ERROR_NONE;
    if (exchange->from_peer) return options.len ? HTTP_ERROR_FORBIDDEN : HTTP_ERROR_NONE;
    enum http_error error = own.len ? judge(exchange, own) : HTTP_ERROR_NONE;
    if (error == HTTP_ERROR_NONE && options.len) error = judge(exchange, options);
    if (error != HTTP_ERROR_NONE) return error;
    exchange->is_let_in = true;
    take_password(exchange, own);
    take_password(exchange, options);
    return HTTP_ERROR_NONE;
}
