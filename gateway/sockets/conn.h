/* One accepted connection as a stream of bytes: a socket, and TLS over it where its port has that. Nothing
 * here waits, and nothing is kept: what is not taken stays with the caller, what is not asked for stays in
 * the kernel, but for one record of TLS at most.
 *
 * It is moved about by value; one owner closes it. */
#ifndef GATEWAY_CONN_H
#define GATEWAY_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

struct ssl_st;

struct conn {
    int fd;             /* -1: none */
    struct ssl_st *tls; /* NULL: bytes go as they are */
    bool holds;         /* there is more that polling does not tell of */
    bool is_ours;       /* it began with what only this process has read: nobody else can take it up */
};

static inline struct conn conn_plain(int fd) {
    return (struct conn){.fd = fd};
}

/* As recv() and sendmsg() that do not wait: -1 and errno, EAGAIN when it is to be polled for (also where TLS
 * wants the other direction: it is asked again then); 0: the other side has closed its direction. */
ssize_t conn_recv(struct conn *conn, void *to, size_t max);
/* What was not taken must be there, at the front, when it is called again, and never be less. */
ssize_t conn_send(struct conn *conn, const struct iovec *parts, size_t count);

/* Has it sent something that was not read yet? */
bool conn_has_unread(const struct conn *conn);
/* Our direction ends, orderly. */
void conn_end(struct conn *conn);
/* What was sent cannot look whole: RST, and no orderly end of TLS. To be closed next. */
void conn_reset(struct conn *conn);
void conn_close(struct conn *conn);
/* What TLS there is ends; the socket is somebody else's to close. */
void conn_leave(struct conn *conn);

#endif
