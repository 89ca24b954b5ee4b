/* See include/sys/socket.h. */
#include <errno.h>

#include "include/sys/socket.h"
#include "include/sys/uio.h"

#undef connect
#undef bind
#undef listen
#undef send
#undef recv
#undef shutdown
#undef getsockname
#undef getsockopt
#undef setsockopt

#define PIECES_MAX 16

int windows_socket_errno(int error) {
    switch (error) {
    case WSAEWOULDBLOCK: return EAGAIN;
    case WSAEINPROGRESS: return EINPROGRESS;
    case WSAEINTR: return EINTR;
    case WSAEACCES: return EACCES;
    case WSAEINVAL: return EINVAL;
    case WSAEMFILE: return EMFILE;
    case WSAENOTSOCK: return ENOTSOCK;
    case WSAEAFNOSUPPORT: return EAFNOSUPPORT;
    case WSAEADDRINUSE: return EADDRINUSE;
    case WSAEADDRNOTAVAIL: return EADDRNOTAVAIL;
    case WSAENETDOWN: return ENETDOWN;
    case WSAENETUNREACH: return ENETUNREACH;
    case WSAENETRESET: return ENETRESET;
    case WSAECONNABORTED: return ECONNABORTED;
    case WSAECONNRESET: return ECONNRESET;
    case WSAENOBUFS: return ENOBUFS;
    case WSAEISCONN: return EISCONN;
    case WSAENOTCONN: return ENOTCONN;
    case WSAESHUTDOWN: return EPIPE;
    case WSAETIMEDOUT: return ETIMEDOUT;
    case WSAECONNREFUSED: return ECONNREFUSED;
    case WSAEHOSTUNREACH: return EHOSTUNREACH;
    default: return error ? EIO : 0;
    }
}

/* -1 and errno where it is one. */
static int told(int result) {
    if (result == SOCKET_ERROR) errno = windows_socket_errno(WSAGetLastError());
    return result;
}

int windows_connect(int fd, const struct sockaddr *address, int len) {
    int result = told(connect((SOCKET)fd, address, len));
    if (result != 0 && errno == EAGAIN) errno = EINPROGRESS;
    return result;
}

int windows_bind(int fd, const struct sockaddr *address, int len) {
    return told(bind((SOCKET)fd, address, len));
}

int windows_listen(int fd, int backlog) {
    return told(listen((SOCKET)fd, backlog));
}

ssize_t windows_send(int fd, const void *bytes, size_t len, int flags) {
    return told(send((SOCKET)fd, bytes, len > INT_MAX ? INT_MAX : (int)len, flags));
}

ssize_t windows_recv(int fd, void *bytes, size_t len, int flags) {
    return told(recv((SOCKET)fd, bytes, len > INT_MAX ? INT_MAX : (int)len, flags));
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    WSABUF pieces[PIECES_MAX];
    DWORD count = 0, sent = 0;
    for (; count < PIECES_MAX && count < message->msg_iovlen; count++)
        pieces[count] =
            (WSABUF){.len = (ULONG)message->msg_iov[count].iov_len, .buf = message->msg_iov[count].iov_base};
    return told(WSASend((SOCKET)fd, pieces, count, &sent, (DWORD)flags, NULL, NULL)) == 0 ? (ssize_t)sent
                                                                                          : -1;
}

int windows_shutdown(int fd, int how) {
    return told(shutdown((SOCKET)fd, how));
}

int windows_getsockname(int fd, struct sockaddr *ret_address, int *len) {
    return told(getsockname((SOCKET)fd, ret_address, len));
}

int windows_getsockopt(int fd, int level, int name, void *ret_value, int *len) {
    int result = told(getsockopt((SOCKET)fd, level, name, ret_value, len));
    bool is_error = result == 0 && level == SOL_SOCKET && name == SO_ERROR;
    if (is_error) *(int *)ret_value = windows_socket_errno(*(int *)ret_value);
    return result;
}

int windows_setsockopt(int fd, int level, int name, const void *value, int len) {
    return told(setsockopt((SOCKET)fd, level, name, value, len));
}
