/* Writes of which the socket takes a part only: this program's send() and sendmsg() say how much. */
#ifndef CUT_WRITES_H
#define CUT_WRITES_H

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "cmocka_setup.h"

/* Of the writes to `fd` the next one takes `first` bytes, those behind it `then`; 0: the socket is full, or
 * has failed by `error`. */
static struct {
    int fd, error;
    size_t first, then;
} cuts = {.fd = -1};

static inline void cut_writes(int fd, size_t first, size_t then) {
    cuts.fd = fd;
    cuts.error = 0;
    cuts.first = first;
    cuts.then = then;
}

static inline int teardown(void **state); /* the scene's */

static inline int uncut(void **state) {
    cuts.fd = -1;
    return teardown(state);
}

/* As the scene's TEST(), and nothing is cut behind it. */
#define CUT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, uncut)

static size_t room_for(int fd, size_t len) {
    size_t max = len;
    if (fd != cuts.fd) return len;
    max = cuts.first;
    cuts.first = cuts.then;
    return max < len ? max : len;
}

ssize_t send(int fd, const void *bytes, size_t len, int flags) {
    size_t room = room_for(fd, len);
    if (len && !room) {
        errno = cuts.error ? cuts.error : EAGAIN;
        return -1;
    }
    return sendto(fd, bytes, room, flags, NULL, 0);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    static char bytes[1 << 20];
    size_t len = 0;
    for (size_t i = 0; i < (size_t)message->msg_iovlen; i++) {
        assert_true(message->msg_iov[i].iov_len <= sizeof(bytes) - len);
        memcpy(bytes + len, message->msg_iov[i].iov_base, message->msg_iov[i].iov_len);
        len += message->msg_iov[i].iov_len;
    }
    return send(fd, bytes, len, flags);
}

#endif
