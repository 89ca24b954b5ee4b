/* Protocol v1 (docs/PROTOCOL.md): one JSON object a WebSocket text message, both directions. Bodies are
 * base64, header fields a map from lower-case name to a list of values. What we write is ASCII. Unknown types
 * and fields are ignored.
 *
 * JSON text cannot hold arbitrary bytes: a header value that is not UTF-8 is read as Latin-1 and written as
 * UTF-8. */
#ifndef PROTOCOL_V1_H
#define PROTOCOL_V1_H

#include "base/buf.h"
#include "base/status.h"
#include "http/headers.h"

#define V1_REQUEST_ID_MAX 256

enum v1_type {
    V1_UNKNOWN, /* well-formed JSON with a type that we do not know */
    V1_READY,
    V1_PING,
    V1_PONG,
    V1_HTTP_REQUEST,
    V1_HTTP_RESPONSE,
    V1_ERROR,
    V1_CONNECTION_ESTABLISHED,
    V1_DRAINING,
    V1_CHUNK,
};

/* Upgrades: of an agent of v2 that is offered them as docs/PROTOCOL.md says, not as extended CONNECT alone.
 * Policy: of connection_established alone: visitors are held to the rules that the agent said at connect.
 * Index: of an agent whose name somebody chose, or who wants it: search engines may list the tunnel.
 */
enum v1_capability {
    V1_CAP_CHUNKS = 1,
    V1_CAP_RESUME = 2,
    V1_CAP_UPGRADES = 4,
    V1_CAP_POLICY = 8,
    V1_CAP_INDEX = 16,
    V1_CAP_DOMAINS = 32
};

/* Codes of `error` that an agent may send about a request, and those that a server sends about a connection.
 */
#define V1_CODE_INVALID_REQUEST "invalid_request"
#define V1_CODE_TIMEOUT "timeout"
#define V1_CODE_LOCAL_SERVICE_UNAVAILABLE "local_service_unavailable"
#define V1_CODE_INTERNAL_ERROR "internal_error"
#define V1_CODE_TAKEN_OVER "taken_over"
#define V1_CODE_KICKED "kicked"
#define V1_CODE_QUOTA "quota"
#define V1_CODE_TOKEN_EXPIRED "token_expired"
#define V1_REASON_RESPONSE_TOO_LARGE "response_too_large"

/* A piece of a message's text, see chunks.h, which says what makes sense. */
struct v1_chunk {
    uint64_t seq, total;
    struct view data;
};

/* One message, parsed. Which members count depends on the type; the others are empty. All views live as long
 * as it. */
struct v1_message {
    enum v1_type type;
    struct arena arena;
    struct json_t *document; /* what the views point into */

    struct view request_id; /* http_request, http_response, chunk, error (absent where null) */

    struct headers headers; /* http_request, http_response; names in lower case, not yet gated */
    struct view body;       /* decoded */
    bool body_too_large;    /* the body was over the limit; `body` is empty */

    struct view method, uri; /* http_request */
    uint64_t timestamp_ms;

    int status; /* http_response; any integer, the gate judges */
    uint64_t processing_time_ms;

    struct view code, message, reason; /* error */

    unsigned capabilities;       /* ready, connection_established: enum v1_capability, or'ed */
    uint64_t heartbeat_s;        /* connection_established: the agent's pings; 0 where unsaid */
    uint64_t token_s;            /* likewise: so long its token is good; 0 where unsaid */
    uint64_t request_timeout_ms; /* ready: how long the agent lets its service take; 0 where unsaid */

    struct v1_chunk chunk; /* chunk */

    struct view long_body; /* while it is parsed: what `document` was spared */

    struct view connection_id, tunnel_id, public_url, subdomain_url, path_based_url,
        resume; /* connection_established */
};

/* Parses one message. NULL for anything malformed: not JSON, duplicate keys, wrong types, bad base64
 * (STATUS_INVALID), or without memory (STATUS_NO_MEMORY). A body that decodes to more than `body_max` bytes
 * is left out, and said so. */
struct v1_message *v1_message_parse(struct view text, size_t body_max, enum status *ret_status);
/* The same, where it must be the answer (an http_response or an error) to this very request; anything else is
 * STATUS_INVALID. */
struct v1_message *v1_answer_parse(struct view text, struct view request_id, size_t body_max,
                                   enum status *ret_status);
void v1_message_free(struct v1_message *message);

/* Each appends one message; on failure `out` is marked failed. */
bool v1_encode_ready(struct buf *out, unsigned capabilities, uint64_t request_timeout_ms);
bool v1_encode_ping(struct buf *out);
bool v1_encode_pong(struct buf *out);
bool v1_encode_draining(struct buf *out);

struct v1_request {
    struct view request_id, method, uri;
    const struct headers *headers;
    struct view body;
    uint64_t timestamp_ms; /* wall clock */
};
bool v1_encode_request(struct buf *out, const struct v1_request *request);

struct v1_response {
    struct view request_id;
    int status;
    const struct headers *headers;
    struct view body;
    uint64_t processing_time_ms;
};
bool v1_encode_response(struct buf *out, const struct v1_response *response);

bool v1_encode_chunk(struct buf *out, struct view request_id, const struct v1_chunk *chunk);

/* `request_id` absent: null. `reason` absent: left out. */
bool v1_encode_error(struct buf *out, struct view request_id, struct view code, struct view message,
                     struct view reason);

struct v1_established {
    struct view connection_id, tunnel_id, public_url;
    struct view subdomain_url, path_based_url, resume; /* left out where absent */
    unsigned capabilities;                             /* left out where 0 */
    uint64_t heartbeat_s, token_s;                     /* left out where 0 */
};
bool v1_encode_established(struct buf *out, const struct v1_established *established);

/* The library that reads and writes JSON, and its version. */
const char *v1_library(void);

#endif
