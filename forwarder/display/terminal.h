/* A terminal that shows one screen after the other, on its other page (what stood there before comes back
 * at the end), without its cursor, and without what is typed. Of a screen only the lines that changed are
 * written, all of them at once. Whatever ends the process but SIGKILL leaves the terminal as it was. One a
 * process. */
#ifndef DISPLAY_TERMINAL_H
#define DISPLAY_TERMINAL_H

#include "base/buf.h"
#include "base/output.h"

struct terminal {
    int fd;
    struct output *out; /* writes to `fd` */
    bool is_entered;
    size_t columns, rows;
    struct buf shown; /* the lines of the last screen; empty: nothing is known of what is there */
};

/* `fd` is a tty_is_ours(). */
void terminal_init(struct terminal *terminal, int fd, struct output *out);
void terminal_done(struct terminal *terminal);

void terminal_enter(struct terminal *terminal);
void terminal_leave(struct terminal *terminal);
/* Its size, asked anew; 80 x 24 where it does not say. The next screen is written whole. */
void terminal_measure(struct terminal *terminal);
/* Lines with '\n' between them. */
void terminal_show(struct terminal *terminal, struct view screen);

#endif
