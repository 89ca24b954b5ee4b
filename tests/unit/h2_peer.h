/* A visitor that speaks HTTP/2: nghttp2's client over a socket, in the thread of the loop that it talks to.
 */
#ifndef H2_PEER_H
#define H2_PEER_H

#include <nghttp2/nghttp2.h>

#include "public/h2_conn.h"
#include "visit_scene.h"

enum { PEER_STREAMS = 8, PEER_WINDOW = 65535 };

/* What has come of one request. */
struct peer_stream {
    int32_t id;
    int status, informational; /* the answer's; how often 100 was said before */
    char fields[1000];         /* "name: value\n", trailers among them */
    struct buf body;
    bool has_ended, is_reset;
    uint32_t error; /* of the reset */
    struct view to_send;
    bool ends; /* behind it */
};

struct peer {
    int fd;
    nghttp2_session *session;
    struct peer_stream streams[PEER_STREAMS];
    size_t count;
    bool is_gone, has_goaway, reads_nothing;
    uint32_t goaway_error;
};

static struct peer peer;

static inline struct peer_stream *peer_stream_of(int32_t id) {
    for (size_t i = 0; i < peer.count; i++)
        if (peer.streams[i].id == id) return &peer.streams[i];
    fail_msg("no stream %d", id);
    return NULL;
}

static inline int on_peer_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                                 size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                                 void *ctx) {
    struct peer_stream *stream = peer_stream_of(frame->hd.stream_id);
    size_t at = strlen(stream->fields);
    (void)session, (void)flags, (void)ctx;
    if (name_len == 7 && memcmp(name, ":status", 7) == 0) {
        int status = atoi((const char *)value);
        if (status == 100) stream->informational++;
        stream->status = status;
        return 0;
    }
    snprintf(stream->fields + at, sizeof(stream->fields) - at, "%.*s: %.*s\n", (int)name_len,
             (const char *)name, (int)value_len, (const char *)value);
    return 0;
}

static inline int on_peer_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                               size_t len, void *ctx) {
    (void)session, (void)flags, (void)ctx;
    assert_true(buf_append(&peer_stream_of(id)->body, data, len));
    return 0;
}

static inline int on_peer_frame(nghttp2_session *session, const nghttp2_frame *frame, void *ctx) {
    (void)session, (void)ctx;
    bool is_end = (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
                  (frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
    if (is_end) peer_stream_of(frame->hd.stream_id)->has_ended = true;
    if (frame->hd.type == NGHTTP2_RST_STREAM) {
        struct peer_stream *stream = peer_stream_of(frame->hd.stream_id);
        stream->is_reset = true;
        stream->error = frame->rst_stream.error_code;
    }
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        peer.has_goaway = true;
        peer.goaway_error = frame->goaway.error_code;
    }
    return 0;
}

/* Sends and hears what there is. */
static inline void peer_go_on(void) {
    static uint8_t block[65536];
    const uint8_t *bytes;
    ssize_t len;
    while ((len = nghttp2_session_mem_send(peer.session, &bytes)) > 0) {
        for (size_t sent = 0; sent < (size_t)len && !peer.is_gone;) {
            ssize_t count = send(peer.fd, bytes + sent, (size_t)len - sent, MSG_NOSIGNAL);
            if (count < 0 && errno != EAGAIN) peer.is_gone = true;
            if (count > 0) sent += (size_t)count;
            turn();
        }
    }
    turn();
    while (!peer.is_gone && !peer.reads_nothing && (len = recv(peer.fd, block, sizeof(block), 0)) != -1) {
        if (len == 0) peer.is_gone = true;
        assert_true(nghttp2_session_mem_recv(peer.session, block, (size_t)len) == len);
    }
}

#define PEER_UNTIL(condition)                                                                                \
    for (uint64_t until_from = uv_hrtime(); !(condition); peer_go_on(), sched_yield())                       \
        if (uv_hrtime() - until_from > PATIENCE_NS) fail_msg("not within 20 s: %s", #condition)

/* Turns in which nothing is expected to happen. */
static inline void peer_idles(void) {
    for (int i = 0; i < 10; i++) peer_go_on();
}

static inline void peer_come(void) {
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, PEER_WINDOW}};
    memset(&peer, 0, sizeof(peer));
    assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_peer_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_peer_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_peer_frame);
    assert_int_equal(nghttp2_option_new(&option), 0);
    nghttp2_option_set_max_send_header_block_length(option, 1 << 20);
    assert_int_equal(nghttp2_session_client_new2(&peer.session, callbacks, NULL, option), 0);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    assert_int_equal(nghttp2_submit_settings(peer.session, 0, settings, 1), 0);
    peer.fd = come_by_h2();
    peer_idles();
}

