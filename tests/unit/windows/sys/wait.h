/* POSIX's sys/wait.h, and fork(), which always fails. */
#ifndef UNIT_WINDOWS_SYS_WAIT_H
#define UNIT_WINDOWS_SYS_WAIT_H

#define WIFEXITED(status) ((status) == 0)
#define WEXITSTATUS(status) (status)

static inline pid_t fork(void) {
    return -1;
}

static inline pid_t waitpid(pid_t pid, int *ret_status, int how) {
    (void)pid, (void)how;
    if (ret_status) *ret_status = -1;
    return -1;
}

#endif
