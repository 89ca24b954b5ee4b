/* Lines to a descriptor that may take none: a pipe that nobody reads, a terminal that was stopped, a disk
 * that is full or hangs. A thread of its own writes; who gives it lines never waits. What finds no room is
 * left out and counted, and a line says so in that place when it flows again.
 *
 * A thread, because O_NONBLOCK is the open file's and not the descriptor's: whoever shares the terminal or
 * the pipe with us would be changed too, and files on a disk know no such thing. */
#ifndef BASE_OUTPUT_H
#define BASE_OUTPUT_H

#include <stdint.h>

#include "base/view.h"

#define OUTPUT_BYTES ((size_t)256 * 1024) /* held, beside as many that are being written */

struct output;

/* Puts the line (with its end) that says that so many were left out into `out`, and returns its length.
 * Called by the thread. */
typedef size_t output_notice_fn(char *out, size_t size, uint64_t lines);

/* The thread starts with the first line. NULL without memory. */
struct output *output_new(int fd, output_notice_fn *notice);
/* The same for a file, which is appended to, made where it is missing, and opened anew when another has its
 * name or none has (logrotate), by the thread. NULL with errno when it cannot be opened. `path` is copied. */
struct output *output_new_file(const char *path, output_notice_fn *notice);
/* The same for the system's log, which listens at `path` ("/dev/log": syslog, or journald): a datagram a
 * line, as `tag`, of the facility daemon at level info. One that is started again is found again. Both are
 * borrowed for good. */
struct output *output_new_syslog(const char *path, const char *tag, output_notice_fn *notice);
/* Opens the file anew before the next line. */
void output_reopen(struct output *output);
/* Whole lines, each with its end. Never waits. NULL is fine. */
void output_write(struct output *output, struct view lines);
/* Lines that were left out or could not be written, ever. NULL is fine. */
uint64_t output_dropped(struct output *output);
/* Has all that was given been tried? */
bool output_is_idle(struct output *output);
/* Waits until all is written: while bytes go, but `patience_ms` for the next ones and OUTPUT_CLOSE_MS in all.
 * False: some are not written and the thread is still at it; it lives on, and ends with the process. NULL is
 * fine. */
bool output_close(struct output *output, uint64_t patience_ms);

#define OUTPUT_PATIENCE_MS 250
#define OUTPUT_CLOSE_MS 5000

#endif
