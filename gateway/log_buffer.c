/* See log_buffer.h. */
#include "log_buffer.h"

#include "base/log.h"

#include <stdio.h>
#include <unistd.h>

#define BUFFER_BYTES (64 * 1024)

static struct {
    struct loop_hook hook;
    size_t used;
    char bytes[BUFFER_BYTES];
} log_buffer;

static void flush(void) {
    size_t done = 0;
    while (done < log_buffer.used) {
        ssize_t len = write(STDERR_FILENO, log_buffer.bytes + done, log_buffer.used - done);
        if (len <= 0) break; /* nobody is left to be told */
        done += (size_t)len;
    }
    log_buffer.used = 0;
}

static bool on_turn(struct loop_hook *hook) {
    (void)hook;
    if (log_buffer.used) flush();
    return false;
}

static void sink(void *ctx, enum log_level level, const char *component, struct view line) {
    (void)ctx;
    if (sizeof(log_buffer.bytes) - log_buffer.used < line.len + 128) flush();
    int len = snprintf(log_buffer.bytes + log_buffer.used, sizeof(log_buffer.bytes) - log_buffer.used,
                       "%s %s %.40s: %.*s\n", log_stamp(), log_level_name(level), component, VIEW_ARG(line));
    if (len > 0) log_buffer.used += (size_t)len;
    if (level <= LOG_LEVEL_WARN) flush();
}

void log_buffer_start(struct loop *loop) {
    loop_hook_init(&log_buffer.hook, on_turn);
    loop_hook_add(loop, &log_buffer.hook);
    log_set_sink(sink, NULL);
}

void log_buffer_stop(void) {
    flush();
    loop_hook_remove(&log_buffer.hook);
    log_set_sink(NULL, NULL);
}
