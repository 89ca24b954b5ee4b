/* Asking an authority, one question at a time: its directory, nonces and our account come by themselves
 * (RFC 8555 7.1 to 7.3). */
#ifndef GATEWAY_ACME_SESSION_H
#define GATEWAY_ACME_SESSION_H

#include "acme/acme_answer.h"
#include "acme/acme_key.h"
#include "fetch/http_client.h"

struct acme_session;

struct acme_session_settings {
    struct http_client *http;
    const char *directory; /* its URL */
    const char *email;     /* who is told when something is wrong with certificates */
    EVP_PKEY *key;         /* the account's */
};

/* All is borrowed. NULL without memory. */
struct acme_session *acme_session_new(const struct acme_session_settings *settings);
/* What is under way is dropped without an answer. NULL is fine. */
void acme_session_free(struct acme_session *session);

struct acme_reply {
    bool is_ok;           /* 2xx; else `problem` says what is wrong, in the authority's words or in ours */
    bool is_out_of_reach; /* nobody has answered, or 5xx */
    struct view body, location;
    uint64_t retry_after_ms; /* 0: unsaid */
    struct acme_problem problem;
};

/* Borrowed until return. */
typedef void acme_reply_fn(void *ctx, const struct acme_reply *reply);

/* The order of an account; the URL is found in the directory. */
bool acme_session_order(struct acme_session *session, struct view payload, acme_reply_fn *done, void *ctx);
/* Payload empty: it is only asked for. All is copied. False without memory: then `done` does not come. */
bool acme_session_post(struct acme_session *session, const char *url, struct view payload,
                       acme_reply_fn *done, void *ctx);
/* No answer follows. */
void acme_session_cancel(struct acme_session *session);

#endif
