/* One call to a service of AWS: signed, tried again where that is safe, and ended by a deadline. */
#ifndef AWS_AWS_CLIENT_H
#define AWS_AWS_CLIENT_H

#include "aws/environment.h"
#include "base/tasks.h"
#include "fetch/http_client.h"

struct aws_client {
    struct http_client *http;
    const struct aws_environment *environment;
    struct timers *timers;
    struct tasks *tasks;
    uint64_t (*wall_ms)(void *ctx);
    void *wall_ctx;
    uint64_t deadline_ms;       /* of `timers`' clock: no call lasts longer; 0: none */
    uint64_t calls, repeats;    /* counted */
    size_t active;              /* calls under way */
    void (*on_idle)(void *ctx); /* the last one has ended; may be NULL */
    void *idle_ctx;
};

struct aws_request {
    struct view service;  /* to sign for: "dynamodb" */
    struct view endpoint; /* "https://host[:port]", perhaps with a path in front of `path` */
    struct view method;
    struct view path;                 /* escaped, as on the wire */
    struct view content_type, target; /* absent: left out; target: X-Amz-Target */
    struct view body;                 /* ptr NULL: none */
    bool idempotent;                  /* may be done twice: then it is tried again when nobody knows */
    unsigned attempts_max;
    uint64_t attempt_ms; /* each */
    size_t answer_max;
};

struct aws_answer {
    int http_status;   /* 0: none came */
    struct view body;  /* JSON, mostly */
    struct view error; /* "ThrottlingException": without its namespace; absent where there is none */
    bool repeated;     /* an earlier attempt may have been executed */
};

/* STATUS_OK (2xx); STATUS_OVERLOADED (throttled to the end); STATUS_TIMEOUT (deadline), STATUS_UNAVAILABLE,
 * STATUS_GONE (http_client.h); STATUS_DENIED (403, 401, or 400 with an error about credentials or rights);
 * STATUS_INVALID (any other answer: look at http_status and error). `answer` is borrowed until return. */
typedef void aws_call_fn(void *ctx, enum status status, const struct aws_answer *answer);

struct aws_call;

/* All is copied. `done` fires later, once. Never NULL. */
struct aws_call *aws_call_start(struct aws_client *client, const struct aws_request *request,
                                aws_call_fn *done, void *ctx);
/* No completion follows. */
void aws_call_cancel(struct aws_call *call);

#endif
