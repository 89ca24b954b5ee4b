/* Bytes out. nghttp2 decides which frames are ready, and they are put straight into the owner's message; a
 * body's bytes are copied once, from the stream's queue (NGHTTP2_DATA_FLAG_NO_COPY).
 *
 * Turns. nghttp2 would go on with the oldest stream as long as that has bytes (and its rules differ between
 * versions and roles), so each stream that has more than one frame to send rests after it until all others
 * had their turn. */
#include <assert.h>

#include "link/link_state.h"

#define FRAME_HEAD 9
#define FRAME_LEAST ((size_t)2048) /* no smaller frames for the sake of filling a message */

static size_t room(const struct link_session *session) {
    return session->out_end - session->out->len;
}

static struct link_stream *stream_of(struct link_session *session, int32_t id) {
    return nghttp2_session_get_stream_user_data(session->h2, id);
}

static ssize_t on_send(nghttp2_session *h2, const uint8_t *bytes, size_t len, int flags, void *user) {
    struct link_session *session = user;
    (void)h2, (void)flags;
    size_t part = room(session) < len ? room(session) : len;
    if (part < len) session->out_full = true;
    if (part == 0) return NGHTTP2_ERR_WOULDBLOCK;
    return buf_append(session->out, bytes, part) ? (ssize_t)part : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static ssize_t on_read_length(nghttp2_session *h2, uint8_t type, int32_t id, int32_t session_window,
                              int32_t stream_window, uint32_t max_frame, void *user) {
    struct link_session *session = user;
    (void)h2, (void)type, (void)session_window, (void)stream_window, (void)max_frame;
    struct link_stream *stream = stream_of(session, id);
    size_t len = stream ? stream->out.bytes : 0, left = room(session);
    if (len > FRAME_BYTES) len = FRAME_BYTES;
    if (len + FRAME_HEAD > left) len = left > FRAME_HEAD ? left - FRAME_HEAD : 0;
    return len ? (ssize_t)len : 1;
}

static bool frame_fits(struct link_session *session, const struct link_stream *stream) {
    size_t least = stream->out.bytes < FRAME_LEAST ? stream->out.bytes : FRAME_LEAST;
    if (room(session) >= FRAME_HEAD + least) return true;
    session->out_full = true;
    return false;
}

static ssize_t rest(struct link_stream *stream) {
    list_append(&stream->session->resting, &stream->other_node);
    return NGHTTP2_ERR_DEFERRED;
}

/* The last of the body is in this frame: it ends our direction, or the trailers behind it do. */
static bool put_end(struct link_stream *stream, nghttp2_session *h2, uint32_t *flags) {
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (!stream->trailers) return true;
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    int rv = trailers_submit(stream->trailers, h2, stream->id);
    trailers_free(stream->trailers);
    stream->trailers = NULL;
    return rv == 0;
}

static ssize_t on_read(nghttp2_session *h2, int32_t id, uint8_t *bytes, size_t max_len, uint32_t *flags,
                       nghttp2_data_source *source, void *user) {
    struct link_session *session = user;
    struct link_stream *stream = source->ptr;
    (void)id, (void)bytes;
    if (stream->out.bytes == 0 && !stream->local_ended) {
        stream->idle = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (stream->round == session->round) return rest(stream);
    if (!frame_fits(session, stream)) return NGHTTP2_ERR_PAUSE;
    size_t len = stream->out.bytes < max_len ? stream->out.bytes : max_len;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (len < stream->out.bytes)
        stream->round = session->round;
    else if (stream->local_ended && !put_end(stream, h2, flags))
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    return (ssize_t)len;
}

nghttp2_data_provider send_provider(struct link_stream *stream) {
    return (nghttp2_data_provider){.source = {.ptr = stream}, .read_callback = on_read};
}

static int on_send_data(nghttp2_session *h2, nghttp2_frame *frame, const uint8_t *frame_head, size_t len,
                        nghttp2_data_source *source, void *user) {
    struct link_session *session = user;
    struct link_stream *stream = source->ptr;
    (void)h2, (void)frame;
    if (len > stream->out.bytes) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* was reset meanwhile */
    char *to = buf_reserve(session->out, FRAME_HEAD + len);
    if (!to) return NGHTTP2_ERR_CALLBACK_FAILURE;
    memcpy(to, frame_head, FRAME_HEAD);
    queue_take(session, &stream->out, to + FRAME_HEAD, len);
    buf_commit(session->out, FRAME_HEAD + len);
    session->budget->held_bytes -= len;
    if (len && !stream->dead && stream->events->sent) {
        if (stream->sent == 0) list_append(&session->sent, &stream->sent_node);
        stream->sent += len;
    }
    return 0;
}

/* An answer that is whole before the request is: the rest of that is declined (RFC 9113 8.1). A tunnel may be
 * half closed (RFC 9113 8.5). */
static void end_left(struct link_session *session, int32_t id) {
    struct link_stream *stream = stream_of(session, id);
    if (!stream) return;
    stream->local_left = true;
    if (session->role != LINK_OPENS && !stream->remote_ended && !stream->tunnel)
        nghttp2_submit_rst_stream(session->h2, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
}

static void goaway_left(struct link_session *session, const nghttp2_goaway *goaway) {
    struct view reason = view_of(goaway->opaque_data, goaway->opaque_data_len);
    if (goaway->error_code == NGHTTP2_NO_ERROR || session->failed) return;
    if (reason.len == 0) reason = view_from_cstr(nghttp2_http2_strerror(goaway->error_code));
    session_failed(session, STATUS_INVALID, "", reason);
}

static int on_frame_send(nghttp2_session *h2, const nghttp2_frame *frame, void *user) {
    bool ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    (void)h2;
    switch (frame->hd.type) {
    case NGHTTP2_DATA:
    case NGHTTP2_HEADERS:
        if (ends) end_left(user, frame->hd.stream_id);
        break;
    case NGHTTP2_GOAWAY: goaway_left(user, &frame->goaway); break;
    default: break;
    }
    return 0;
}

void send_callbacks(nghttp2_session_callbacks *callbacks) {
    nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, on_send_data);
    nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, on_read_length);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
}

/* A new round. False if nobody has rested. */
static bool next_round(struct link_session *session) {
    struct list *node;
    if (list_empty(&session->resting)) return false;
    session->round++;
    while ((node = list_pop(&session->resting))) {
        struct link_stream *stream = LIST_ENTRY(node, struct link_stream, other_node);
        nghttp2_session_resume_data(session->h2, stream->id);
    }
    return true;
}

static void fill_message(struct link_session *session, struct buf *out) {
    size_t most = out->max - out->len, limit = session->limits.message_bytes;
    int rv;
    session->out = out;
    session->out_end = out->len + (most < limit ? most : limit);
    session->out_full = false;
    session->frame.is_touched = true;
    do rv = nghttp2_session_send(session->h2);
    while (rv == 0 && !session->out_full && next_round(session));
    session->out = NULL;
    if (rv != 0 && !session->failed)
        session_failed(session, STATUS_NO_MEMORY, "", view_from_cstr(nghttp2_strerror(rv)));
}

void send_report(struct link_stream *stream) {
    size_t sent = stream->sent;
    list_remove(&stream->sent_node);
    stream->sent = 0;
    if (sent && !stream->dead) stream->events->sent(stream->ctx, sent);
}

static void report_sent(struct link_session *session) {
    struct list due, *node;
    list_init(&due);
    list_move_all(&due, &session->sent);
    while ((node = list_pop(&due))) {
        struct link_stream *stream = LIST_ENTRY(node, struct link_stream, sent_node);
        stream->firing = true;
        send_report(stream);
        stream->firing = false;
        if (stream->dead && stream->closed) stream_free(stream);
    }
}

static void report_done(struct link_session *session) {
    struct list due, *node;
    list_init(&due);
    list_move_all(&due, &session->finished);
    while ((node = list_pop(&due))) stream_finish(LIST_ENTRY(node, struct link_stream, other_node));
}

bool link_wants_send(const struct link_session *session) {
    return nghttp2_session_want_write(session->h2) || !list_empty(&session->finished);
}

enum status link_send(struct link_session *session, struct buf *out) {
    assert(!session->busy);
    session->busy = true;
    session->announced = false;
    report_done(session);
    fill_message(session, out);
    report_sent(session);
    session->busy = false;
    session_wake(session);
    return session->failed;
}
