/* See acme_session.h. A question waits until what it needs is there: step() asks for the first thing that is
 * missing, and each answer leads to the next step. */
#include "acme/acme_session.h"

#include <stdio.h>
#include <stdlib.h>

#include "acme/acme_jws.h"
#include "base/log.h"
#include "base/version.h"

#define ANSWER_MS 30000
#define ANSWER_MAX ((size_t)256 * 1024)
#define BODY_MAX ((size_t)64 * 1024)
#define NONCES_MAX 4 /* of one question: each is refused for being old (RFC 8555 6.5) */

enum asking { FOR_DIRECTORY, FOR_NONCE, FOR_ACCOUNT, FOR_ANSWER };

struct acme_session {
    struct acme_session_settings settings;
    struct acme_directory directory;
    bool has_directory;
    char nonce[ACME_NONCE_MAX + 1]; /* empty: there is none */
    char account[ACME_URL_MAX + 1]; /* likewise */
    struct http_call *call;
    enum asking asking;
    /* the question */
    char url[ACME_URL_MAX + 1]; /* empty: a new order */
    struct buf payload;
    unsigned nonces;
    acme_reply_fn *done; /* NULL: there is none */
    void *ctx;
};

static void step(struct acme_session *session);

/* ---- its end ---- */

static void finish(struct acme_session *session, const struct acme_reply *reply) {
    acme_reply_fn *done = session->done;
    session->done = NULL;
    done(session->ctx, reply);
}

static void fail(struct acme_session *session, struct acme_reply *reply, const char *why) {
    reply->is_ok = false;
    snprintf(reply->problem.detail, sizeof(reply->problem.detail), "%s", why);
    finish(session, reply);
}

/* ---- answers ---- */

static void take_nonce(struct acme_session *session, const struct http_answer *answer) {
    struct view nonce = headers_get(answer->headers, VIEW("replay-nonce"));
    session->nonce[0] = '\0';
    if (acme_word_is_good(nonce, ACME_NONCE_MAX)) view_copy_to(nonce, session->nonce, sizeof(session->nonce));
}

static bool take_directory(struct acme_session *session, const struct http_answer *answer) {
    session->has_directory = acme_directory_parse(answer->body, &session->directory);
    return session->has_directory;
}

static bool take_account(struct acme_session *session, const struct http_answer *answer) {
    struct view url = headers_get(answer->headers, VIEW("location"));
    bool ok = acme_url_is_good(url) && view_copy_to(url, session->account, sizeof(session->account));
    if (ok)
        log_info("acme", "the account at %s is %s; its terms: %s", session->settings.directory,
                 session->account, session->directory.terms[0] ? session->directory.terms : "none");
    return ok;
}

/* What was missing is here: on with it. */
static void take(struct acme_session *session, const struct http_answer *answer, struct acme_reply *reply) {
    static const char *const wrong[] = {"its directory is none", "it gives no nonce",
                                        "its account has no URL"};
    bool ok = session->nonce[0] != '\0';
    if (session->asking == FOR_DIRECTORY) ok = take_directory(session, answer);
    if (session->asking == FOR_ACCOUNT) ok = take_account(session, answer);
    if (session->asking == FOR_DIRECTORY && ok && session->directory.wants_binding)
        fail(session, reply,
             "it takes only accounts that belong to another one (external account binding), "
             "which the gateway does not know: choose another authority");
    else if (ok)
        step(session);
    else
        fail(session, reply, wrong[session->asking]);
}

static bool is_old_nonce(const struct acme_reply *reply) {
    return strcmp(reply->problem.type, "badNonce") == 0;
}

static void refused(struct acme_session *session, int status, struct acme_reply *reply) {
    if (is_old_nonce(reply) && session->nonces < NONCES_MAX) {
        step(session);
        return;
    }
    if (strcmp(reply->problem.type, "accountDoesNotExist") == 0) session->account[0] = '\0';
    if (reply->problem.detail[0])
        finish(session, reply);
    else {
        char why[60];
        snprintf(why, sizeof(why), "it answers %d", status);
        fail(session, reply, why);
    }
}

