/* methods=GET,HEAD: any other is refused. Methods are case-sensitive (RFC 9110 9.1). */
#include "http/chars.h"
#include "policy/policy_rules.h"

bool policy_method_valid(struct view value) {
    struct view rest = value, method;
    bool any = false;
    while (view_split(&rest, ',', &method)) {
        method = view_trim(method);
        if (!http_is_token(method)) return false;
        for (size_t i = 0; i < method.len; i++)
            if (method.ptr[i] >= 'a' && method.ptr[i] <= 'z') return false; /* surely meant otherwise */
        any = true;
    }
    return any;
}

enum policy_verdict policy_method_check(struct view value, const struct policy_request *request,
                                        struct policy_outcome *outcome) {
    struct view rest = value, method;
    (void)outcome;
    while (view_split(&rest, ',', &method))
        if (view_eq(view_trim(method), request->method)) return POLICY_LETS_IN;
    return POLICY_REFUSES;
}
