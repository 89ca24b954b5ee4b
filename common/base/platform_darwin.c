/* See platform.h. Darwin's conditions know the wall clock alone, but can wait for a time: so deadlines become
 * that. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/platform.h"

static bool prepare(int fd, bool blocks) {
    int yes = 1;
    return setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &yes, sizeof(yes)) == 0 &&
           fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && (blocks || fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
}

int platform_socket(int family, int type, bool blocks) {
    int fd = socket(family, type, 0);
    if (fd < 0 || prepare(fd, blocks)) return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

size_t platform_unacked_bytes(int fd) {
    int bytes = 0;
#ifdef SO_NWRITE
    socklen_t len = sizeof(bytes);
    if (getsockopt(fd, SOL_SOCKET, SO_NWRITE, &bytes, &len) != 0) return 0;
#else
    (void)fd;
#endif
    return bytes > 0 ? (size_t)bytes : 0;
}

void platform_cond_init(pthread_cond_t *cond) {
    pthread_cond_init(cond, NULL);
}

bool platform_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, const struct timespec *deadline) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t left = (int64_t)(deadline->tv_sec - now.tv_sec) * 1000000000 + deadline->tv_nsec - now.tv_nsec;
    if (left <= 0) return false;
    struct timespec wait = {.tv_sec = (time_t)(left / 1000000000), .tv_nsec = (long)(left % 1000000000)};
    return pthread_cond_timedwait_relative_np(cond, lock, &wait) != ETIMEDOUT;
}
