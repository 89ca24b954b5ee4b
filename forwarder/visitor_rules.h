/* Who may visit a tunnel, as its user says it, made into the policy that the gateway holds visitors to
 * (policy.h). */
#ifndef FORWARDER_VISITOR_RULES_H
#define FORWARDER_VISITOR_RULES_H

#include <stdint.h>

#include "policy/pass.h"
#include "tunnel_options.h"

struct visitor_rules {
    char *policy; /* its text; NULL: everybody may visit */
    /* of the link to share (share_link.h) */
    uint64_t share_s; /* how long it is good for; 0: there is none */
    unsigned char share_key[PASS_KEY_LEN];
};

/* Salts and keys are new each time. False, and a line for people that begins with the setting's name; then
 * there is nothing to free. */
bool visitor_rules_make(const struct tunnel_options *options, struct visitor_rules *ret_rules, char *error,
                        size_t error_size);
/* Zeroes are fine. */
void visitor_rules_done(struct visitor_rules *rules);

#endif
