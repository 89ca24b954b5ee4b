/* Wrong passwords, counted for each tunnel and visitor: who has failed LOGIN_FAILURES_MAX times within a
 * minute is not heard for the rest of it, not even with the right one. A table of fixed size; where two share
 * a slot, the newer one has it, unless the older one is shut out. */
#ifndef POLICY_LOGIN_FAILURES_H
#define POLICY_LOGIN_FAILURES_H

#include "base/view.h"

#define LOGIN_FAILURES_MAX 10
#define LOGIN_FAILURES_MS 60000

struct login_failures;

/* `seed` is random, so that nobody can aim at another's slot. NULL without memory. */
struct login_failures *login_failures_new(uint64_t seed);
void login_failures_free(struct login_failures *failures);
/* IPv6 addresses of one network (/64) are one visitor. */
bool login_failures_shut_out(const struct login_failures *failures, struct view tunnel, struct view address,
                             uint64_t now_ms);
void login_failures_note(struct login_failures *failures, struct view tunnel, struct view address,
                         uint64_t now_ms);

#endif
