/* The rules of a policy, a file each; nobody but policy.c includes this. `valid` judges a value once, when
 * the policy is set; `check` a request by a value that was valid. */
#ifndef POLICY_POLICY_RULES_H
#define POLICY_POLICY_RULES_H

#include "policy/policy.h"

typedef bool policy_valid_fn(struct view value);
typedef enum policy_verdict policy_check_fn(struct view value, const struct policy_request *request,
                                            struct policy_outcome *outcome);

policy_valid_fn policy_basic_valid, policy_ip_valid, policy_path_valid, policy_method_valid,
    policy_share_valid, policy_password_valid, policy_webhook_valid, policy_private_valid,
    policy_first_visit_valid;
policy_check_fn policy_basic_check, policy_allow_ip_check, policy_deny_ip_check, policy_allow_path_check,
    policy_deny_path_check, policy_method_check, policy_share_check, policy_password_check,
    policy_webhook_check, policy_private_check, policy_first_visit_check;

#endif
