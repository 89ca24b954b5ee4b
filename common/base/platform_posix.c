/* See platform.h: what Linux and Darwin do alike. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/platform.h"

void platform_close_socket(int fd) {
    close(fd);
}

ssize_t platform_recv_now(int fd, void *bytes, size_t len) {
    return recv(fd, bytes, len, MSG_DONTWAIT);
}

bool platform_wait_writable(int fd) {
    struct pollfd wanted = {.fd = fd, .events = POLLOUT};
    return poll(&wanted, 1, -1) > 0 || errno == EINTR;
}

void platform_ignore_broken_pipes(void) {
    signal(SIGPIPE, SIG_IGN);
}

static const int heeded[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR2};

static void mask_signals(int how) {
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(heeded) / sizeof(heeded[0]); i++) sigaddset(&set, heeded[i]);
    pthread_sigmask(how, &set, NULL);
}

void platform_hold_signals(void) {
    mask_signals(SIG_BLOCK);
}

void platform_let_signals(void) {
    mask_signals(SIG_UNBLOCK);
}

void platform_ignore_signals(void) {
    for (size_t i = 0; i < sizeof(heeded) / sizeof(heeded[0]); i++) signal(heeded[i], SIG_IGN);
    mask_signals(SIG_UNBLOCK);
}

void platform_kill_group(int pid) {
    kill(-pid, SIGKILL);
}
