/* See user_dir.h. */
#include "user_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/regular_file.h"

static char *join(const char *a, const char *b, const char *c) {
    size_t size = strlen(a) + strlen(b) + strlen(c) + 3;
    char *text = malloc(size);
    if (text) snprintf(text, size, "%s/%s/%s", a, b, c);
    return text;
}

char *user_dir(const char *variable, const char *fallback) {
    const char *base = getenv(variable);
    if (base && base[0] == '/') return user_path(base, "ttf");
    const char *home = getenv("HOME");
    if (!home || home[0] != '/') {
        const struct passwd *user = getpwuid(getuid());
        home = user ? user->pw_dir : NULL;
    }
    return home && home[0] == '/' ? join(home, fallback, "ttf") : NULL;
}

static bool make_dirs(const char *dir) {
    return file_make_folders(dir, 0700) && (mkdir(dir, 0700) == 0 || errno == EEXIST);
}

bool user_dir_prepare(const char *dir, char *error, size_t error_size) {
    struct stat info;
    const char *reason = NULL;
    if (!make_dirs(dir) || stat(dir, &info) != 0)
        reason = strerror(errno);
    else if (!S_ISDIR(info.st_mode))
        reason = "not a directory";
    else if (info.st_uid != geteuid())
        reason = "belongs to somebody else";
    else if ((info.st_mode & 077) != 0 && chmod(dir, 0700) != 0)
        reason = strerror(errno);
    else if (access(dir, W_OK | X_OK) != 0)
        reason = strerror(errno);
    if (reason) snprintf(error, error_size, "%s: %s", dir, reason);
    return !reason;
}
