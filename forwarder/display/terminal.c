/* See terminal.h. The sequences are those of ECMA-48 and of xterm's control sequences (DEC private modes). */
#include "display/terminal.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SCREEN_BYTES ((size_t)192 * 1024)

#define ENTER "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[H\x1b[2J"
#define LEAVE "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"
#define FRAME_BEGIN "\x1b[?2026h" /* to be shown at once; unknown to many, who pass over it */
#define FRAME_END "\x1b[?2026l"

/* What terminal_restore_now() knows. */
static struct {
    volatile sig_atomic_t is_entered;
    int fd;
    bool has_before;
    struct termios before;
} current;

bool terminal_is_ours(int fd) {
    const char *kind = getenv("TERM");
    return isatty(fd) && kind && *kind && strcmp(kind, "dumb") != 0 && tcgetpgrp(fd) == getpgrp();
}

void terminal_init(struct terminal *terminal, int fd, struct output *out) {
    *terminal = (struct terminal){.fd = fd, .out = out};
    buf_init(&terminal->shown, SCREEN_BYTES);
    terminal_measure(terminal);
}

void terminal_done(struct terminal *terminal) {
    terminal_leave(terminal);
    buf_done(&terminal->shown);
}

/* ---- in and out ---- */

void terminal_restore_now(void) {
    if (!current.is_entered) return;
    current.is_entered = 0;
    struct pollfd ready = {.fd = current.fd, .events = POLLOUT};
    bool takes = poll(&ready, 1, 0) > 0; /* one that was stopped does not */
    ssize_t written = takes ? write(current.fd, LEAVE, sizeof(LEAVE) - 1) : 0;
    (void)written; /* the program ends: there is nobody to tell */
    if (current.has_before) tcsetattr(current.fd, TCSANOW, &current.before);
}

static void on_fatal(int number) {
    terminal_restore_now();
    raise(number); /* the handler is gone */
}

/* Those that end the process without its loop's knowing. */
static void catch_fatal(void) {
    static const int numbers[] = {SIGHUP, SIGQUIT, SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    struct sigaction action = {.sa_handler = on_fatal, .sa_flags = (int)SA_RESETHAND}, before;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL)
            sigaction(numbers[i], &action, NULL);
}

/* What is typed would stand between the lines. Ctrl-C and Ctrl-Z stay what they are. */
static void silence(struct terminal *terminal) {
    terminal->has_before = tcgetattr(terminal->fd, &terminal->before) == 0;
    if (!terminal->has_before) return;
    struct termios quiet = terminal->before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(terminal->fd, TCSANOW, &quiet);
}

void terminal_enter(struct terminal *terminal) {
    if (terminal->is_entered) return;
    terminal->is_entered = true;
    silence(terminal);
    current.fd = terminal->fd;
    current.has_before = terminal->has_before;
    current.before = terminal->before;
    current.is_entered = 1;
    catch_fatal();
    buf_clear(&terminal->shown);
    output_write(terminal->out, VIEW(ENTER));
}

void terminal_leave(struct terminal *terminal) {
    if (!terminal->is_entered) return;
    terminal->is_entered = false;
    current.is_entered = 0;
    output_write(terminal->out, VIEW(LEAVE));
    if (terminal->has_before) tcsetattr(terminal->fd, TCSANOW, &terminal->before);
}

void terminal_measure(struct terminal *terminal) {
    struct winsize size = {0};
    bool is_told = ioctl(terminal->fd, TIOCGWINSZ, &size) == 0 && size.ws_col && size.ws_row;
    terminal->columns = is_told ? size.ws_col : 80;
    terminal->rows = is_told ? size.ws_row : 24;
    buf_clear(&terminal->shown);
}

/* ---- screens ---- */

/* Lines that differ, each to its place. */
static void append_changes(struct buf *out, struct view before, struct view after) {
    struct view old, new;
    bool has_old = view_split(&before, '\n', &old);
    for (size_t row = 1; view_split(&after, '\n', &new); row++) {
        if (!has_old || !view_eq(old, new)) {
            buf_printf(out, "\x1b[%zu;1H\x1b[2K", row); /* behind a line that is full it would take a cell */
            buf_append_view(out, new);
        }
        if (has_old) has_old = view_split(&before, '\n', &old);
        if (!after.ptr && has_old) buf_printf(out, "\x1b[%zu;1H\x1b[J", row + 1);
    }
}

void terminal_show(struct terminal *terminal, struct view screen) {
    struct buf frame;
    struct view before = buf_view(&terminal->shown);
    if (!terminal->is_entered || view_eq(before, screen)) return;
    buf_init(&frame, SCREEN_BYTES + 64 * 1024);
    buf_append_view(&frame, VIEW(FRAME_BEGIN));
    if (!before.len) buf_append_view(&frame, VIEW("\x1b[H\x1b[2J"));
    if (!before.len) before = (struct view){0};
    append_changes(&frame, before, screen);
    buf_append_view(&frame, VIEW(FRAME_END));
    if (!frame.failed) output_write(terminal->out, buf_view(&frame));
    buf_clear(&terminal->shown);
    buf_append_view(&terminal->shown, screen);
    buf_done(&frame);
}
