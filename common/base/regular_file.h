/* Files that are named by people, or lie where the program starts. */
#ifndef BASE_REGULAR_FILE_H
#define BASE_REGULAR_FILE_H

#include <stdio.h>

/* Opens a regular file for reading, following links. NULL and errno (EINVAL: it is something else) on
 * failure. Never waits, which opening a FIFO does until somebody writes to it. */
FILE *regular_file_open(const char *path);

#endif
