/* Who may visit a tunnel, as its user says it, made into the policy that the gateway holds visitors to
 * (policy.h). */
#ifndef FORWARDER_VISITOR_RULES_H
#define FORWARDER_VISITOR_RULES_H

#include "tunnel_options.h"

/* *ret_policy is the policy's text, for the caller to free, or NULL where everybody may. Passwords are hashed
 * with new salts each time. False, and a line for people that begins with
 * the setting's name. */
bool visitor_rules_make(const struct tunnel_options *options, char **ret_policy, char *error,
                        size_t error_size);

#endif
