/* Included before each unit test on Darwin (tests/CMakeLists.txt): names of Linux's that the tests use and
 * Darwin lacks. */
#ifndef UNIT_DARWIN_H
#define UNIT_DARWIN_H

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define SOCK_NONBLOCK 0x10000
#define SOCK_CLOEXEC 0x20000
#define st_mtim st_mtimespec

static inline int darwin_flags(int fd, int flags) {
    if (fd >= 0 && (flags & SOCK_NONBLOCK)) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    if (fd >= 0 && (flags & SOCK_CLOEXEC)) fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fd;
}

static inline int darwin_socket(int family, int type, int protocol) {
    return darwin_flags(socket(family, type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC), protocol), type);
}

static inline int accept4(int fd, struct sockaddr *address, socklen_t *len, int flags) {
    return darwin_flags(accept(fd, address, len), flags);
}

#define socket darwin_socket

#endif
