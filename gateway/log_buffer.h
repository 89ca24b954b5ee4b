/* Standard error, handed on once a turn of the loop instead of once a line, and written by a thread of its
 * own (base/output.h): the access log must not cost a system call a request, and who does not read it must
 * not stop the gateway. Errors and warnings leave at once. */
#ifndef GATEWAY_LOG_BUFFER_H
#define GATEWAY_LOG_BUFFER_H

#include "base/view.h"
#include "net/loop.h"

/* Makes it the log's sink until log_buffer_stop. */
void log_buffer_start(struct loop *loop);
/* A line for standard error as it is, with its end, between those of the log. */
void log_buffer_add(struct view line);
/* Lines for standard output, in the same way. */
void log_buffer_announce(struct view lines);
/* Lines of both that were dropped, ever. */
uint64_t log_buffer_dropped(void);
/* Waits a moment for what is not written yet. */
void log_buffer_stop(void);

#endif
