/* Tests of sockets in one thread: the loop is turned by the test, which plays the other side between any two
 * turns, and can look then. */
#ifndef BY_HAND_H
#define BY_HAND_H

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "cmocka_setup.h"
#include "net/loop.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PATIENCE_NS UINT64_C(20000000000)

static struct loop loop;

/* ---- turns ---- */

static inline void turn(void) {
    uv_run(&loop.uv, UV_RUN_NOWAIT);
}

/* Turns until it is so. */
#define UNTIL(condition)                                                                                     \
    for (uint64_t until_from = uv_hrtime(); !(condition); turn(), sched_yield())                             \
        if (uv_hrtime() - until_from > PATIENCE_NS) fail_msg("not within %d s: %s", 20, #condition)

/* ---- the other side ---- */

static inline void say(int fd, const char *text) {
    size_t len = strlen(text);
    assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* Sends as much as the other side takes while it turns, at most `max`. */
static inline size_t flood(int fd, size_t max) {
    static const char block[16384];
    size_t sent = 0;
    for (int stuck = 0; stuck < 50 && sent < max;) {
        size_t len = max - sent < sizeof(block) ? max - sent : sizeof(block);
        ssize_t count = send(fd, block, len, MSG_NOSIGNAL);
        stuck = count > 0 ? 0 : stuck + 1;
        if (count > 0) sent += (size_t)count;
        turn();
    }
    return sent;
}

/* Into `out`, until there is so much or the other side has ended: 0; or its errno. */
static inline int hear_into(int fd, struct buf *out, size_t bytes) {
    for (uint64_t from = uv_hrtime(); out->len < bytes;) {
        static char block[65536];
        size_t max = bytes - out->len < sizeof(block) ? bytes - out->len : sizeof(block);
        turn();
        ssize_t len = recv(fd, block, max, 0);
        if (len > 0) assert_true(buf_append(out, block, (size_t)len));
        if (len == 0) return 0;
        if (len < 0 && errno != EAGAIN) return errno;
        if (uv_hrtime() - from > PATIENCE_NS) fail_msg("heard only: %.*s", VIEW_ARG(buf_view(out)));
    }
    return 0;
}

/* What is there after a turn, at most 64 KiB. */
static inline void hear_some(int fd, struct buf *out) {
    char *room = buf_reserve(out, 65536);
    assert_non_null(room);
    turn();
    ssize_t len = recv(fd, room, 65536, 0);
    if (len > 0) buf_commit(out, (size_t)len);
}

/* Exactly this is what comes next. */
static inline void hear(int fd, const char *expected) {
    size_t len = strlen(expected);
    struct buf heard;
    buf_init(&heard, 1024 * 1024);
    assert_int_equal(hear_into(fd, &heard, len), 0);
    if (!view_eq(buf_view(&heard), view_of(expected, len)))
        fail_msg("expected \"%s\", heard \"%.*s\"", expected, VIEW_ARG(buf_view(&heard)));
    buf_done(&heard);
}

/* Nothing more comes: 0 for an orderly end, or errno. */
static inline int hear_end(int fd) {
    struct buf heard;
    buf_init(&heard, 1024 * 1024);
    int error = hear_into(fd, &heard, 1);
    if (heard.len) fail_msg("heard \"%.*s\"", VIEW_ARG(buf_view(&heard)));
    buf_done(&heard);
    return error;
}

static inline bool hears_nothing(int fd) {
    char byte;
    for (int i = 0; i < 5; i++) turn();
    return recv(fd, &byte, 1, MSG_PEEK) < 0 && errno == EAGAIN;
}

#endif
