/* The log. A line is put together on the stack and leaves in one write(2), so that lines of several processes
 * on one pipe do not mix. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

static void write_stderr(void *ctx, enum log_level level, const char *component, struct view line);

static log_sink_fn *current_sink = write_stderr;
static void *current_ctx;
static enum log_level current_level = LOG_LEVEL_INFO;

void log_set_sink(log_sink_fn *sink, void *ctx) {
    current_sink = sink ? sink : write_stderr;
    current_ctx = ctx;
}

void log_set_level(enum log_level level) {
    current_level = level;
}

bool log_enabled(enum log_level level) {
    return level <= current_level;
}

const char *log_level_name(enum log_level level) {
    switch (level) {
    case LOG_LEVEL_ERROR: return "ERROR";
    case LOG_LEVEL_WARN: return "WARN";
    case LOG_LEVEL_INFO: return "INFO";
    case LOG_LEVEL_DEBUG: return "DEBUG";
    }
    return "?";
}

const char *log_stamp(void) {
    static _Thread_local char stamp[] = "2026-01-31T12:00:00.123Z";
    static _Thread_local time_t second = -1;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec != second) {
        struct tm utc;
        gmtime_r(&now.tv_sec, &utc);
        strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S.000Z", &utc);
        second = now.tv_sec;
    }
    unsigned ms = (unsigned)now.tv_nsec / 1000000;
    char *digits = stamp + sizeof("2026-01-31T12:00:00.") - 1;
    digits[0] = (char)('0' + ms / 100);
    digits[1] = (char)('0' + ms / 10 % 10);
    digits[2] = (char)('0' + ms % 10);
    return stamp;
}

static void write_stderr(void *ctx, enum log_level level, const char *component, struct view line) {
    (void)ctx;
    char text[LINE_MAX_BYTES + 128];
    int len = snprintf(text, sizeof(text), "%s %s %.40s: %.*s\n", log_stamp(), log_level_name(level),
                       component, VIEW_ARG(line));
    if (len <= 0) return;
    size_t size = (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1;
    if (write(STDERR_FILENO, text, size) < 0) return; /* nobody is left to be told */
}

size_t log_missing_text(char *out, size_t size, uint64_t lines) {
    int len =
        snprintf(out, size, "%s %s log: %llu line%s missing here: nobody took them in time\n", log_stamp(),
                 log_level_name(LOG_LEVEL_WARN), (unsigned long long)lines, lines == 1 ? " is" : "s are");
    return len < 0 ? 0 : (size_t)len < size ? (size_t)len : size;
}

static size_t escape(const char *text, size_t len, char out[LINE_MAX_BYTES]) {
    static const char hex[16] = "0123456789abcdef";
    size_t used = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        bool control = c < 0x20 || c == 0x7f;
        if (used + (control ? 4 : 1) > LINE_MAX_BYTES) break;
        if (control) {
            out[used++] = '\\';
            out[used++] = 'x';
            out[used++] = hex[c >> 4];
            out[used++] = hex[c & 15];
        } else {
            out[used++] = (char)c;
        }
    }
    return used;
}

void log_write(enum log_level level, const char *component, const char *format, ...) {
    if (!log_enabled(level)) return;
    char text[LINE_MAX_BYTES + 1], line[LINE_MAX_BYTES];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (len < 0) return;
    size_t size = (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1;
    current_sink(current_ctx, level, component, view_of(line, escape(text, size, line)));
}

static bool is_secret(struct view name) {
    return view_eq_nocase(name, VIEW("token")) || view_eq_nocase(name, VIEW("resume"));
}

static bool append_parameter(struct buf *out, struct view parameter) {
    size_t equals = view_find(parameter, '=');
    if (equals == parameter.len || !is_secret(view_slice(parameter, 0, equals)))
        return buf_append_view(out, parameter);
    return buf_append_view(out, view_slice(parameter, 0, equals + 1)) && buf_append(out, "***", 3);
}

bool log_redact_target(struct buf *out, struct view target) {
    size_t question = view_find(target, '?');
    if (!buf_append_view(out, view_slice(target, 0, question))) return false;
    if (question == target.len) return true;
    struct view query = view_skip(target, question + 1), parameter;
    for (char before = '?'; view_split(&query, '&', &parameter); before = '&')
        if (!buf_append_byte(out, before) || !append_parameter(out, parameter)) return false;
    return true;
}
