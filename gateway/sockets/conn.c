/* See conn.h. */
#include "sockets/conn.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sockets/tcp.h"
#include "sockets/tls.h"

ssize_t conn_recv(struct conn *conn, void *to, size_t max) {
    if (!conn->tls) return recv(conn->fd, to, max, MSG_DONTWAIT);
    return tls_recv(conn->tls, to, max, &conn->holds);
}

ssize_t conn_send(struct conn *conn, const struct iovec *parts, size_t count) {
    if (conn->tls) return tls_send(conn->tls, parts, count);
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = count};
    return sendmsg(conn->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool conn_has_unread(const struct conn *conn) {
    char byte;
    return conn->holds || recv(conn->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void conn_end(struct conn *conn) {
    if (conn->tls) tls_end(conn->tls);
    shutdown(conn->fd, SHUT_WR);
}

void conn_reset(struct conn *conn) {
    if (conn->tls) tls_free(conn->tls);
    conn->tls = NULL;
    conn->holds = false;
    tcp_reset(conn->fd);
}

void conn_leave(struct conn *conn) {
    if (conn->tls) {
        tls_end(conn->tls);
        tls_free(conn->tls);
    }
    *conn = conn_plain(-1);
}

void conn_close(struct conn *conn) {
    int fd = conn->fd;
    conn_leave(conn);
    if (fd >= 0) close(fd);
}
