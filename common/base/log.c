/* The log. A line is put together on the stack and leaves in one write(2), so that lines of several processes
 * on one pipe do not mix. */
#include "base/log.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024
#define REPEATED_BYTES 256
#define REPEATS 64

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

static size_t escape(const char *text, size_t len, char out[LINE_MAX_BYTES]) {
    static const char hex[16] = "0123456789abcdef";
    size_t used = 0, step;
    for (size_t i = 0; i < len; i += step) {
        const unsigned char *at = (const unsigned char *)text + i;
        size_t whole = harmless(at, len - i);
        step = whole ? whole : 1;
        if (used + (whole ? whole : 4) > LINE_MAX_BYTES) break;
        if (whole) {
            memcpy(out + used, at, whole);
            used += whole;
        } else {
            const char escaped[4] = {'\\', 'x', hex[*at >> 4], hex[*at & 15]};
            memcpy(out + used, escaped, 4);
            used += 4;
        }
    }
    return used;
}

/* ---- the same again and again ---- */

/* What is said too often is counted instead. A line that has the place of another one ends the count of that.
 */
struct repeated {
    uint64_t hash, since_ms;
    unsigned seen, held_back;
    enum log_level level;
    const char *component;
    size_t len;
    char text[REPEATED_BYTES];
};

static struct repeated repeats[REPEATS];
static uint64_t next_look_ms;

static uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t hash_of(const char *component, struct view line) {
    uint64_t hash = 14695981039346656037u;
    for (; *component; component++) hash = (hash ^ (unsigned char)*component) * 1099511628211u;
    for (size_t i = 0; i < line.len; i++) hash = (hash ^ (unsigned char)line.ptr[i]) * 1099511628211u;
    return hash;
}

static void tell_held_back(struct repeated *repeated) {
    char text[REPEATED_BYTES + 64];
    if (!repeated->held_back) return;
    int len = snprintf(text, sizeof(text), "%.*s (%u times more)", (int)repeated->len, repeated->text,
                       repeated->held_back);
    repeated->held_back = 0;
    if (len > 0) current_sink(current_ctx, repeated->level, repeated->component, view_of(text, (size_t)len));
}

void log_tell_repeats(bool all) {
    uint64_t now = 0;
    if (!next_look_ms || (!all && (now = now_ms()) < next_look_ms)) return;
    next_look_ms = 0;
    for (size_t i = 0; i < REPEATS; i++) {
        struct repeated *repeated = &repeats[i];
        if (!repeated->held_back) continue;
        if (all || now - repeated->since_ms >= LOG_REPEAT_MS) {
            tell_held_back(repeated);
            repeated->seen = 0;
        } else if (!next_look_ms || repeated->since_ms + LOG_REPEAT_MS < next_look_ms) {
            next_look_ms = repeated->since_ms + LOG_REPEAT_MS;
        }
    }
}

static bool is_too_often(enum log_level level, const char *component, struct view line) {
    uint64_t hash = hash_of(component, line), now = now_ms();
    struct repeated *repeated = &repeats[hash % REPEATS];
    if (repeated->hash != hash || now - repeated->since_ms >= LOG_REPEAT_MS) {
        tell_held_back(repeated);
        *repeated = (struct repeated){.hash = hash, .since_ms = now, .level = level, .component = component};
    }
    if (repeated->seen++ < LOG_REPEATS) return false;
    if (!repeated->held_back++) {
        repeated->len = line.len < REPEATED_BYTES ? line.len : REPEATED_BYTES;
        memcpy(repeated->text, line.ptr, repeated->len);
        uint64_t over_ms = repeated->since_ms + LOG_REPEAT_MS;
        if (!next_look_ms || over_ms < next_look_ms) next_look_ms = over_ms;
    }
    return true;
}

void log_write(enum log_level level, const char *component, const char *format, ...) {
    if (!log_enabled(level)) return;
    char text[LINE_MAX_BYTES + 1], escaped[LINE_MAX_BYTES];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (len < 0) return;
    size_t size = (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1;
    struct view line = view_of(escaped, escape(text, size, escaped));
    bool is_counted = level != LOG_LEVEL_DEBUG && strcmp(component, LOG_ACCESS) != 0;
    if (is_counted && is_too_often(level, component, line)) return;
    log_tell_repeats(false);
    current_sink(current_ctx, level, component, line);
}
