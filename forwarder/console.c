/* See console.h. Here is what all forms share: the outputs, the log, whole texts. */
#include "console.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "display/live.h"
#include "display/tty.h"

#define LINE_BYTES ((size_t)4096)

bool console_choose(struct console_settings *ret_settings, const char *words) {
    struct view rest = view_from_cstr(words), word;
    bool plain = false, says_what = false;
    *ret_settings = (struct console_settings){0};
    while (view_split(&rest, ',', &word)) {
        static const struct {
            const char *word;
            enum board_shows shows;
        } what[] = {{"all", BOARD_ALL}, {"pages", BOARD_PAGES}, {"errors", BOARD_ERRORS}};
        bool *form = view_eq(word, VIEW("plain"))  ? &plain
                     : view_eq(word, VIEW("json")) ? &ret_settings->json
                                                   : NULL;
        bool is_known = form != NULL;
        if (form) *form = true;
        for (size_t i = 0; i < 3 && !is_known; i++) {
            is_known = view_eq(word, view_from_cstr(what[i].word)) && !says_what;
            if (is_known) ret_settings->shows = what[i].shows;
            says_what = says_what || is_known;
        }
        if (!is_known) return false;
    }
    ret_settings->live = !plain && !ret_settings->json && tty_is_ours(STDOUT_FILENO);
    if (ret_settings->live && !says_what) ret_settings->shows = BOARD_PAGES;
    return !(plain && ret_settings->json);
}

/* ---- to the outputs ---- */

void console_flush(struct console *console) {
    output_write(console->out, buf_view(&console->lines));
    buf_clear(&console->lines);
}

static void on_flush(struct task *task) {
    console_flush(LIST_ENTRY(task, struct console, flush));
}

void console_flush_later(struct console *console) {
    if (console->loop)
        tasks_post(&console->loop->tasks, &console->flush);
    else
        console_flush(console);
}

void console_attach(struct console *console, struct loop *loop) {
    task_cancel(&console->flush);
    if (!loop) console->form->end(console);
    console_flush(console);
    console->loop = loop;
}

static size_t missing_text(char *out, size_t size, uint64_t lines) {
    int len = snprintf(out, size, "(%llu line%s missing here: nobody took them in time)\n",
                       (unsigned long long)lines, lines == 1 ? " is" : "s are");
    return len < 0 ? 0 : (size_t)len < size ? (size_t)len : size;
}

/* Standard error is not to write into the display. */
static bool is_shown_instead(struct console *console, struct view text) {
    if (!console->live) return false;
    console->form->text(console, TEXT_ERROR, text);
    return isatty(STDERR_FILENO);
}

static void log_sink(void *ctx, enum log_level level, const char *component, struct view line) {
    struct console *console = ctx;
    struct buf text;
    if (is_shown_instead(console, line)) return;
    buf_init(&text, LINE_BYTES);
    buf_printf(&text, "%s %s %.40s: %.*s\n", log_stamp(), log_level_name(level), component, VIEW_ARG(line));
    output_write(console->err, buf_view(&text));
    buf_done(&text);
}

static void log_nowhere(void *ctx, enum log_level level, const char *component, struct view line) {
    (void)ctx, (void)level, (void)component, (void)line;
}

bool console_init(struct console *console, const struct console_settings *settings) {
    const char *no_colour = getenv("NO_COLOR");
    *console = (struct console){.out = output_new(STDOUT_FILENO, missing_text),
                                .err = output_new(STDERR_FILENO, log_missing_text),
                                .shows = settings->shows,
                                .utf8 = tty_speaks_utf8(),
                                .qr = settings->qr,
                                .form = settings->json   ? &console_json_form
                                        : settings->live ? &console_live_form
                                                         : &console_lines_form};
    task_init(&console->flush, on_flush);
    timer_init(&console->fold_end, NULL);
    buf_init(&console->lines, 64 * 1024);
    console->colour = tty_takes_colour(STDOUT_FILENO) && !(no_colour && *no_colour);
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

const char *console_clock(struct console *console) {
    time_t now = time(NULL);
    struct tm local;
    if (now != console->second && localtime_r(&now, &local)) {
        console->second = now;
        strftime(console->clock, sizeof(console->clock), "%H:%M:%S", &local);
    }
    return console->clock;
}

/* ---- texts ---- */

static struct view format_text(char text[LINE_BYTES], const char *format, va_list arguments) {
    int len = vsnprintf(text, LINE_BYTES, format, arguments);
    return view_of(text, len < 0 ? 0 : (size_t)len < LINE_BYTES ? (size_t)len : LINE_BYTES - 1);
}

void console_line(struct console *console, const char *format, ...) {
    char text[LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    console->form->text(console, TEXT_LINE, format_text(text, format, arguments));
    va_end(arguments);
}

void console_inspector(struct console *console, const char *url) {
    console->inspector = url;
    console_line(console, "Inspector: %s", url);
}

void console_hint(struct console *console, const char *label, const char *format, ...) {
    char text[LINE_BYTES], whole[LINE_BYTES + 128];
    va_list arguments;
    va_start(arguments, format);
    struct view said = format_text(text, format, arguments);
    va_end(arguments);
    snprintf(whole, sizeof(whole), "Hint%s%.64s: %.*s", label ? " for " : "", label ? label : "",
             VIEW_ARG(said));
    console->form->text(console, TEXT_HINT, view_from_cstr(whole));
}

void console_error(struct console *console, const char *format, ...) {
    char text[LINE_BYTES];
    struct buf line;
    va_list arguments;
    va_start(arguments, format);
    struct view said = format_text(text, format, arguments);
    va_end(arguments);
    if (is_shown_instead(console, said)) return;
    buf_init(&line, LINE_BYTES + 16);
    buf_printf(&line, "ttf: %.*s\n", VIEW_ARG(said));
    output_write(console->err, buf_view(&line));
    buf_done(&line);
}

/* ---- the others ---- */

bool console_request_failed(const struct console_request *request) {
    return request->status >= 500 || (request->code && !request->visitor_left);
}

void console_request(struct console *console, const struct console_request *request) {
    console->form->request(console, request);
}

void console_tunnel(struct console *console, const struct console_tunnel *tunnel) {
    console->form->tunnel(console, tunnel);
}

void console_latency(struct console *console, const void *tunnel, uint64_t latency_ms) {
    if (console->form->latency) console->form->latency(console, tunnel, latency_ms);
}

void console_qr(struct console *console, const struct console_tunnel *tunnel, struct qr *ret_qr) {
    const char *url = tunnel->share_url ? tunnel->share_url : tunnel->url;
    ret_qr->width = 0;
    if (!console->qr || !url) return;
    const char *why =
        console->utf8 ? qr_make(ret_qr, url) : "it takes a terminal that shows UTF-8 (LANG=C.UTF-8)";
    if (why) console_error(console, "no QR code: %s", why);
}

void console_forget(struct console *console, const void *tunnel) {
    if (console->live) board_forget_tunnel(live_board(console->live), tunnel);
}

void console_service(struct console *console, const struct console_tunnel *tunnel, const char *fault) {
    console->form->service(console, tunnel, fault);
}
