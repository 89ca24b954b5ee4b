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

static void mask_stops(int how) {
    sigset_t stops;
    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGINT);
    pthread_sigmask(how, &stops, NULL);
}

void platform_hold_stops(void) {
    mask_stops(SIG_BLOCK);
}

void platform_ignore_stops(void) {
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    mask_stops(SIG_UNBLOCK);
}

void platform_kill_group(int pid) {
    kill(-pid, SIGKILL);
}
