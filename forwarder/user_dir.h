/* Where files of the user's are kept (XDG Base Directory Specification). */
#ifndef FORWARDER_USER_DIR_H
#define FORWARDER_USER_DIR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/view.h"

/* Ours below that of `variable` ("XDG_CONFIG_HOME"), or below `fallback` (".config") in the home directory.
 * malloc'ed; NULL when neither is known. */
char *user_dir(const char *variable, const char *fallback);
/* malloc'ed; NULL without memory, or when `dir` is NULL. */
char *user_path(const char *dir, const char *name);
/* The directory exists from now on, is ours, and nobody else may look into it; or `error` says why not. */
bool user_dir_prepare(const char *dir, char *error, size_t error_size);

#endif
