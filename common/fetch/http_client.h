/* HTTP calls over libcurl's multi-socket interface on a libuv loop: connections are kept and used again, none
 * blocks. Redirects are not followed, proxies of the environment not used.
 *
 * A kept connection that the other side has closed meanwhile, which is what an environment often finds that
 * was frozen, costs a call nothing: where nothing of an answer has come on it, the request is sent once more
 * on a fresh connection. One that was idle for 20 s is not used again. */
#ifndef FETCH_HTTP_CLIENT_H
#define FETCH_HTTP_CLIENT_H

#include <uv.h>

#include "base/status.h"
#include "base/timers.h"
#include "http/headers.h"

struct authorities;
struct http_client;
struct http_call;

/* Name and version of the library, for people. */
const char *http_client_library(void);

/* `timers` are those of the same loop. `authorities`: whom to trust; NULL: what libcurl was built with. NULL
 * without memory. All outlive the client. */
struct http_client *http_client_new(uv_loop_t *uv, struct timers *timers, struct authorities *authorities);
/* Calls under way are dropped without a completion. The loop must run once more for its handles to close. */
void http_client_free(struct http_client *client);

struct http_call_request {
    struct view method;
    struct view url;               /* absolute, as it goes on the wire */
    const struct headers *headers; /* Host is made from the URL where it is missing */
    struct view body;              /* ptr NULL: none */
    uint64_t timeout_ms;           /* for all of it; 0: as long as it takes */
    size_t answer_max;             /* bytes of the answer's body */
};

struct http_answer {
    int status;
    const struct headers *headers;
    struct view body;
};

/* STATUS_OK: there is an answer, whatever its status. STATUS_UNAVAILABLE: nothing was sent. STATUS_TIMEOUT,
 * STATUS_GONE: it may have been executed, there is no (whole) answer. STATUS_TOO_LARGE, STATUS_NO_MEMORY.
 * `answer` is borrowed until return, NULL unless STATUS_OK. The call is gone then. */
typedef void http_call_fn(void *ctx, enum status status, const struct http_answer *answer);

/* All is copied. NULL without memory (no completion follows). */
struct http_call *http_client_start(struct http_client *client, const struct http_call_request *request,
                                    http_call_fn *done, void *ctx);
/* No completion follows; the pointer is dead on return. */
void http_call_cancel(struct http_call *call);

#endif
