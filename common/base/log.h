/* The log: one line an event, to whatever sink the host set. Never log a token, a header value or a body:
 * log_redact_target() hides tokens in request targets. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/buf.h"

#define LOG_ACCESS "access" /* a line a request */
#define LOG_AUDIT "audit"   /* who did what: agents that come and are refused, the administration */
#define LOG_REPEATS 10      /* lines of one kind from one source ... */
#define LOG_KIND_LINES 1000 /* and from all ... */
#define LOG_REPEAT_MS 10000 /* within this time */

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* `line` has no newline; control bytes in it are already escaped. Default: standard error with a time stamp.
 */
typedef void log_sink_fn(void *ctx, enum log_level level, const char *component, struct view line);

void log_set_sink(log_sink_fn *sink, void *ctx);
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);
const char *log_level_name(enum log_level level);
/* Now, in UTC: "2026-01-31T12:00:00.123Z". Valid until the thread's next call. */
const char *log_stamp(void);
/* The line of the log that says that so many could not be written: an output_notice_fn. */
size_t log_missing_text(char *out, size_t size, uint64_t lines);

/* Lines are cut at 1 KiB. What a terminal, or who reads, may take for something else is written as \xNN:
 * control bytes (C1 ones too), marks that turn the direction of writing, what is no UTF-8.
 *
 * Of one kind (a component and a format, which are literals) no more than LOG_REPEATS lines come within
 * LOG_REPEAT_MS; the others are counted, and the last of them is told with their number. Debug lines all
 * come. */
void log_write(enum log_level level, const char *component, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* "source: ...": each source has that many of its own. For what agents, visitors or other gateways cause. */
void log_from(enum log_level level, const char *component, struct view source, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Never held back: a line a request, which is not printed but put together, since that is many times quicker.
 * Escaped and cut like the others. */
void log_line(enum log_level level, const char *component, struct view text);

#define log_error(component, ...) log_write(LOG_LEVEL_ERROR, component, __VA_ARGS__)
#define log_warn(component, ...) log_write(LOG_LEVEL_WARN, component, __VA_ARGS__)
#define log_info(component, ...) log_write(LOG_LEVEL_INFO, component, __VA_ARGS__)
#define log_debug(component, ...)                                                                            \
    do {                                                                                                     \
        if (log_enabled(LOG_LEVEL_DEBUG)) log_write(LOG_LEVEL_DEBUG, component, __VA_ARGS__);                \
    } while (0)

/* Says how often lines were held back whose time is over, or all that were. Cheap where there are none. */
void log_tell_repeats(bool all);

/* Appends the target with the values of parameters replaced by "***" whose names, decoded, look like a
 * secret's: token, access_token, password, key, code, ... Parameters begin behind ?, &, ; and #, encoded or
 * not. */
bool log_redact_target(struct buf *out, struct view target);
/* Whether a field, parameter or member of that name (not encoded) looks like a secret. `is_parameter`: also
 * key, code and other words that elsewhere are seldom one. */
bool log_is_secret_name(struct view name, bool is_parameter);

#endif
