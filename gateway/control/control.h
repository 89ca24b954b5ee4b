/* What whoever looks after the gateways asks of them: of all that share the store, as if they were one. Each
 * answers for the agents that it holds, from memory. */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "agents/agent_ws.h"
#include "control/question.h"
#include "handler/core.h"
#include "store/store_redis.h"

struct control;

struct control_settings {
    struct loop *loop;
    struct agent_ws *agents;
    struct core *core;
    struct store_redis *redis; /* NULL: there are no other gateways */
    const char *gateway;       /* this one's name; outlives the control */
    bool (*is_draining)(void *ctx);
    void (*drain)(void *ctx); /* from a safe point */
    void *ctx;
};

/* NULL without memory. */
struct control *control_new(const struct control_settings *settings);
/* What is under way is dropped; when the store has stopped. NULL is fine. */
void control_free(struct control *control);

/* Another gateway's question: store_redis_events.asked. */
bool control_answer(void *control, struct view question, struct buf *answer);

struct control_result {
    enum status status; /* STATUS_OK, STATUS_UNAVAILABLE (the store), STATUS_NOT_FOUND (no such gateway) */
    struct view rows;   /* JSON values with commas between them */
    size_t count;       /* of them, or of agents that were kicked, or gateways that go down */
    struct view next;   /* cursor of the next page; empty: there is none */
    struct view silent; /* gateways that have not answered, as JSON strings with commas between them */
};

/* All is borrowed until return; later, once, never from within control_ask(). */
typedef void control_done_fn(void *ctx, const struct control_result *result);

struct control_request {
    struct question question; /* copied; `after` is the cursor's */
    struct view cursor;       /* of QUESTION_TUNNELS: where a page has ended; empty: the first page */
    struct view gateway;      /* only this one; empty: all */
};

#define CONTROL_CURSOR_MAX (GATEWAY_MAX + 24)

/* False, and nobody is called: the cursor, or the question, makes no sense. */
bool control_ask(struct control *control, const struct control_request *request, control_done_fn *done,
                 void *ctx);

#endif
