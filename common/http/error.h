/* The errors a visitor can get from us: one list of code, status and text (docs/ARCHITECTURE.md, Errors).
 * An answer of ours carries `x-tunnel-error: <code>`; one without it is the local service's. */
#ifndef HTTP_ERROR_H
#define HTTP_ERROR_H

#include "base/view.h"

#define HTTP_ERROR_LIST(X)                                                                                   \
    X(BAD_REQUEST, 400, "bad_request", "The request is malformed.")                                          \
    X(UNAUTHORIZED, 401, "unauthorized", "This tunnel asks for a login.")                                    \
    X(LINK_REQUIRED, 401, "link_required",                                                                   \
      "This page is open to those who were sent its link. Yours may have run out, or lost a part on the "    \
      "way: ask who sent it for a new one.")                                                                 \
    X(PASSWORD_REQUIRED, 401, "password_required", "This page needs a password.")                            \
    X(BAD_SIGNATURE, 401, "bad_signature",                                                                   \
      "This tunnel takes only what its sender has signed (a webhook), and this is not signed, or not so.")   \
    X(TOKEN_REQUIRED, 401, "token_required",                                                                 \
      "This tunnel is private: it asks for a token of those who run the gateway.")                           \
    X(FORBIDDEN, 403, "forbidden", "This tunnel does not let you in.")                                       \
    X(FIRST_VISIT, 403, "first_visit",                                                                       \
      "This is somebody's tunnel. Its pages are shown to people who have said that they want to see them.")  \
    X(TUNNEL_NOT_FOUND, 404, "tunnel_not_found", "There is no tunnel at this address.")                      \
    X(METHOD_NOT_ALLOWED, 405, "method_not_allowed", "CONNECT is not offered here.")                         \
    X(REQUEST_TIMEOUT, 408, "request_timeout", "The request did not arrive in time.")                        \
    X(BODY_TOO_LARGE, 413, "body_too_large", "The request's body is larger than this tunnel can carry.")     \
    X(URI_TOO_LONG, 414, "uri_too_long", "The request's address is too long.")                               \
    X(EXPECTATION_FAILED, 417, "expectation_failed", "The only expectation known is 100-continue.")          \
    X(UNKNOWN_HOST, 421, "unknown_host",                                                                     \
      "This gateway does not answer for that host name (its operator sets DOMAIN_NAME or --domain).")        \
    X(STALE_EPOCH, 421, "stale_epoch", "The tunnel's agent has moved.") /* between gateways only */          \
    X(RATE_LIMITED, 429, "rate_limited", "Too many requests. Try again shortly.")                            \
    X(HEADERS_TOO_LARGE, 431, "headers_too_large", "The request's headers are too large.")                   \
    X(INTERNAL, 500, "internal_error", "The gateway failed.")                                                \
    X(AGENT_OFFLINE, 502, "agent_offline", "The tunnel exists, but its agent is not connected.")             \
    X(AGENT_LOST, 502, "agent_lost", "The tunnel's agent went away before it answered.")                     \
    X(BAD_RESPONSE, 502, "bad_response", "The local service sent something that is not a proper answer.")    \
    X(RESPONSE_TOO_LARGE, 502, "response_too_large", "The answer is larger than this tunnel can carry.")     \
    X(AUTH_FAILED, 502, "auth_failed",                                                                       \
      "What decides here who may come in gave no proper answer. Tell whoever runs this gateway.")            \
    X(AUTH_UNAVAILABLE, 503, "auth_unavailable",                                                             \
      "What decides here who may come in does not answer. Try again shortly.")                               \
    X(LOCAL_SERVICE_UNAVAILABLE, 503, "local_service_unavailable",                                           \
      "The tunnel is up, but the local service behind it does not answer.")                                  \
    X(OVERLOADED, 503, "overloaded", "Too much is under way. Try again shortly.")                            \
    X(TIMEOUT, 504, "timeout", "The local service took too long to answer.")                                 \
    X(VERSION_UNSUPPORTED, 505, "version_unsupported", "Only HTTP/1.0 and HTTP/1.1 are spoken here.")

enum http_error {
    HTTP_ERROR_NONE = 0,
#define X(name, status, code, text) HTTP_ERROR_##name,
    HTTP_ERROR_LIST(X)
#undef X
};

/* HTTP_ERROR_BAD_RESPONSE for a code that is none of ours. */
enum http_error http_error_from_code(struct view code);
int http_error_status(enum http_error error);
struct view http_error_code(enum http_error error);
struct view http_error_text(enum http_error error);

/* Must the visitor's connection end with this answer? (Where framing is in doubt, or a body was not read.) */
bool http_error_closes(enum http_error error);

/* Does this Accept value prefer HTML to plain text? */
bool http_wants_html(struct view accept);

/* Of the pages with our errors: nothing is loaded, nothing runs, nobody frames them. */
#define HTTP_ERROR_CSP                                                                                       \
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors "   \
    "'none'"

#endif
