/* AWS Lambda for one function: a pool of its processes, each behind a Runtime API of its own ("Using the
 * Lambda runtime API", Lambda Developer Guide). An event goes to an idle process, or to a new one, up to a
 * bound; a process has one event at a time, is frozen (SIGSTOP) from its call for the next event until there
 * is one, and killed when it takes too long. */
#ifndef GATEWAY_APIGW_LAMBDA_POOL_H
#define GATEWAY_APIGW_LAMBDA_POOL_H

#include "apigw/usage.h"
#include "net/loop.h"

#define LAMBDA_PAYLOAD_MAX ((size_t)6291556) /* what Lambda says in its own error */

enum lambda_outcome {
    LAMBDA_OK,
    LAMBDA_ERROR,     /* the function said so, died, or answered with too much */
    LAMBDA_TIMEOUT,   /* killed */
    LAMBDA_THROTTLED, /* no process is free and there may not be more */
    LAMBDA_TOO_LARGE, /* the event is */
};

/* `answer`: what the function returned, or the error's JSON; borrowed until return. */
typedef void lambda_done_fn(void *ctx, enum lambda_outcome outcome, struct view answer);

struct lambda_pool_settings {
    const char *bootstrap;
    char *const *environment; /* "NAME=value", up to NULL; AWS_LAMBDA_RUNTIME_API is added */
    size_t environments_max, memory_mib;
    uint64_t timeout_ms, init_timeout_ms, idle_ms;
};

struct lambda_pool;

/* `settings` are copied, what they point to, and `usage`, outlive it. NULL, with *ret_why, on failure. */
struct lambda_pool *lambda_pool_new(struct loop *loop, const struct lambda_pool_settings *settings,
                                    struct usage *usage, const char **ret_why);

/* The event is copied. `done` fires later, once. */
void lambda_pool_invoke(struct lambda_pool *pool, enum usage_source source, struct view event,
                        lambda_done_fn *done, void *ctx);

/* How many processes have an event. */
size_t lambda_pool_busy(const struct lambda_pool *pool);

/* A new version stands where the old one did: the present processes end when they are idle. */
void lambda_pool_renew(struct lambda_pool *pool);

/* Kills the processes; what is under way ends with LAMBDA_ERROR. Memory goes in lambda_pool_free(), after the
 * loop has run the close callbacks. NULL is fine for both. */
void lambda_pool_stop(struct lambda_pool *pool);
void lambda_pool_free(struct lambda_pool *pool);

#endif
