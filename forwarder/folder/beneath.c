/* See beneath.h. What it is is looked at before it is opened: to open a pipe wakes who waits at its other
 * end, to open a device may do anything. */
#include "folder/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define READ_FLAGS (O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

static int fail(int fd, int error) {
    if (fd >= 0) close(fd);
    errno = error;
    return -1;
}

static bool is_served(const struct stat *status) {
    return S_ISREG(status->st_mode) || S_ISDIR(status->st_mode);
}

/* The descriptor, if what it is of is served; it is closed otherwise. */
static int checked(int fd, struct stat *ret_stat) {
    if (fd < 0) return -1;
    if (fstat(fd, ret_stat) != 0) return fail(fd, errno);
    return is_served(ret_stat) ? fd : fail(fd, ENOENT);
}

/* ---- step by step ---- */

/* The folder that holds the last name of the path, which *path then points to. */
static int open_parent(int root, const char **path) {
    int at = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (const char *slash; at >= 0 && (slash = strchr(*path, '/')) != NULL; *path = slash + 1) {
        char name[NAME_MAX + 1] = "";
        size_t len = (size_t)(slash - *path);
        if (len > NAME_MAX) return fail(at, ENAMETOOLONG);
        memcpy(name, *path, len);
        int next = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), error = errno;
        close(at);
        at = next;
        errno = error == ELOOP || error == EMLINK ? ENOENT : error;
    }
    return at;
}

int beneath_open_by_steps(int root, const char *path, struct stat *ret_stat) {
    int parent = open_parent(root, &path);
    if (parent < 0) return -1;
    if (fstatat(parent, path, ret_stat, AT_SYMLINK_NOFOLLOW) != 0) return fail(parent, errno);
    if (!is_served(ret_stat)) return fail(parent, ENOENT);
    int fd = checked(openat(parent, path, READ_FLAGS | O_NOFOLLOW), ret_stat), error = errno;
    close(parent);
    errno = error;
    return fd;
}

/* ---- openat2 ---- */

#if defined(__linux__) && __has_include(<linux/openat2.h>)
#include <linux/openat2.h>
#include <sys/syscall.h>

#define TRIES 16 /* EAGAIN: something was moved meanwhile, and the kernel is not sure */

static int open_within(int root, const char *path, int flags) {
    struct open_how how = {.flags = (unsigned)flags, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    int fd = -1;
    for (int i = 0; i < TRIES; i++) {
        fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
        if (fd >= 0 || errno != EAGAIN) break;
    }
    return fd;
}

int beneath_open(int root, const char *path, struct stat *ret_stat) {
    int looked = open_within(root, path, O_PATH | O_CLOEXEC);
    /* EPERM: the filters of container engines that do not know it */
    if (looked < 0 && (errno == ENOSYS || errno == EPERM)) return beneath_open_by_steps(root, path, ret_stat);
    if (looked < 0 && (errno == EXDEV || errno == ELOOP)) errno = ENOENT; /* a link that leads elsewhere */
    if (checked(looked, ret_stat) < 0) return -1;
    close(looked);
    return checked(open_within(root, path, READ_FLAGS), ret_stat);
}
#else
int beneath_open(int root, const char *path, struct stat *ret_stat) {
    return beneath_open_by_steps(root, path, ret_stat);
}
#endif
