/* See live.h. */
#include "display/live.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "display/layout.h"
#include "display/terminal.h"
#include "display/tty.h"

#define FRAME_MS 100
#define STOP_TRY_MS 10
#define STOP_TRIES 30 /* for what is being written, before the process stops */

enum { ON_RESIZE, ON_SUSPEND, ON_RESUME, SIGNALS };
static const int numbers[SIGNALS] = {SIGWINCH, SIGTSTP, SIGCONT};

struct live {
    struct loop *loop;
    struct terminal terminal;
    struct line_style style;
    struct timer frame, stop;
    uint64_t drawn_ms;
    unsigned stop_tries;
    bool is_over;
    size_t open_signals;
    uv_signal_t signals[SIGNALS];
    struct board board;
};

static void draw(struct live *live) {
    struct buf screen;
    buf_init(&screen, (size_t)192 * 1024);
    layout_draw(&live->board, live->terminal.columns, live->terminal.rows, live->style, &screen);
    if (!screen.failed) terminal_show(&live->terminal, buf_view(&screen));
    live->drawn_ms = loop_now(live->loop);
    buf_done(&screen);
}

static void on_frame(struct timer *timer) {
    struct live *live = LIST_ENTRY(timer, struct live, frame);
    if (output_is_idle(live->terminal.out))
        draw(live);
    else
        timer_start(&live->loop->timers, &live->frame, FRAME_MS);
}

void live_changed(struct live *live) {
    uint64_t since_ms = loop_now(live->loop) - live->drawn_ms;
    if (live->is_over || !live->terminal.is_entered || timer_armed(&live->frame)) return;
    timer_start(&live->loop->timers, &live->frame, since_ms < FRAME_MS ? FRAME_MS - since_ms : 0);
}

/* ---- signals ---- */

/* The screen is given back, then the process stops as Ctrl-Z would have it; it goes on here. */
static void on_stop(struct timer *timer) {
    struct live *live = LIST_ENTRY(timer, struct live, stop);
    if (!output_is_idle(live->terminal.out) && live->stop_tries-- > 0)
        timer_start(&live->loop->timers, &live->stop, STOP_TRY_MS);
    else
        raise(SIGSTOP);
}

static void suspend(struct live *live) {
    timer_stop(&live->loop->timers, &live->frame);
    terminal_leave(&live->terminal);
    live->stop_tries = STOP_TRIES;
    timer_start(&live->loop->timers, &live->stop, STOP_TRY_MS);
}

/* In the background the screen is another's; a shell says SIGCONT once more when it is ours again. */
static void resume(struct live *live) {
    if (!tty_is_ours(live->terminal.fd)) return;
    terminal_enter(&live->terminal);
    terminal_measure(&live->terminal);
    live_changed(live);
}

static void on_signal(uv_signal_t *handle, int number) {
    struct live *live = handle->data;
    if (live->is_over) return;
    if (number == SIGTSTP) {
        suspend(live);
    } else if (number == SIGCONT) {
        resume(live);
    } else {
        terminal_measure(&live->terminal);
        live_changed(live);
    }
}

/* ---- life ---- */

static void watch_signals(struct live *live) {
    for (size_t i = 0; i < SIGNALS; i++) {
        live->signals[i].data = live;
        uv_signal_init(&live->loop->uv, &live->signals[i]);
        uv_signal_start(&live->signals[i], on_signal, numbers[i]);
        uv_unref((uv_handle_t *)&live->signals[i]);
    }
    live->open_signals = SIGNALS;
}

struct live *live_new(struct loop *loop, int fd, struct output *out, struct line_style style) {
    struct live *live = calloc(1, sizeof(*live));
    if (!live) return NULL;
    live->loop = loop;
    live->style = style;
    timer_init(&live->frame, on_frame);
    timer_init(&live->stop, on_stop);
    terminal_init(&live->terminal, fd, out);
    watch_signals(live);
    terminal_enter(&live->terminal);
    live_changed(live);
    return live;
}

struct board *live_board(struct live *live) {
    return &live->board;
}

static void on_closed(uv_handle_t *handle) {
    struct live *live = handle->data;
    if (--live->open_signals == 0) free(live);
}

void live_end(struct live *live) {
    live->is_over = true;
    timer_stop(&live->loop->timers, &live->frame);
    timer_stop(&live->loop->timers, &live->stop);
    terminal_done(&live->terminal);
    for (size_t i = 0; i < SIGNALS; i++) uv_close((uv_handle_t *)&live->signals[i], on_closed);
}
