/* See platform.h. */
#include <errno.h>
#include <sys/socket.h>

#include "base/platform.h"

static bool prepare(SOCKET socket, bool blocks) {
    u_long yes = 1;
    return SetHandleInformation((HANDLE)socket, HANDLE_FLAG_INHERIT, 0) &&
           (blocks || ioctlsocket(socket, (long)FIONBIO, &yes) == 0);
}

/* Winsock is started by whoever is first; libuv does so for itself. */
static SOCKET make(int family, int type) {
    WSADATA winsock;
    SOCKET made = socket(family, type, 0);
    if (made != INVALID_SOCKET || WSAGetLastError() != WSANOTINITIALISED) return made;
    return WSAStartup(MAKEWORD(2, 2), &winsock) == 0 ? socket(family, type, 0) : INVALID_SOCKET;
}

int platform_socket(int family, int type, bool blocks) {
    SOCKET made = make(family, type);
    bool is_ready = made != INVALID_SOCKET && prepare(made, blocks);
    if (is_ready) return (int)made;
    errno = windows_socket_errno(WSAGetLastError());
    if (made != INVALID_SOCKET) closesocket(made);
    return -1;
}

void platform_close_socket(int fd) {
    closesocket((SOCKET)fd);
}

ssize_t platform_recv_now(int fd, void *bytes, size_t len) {
    (void)fd, (void)bytes, (void)len;
    errno = EAGAIN;
    return -1;
}

size_t platform_unacked_bytes(int fd) {
    (void)fd;
    return 0;
}

/* There write() waits by itself. */
bool platform_wait_writable(int fd) {
    (void)fd;
    return true;
}

void platform_ignore_broken_pipes(void) {
    /* nothing else happens here */
}

/* libuv's handler of the console stays as long as the process does. */
void platform_hold_signals(void) {}

void platform_let_signals(void) {}

void platform_ignore_signals(void) {}

void platform_kill_group(int pid) {
    HANDLE process = OpenProcess(PROCESS_TERMINATE, FALSE, (DWORD)pid);
    if (!process) return;
    TerminateProcess(process, 1);
    CloseHandle(process);
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
