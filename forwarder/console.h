/* What people (and scripts that wait for lines) read on standard output. Each line is flushed. Colours only
 * where that is a terminal and NO_COLOR is unset. Bytes of visitors never reach the terminal raw, and tokens
 * in queries not at all. */
#ifndef FORWARDER_CONSOLE_H
#define FORWARDER_CONSOLE_H

#include <stdio.h>
#include <time.h>

#include "base/buf.h"
#include "base/tasks.h"

struct console {
    FILE *out;
    bool colour;
    struct tasks *tasks; /* NULL: each line is flushed at once */
    struct task flush;
    struct buf line;
    time_t second; /* that `clock` shows */
    char clock[16];
};

/* One request that is over. */
struct console_request {
    struct view method, target;
    int status;         /* what the visitor gets; 0: he left before there was one */
    const char *code;   /* of our own error, or how else it ended; NULL where the service's answer is whole */
    const char *detail; /* more of that, or NULL */
    uint64_t took_ms;
    uint64_t bytes, bytes_in; /* of the answer's body, of the request's */
};

void console_init(struct console *console, FILE *out);
void console_done(struct console *console);
/* From now on the lines of requests are flushed once a turn of the loop that runs `tasks`; NULL ends that. */
void console_attach(struct console *console, struct tasks *tasks);
void console_line(struct console *console, const char *format, ...) __attribute__((format(printf, 2, 3)));
void console_request(struct console *console, const struct console_request *request);

#endif
