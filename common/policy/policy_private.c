/* private=on: the visitor has a token that the gateway's issuer signed, such as agents have. Whether it is
 * one is told with the request: tokens are not this folder's matter. */
#include "policy/policy_rules.h"

bool policy_private_valid(struct view value) {
    return view_eq(value, VIEW("on"));
}

enum policy_verdict policy_private_check(struct view value, const struct policy_request *request,
                                         struct policy_outcome *outcome) {
    (void)value, (void)outcome;
    return request->has_token ? POLICY_LETS_IN : POLICY_ASKS_TOKEN;
}
