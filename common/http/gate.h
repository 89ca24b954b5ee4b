/* The request gate: decides what is a well-formed request before anything else sees it, and what is a
 * well-formed answer when it comes back from an agent. It works on the raw target and the header list,
 * because the parsers in front of it are lax (duplicate Content-Length, Transfer-Encoding on HTTP/1.0, ...).
 * Whatever is ambiguous is refused and the connection closed (RFC 9112 6.1, 6.3, 11.2). */
#ifndef HTTP_GATE_H
#define HTTP_GATE_H

#include "http/error.h"
#include "http/headers.h"
#include "http/host.h"
#include "http/limits.h"
#include "http/uri.h"

enum body_framing { BODY_NONE, BODY_LENGTH, BODY_CHUNKED };

struct gate_request {
    struct view method;
    struct view raw_target;
    struct view version; /* "HTTP/1.1" */
    const struct headers *headers;
};

/* What the gate read out of a request that it let pass; views point into the request. */
struct gate_verdict {
    struct target target;
    struct host host; /* of the absolute form's authority where there is one (RFC 9112 3.2.2), else of Host */
    struct view host_field; /* the same, as it was written, port included */
    enum body_framing framing;
    uint64_t content_length; /* BODY_LENGTH only */
    bool expects_continue;
    /* HTTP/1.1, `Connection: upgrade` and exactly one `Upgrade` field that can be passed on
     * (http_is_upgrade). Any other offer may be ignored (RFC 9110 7.8), and is: of HTTP/2, and with a body
     * whose length is not said, which would leave no place in a stream for where it ends and the other
     * protocol begins. */
    bool is_upgrade;
    struct view upgrade; /* its value */
};

/* HTTP_ERROR_NONE when the request may pass. HTTP_ERROR_EXPECTATION_FAILED for an Expect that is not
 * 100-continue. */
enum http_error gate_check_request(const struct gate_request *request, const struct http_limits *limits,
                                   struct arena *arena, struct gate_verdict *ret_verdict);

/* How a request's body is delimited (RFC 9112 6.3), by the same rules, for whoever reads it. False where that
 * is in doubt: gate_check_request() refuses the request. *ret_length only for BODY_LENGTH. */
bool gate_read_framing(const struct headers *headers, int minor_version, enum body_framing *ret_framing,
                       uint64_t *ret_length);

/* Status 200-999 (RFC 9110 15: what has no meaning is treated as 5xx, by who reads it), names tokens, values
 * without control bytes, within the limits. HTTP_ERROR_BAD_RESPONSE otherwise. */
enum http_error gate_check_response(int status, const struct headers *headers,
                                    const struct http_limits *limits);
/* The same: NULL, or what is wrong with it, for people. */
const char *gate_response_fault(int status, const struct headers *headers, const struct http_limits *limits);

/* The same, where the fields were checked already, by who has parsed them (response_head_parse()). */
const char *gate_response_excess(int status, const struct headers *headers, const struct http_limits *limits);

/* No value longer than that? */
bool gate_check_values(const struct headers *headers, size_t most_bytes);

/* Names tokens, values without control bytes? */
bool gate_check_fields(const struct headers *headers);

/* Has an answer to this method with this status a body? (RFC 9110 6.4.1: HEAD, 1xx, 204, 304 have none.) */
bool http_answer_has_body(struct view method, int status);

#define HTTP_UPGRADE_MAX 64
/* A list of protocols, each a token or two with a slash between them (RFC 9110 7.8), of a reasonable length.
 */
bool http_is_upgrade(struct view value);

/* GET, HEAD, OPTIONS, TRACE: may be sent once more (RFC 9110 9.2.1; PUT and DELETE are left out on purpose).
 */
bool http_method_is_safe(struct view method);

#endif
