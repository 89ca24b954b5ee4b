/* The port by which tools ask the agent's API of a running ttf: agent_api.c, or in tests whoever. */
#ifndef FORWARDER_MCP_ASK_H
#define FORWARDER_MCP_ASK_H

#include "base/view.h"

/* Borrowed until return. */
struct ask_answer {
    int status; /* 0: there was none; `body` then says why, for people */
    struct view body;
    struct view ids; /* of X-Inspect-Ids */
};

/* Embedded by who asks, and his until the answer has come or it was cancelled. */
struct ask {
    const char *method;       /* static */
    struct view target, body; /* borrowed until start() returns; a body is JSON */
    /* Server-sent events: one is told each time, there is no deadline, and on_answer says only how it ended.
     */
    void (*on_event)(struct ask *ask); /* NULL: a plain request */
    void (*on_answer)(struct ask *ask, const struct ask_answer *answer);
    void *way; /* the port's; NULL: it is not under way */
};

struct asker {
    void *ctx;
    /* False without memory. Nothing is told from within the call. */
    bool (*start)(void *ctx, struct ask *ask);
    /* Nothing is told any more. Harmless when it is not under way; may be called from within its events. */
    void (*cancel)(void *ctx, struct ask *ask);
    /* "http://127.0.0.1:4040" of the ttf that answered last; "" before. */
    const char *(*where)(void *ctx);
};

#endif
