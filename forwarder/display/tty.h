/* The terminal as the system knows it: whose it is, how large, what becomes of the keys that are typed. A
 * file each for POSIX (tty_posix.c) and for Windows' consoles. */
#ifndef DISPLAY_TTY_H
#define DISPLAY_TTY_H

#include <stdbool.h>
#include <stddef.h>

/* Is `fd` a terminal that is ours to draw on: one that knows how, and that this process is in the foreground
 * of? */
bool tty_is_ours(int fd);
/* Is it one that knows colours (SGR of ECMA-48)? */
bool tty_takes_colour(int fd);
/* Do terminals take UTF-8 here? */
bool tty_speaks_utf8(void);
/* False: it is none, or does not say. */
bool tty_size(int fd, size_t *ret_columns, size_t *ret_rows);

/* From now on nothing typed is shown; Ctrl-C and its like stay what they are. Whatever ends the process but
 * SIGKILL says `farewell` (not copied) to the terminal, and leaves it as it was. One at a time. */
void tty_take(int fd, const char *farewell);
/* As it was; the farewell is the caller's. */
void tty_give_back(void);

#endif
