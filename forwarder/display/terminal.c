/* See terminal.h. The sequences are those of ECMA-48 and of xterm's control sequences (DEC private modes). */
#include "display/terminal.h"

#include "display/tty.h"

#define SCREEN_BYTES ((size_t)192 * 1024)

#define ENTER "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[H\x1b[2J"
#define LEAVE "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"
#define FRAME_BEGIN "\x1b[?2026h" /* to be shown at once; unknown to many, who pass over it */
#define FRAME_END "\x1b[?2026l"

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

void terminal_enter(struct terminal *terminal) {
    if (terminal->is_entered) return;
    terminal->is_entered = true;
    tty_take(terminal->fd, LEAVE);
    buf_clear(&terminal->shown);
    output_write(terminal->out, VIEW(ENTER));
}

void terminal_leave(struct terminal *terminal) {
    if (!terminal->is_entered) return;
    terminal->is_entered = false;
    output_write(terminal->out, VIEW(LEAVE));
    tty_give_back();
}

void terminal_measure(struct terminal *terminal) {
    if (!tty_size(terminal->fd, &terminal->columns, &terminal->rows)) {
        terminal->columns = 80;
        terminal->rows = 24;
    }
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
