/* The rules of a policy, a file each; nobody but policy.c includes this. `valid` judges a value once, when
 * the policy is set; `check` a request by a value that was valid. */
#ifndef POLICY_POLICY_RULES_H
#define POLICY_POLICY_RULES_H

#include "policy/policy.h"

bool policy_basic_valid(struct view value);
enum policy_verdict policy_basic_check(struct view value, const struct policy_request *request,
                                       struct arena *arena);

bool policy_ip_valid(struct view value);
enum policy_verdict policy_allow_ip_check(struct view value, const struct policy_request *request,
                                          struct arena *arena);
enum policy_verdict policy_deny_ip_check(struct view value, const struct policy_request *request,
                                         struct arena *arena);

bool policy_path_valid(struct view value);
enum policy_verdict policy_allow_path_check(struct view value, const struct policy_request *request,
                                            struct arena *arena);
enum policy_verdict policy_deny_path_check(struct view value, const struct policy_request *request,
                                           struct arena *arena);

bool policy_method_valid(struct view value);
enum policy_verdict policy_method_check(struct view value, const struct policy_request *request,
                                        struct arena *arena);

#endif
