/* One client's use of the Model Context Protocol: tools/list, tools/call and what cancels a call; begun by
 * initialize (revisions 2024-11-05 to 2025-11-25), or without a handshake (2026-07-28). Lines come in and go
 * out through `session_port`; no I/O of its own. Calls run beside each other, SESSION_CALLS_MAX at most. */
#ifndef FORWARDER_MCP_SESSION_H
#define FORWARDER_MCP_SESSION_H

#include "base/timers.h"
#include "mcp/ask.h"

#define SESSION_CALLS_MAX 32

struct session;

struct session_port {
    void *ctx;
    /* One line with its end. Also from within session_line(). */
    void (*say)(void *ctx, struct view line);
    /* No call runs any more; also from within session_line() and session_input_ended(). */
    void (*on_idle)(void *ctx);
    struct asker asker;
    struct timers *timers;
};

/* The port is copied. NULL without memory. */
struct session *session_new(const struct session_port *port);
/* A line of the client's, without its end. */
void session_line(struct session *session, struct view line);
/* The client sends no more. What waits for requests ends now; other calls are still answered. */
void session_input_ended(struct session *session);
bool session_is_idle(const struct session *session);
/* Cancels what runs. NULL is fine. */
void session_free(struct session *session);

#endif
