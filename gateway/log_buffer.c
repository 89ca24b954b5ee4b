/* See log_buffer.h. */
#include "log_buffer.h"

#include <unistd.h>

#include "base/log.h"
#include "base/output.h"

#define BUFFER_BYTES (64 * 1024)
#define COMPONENT_SHOWN 40

static struct {
    struct loop_hook hook;
    struct output *err, *out;
    size_t used;
    char bytes[BUFFER_BYTES];
} log_buffer;

static void flush(void) {
    output_write(log_buffer.err, view_of(log_buffer.bytes, log_buffer.used));
    log_buffer.used = 0;
}

static bool on_turn(struct loop_hook *hook) {
    (void)hook;
    log_tell_repeats(false);
    if (log_buffer.used) flush();
    return false;
}

static void put(struct view text) {
    if (text.len) memcpy(log_buffer.bytes + log_buffer.used, text.ptr, text.len);
    log_buffer.used += text.len;
}

static void sink(void *ctx, enum log_level level, const char *component, struct view line) {
    (void)ctx;
    if (sizeof(log_buffer.bytes) - log_buffer.used < line.len + 128) flush();
    put(view_from_cstr(log_stamp()));
    put(VIEW(" "));
    put(view_from_cstr(log_level_name(level)));
    put(VIEW(" "));
    put(view_slice(view_from_cstr(component), 0, COMPONENT_SHOWN));
    put(VIEW(": "));
    put(line);
    put(VIEW("\n"));
    if (level <= LOG_LEVEL_WARN) flush();
}

void log_buffer_add(struct view line) {
    if (sizeof(log_buffer.bytes) - log_buffer.used < line.len) flush();
    put(line);
}

/* What is logged after the end, when what was before it cannot be written. */
static void drop(void *ctx, enum log_level level, const char *component, struct view line) {
    (void)ctx, (void)level, (void)component, (void)line;
}

void log_buffer_start(struct loop *loop) {
    log_buffer.err = output_new(STDERR_FILENO, log_missing_text);
    if (!log_buffer.err) return; /* then the log writes by itself */
    loop_hook_init(&log_buffer.hook, on_turn);
    loop_hook_add(loop, &log_buffer.hook);
    log_set_sink(sink, NULL);
}

void log_buffer_announce(struct view lines) {
    if (!log_buffer.out) log_buffer.out = output_new(STDOUT_FILENO, log_missing_text);
    output_write(log_buffer.out, lines);
}

uint64_t log_buffer_dropped(void) {
    return output_dropped(log_buffer.err) + output_dropped(log_buffer.out);
}

void log_buffer_stop(void) {
    bool all = true;
    log_tell_repeats(true);
    if (log_buffer.err) {
        flush();
        loop_hook_remove(&log_buffer.hook);
        all = output_close(log_buffer.err, OUTPUT_PATIENCE_MS);
    }
    output_close(log_buffer.out, OUTPUT_PATIENCE_MS);
    log_buffer.err = log_buffer.out = NULL;
    log_set_sink(all ? NULL : drop, NULL);
}