/* As the gateway has it; of several the last one that came. */
static inline struct h2_conn *conn_of_peer(void) {
    assert_false(list_empty(&core.visitors->h2.all));
    return LIST_ENTRY(core.visitors->h2.all.prev, struct h2_conn, node);
}

static inline bool is_closed(void) {
    return list_empty(&core.visitors->h2.all);
}

/* He goes, and with him the last connection. */
static inline void peer_leave(void) {
    for (size_t i = 0; i < peer.count; i++) buf_done(&peer.streams[i].body);
    nghttp2_session_del(peer.session);
    close(peer.fd);
    UNTIL(is_closed());
}

static inline ssize_t read_to_send(nghttp2_session *session, int32_t id, uint8_t *out, size_t size,
                                   uint32_t *flags, nghttp2_data_source *source, void *ctx) {
    struct peer_stream *stream = source->ptr;
    size_t len = stream->to_send.len < size ? stream->to_send.len : size;
    (void)session, (void)id, (void)ctx;
    if (!len && !stream->ends) return NGHTTP2_ERR_DEFERRED;
    if (len) memcpy(out, stream->to_send.ptr, len);
    stream->to_send = view_skip(stream->to_send, len);
    if (!stream->to_send.len && stream->ends) *flags = NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)len;
}

/* "METHOD target" and further fields, "name: value" lines. With a body peer_says() sends it. */
static inline struct peer_stream *peer_asks(const char *request, const char *fields, bool has_body) {
    nghttp2_nv nva[16];
    size_t count = 0;
    struct view rest = view_from_cstr(fields ? fields : ""), line, target = view_from_cstr(request),
                method = {0};
    struct peer_stream *stream = &peer.streams[peer.count++];
    assert_true(peer.count <= PEER_STREAMS && view_split(&target, ' ', &method));
    struct header head[16] = {{VIEW(":method"), method},
                              {VIEW(":scheme"), VIEW("https")},
                              {VIEW(":authority"), VIEW("a")},
                              {VIEW(":path"), target}};
    size_t fields_count = 4;
    while (rest.len && view_split(&rest, '\n', &line)) {
        size_t colon = view_find(view_skip(line, 1), ':') + 1;
        head[fields_count++] = (struct header){view_slice(line, 0, colon), view_skip(line, colon + 2)};
    }
    for (; count < fields_count; count++)
        nva[count] = (nghttp2_nv){.name = (uint8_t *)(uintptr_t)head[count].name.ptr,
                                  .value = (uint8_t *)(uintptr_t)head[count].value.ptr,
                                  .namelen = head[count].name.len,
                                  .valuelen = head[count].value.len};
    nghttp2_data_provider provider = {.source = {.ptr = stream}, .read_callback = read_to_send};
    buf_init(&stream->body, 64u * 1024 * 1024);
    stream->id = nghttp2_submit_request(peer.session, NULL, nva, count, has_body ? &provider : NULL, NULL);
    assert_true(stream->id > 0);
    return stream;
}

/* The same, until the core knows of it. */
static inline struct peer_stream *peer_visits(const char *request, const char *fields, bool has_body) {
    int before = core.asked;
    struct peer_stream *stream = peer_asks(request, fields, has_body);
    PEER_UNTIL(core.asked > before);
    return stream;
}

/* Asks, and has owed its body for 5 s, as if it had begun earlier. */
static inline void peer_stalls(void) {
    peer_visits("POST /", NULL, true);
    grant(10);
    uint64_t now = loop_now(&loop);
    h2_sweep(core.visitors, now - 5000);
    h2_sweep(core.visitors, now - 4000);
}

static inline void peer_says(struct peer_stream *stream, struct view bytes, bool ends) {
    stream->to_send = bytes;
    stream->ends = ends;
    nghttp2_session_resume_data(peer.session, stream->id);
}

/* Frames that ask for nothing and cost the gateway something: priorities. */
static inline void peer_makes_noise(size_t count) {
    static const char priority[] = "\0\0\5\2\0\0\0\0\1\0\0\0\0\20";
    enum { LEN = sizeof(priority) - 1 };
    static char noise[1000 * LEN];
    assert_true(count * LEN <= sizeof(noise));
    for (size_t i = 0; i < count; i++) memcpy(noise + i * LEN, priority, LEN);
    assert_int_equal(send(peer.fd, noise, count * LEN, MSG_NOSIGNAL), count * LEN);
}

static inline void answers_shortly(struct peer_stream *stream) {
    answer((struct answer_head){.status = 204, .content_length = LENGTH_UNKNOWN}, NULL);
    end();
    PEER_UNTIL(stream->has_ended);
}

static inline void assert_body(struct peer_stream *stream, const char *expected) {
    if (!view_eq(buf_view(&stream->body), view_from_cstr(expected)))
        fail_msg("\"%.*s\", not \"%s\"", VIEW_ARG(buf_view(&stream->body)), expected);
}

#endif
