/* The program that puts records into DNS for dns-01, which is somebody else's: started as
 * `PROGRAM set|clear _acme-challenge.<domain> <value>`, and waited for. It has 5 minutes, its output is our
 * standard error, and of our environment it has PATH, HOME, LANG, TMPDIR and what begins with ACME_DNS_. */
#ifndef GATEWAY_ACME_HOOK_H
#define GATEWAY_ACME_HOOK_H

#include "net/loop.h"

struct acme_hook; /* a program that runs */

/* `why`: NULL when it has exited with 0. The pointer is dead then. */
typedef void acme_hook_fn(void *ctx, const char *why);

/* NULL, and *ret_why (static): it cannot be started. `done` never comes from inside. */
struct acme_hook *acme_hook_start(struct loop *loop, const char *program, const char *verb,
                                  const char *domain, const char *value, acme_hook_fn *done, void *ctx,
                                  const char **ret_why);
/* Ends it; nothing follows. NULL is fine. */
void acme_hook_cancel(struct acme_hook *hook);

#endif
