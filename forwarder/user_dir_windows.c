/* See user_dir.h. There it is %APPDATA%, or %LOCALAPPDATA% for what only counts on this machine; both are the
 * user's own. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "user_dir.h"

static bool is_absolute(const char *path) {
    return path && (path[0] == '/' || path[0] == '\\' || (path[0] && path[1] == ':'));
}

char *user_dir(const char *variable, const char *fallback) {
    const char *base = getenv(variable);
    if (!is_absolute(base)) base = getenv(strstr(fallback, "config") ? "APPDATA" : "LOCALAPPDATA");
    return is_absolute(base) ? user_path(base, "ttf") : NULL;
}

bool user_dir_prepare(const char *dir, char *error, size_t error_size) {
    struct stat info;
    const char *reason = NULL;
    if ((mkdir(dir, 0700) != 0 && errno != EEXIST) || stat(dir, &info) != 0)
        reason = strerror(errno);
    else if (!S_ISDIR(info.st_mode))
        reason = "not a directory";
    if (reason) snprintf(error, error_size, "%s: %s", dir, reason);
    return !reason;
}
