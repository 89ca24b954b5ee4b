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

static bool is_file(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

/* What is above cannot always be made, nor need it be: a drive, a machine's name. The last one tells. */
static bool make_dirs(const char *dir) {
    char *path = strdup(dir), kept;
    if (!path) return false;
    bool file_is_above = false;
    for (char *at = path; (at = strpbrk(at + 1, "/\\")); *at = kept) {
        kept = *at;
        *at = '\0';
        file_is_above = file_is_above || (mkdir(path, 0700) != 0 && is_file(path));
    }
    bool ok = mkdir(path, 0700) == 0 || errno == EEXIST;
    free(path);
    if (!ok && file_is_above) errno = ENOTDIR;
    return ok;
}

bool user_dir_prepare(const char *dir, char *error, size_t error_size) {
    struct stat info;
    const char *reason = NULL;
    if (!make_dirs(dir) || stat(dir, &info) != 0)
        reason = strerror(errno);
    else if (!S_ISDIR(info.st_mode))
        reason = "not a directory";
    if (reason) snprintf(error, error_size, "%s: %s", dir, reason);
    return !reason;
}
