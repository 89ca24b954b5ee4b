/* What a request is known by in logs, here and in the service: `x-request-id`, and the trace of W3C's Trace
 * Context (traceparent, tracestate), which passes through untouched. */
#ifndef HANDLER_TRACE_H
#define HANDLER_TRACE_H

#include "handler/event.h"

#define X_REQUEST_ID_MAX 128 /* of one that a trusted proxy has given */

struct exchange;

/* Absent views: it has none. */
struct trace {
    struct view request_id, id;
};

/* The trace id of a well-formed traceparent (W3C Trace Context 3.2.2): 32 hex digits; else absent. */
struct view trace_id_of(struct view traceparent);
/* Is this an id that is passed on? 1 to X_REQUEST_ID_MAX of letters, digits and ._:+/=@~- */
bool x_request_id_is_fine(struct view id);

/* Gives the request its id, of a trusted proxy or a fresh one, and its trace where it has none and that is
 * asked for. False where its fields have no room for it. */
bool trace_request(struct exchange *exchange, bool client_is_proxy);
/* An answer tells the request's id to the visitor, unless the service says one itself. */
void trace_answer(const struct exchange *exchange, struct headers *headers);

#endif
