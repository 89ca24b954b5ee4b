#include "regular_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

bool file_others_can_write(int fd) {
    struct stat status;
    if (fstat(fd, &status) != 0) return true;
    return (status.st_mode & S_IWOTH) || ((status.st_mode & S_IWGRP) && status.st_gid != getegid());
}

const char *file_problem(int error) {
    return error == EPERM ? "others can write the file (chmod go-w)" : strerror(error);
}