static void on_answer(void *ctx, enum status status, const struct http_answer *answer) {
    struct acme_session *session = ctx;
    struct acme_reply reply = {0};
    session->call = NULL;
    if (status != STATUS_OK) {
        char why[80];
        reply.is_out_of_reach = true;
        snprintf(why, sizeof(why), "it does not answer (%s)", status_text(status));
        fail(session, &reply, why);
        return;
    }
    take_nonce(session, answer);
    reply.is_ok = answer->status >= 200 && answer->status <= 299;
    reply.is_out_of_reach = answer->status >= 500;
    reply.body = answer->body;
    reply.location = headers_get(answer->headers, VIEW("location"));
    reply.retry_after_ms = acme_retry_after_ms(headers_get(answer->headers, VIEW("retry-after")));
    if (!reply.is_ok) acme_problem_parse(answer->body, &reply.problem);
    if (!reply.is_ok)
        refused(session, answer->status, &reply);
    else if (session->asking == FOR_ANSWER)
        finish(session, &reply);
    else
        take(session, answer, &reply);
}

/* ---- questions ---- */

static bool start(struct acme_session *session, struct view method, const char *url, struct view body) {
    struct arena arena;
    struct headers headers;
    arena_init(&arena, 4096);
    headers_init(&headers, &arena);
    bool ok = headers_add(&headers, VIEW("user-agent"), VIEW("ttf-gateway/" TTF_VERSION)) &&
              (!body.ptr || headers_add(&headers, VIEW("content-type"), VIEW("application/jose+json")));
    const struct http_call_request request = {.method = method,
                                              .url = view_from_cstr(url),
                                              .headers = &headers,
                                              .body = body,
                                              .timeout_ms = ANSWER_MS,
                                              .answer_max = ANSWER_MAX};
    if (ok) session->call = http_client_start(session->settings.http, &request, on_answer, session);
    arena_done(&arena);
    return session->call != NULL;
}

static bool start_signed(struct acme_session *session, const char *url, struct view payload) {
    struct buf body;
    buf_init(&body, BODY_MAX);
    const struct acme_jws jws = {.key = session->settings.key,
                                 .account = session->asking == FOR_ACCOUNT ? NULL : session->account,
                                 .url = url,
                                 .nonce = session->nonce,
                                 .payload = payload};
    bool ok = acme_jws_print(&jws, &body) && start(session, VIEW("POST"), url, buf_view(&body));
    session->nonce[0] = '\0';
    session->nonces++;
    buf_done(&body);
    return ok;
}

static bool start_account(struct acme_session *session) {
    char payload[600];
    int len =
        snprintf(payload, sizeof(payload), "{\"termsOfServiceAgreed\":true,\"contact\":[\"mailto:%s\"]}",
                 session->settings.email);
    return len > 0 && len < (int)sizeof(payload) &&
           start_signed(session, session->directory.new_account, view_of(payload, (size_t)len));
}

static bool start_next(struct acme_session *session) {
    session->asking = !session->has_directory ? FOR_DIRECTORY
                      : !session->nonce[0]    ? FOR_NONCE
                      : !session->account[0]  ? FOR_ACCOUNT
                                              : FOR_ANSWER;
    switch (session->asking) {
    case FOR_DIRECTORY: return start(session, VIEW("GET"), session->settings.directory, (struct view){0});
    case FOR_NONCE: return start(session, VIEW("GET"), session->directory.new_nonce, (struct view){0});
    case FOR_ACCOUNT: return start_account(session);
    case FOR_ANSWER: break;
    }
    return start_signed(session, session->url[0] ? session->url : session->directory.new_order,
                        buf_view(&session->payload));
}

/* Within an answer. */
static void step(struct acme_session *session) {
    struct acme_reply reply = {.is_out_of_reach = true};
    if (!start_next(session)) fail(session, &reply, "out of memory");
}

bool acme_session_post(struct acme_session *session, const char *url, struct view payload,
                       acme_reply_fn *done, void *ctx) {
    buf_clear(&session->payload);
    if (!view_copy_to(view_from_cstr(url), session->url, sizeof(session->url)) ||
        !buf_append_view(&session->payload, payload))
        return false;
    session->done = done;
    session->ctx = ctx;
    session->nonces = 0;
    if (start_next(session)) return true;
    session->done = NULL;
    return false;
}

bool acme_session_order(struct acme_session *session, struct view payload, acme_reply_fn *done, void *ctx) {
    return acme_session_post(session, "", payload, done, ctx);
}

void acme_session_cancel(struct acme_session *session) {
    if (session->call) http_call_cancel(session->call);
    session->call = NULL;
    session->done = NULL;
}

/* ---- life ---- */

struct acme_session *acme_session_new(const struct acme_session_settings *settings) {
    struct acme_session *session = calloc(1, sizeof(*session));
    if (!session) return NULL;
    session->settings = *settings;
    buf_init(&session->payload, BODY_MAX);
    return session;
}

void acme_session_free(struct acme_session *session) {
    if (!session) return;
    acme_session_cancel(session);
    buf_done(&session->payload);
    free(session);
}
