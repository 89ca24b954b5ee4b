/* The text of a policy, and the table of its rules, the cheap ones first: who comes from a wrong address is
 * not even asked for a password. */
#include "policy/policy.h"

#include <stdio.h>

#include "http/chars.h"
#include "policy/policy_rules.h"

struct rule {
    struct view name;
    const char *wants;
    policy_valid_fn *valid;
    policy_check_fn *check;
    unsigned takes;  /* enum policy_takes */
    bool of_service; /* it says what the service may be asked for: not asked at the door */
};

#define NAME(text)                                                                                           \
    { text, sizeof(text) - 1 }

static const struct rule rules[] = {
    {NAME("first-visit"), "on", policy_first_visit_valid, policy_first_visit_check, POLICY_TAKES_COOKIES,
     false},
    {NAME("allow-ip"), "addresses or networks (10.0.0.0/8), with commas", policy_ip_valid,
     policy_allow_ip_check, 0, false},
    {NAME("deny-ip"), "addresses or networks (10.0.0.0/8), with commas", policy_ip_valid,
     policy_deny_ip_check, 0, false},
    {NAME("methods"), "methods in capitals, with commas", policy_method_valid, policy_method_check, 0, true},
    {NAME("allow-path"), "paths that begin with '/', with commas", policy_path_valid, policy_allow_path_check,
     0, true},
    {NAME("deny-path"), "paths that begin with '/', with commas", policy_path_valid, policy_deny_path_check,
     0, true},
    {NAME("share"), "a key", policy_share_valid, policy_share_check,
     POLICY_TAKES_COOKIES | POLICY_TAKES_PARAMETER, false},
    {NAME("basic"), "hashes of user:password, with commas", policy_basic_valid, policy_basic_check,
     POLICY_TAKES_AUTHORIZATION, false},
    {NAME("password"), "a hash of a password", policy_password_valid, policy_password_check,
     POLICY_TAKES_COOKIES | POLICY_TAKES_DOOR, false},
    {NAME("private"), "on", policy_private_valid, policy_private_check,
     POLICY_TAKES_TOKEN | POLICY_TAKES_COOKIES, false},
    {NAME("webhook"), "a scheme and a secret", policy_webhook_valid, policy_webhook_check, 0, false},
};
#define RULE_COUNT (sizeof(rules) / sizeof(rules[0]))

/* Which rule, and its value. RULE_COUNT: none of that name. */
static size_t read_item(struct view item, struct view *ret_name, struct view *ret_value) {
    size_t equals = view_find(item, '=');
    *ret_name = view_trim(view_slice(item, 0, equals));
    *ret_value = view_trim(view_skip(item, equals + 1));
    for (size_t i = 0; i < RULE_COUNT; i++)
        if (view_eq(rules[i].name, *ret_name)) return i;
    return RULE_COUNT;
}

enum fault { FAULT_NONE, FAULT_UNKNOWN, FAULT_TWICE, FAULT_VALUE };

/* The value of each rule, absent where it does not stand. What is not right is in *ret_item. */
static enum fault read_policy(struct view text, struct view values[RULE_COUNT], struct view *ret_item) {
    struct view rest = text, name, value;
    for (size_t i = 0; i < RULE_COUNT; i++) values[i] = (struct view){0};
    while (view_split(&rest, ';', ret_item)) {
        if (view_trim(*ret_item).len == 0) continue;
        size_t i = read_item(*ret_item, &name, &value);
        if (i == RULE_COUNT) return FAULT_UNKNOWN;
        if (values[i].ptr) return FAULT_TWICE;
        if (!rules[i].valid(value)) return FAULT_VALUE;
        values[i] = value;
    }
    return FAULT_NONE;
}

const char *policy_fault(struct view text, char *error, size_t error_size) {
    struct view values[RULE_COUNT], item, name, value;
    if (text.len > POLICY_MAX) {
        snprintf(error, error_size, "the rules for visitors are longer than %zu bytes", POLICY_MAX);
        return error;
    }
    enum fault fault = read_policy(text, values, &item);
    if (fault == FAULT_NONE) return NULL;
    size_t i = read_item(item, &name, &value);
    snprintf(error, error_size, "the rule '%.*s' for visitors %s%s",
             VIEW_ARG(http_is_token(name) ? view_slice(name, 0, 40) : VIEW("?")),
             fault == FAULT_UNKNOWN ? "is not known here"
             : fault == FAULT_TWICE ? "stands twice"
                                    : "wants ",
             fault == FAULT_VALUE ? rules[i].wants : "");
    return error;
}

unsigned policy_takes(struct view text) {
    struct view rest = text, item, name, value;
    unsigned takes = 0;
    while (view_split(&rest, ';', &item)) {
        size_t i = read_item(item, &name, &value);
        if (i < RULE_COUNT) takes |= rules[i].takes;
    }
    return takes;
}

bool policy_is_door(struct view target) {
    return view_eq(view_slice(target, 0, view_find(target, '?')), VIEW(POLICY_DOOR));
}

enum policy_verdict policy_check(struct view text, const struct policy_request *request,
                                 struct policy_outcome *ret_outcome) {
    struct view values[RULE_COUNT], item;
    *ret_outcome = (struct policy_outcome){0};
    if (text.len > POLICY_MAX || read_policy(text, values, &item) != FAULT_NONE) return POLICY_FAILS;
    for (size_t i = 0; i < RULE_COUNT; i++) {
        bool is_asked = values[i].ptr && !(rules[i].of_service && request->is_at_door);
        enum policy_verdict verdict =
            is_asked ? rules[i].check(values[i], request, ret_outcome) : POLICY_LETS_IN;
        if (verdict != POLICY_LETS_IN) return verdict;
    }
    return POLICY_LETS_IN;
}
