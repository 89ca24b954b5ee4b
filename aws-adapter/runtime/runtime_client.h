/* The Lambda Runtime API (AWS Lambda Developer Guide, "Using the Lambda runtime API"): one call at a time. */
#ifndef AWS_ADAPTER_RUNTIME_CLIENT_H
#define AWS_ADAPTER_RUNTIME_CLIENT_H

#include "fetch/http_client.h"

#define RUNTIME_REQUEST_ID_MAX 128

struct runtime_client {
    struct http_client *http;
    const char *api; /* "host:port" */
    void *ctx;
    /* An event: all of it borrowed until return. `deadline_ms`: wall clock, 0 where unsaid. */
    void (*on_event)(void *ctx, struct view request_id, uint64_t deadline_ms, struct view event);
    /* An answer or an error has been taken by the runtime API; `status`: STATUS_TOO_LARGE for 413, any other
     * but STATUS_OK: it was not. */
    void (*on_posted)(void *ctx, enum status status);
    /* There is no runtime API any more, or none that makes sense. */
    void (*on_gone)(void *ctx);
};

/* Asks for the next event, however long that takes. */
void runtime_next(struct runtime_client *client);
void runtime_respond(struct runtime_client *client, struct view request_id, struct view answer);
/* `type` is an identifier of ours, `message` a line for people. */
void runtime_fail(struct runtime_client *client, struct view request_id, const char *type,
                  const char *message);
void runtime_fail_init(struct runtime_client *client, const char *type, const char *message);

#endif
