/* Winsock under POSIX's names. A socket's handle is an int here as everywhere (Windows gives none that does
 * not fit), closed by platform_close_socket(); what fails says so in errno. */
#ifndef WINDOWS_SYS_SOCKET_H
#define WINDOWS_SYS_SOCKET_H

#include <sys/uio.h>
#include <winsock2.h>
#include <ws2tcpip.h>

#define SHUT_RD SD_RECEIVE
#define SHUT_WR SD_SEND
#define SHUT_RDWR SD_BOTH
#define MSG_NOSIGNAL 0 /* nothing raises one */

typedef USHORT in_port_t;

struct msghdr {
    struct iovec *msg_iov;
    size_t msg_iovlen;
};

/* What an error of Winsock is called by errno. */
int windows_socket_errno(int error);

int windows_connect(int fd, const struct sockaddr *address, int len);
int windows_bind(int fd, const struct sockaddr *address, int len);
int windows_listen(int fd, int backlog);
ssize_t windows_send(int fd, const void *bytes, size_t len, int flags);
ssize_t windows_recv(int fd, void *bytes, size_t len, int flags);
ssize_t sendmsg(int fd, const struct msghdr *message, int flags); /* sixteen pieces at most */
int windows_shutdown(int fd, int how);
int windows_getsockname(int fd, struct sockaddr *ret_address, int *len);
int windows_getsockopt(int fd, int level, int name, void *ret_value, int *len);
int windows_setsockopt(int fd, int level, int name, const void *value, int len);

#define connect(fd, address, len) windows_connect(fd, address, len)
#define bind(fd, address, len) windows_bind(fd, address, len)
#define listen(fd, backlog) windows_listen(fd, backlog)
#define send(fd, bytes, len, flags) windows_send(fd, bytes, len, flags)
#define recv(fd, bytes, len, flags) windows_recv(fd, bytes, len, flags)
#define shutdown(fd, how) windows_shutdown(fd, how)
#define getsockname(fd, address, len) windows_getsockname(fd, address, len)
#define getsockopt(fd, level, name, value, len) windows_getsockopt(fd, level, name, value, len)
#define setsockopt(fd, level, name, value, len) windows_setsockopt(fd, level, name, value, len)

#endif
