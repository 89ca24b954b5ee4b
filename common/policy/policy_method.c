/* methods=GET,HEAD: any other is refused. Methods are case-sensitive (RFC 9110 9.1). Fields by which some
 * frameworks take one method for another are held to the rule as well. */
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

static bool is_listed(struct view value, struct view wanted) {
    struct view rest = value, method;
    while (view_split(&rest, ',', &method))
        if (view_eq(view_trim(method), wanted)) return true;
    return false;
}

static bool overrides(struct view name) {
    return view_eq(name, VIEW("x-http-method-override")) || view_eq(name, VIEW("x-http-method")) ||
           view_eq(name, VIEW("x-method-override"));
}

enum policy_verdict policy_method_check(struct view value, const struct policy_request *request,
                                        struct policy_outcome *outcome) {
    (void)outcome;
    bool passes = is_listed(value, request->method);
    for (size_t i = 0; i < request->headers->count && passes; i++)
        if (overrides(request->headers->fields[i].name))
            passes = is_listed(value, view_trim(request->headers->fields[i].value));
    return passes ? POLICY_LETS_IN : POLICY_REFUSES;
}
