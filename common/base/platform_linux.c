/* See platform.h. */
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/platform.h"

int platform_socket(int family, int type, bool blocks) {
    return socket(family, type | SOCK_CLOEXEC | (blocks ? 0 : SOCK_NONBLOCK), 0);
}

size_t platform_unacked_bytes(int fd) {
    int bytes = 0;
    return ioctl(fd, TIOCOUTQ, &bytes) == 0 && bytes > 0 ? (size_t)bytes : 0;
}

void platform_cond_init(pthread_cond_t *cond) {
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &clock);
    pthread_condattr_destroy(&clock);
}

bool platform_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, const struct timespec *deadline) {
    return pthread_cond_timedwait(cond, lock, deadline) != ETIMEDOUT;
}
