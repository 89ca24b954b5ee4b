/* The log. A line is put together on the stack and leaves in one write(2), so that lines of several processes
 * on one pipe do not mix. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/log_tally.h"
#include "base/unset.h"
#include "base/utf8.h"

#define LINE_MAX_BYTES 1024
#define SOURCE_BYTES 128

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

/* The length of the character that begins there, if it is whole and harmless; 0: to be escaped. */
static size_t harmless(const unsigned char *text, size_t len) {
    if (text[0] < 0x80) return text[0] >= 0x20 && text[0] != 0x7f;
    uint32_t code;
    size_t size = utf8_next(text, len, &code);
    bool is_c1 = code < 0xa0;
    bool is_mark = code == 0x61c || code == 0x200e || code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
                   (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
    return is_c1 || is_mark ? 0 : size;
}

/* How much of it, from the beginning, is printable ASCII. */
static size_t plain_len(struct view text) {
    size_t len = 0;
    while (len < text.len && text.ptr[len] >= 0x20 && text.ptr[len] < 0x7f) len++;
    return len;
}

static size_t escape(const char *text, size_t len, char out[LINE_MAX_BYTES]) {
    size_t step, used = plain_len(view_slice(view_of(text, len), 0, LINE_MAX_BYTES));
    memcpy(out, text, used);
    for (size_t i = used; i < len; i += step) {
        const unsigned char *at = (const unsigned char *)text + i;
        size_t whole = harmless(at, len - i);
        step = whole ? whole : 1;
        if (used + (whole ? whole : 4) > LINE_MAX_BYTES) break;
        if (whole) {
            memcpy(out + used, at, whole);
            used += whole;
        } else {
            memcpy(out + used, "\\x", 2);
            hex_print(out + used + 2, at, 1);
            used += 4;
        }
    }
    return used;
}

/* ---- the same again and again ---- */

static void tell_held_back(enum log_level level, const char *component, struct view text, unsigned lines) {
    char told[LINE_MAX_BYTES];
    int len = snprintf(told, sizeof(told), "%.*s (%u more like it)", VIEW_ARG(text), lines);
    if (len > 0) current_sink(current_ctx, level, component, view_of(told, (size_t)len));
}

void log_tell_repeats(bool all) {
    log_tally_tell(all, tell_held_back);
}

/* ---- a line ---- */

static struct view print(struct view source, const char *format, va_list args, char out[LINE_MAX_BYTES]) {
    char text[LINE_MAX_BYTES + 1] UNSET;
    size_t used = 0;
    int len = source.len
                  ? snprintf(text, sizeof(text), "%.*s: ", VIEW_ARG(view_slice(source, 0, SOURCE_BYTES)))
                  : 0;
    if (len > 0) used = (size_t)len;
    len = vsnprintf(text + used, sizeof(text) - used, format, args);
    if (len < 0) return (struct view){0};
    used += (size_t)len;
    return view_of(out, escape(text, used < sizeof(text) ? used : sizeof(text) - 1, out));
}

static void write_line(enum log_level level, const char *component, struct view source, const char *format,
                       va_list args) {
    char escaped[LINE_MAX_BYTES] UNSET;
    if (!log_enabled(level)) return;
    struct view text = print(source, format, args, escaped);
    if (!text.ptr) return;
    const struct log_line line = {level, component, format, source, text};
    if (level != LOG_LEVEL_DEBUG && !log_tally_admits(&line, tell_held_back)) return;
    log_tell_repeats(false);
    current_sink(current_ctx, level, component, text);
}

void log_write(enum log_level level, const char *component, const char *format, ...) {
    va_list args;
    va_start(args, format);
    write_line(level, component, (struct view){0}, format, args);
    va_end(args);
}

void log_from(enum log_level level, const char *component, struct view source, const char *format, ...) {
    va_list args;
    va_start(args, format);
    write_line(level, component, source, format, args);
    va_end(args);
}

void log_line(enum log_level level, const char *component, struct view text) {
    char escaped[LINE_MAX_BYTES] UNSET;
    if (!log_enabled(level)) return;
    text = view_slice(text, 0, LINE_MAX_BYTES);
    if (plain_len(text) < text.len) text = view_of(escaped, escape(text.ptr, text.len, escaped));
    log_tell_repeats(false);
    current_sink(current_ctx, level, component, text);
}
