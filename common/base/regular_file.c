#include "regular_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/ids.h"

FILE *regular_file_open(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return NULL;
    struct stat status;
    int error = fstat(fd, &status) != 0 ? errno : S_ISREG(status.st_mode) ? 0 : EINVAL;
    FILE *file = error ? NULL : fdopen(fd, "r");
    if (file) return file;
    if (!error) error = errno;
    close(fd);
    errno = error;
    return NULL;
}

static bool write_all(int fd, const char *bytes, size_t len) {
    while (len) {
        ssize_t done = write(fd, bytes, len);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return false;
        bytes += done;
        len -= (size_t)done;
    }
    return true;
}

static bool replace_by(const char *path, const char *temporary, struct view content) {
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return false;
    bool ok = write_all(fd, content.ptr, content.len) && fsync(fd) == 0;
    int reason = ok ? 0 : errno;
    if (close(fd) != 0 && ok) {
        ok = false;
        reason = errno;
    }
    ok = ok && rename(temporary, path) == 0;
    if (ok) return true;
    if (reason == 0) reason = errno;
    unlink(temporary);
    errno = reason;
    return false;
}

/* Its name is no other writer's: what one of them has half written would be renamed by the other. */
bool file_replace(const char *path, struct view content) {
    unsigned char random[3];
    size_t len = strlen(path), size = len + sizeof(".") + 2 * sizeof(random);
    char *temporary = malloc(size);
    if (!temporary) return false;
    ids_random(random, sizeof(random));
    snprintf(temporary, size, "%s.", path);
    *hex_print(temporary + len + 1, random, sizeof(random)) = '\0';
    bool good = replace_by(path, temporary, content);
    int reason = errno;
    free(temporary);
    errno = reason;
    return good;
}

bool file_make_folders(const char *path, unsigned mode) {
    char *copy = strdup(path);
    if (!copy) return false;
    bool ok = true;
    for (char *slash = strchr(copy + 1, '/'); ok && slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        ok = mkdir(copy, (mode_t)mode) == 0 || errno == EEXIST;
        *slash = '/';
    }
    int reason = errno;
    free(copy);
    errno = reason;
    return ok;
}

bool file_others_can_write(int fd) {
    struct stat status;
    if (fstat(fd, &status) != 0) return true;
    return (status.st_mode & S_IWOTH) || ((status.st_mode & S_IWGRP) && status.st_gid != getegid());
}

const char *file_problem(int error) {
    return error == EPERM ? "others can write the file (chmod go-w)" : strerror(error);
}
