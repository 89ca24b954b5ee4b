/* Where lines of the access log go that are none of the log's own: to standard error between its lines, or to
 * a file. Handed on once a turn of the loop, and written by a thread (base/output.h). */
#ifndef GATEWAY_ACCESS_FILE_H
#define GATEWAY_ACCESS_FILE_H

#include "config/config.h"
#include "net/loop.h"

/* Sets the access log (handler/access_log.h) as the settings have it; a file is opened anew at SIGHUP, which
 * else ends the process. `gateway` is borrowed until access_file_stop(). False when the file cannot be
 * opened, which is said on standard error. */
bool access_file_start(struct loop *loop, const struct config *config, const char *gateway);
/* Lines that were dropped, ever. */
uint64_t access_file_dropped(void);
/* Waits a moment for what is not written yet; the loop runs on until its handle is closed. */
void access_file_stop(void);

#endif
