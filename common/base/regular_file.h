/* Files that are named by people, or lie where the program starts, and those that it keeps. */
#ifndef BASE_REGULAR_FILE_H
#define BASE_REGULAR_FILE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/view.h"

/* Opens a regular file for reading, following links. NULL and errno (EINVAL: it is something else) on
 * failure. Never waits, which opening a FIFO does until somebody writes to it. */
FILE *regular_file_open(const char *path);

/* Whole or not at all, for the user alone (0600); of several writers at once the last one's stays. Blocks.
 * False: errno says why. */
bool file_replace(const char *path, struct view content);

/* Makes the folders above the last word of the path, those that are not there, with this mode; of "a/b/" that
 * is b, too. False: errno says why. */
bool file_make_folders(const char *path, unsigned mode);

/* Can others change the open file? Who can, knows a secret in it, or has another one believed. A group of
 * one's own is oneself. */
bool file_others_can_write(int fd);
/* For people: of EPERM, which stands for the above, and of other values of errno. */
const char *file_problem(int error);

#endif
