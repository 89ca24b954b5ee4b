#include "console.h"

#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

#define TARGET_SHOWN 200
#define DETAIL_SHOWN 200

static void on_flush(struct task *task) {
    fflush(LIST_ENTRY(task, struct console, flush)->out);
}

void console_attach(struct console *console, struct tasks *tasks) {
    task_cancel(&console->flush);
    if (!tasks) fflush(console->out);
    console->tasks = tasks;
}

void console_done(struct console *console) {
    console_attach(console, NULL);
    buf_done(&console->line);
}

void console_init(struct console *console, FILE *out) {
    const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");
    *console = (struct console){.out = out};
    task_init(&console->flush, on_flush);
    buf_init(&console->line, 16 * 1024);
    console->colour =
        isatty(fileno(out)) && !(no_colour && *no_colour) && !(terminal && strcmp(terminal, "dumb") == 0);
}

void console_line(struct console *console, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(console->out, format, arguments);
    va_end(arguments);
    fputc('\n', console->out);
    fflush(console->out);
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
    if (status)
        buf_printf(line, " %s%d%s", colour_of(console, status), status, console->colour ? "\x1b[0m" : "");
    else
        buf_append(line, " -", 2);
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
    struct buf target, *line = &console->line;
    buf_init(&target, 64 * 1024);
    buf_clear(line);
    buf_append_view(line, view_from_cstr(clock_text(console)));
    buf_append_byte(line, ' ');
    append_escaped(line, request->method, 20);
    buf_append_byte(line, ' ');
    if (view_find(request->target, '?') == request->target.len) {
        append_escaped(line, request->target, TARGET_SHOWN);
    } else {
        log_redact_target(&target, request->target);
        append_escaped(line, buf_view(&target), TARGET_SHOWN);
    }
    append_status(console, line, request->status);
    buf_printf(line, " %llu ms %llu B", (unsigned long long)request->took_ms,
               (unsigned long long)request->bytes);
    if (request->bytes_in) buf_printf(line, ", %llu B in", (unsigned long long)request->bytes_in);
    if (request->code) append_end(line, request->code, request->detail);
    buf_append_byte(line, '\n');
    fwrite(buf_view(line).ptr, 1, line->len, console->out);
    if (console->tasks)
        tasks_post(console->tasks, &console->flush);
    else
        fflush(console->out);
    buf_done(&target);
}
