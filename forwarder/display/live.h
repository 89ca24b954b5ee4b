/* The display that runs: a board on a terminal, drawn again when something has changed, ten times a second at
 * most and never while the last screen is still being written; when the terminal's size changes; and when the
 * process comes back from Ctrl-Z. */
#ifndef DISPLAY_LIVE_H
#define DISPLAY_LIVE_H

#include "base/output.h"
#include "display/board.h"
#include "display/line.h"
#include "net/loop.h"

struct live;

/* `out` writes to `fd`, a tty_is_ours(); borrowed, as `loop` is. Takes the screen at once. NULL without
 * memory. */
struct live *live_new(struct loop *loop, int fd, struct output *out, struct line_style style);
/* To be changed at will, and live_changed() called then. */
struct board *live_board(struct live *live);
void live_changed(struct live *live);
/* Gives the screen back. It frees itself then, for which the loop must run a little more. */
void live_end(struct live *live);

#endif
