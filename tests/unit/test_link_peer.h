/* A peer whose frames are made by hand, in front of one session, the subject. */
#ifndef TEST_LINK_PEER_H
#define TEST_LINK_PEER_H

#include <stdio.h>

#include "link/link_state.h"
#include "test_link_pair.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MAGIC "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

static struct pair pair;
static struct side *subject, *peer;
static nghttp2_hd_deflater *deflater;

static inline void say(const void *bytes, size_t len) {
    assert_true(buf_append(&peer->pipe, bytes, len));
}

static inline void frame(int type, int flags, uint32_t id, struct view payload) {
    unsigned char head[9] = {(unsigned char)(payload.len >> 16),
                             (unsigned char)(payload.len >> 8),
                             (unsigned char)payload.len,
                             (unsigned char)type,
                             (unsigned char)flags,
                             (unsigned char)(id >> 24),
                             (unsigned char)(id >> 16),
                             (unsigned char)(id >> 8),
                             (unsigned char)id};
    say(head, sizeof(head));
    say(payload.ptr, payload.len);
}

static inline void frame32(int type, uint32_t id, uint32_t value) {
    unsigned char bytes[4] = {(unsigned char)(value >> 24), (unsigned char)(value >> 16),
                              (unsigned char)(value >> 8), (unsigned char)value};
    frame(type, 0, id, view_of(bytes, 4));
}

static inline void setting(int id, uint32_t value) {
    unsigned char bytes[6] = {0,
                              (unsigned char)id,
                              (unsigned char)(value >> 24),
                              (unsigned char)(value >> 16),
                              (unsigned char)(value >> 8),
                              (unsigned char)value};
    frame(NGHTTP2_SETTINGS, 0, 0, view_of(bytes, 6));
}

static inline void goaway(uint32_t last, uint32_t code, const char *reason) {
    unsigned char bytes[64] = {(unsigned char)(last >> 24),
                               (unsigned char)(last >> 16),
                               (unsigned char)(last >> 8),
                               (unsigned char)last,
                               0,
                               0,
                               0,
                               (unsigned char)code};
    memcpy(bytes + 8, reason, strlen(reason));
    frame(NGHTTP2_GOAWAY, 0, 0, view_of(bytes, 8 + strlen(reason)));
}

/* "name: value" lines. */
static inline size_t encode(const char *fields, char *block, size_t size) {
    nghttp2_nv nva[300];
    size_t count = 0;
    struct view rest = view_from_cstr(fields), line;
    while (view_split(&rest, '\n', &line)) {
        if (line.len == 0) continue;
        size_t at = 1 + view_find(view_skip(line, 1), ':');
        struct view name = view_slice(line, 0, at), value = view_skip(line, at + 2);
        nva[count++] = (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name.ptr,
                                    .namelen = name.len,
                                    .value = (uint8_t *)(uintptr_t)value.ptr,
                                    .valuelen = value.len};
    }
    ssize_t len = nghttp2_hd_deflate_hd(deflater, (uint8_t *)block, size, nva, count);
    assert_true(len >= 0);
    return (size_t)len;
}

#define END NGHTTP2_FLAG_END_STREAM
#define MORE 0x80 /* no END_HEADERS */

static inline void headers(uint32_t id, int flags, const char *fields) {
    char block[4096];
    size_t len = encode(fields, block, sizeof(block));
    int wire = (flags & END) | (flags & MORE ? 0 : NGHTTP2_FLAG_END_HEADERS);
    frame(NGHTTP2_HEADERS, wire, id, view_of(block, len));
}

#define GET ":method: GET\n:scheme: http\n:authority: a\n:path: /\n"
#define POST ":method: POST\n:scheme: http\n:authority: a\n:path: /\n"
#define CONTROL ":method: POST\n:scheme: http\n:authority: a\n:path: /.tunnel/control\n"

static inline void begin_with(enum link_role role, const struct link_limits *limits) {
    pair_begin(&pair, limits);
    pair.now_ms = 1000;
    subject = role == LINK_OPENS ? &pair.opens : &pair.answers;
    peer = role == LINK_OPENS ? &pair.answers : &pair.opens;
    side_close(peer);
    link_tick(subject->session, pair.now_ms);
    assert_int_equal(nghttp2_hd_deflate_new(&deflater, 0), 0);
    if (role == LINK_OPENS) side_send(subject);
}

/* The subject takes what the peer has said, and says what it has to. */
static inline void run(void) {
    for (int i = 0; i < 100; i++) {
        side_receive(subject, peer);
        if (!side_send(subject)) break;
    }
}

static inline void begin(enum link_role role) {
    begin_with(role, NULL);
    if (role == LINK_ANSWERS) say(MAGIC, 24);
    setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1000);
    frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, VIEW(""));
    headers(1, 0, role == LINK_ANSWERS ? CONTROL : ":status: 200\n");
    run();
    assert_int_equal(subject->status, STATUS_OK);
    buf_clear(&subject->pipe);
}

static inline void end(void) {
    pair_end(&pair);
    nghttp2_hd_deflate_del(deflater);
}

static inline uint32_t read32(const unsigned char *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* The code of the last RST_STREAM on this stream, or GOAWAY on 0, that the subject has sent; -1 for none. */
static inline int code_sent(uint32_t id) {
    const unsigned char *at = (const unsigned char *)buf_view(&subject->pipe).ptr;
    size_t left = subject->pipe.len;
    int code = -1;
    if (left >= 24 && memcmp(at, MAGIC, 24) == 0) at += 24, left -= 24;
    while (left >= 9) {
        size_t len = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
        assert_true(len + 9 <= left);
        if (at[3] == NGHTTP2_RST_STREAM && id && read32(at + 5) == id) code = (int)read32(at + 9);
        if (at[3] == NGHTTP2_GOAWAY && !id) code = (int)read32(at + 13);
        at += 9 + len;
        left -= 9 + len;
    }
    return code;
}

static inline void assert_link_lost(int code) {
    run();
    assert_int_not_equal(subject->status, STATUS_OK);
    assert_int_equal(code_sent(0), code);
    assert_true(link_error(subject->session)[0]);
    assert_int_equal(link_receive(subject->session, VIEW("more")), subject->status);
}

static inline void assert_link_lives(void) {
    run();
    if (subject->status != STATUS_OK) print_error("%s\n", link_error(subject->session));
    assert_int_equal(subject->status, STATUS_OK);
    assert_int_equal(code_sent(0), -1);
}

static inline struct tap *open_one(void) {
    struct tap *tap = pair_open(&pair, 0);
    run();
    return tap;
}

#endif
