/* One call of a tool while it runs. A tool's functions ask the agent's API, and end the call by
 * tool_call_succeed() or tool_call_fail(); after either the call is gone. */
#ifndef FORWARDER_MCP_TOOL_CALL_H
#define FORWARDER_MCP_TOOL_CALL_H

#include <jansson.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/timers.h"
#include "mcp/rpc.h"
#include "mcp/session.h"

struct tool_call;

/* The API's answer, a JSON value (NULL: it has no body); borrowed. Answers that are failures do not come
 * here: they end the call. */
typedef void tool_then_fn(struct tool_call *call, json_t *answer, const struct ask_answer *raw);

/* Looks at the API's list (borrowed). True: the call goes on. */
typedef bool tool_look_fn(struct tool_call *call, json_t *answer);

struct tool {
    const char *name;
    void (*start)(struct tool_call *call);
    bool waits; /* for what may never come: it ends when the client sends no more */
};

/* What a tool that waits keeps (tools_wait.c). */
struct tool_watch {
    struct ask follow; /* the API's events */
    struct timer deadline;
    uint64_t after, first, last; /* ids */
    bool knows_after;
    bool has_filters; /* those of the call's arguments */
    bool is_stale;    /* the list is to be asked for again */
    tool_look_fn *look;
};

struct tool_call {
    struct list node; /* of the session's calls */
    struct session *session;
    const struct session_port *port;
    const struct tool *tool;
    json_t *id, *arguments; /* owned */
    bool is_stateless;      /* as rpc_message says it */
    json_t *kept;           /* of an earlier answer; owned */
    struct ask ask;
    tool_then_fn *then;
    struct tool_watch watch;
    struct timer progress;
    json_t *progress_token; /* owned; NULL: the client wants no progress told */
    uint64_t progress_count;
};

/* `request` is tools/call; its arguments fit the tool's schema. The tool is started. False without memory. */
bool tool_call_start(struct session *session, const struct session_port *port, const struct tool *tool,
                     const struct rpc_message *request);
void tool_call_cancel(struct tool_call *call);

/* ---- for the tools ---- */

const char *tool_text(const struct tool_call *call, const char *name); /* NULL: not given */
json_int_t tool_number(const struct tool_call *call, const char *name, json_int_t otherwise);
bool tool_reveals(const struct tool_call *call);
/* An id is a string or a number. Its text in `room`; NULL: it was not given, or is none. */
#define TOOL_ID_SIZE 24
const char *tool_id(const struct tool_call *call, const char *name, char room[TOOL_ID_SIZE]);

/* Asks the API; `target` and `body` (absent: none) are consumed. */
void tool_ask(struct tool_call *call, const char *method, struct buf *target, struct buf *body,
              tool_then_fn *then);
void tool_get(struct tool_call *call, const char *target, tool_then_fn *then);
/* Appends "&name=value" encoded, or "?…" where it is the first; nothing where `value` is NULL. */
void tool_query(struct buf *target, const char *name, const char *value);
void tool_query_number(struct buf *target, const char *name, uint64_t value);
void tool_path(struct buf *target, const char *segment); /* "/segment", encoded */

/* The result, an object, is taken; NULL: memory ran out. */
void tool_call_succeed(struct tool_call *call, json_t *structured);
void tool_call_fail(struct tool_call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- of the session (session.c) ---- */

void session_say_result(struct session *session, const json_t *id, bool is_stateless, json_t *result);
void session_say_notification(struct session *session, const char *method, json_t *params);
void session_keep(struct session *session, struct tool_call *call);
void session_forget(struct session *session, struct tool_call *call);

#endif
