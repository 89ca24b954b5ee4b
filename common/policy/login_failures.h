/* Wrong passwords and tokens, counted for each tunnel and visitor: who has shown LOGIN_FAILURES_MAX of them
 * within a minute is not heard for the rest of it, not even with the right one. If that one passed, whoever
 * guesses could go on at any speed and would know by it that he has found it.
 *
 * But the same wrong one again is no further guess, and does not count: a script with last year's token, or a
 * browser that sends a mistyped password with each picture, learns nothing, and must not shut out who knows
 * the right one and shares its address (all of a proxy, or of this machine, do).
 *
 * A table of fixed size; where two share a slot, the newer one has it, unless the older one is shut out. */
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
/* `shown`: what was wrong; of it only a hash with a random key is kept. False: it is known, and did not
 * count. */
bool login_failures_note(struct login_failures *failures, struct view tunnel, struct view address,
                         struct view shown, uint64_t now_ms);

#endif
