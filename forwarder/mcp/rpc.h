/* Messages of JSON-RPC 2.0, one a line: what comes is checked, what goes is written. No I/O. */
#ifndef FORWARDER_MCP_RPC_H
#define FORWARDER_MCP_RPC_H

#include <jansson.h>

#include "base/buf.h"

#define RPC_LINE_MAX ((size_t)4 * 1024 * 1024)
#define RPC_DEPTH_MAX 64u

enum rpc_code {
    RPC_PARSE_ERROR = -32700,
    RPC_INVALID_REQUEST = -32600,
    RPC_METHOD_NOT_FOUND = -32601,
    RPC_INVALID_PARAMS = -32602,
    RPC_INTERNAL_ERROR = -32603,
    RPC_BUSY = -32000,
    RPC_UNSUPPORTED_VERSION = -32022, /* the protocol's own */
};

enum rpc_kind {
    RPC_REQUEST,      /* wants an answer: `id`, `method`, `params` */
    RPC_NOTIFICATION, /* wants none: no `id` */
    RPC_ANSWER,       /* to a request of ours */
    RPC_REFUSED       /* `code` and `why` are to be answered, to `id` where it could be read */
};

struct rpc_message {
    json_t *whole;
    const json_t *id; /* a string or a number; NULL: none */
    const char *method;
    json_t *params; /* an object; NULL: none */
    enum rpc_code code;
    const char *why;   /* static */
    bool is_stateless; /* left to session.c: it names its revision of the protocol itself */
};

/* One line, without its end. rpc_done() follows in any case; what is in `ret_message` lives till then. */
enum rpc_kind rpc_parse(struct view line, struct rpc_message *ret_message);
void rpc_done(struct rpc_message *message);

/* A line with its end is appended; `result`, `data` (NULL: none) and `params` are taken. `id` NULL: null.
 * False without memory. */
bool rpc_write_result(struct buf *out, const json_t *id, json_t *result);
bool rpc_write_error(struct buf *out, const json_t *id, enum rpc_code code, const char *why, json_t *data);
bool rpc_write_notification(struct buf *out, const char *method, json_t *params);

#endif
