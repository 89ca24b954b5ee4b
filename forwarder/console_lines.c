/* Standard output as lines (console.h). */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "console.h"
#include "display/tty.h"

#define TARGET_SHOWN 200
#define DETAIL_SHOWN 200
#define FOLD_MS 1000

/* ---- parts of a line ---- */

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

/* ---- what a page loads (--log pages) ---- */

static void tell_folded(struct console *console) {
    char size[MEASURE_BYTES];
    if (!console->folded) return;
    buf_printf(&console->lines, "%s + %llu more, %s\n", console_clock(console),
               (unsigned long long)console->folded, measure_size(console->folded_bytes, size));
    console->folded = console->folded_bytes = 0;
    if (console->loop) timer_stop(&console->loop->timers, &console->fold_end);
}

static void on_fold_end(struct timer *timer) {
    struct console *console = LIST_ENTRY(timer, struct console, fold_end);
    tell_folded(console);
    console_flush(console);
}

static void fold(struct console *console, const struct console_request *request) {
    console->folded++;
    console->folded_bytes += request->bytes;
    console->fold_end.fn = on_fold_end;
    if (console->loop) timer_start(&console->loop->timers, &console->fold_end, FOLD_MS);
}

static bool is_left_out(struct console *console, const struct console_request *request) {
    if (console->shows == BOARD_ALL || request->status >= 400 || console_request_failed(request))
        return false;
    if (console->shows == BOARD_PAGES && request->kind != BOARD_ASSET) return false;
    if (console->shows == BOARD_PAGES) fold(console, request);
    return true;
}

/* ---- the form ---- */

static void request(struct console *console, const struct console_request *request) {
    struct buf target, *line = &console->lines;
    if (request->is_open || is_left_out(console, request)) return;
    if (line->len > CONSOLE_HELD_BYTES) console_flush(console);
    tell_folded(console);
    buf_init(&target, 64 * 1024);
    buf_append_view(line, view_from_cstr(console_clock(console)));
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
    console_flush_later(console);
    buf_done(&target);
}

static void text(struct console *console, enum console_text kind, struct view text) {
    (void)kind;
    if (console->lines.len > CONSOLE_HELD_BYTES) console_flush(console);
    tell_folded(console);
    buf_append_view(&console->lines, text);
    buf_append_byte(&console->lines, '\n');
    console_flush(console);
}

static void tell_share(struct console *console, const struct console_tunnel *tunnel) {
    char until[64];
    time_t seconds = (time_t)tunnel->share_until_s;
    struct tm fields;
    localtime_r(&seconds, &fields);
    strftime(until, sizeof(until), "%H:%M on %-d %b", &fields);
    console_line(console, "%s%sShare this link, which lets visitors in until %s: %s",
                 tunnel->label ? tunnel->label : "", tunnel->label ? ": " : "", until, tunnel->share_url);
}

static size_t columns_of(int fd) {
    size_t columns, rows;
    return tty_size(fd, &columns, &rows) ? columns : SIZE_MAX;
}

static void draw_code(struct console *console, const struct console_tunnel *tunnel) {
    struct qr *qr = calloc(1, sizeof(*qr));
    size_t columns = columns_of(STDOUT_FILENO), quiet = QR_QUIET;
    if (!qr) return;
    console_qr(console, tunnel, qr);
    if (qr_columns(qr, quiet) > columns) quiet = QR_QUIET_LEAST;
    if (qr_columns(qr, quiet) > columns)
        console_error(console, "no QR code: it takes %zu columns", qr_columns(qr, quiet));
    for (size_t i = 0; qr->width && qr_columns(qr, quiet) <= columns && i < qr_rows(qr, quiet); i++) {
        qr_append_row(&console->lines, qr, quiet, i, console->colour);
        buf_append_byte(&console->lines, '\n');
    }
    console_flush(console);
    free(qr);
}

static void tunnel(struct console *console, const struct console_tunnel *tunnel) {
    if (tunnel->state == BOARD_UP && tunnel->share_url) tell_share(console, tunnel);
    if (tunnel->state == BOARD_UP && tunnel->path_url)
        console_line(console, "%s%sWhere that name is not known: %s", tunnel->label ? tunnel->label : "",
                     tunnel->label ? ": " : "", tunnel->path_url);
    /* a display draws it by itself */
    if (console->qr && tunnel->is_new_url && console->form == &console_lines_form) draw_code(console, tunnel);
}

static void service(struct console *console, const struct console_tunnel *tunnel, const char *fault) {
    struct buf shown;
    buf_init(&shown, 4096);
    append_escaped(&shown, view_from_cstr(fault), DETAIL_SHOWN);
    if (fault)
        console_line(console, "The local service %s does not answer (%.*s)", tunnel->service,
                     VIEW_ARG(buf_view(&shown)));
    else
        console_line(console, "The local service %s answers now", tunnel->service);
    buf_done(&shown);
}

const struct console_form console_lines_form = {
    .text = text, .request = request, .tunnel = tunnel, .service = service, .end = tell_folded};
