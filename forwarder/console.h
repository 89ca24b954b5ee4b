/* What people (and scripts that wait for lines) read on standard output and standard error. A thread of its
 * own writes (base/output.h): who does not read does not stop the tunnel. Colours only where standard output
 * is a terminal and NO_COLOR is unset. Bytes of visitors never reach the terminal raw, and tokens in queries
 * not at all. */
#ifndef FORWARDER_CONSOLE_H
#define FORWARDER_CONSOLE_H

#include <time.h>

#include "base/buf.h"
#include "base/output.h"
#include "base/tasks.h"

struct console {
    struct output *out, *err;
    bool colour;
    struct tasks *tasks; /* NULL: each line is handed on at once */
    struct task flush;
    struct buf lines; /* not handed on yet */
    time_t second;    /* that `clock` shows */
    char clock[16];
};

/* One request that is over. */
struct console_request {
    const char *label; /* of the tunnel, where there are several; otherwise NULL */
    struct view method, target;
    int status;         /* what the visitor gets; 0: he left before there was one */
    const char *code;   /* of our own error, or how else it ended; NULL where the service's answer is whole */
    const char *detail; /* more of that, or NULL */
    uint64_t took_ms;
    uint64_t bytes, bytes_in; /* of the answer's body, of the request's */
};

/* Takes the log, too. False without memory. */
bool console_init(struct console *console);
/* Waits a moment for what is not written yet. */
void console_done(struct console *console);
/* From now on the lines of requests are handed on once a turn of the loop that runs `tasks`; NULL ends that.
 */
void console_attach(struct console *console, struct tasks *tasks);
void console_line(struct console *console, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "ttf: ...", to standard error. */
void console_error(struct console *console, const char *format, ...) __attribute__((format(printf, 2, 3)));
void console_request(struct console *console, const struct console_request *request);

#endif
