#include "console.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

#define TARGET_SHOWN 200
#define DETAIL_SHOWN 200

#define HELD_BYTES ((size_t)32 * 1024)
#define LINE_BYTES ((size_t)4096)

/* ---- to the outputs ---- */

static void flush(struct console *console) {
    output_write(console->out, buf_view(&console->lines));
    buf_clear(&console->lines);
}

static void on_flush(struct task *task) {
    flush(LIST_ENTRY(task, struct console, flush));
}

void console_attach(struct console *console, struct tasks *tasks) {
    task_cancel(&console->flush);
    flush(console);
    console->tasks = tasks;
}

static size_t missing_text(char *out, size_t size, uint64_t lines) {
    int len = snprintf(out, size, "(%llu line%s missing here: nobody took them in time)\n",
                       (unsigned long long)lines, lines == 1 ? " is" : "s are");
    return len < 0 ? 0 : (size_t)len < size ? (size_t)len : size;
}

static void log_sink(void *ctx, enum log_level level, const char *component, struct view line) {
    struct console *console = ctx;
    struct buf text;
    buf_init(&text, LINE_BYTES);
    buf_printf(&text, "%s %s %.40s: %.*s\n", log_stamp(), log_level_name(level), component, VIEW_ARG(line));
    output_write(console->err, buf_view(&text));
    buf_done(&text);
}

static void log_nowhere(void *ctx, enum log_level level, const char *component, struct view line) {
    (void)ctx, (void)level, (void)component, (void)line;
}

bool console_init(struct console *console) {
    const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");
    *console = (struct console){.out = output_new(STDOUT_FILENO, missing_text),
                                .err = output_new(STDERR_FILENO, log_missing_text)};
    task_init(&console->flush, on_flush);
    buf_init(&console->lines, 64 * 1024);
    console->colour =
        isatty(STDOUT_FILENO) && !(no_colour && *no_colour) && !(terminal && strcmp(terminal, "dumb") == 0);
    if (!console->out || !console->err) return false;
    log_set_sink(log_sink, console);
    return true;
}

void console_done(struct console *console) {
    console_attach(console, NULL);
    log_tell_repeats(true);
    output_close(console->out, OUTPUT_PATIENCE_MS);
    bool is_read = output_close(console->err, OUTPUT_PATIENCE_MS);
    log_set_sink(is_read ? NULL : log_nowhere, NULL);
    console->out = console->err = NULL;
    buf_done(&console->lines);
}

/* ---- lines ---- */

void console_line(struct console *console, const char *format, ...) {
    char text[LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (len < 0) return;
    size_t size = (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1;
    if (console->lines.len > HELD_BYTES) flush(console);
    buf_append(&console->lines, text, size);
    buf_append_byte(&console->lines, '\n');
    flush(console);
}

void console_error(struct console *console, const char *format, ...) {
    char text[LINE_BYTES];
    struct buf line;
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (len < 0) return;
    buf_init(&line, LINE_BYTES + 16);
    buf_printf(&line, "ttf: %s\n", text);
    output_write(console->err, buf_view(&line));
    buf_done(&line);
}

/* Control bytes, and bytes that a terminal may take for some (C1, in any encoding), as \xNN. */
static void append_escaped(struct buf *out, struct view text, size_t max) {
    struct view rest = view_slice(text, 0, max);
    while (rest.len > 0) {
        size_t plain = 0;
        while (plain < rest.len && rest.ptr[plain] >= 0x20 && rest.ptr[plain] < 0x7f) plain++;
        buf_append(out, rest.ptr, plain);
        rest = view_skip(rest, plain);
        if (rest.len == 0) break;
        buf_printf(out, "\\x%02x", (unsigned char)rest.ptr[0]);
        rest = view_skip(rest, 1);
    }
    if (text.len > max) buf_append(out, "...", 3);
}

static const char *colour_of(const struct console *console, int status) {
    if (!console->colour) return "";
    if (status >= 500) return "\x1b[31m";
    if (status >= 400) return "\x1b[33m";
    if (status >= 300) return "\x1b[36m";
    return "\x1b[32m";
}

static const char *clock_text(struct console *console) {
    time_t now = time(NULL);
    struct tm local;
    if (now != console->second && localtime_r(&now, &local)) {
        console->second = now;
        strftime(console->clock, sizeof(console->clock), "%H:%M:%S", &local);
    }
    return console->clock;
}

static void append_status(const struct console *console, struct buf *line, int status) {
    if (status <= 0) {
        buf_append(line, " -", 2);
        return;
    }
    buf_append_byte(line, ' ');
    buf_append_view(line, view_from_cstr(colour_of(console, status)));
    buf_append_number(line, (uint64_t)status);
    if (console->colour) buf_append_view(line, VIEW("\x1b[0m"));
}

static void append_end(struct buf *line, const char *code, const char *detail) {
    buf_printf(line, " (%s", code);
    if (detail) {
        buf_append(line, ": ", 2);
        append_escaped(line, view_from_cstr(detail), DETAIL_SHOWN);
    }
    buf_append_byte(line, ')');
}

void console_request(struct console *console, const struct console_request *request) {
    struct buf target, *line = &console->lines;
    if (line->len > HELD_BYTES) flush(console);
    buf_init(&target, 64 * 1024);
    buf_append_view(line, view_from_cstr(clock_text(console)));
    buf_append_byte(line, ' ');
    if (request->label) buf_printf(line, "%s ", request->label);
    append_escaped(line, request->method, 20);
    buf_append_byte(line, ' ');
    log_redact_target(&target, request->target);
    append_escaped(line, buf_view(&target), TARGET_SHOWN);
    append_status(console, line, request->status);
    buf_append_byte(line, ' ');
    buf_append_number(line, request->took_ms);
    buf_append_view(line, VIEW(" ms "));
    buf_append_number(line, request->bytes);
    buf_append_view(line, VIEW(" B"));
    if (request->bytes_in) buf_printf(line, ", %llu B in", (unsigned long long)request->bytes_in);
    if (request->code) append_end(line, request->code, request->detail);
    buf_append_byte(line, '\n');
    if (console->tasks)
        tasks_post(console->tasks, &console->flush);
    else
        flush(console);
    buf_done(&target);
}
