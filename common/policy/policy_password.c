/* password=<salt>:<hash>: the visitor has said the password (policy_hash.h) in the page's form, and has had a
 * cookie for it since, which is a pass (pass.h). Its key is made of the hash, so that another password, or
 * another ttf, is the end of it.
 *
 * The form is sent to POLICY_DOOR, which never reaches the service. It says where the visitor wanted to go,
 * which is believed of paths of this tunnel alone. */
#include "http/form.h"
#include "policy/policy_hash.h"
#include "policy/policy_rules.h"
#include "policy/policy_target.h"

#define PURPOSE VIEW("login")
#define PASSWORD_MOST 256
#define FORM_MOST 8192 /* bytes: both, each byte written as three */

bool policy_password_valid(struct view value) {
    return policy_hash_valid(value);
}

static enum policy_verdict let_in(const struct policy_request *request, const unsigned char key[PASS_KEY_LEN],
                                  struct policy_outcome *outcome) {
    struct buf cookie;
    buf_init(&cookie, 256);
    bool ok = buf_append_view(&cookie, VIEW(POLICY_LOGIN_COOKIE "=")) &&
              pass_append(&cookie, key, PURPOSE, request->tunnel, request->now_s + POLICY_LOGIN_S);
    outcome->cookie = ok ? arena_copy(request->arena, buf_view(&cookie)) : (struct view){0};
    outcome->cookie_age_s = POLICY_LOGIN_S;
    buf_done(&cookie);
    return outcome->cookie.ptr ? POLICY_LEADS : POLICY_FAILS;
}

/* At the door. */
static enum policy_verdict hear(struct view value, const struct policy_request *request,
                                const unsigned char key[PASS_KEY_LEN], struct policy_outcome *outcome) {
    outcome->target = VIEW("/");
    if (!view_eq(request->method, VIEW("POST")) || !form_is_one(request->headers))
        return POLICY_ASKS_PASSWORD;
    outcome->body_most = FORM_MOST;
    if (!request->has_body) return POLICY_READS;
    struct view password = form_get(request->body, VIEW("password"), request->arena);
    outcome->target = policy_own_target(form_get(request->body, VIEW("to"), request->arena));
    if (!password.len) return POLICY_ASKS_PASSWORD;
    bool is_it = password.len <= PASSWORD_MOST && policy_hash_matches(value, password);
    return is_it ? let_in(request, key, outcome) : POLICY_WRONG_PASSWORD;
}

enum policy_verdict policy_password_check(struct view value, const struct policy_request *request,
                                          struct policy_outcome *outcome) {
    unsigned char key[PASS_KEY_LEN];
    if (!policy_hash_key(value, VIEW(POLICY_LOGIN_COOKIE), key)) return POLICY_FAILS;
    if (request->is_at_door) return hear(value, request, key, outcome);
    if (pass_in_cookies(request->headers, VIEW(POLICY_LOGIN_COOKIE), key, PURPOSE, request->tunnel,
                        request->now_s))
        return POLICY_LETS_IN;
    outcome->target = policy_share_strip(request->target, request->arena);
    outcome->target = policy_own_target(outcome->target);
    return POLICY_ASKS_PASSWORD;
}
