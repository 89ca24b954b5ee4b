/* Standard error, written once a turn of the loop instead of once a line: the access log must not cost a
 * system call a request. Errors and warnings leave at once. */
#ifndef GATEWAY_LOG_BUFFER_H
#define GATEWAY_LOG_BUFFER_H

#include "net/loop.h"

/* Makes it the log's sink until log_buffer_stop. */
void log_buffer_start(struct loop *loop);
void log_buffer_stop(void);

#endif
