/* Bytes in. nghttp2 parses and checks; what it lets pass is counted against our limits and handed to the
 * streams' owners. A callback that has failed the session makes nghttp2 stop at once. */
#include <assert.h>

#include "link/link_state.h"

/* Answers and resets waiting, beyond what streams_max explains: the peer asks and does not read. */
#define QUEUE_SLACK 4096

static int result(const struct link_session *session) {
    return session->failed ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static struct link_stream *stream_of(struct link_session *session, int32_t id) {
    return nghttp2_session_get_stream_user_data(session->h2, id);
}

static void calm_down(struct link_session *session, const char *text) {
    session_fail(session, STATUS_OVERLOADED, NGHTTP2_ENHANCE_YOUR_CALM, text);
}

/* Frames that cost us something and carry nothing for a stream. */
static bool is_noise(const nghttp2_frame_hd *frame) {
    switch (frame->type) {
    case NGHTTP2_DATA: return frame->length == 0 && !(frame->flags & NGHTTP2_FLAG_END_STREAM);
    case NGHTTP2_HEADERS:
    case NGHTTP2_CONTINUATION:
    case NGHTTP2_RST_STREAM:
    case NGHTTP2_WINDOW_UPDATE: return false;
    default: return true;
    }
}

/* ---- late frames ---- */

/* What was under way when we reset a stream cannot be held against the peer: a window of DATA, and a head. */
static void allow_late(struct link_session *session, const struct link_stream *stream) {
    if (stream && (stream->remote_ended || stream->remote_reset)) return;
    uint32_t window = stream ? stream->window : session->limits.window_bytes;
    session->late_allowed += (window > WINDOW_FIRST ? window : WINDOW_FIRST) + session->limits.headers_bytes;
}

/* For a stream that had ended before these bytes came. Ids that no stream has had yet are nghttp2's to
 * refuse. */
static bool is_late(const struct link_session *session, int type, uint32_t id) {
    nghttp2_session *h2 = session->h2;
    if (type != NGHTTP2_DATA && type != NGHTTP2_HEADERS) return false;
    if (id % 2 == 0 || nghttp2_session_find_stream(h2, (int32_t)id)) return false;
    if (session->role != LINK_OPENS) return id <= (uint32_t)nghttp2_session_get_last_proc_stream_id(h2);
    return id < nghttp2_session_get_next_stream_id(h2);
}

static void note_gone(struct link_session *session, int32_t id, bool by_us) {
    struct gone_streams *gone = session->gone;
    if (!gone) return;
    gone->last[gone->next].id = id;
    gone->last[gone->next].by_us = by_us;
    gone->next = (gone->next + 1) % GONE_MAX;
}

/* Of visitors it is known which streams have ended, and how: what comes on one that they have ended
 * themselves is an error, and so is an id that was passed over (RFC 9113 5.1, 5.1.1). */
static void check_late(struct link_session *session, uint32_t id) {
    const struct gone_streams *gone = session->gone;
    uint32_t code = NGHTTP2_PROTOCOL_ERROR;
    for (size_t i = 0; i < GONE_MAX; i++) {
        if ((uint32_t)gone->last[i].id != id) continue;
        if (gone->last[i].by_us) return;
        code = NGHTTP2_STREAM_CLOSED;
    }
    session_fail(session, STATUS_INVALID, code, "frames on a stream that has ended");
}

static void walk_head(struct link_session *session) {
    struct frame_walk *walk = &session->walk;
    const unsigned char *at = walk->head;
    uint32_t id = ((uint32_t)at[5] & 0x7f) << 24 | (uint32_t)at[6] << 16 | (uint32_t)at[7] << 8 | at[8];
    walk->left = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
    walk->head_len = 0;
    walk->id = id;
    walk->type = at[3];
    if (session->gone && walk->type > NGHTTP2_CONTINUATION && !bucket_take(session, &session->noise))
        calm_down(session, "too many frames of no meaning"); /* nghttp2 passes over them */
    if (!is_late(session, at[3], id)) return;
    session->late += walk->left ? walk->left : 1;
    if (session->gone) check_late(session, id);
}

/* nghttp2 passes over priorities, since we have no use for them; a stream's is of no stream, and not of
 * itself (RFC 9113 6.3, RFC 7540 5.3.1). */
static void check_priority(struct link_session *session, struct view payload) {
    const struct frame_walk *walk = &session->walk;
    const unsigned char *at = (const unsigned char *)payload.ptr;
    if (walk->type != NGHTTP2_PRIORITY || payload.len < 4) return;
    uint32_t on = ((uint32_t)at[0] & 0x7f) << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    if (walk->id == 0 || on == walk->id)
        session_fail(session, STATUS_INVALID, NGHTTP2_PROTOCOL_ERROR,
                     "a priority of itself, or of no stream");
}

/* nghttp2 passes over late frames in silence, so we look at the heads of all as they pass. */
static void walk_frames(struct link_session *session, struct view bytes) {
    struct frame_walk *walk = &session->walk;
    while (bytes.len) {
        size_t missing = walk->left ? walk->left : sizeof(walk->head) - walk->head_len;
        size_t len = bytes.len < missing ? bytes.len : missing;
        if (walk->left) {
            walk->left -= len;
        } else {
            memcpy(walk->head + walk->head_len, bytes.ptr, len);
            walk->head_len += len;
            if (walk->head_len == sizeof(walk->head)) walk_head(session);
        }
        bytes = view_skip(bytes, len);
    }
    if (session->late > session->late_allowed)
        session_fail(session, STATUS_INVALID, NGHTTP2_STREAM_CLOSED, "frames on a stream that has ended");
}

static int on_begin_frame(nghttp2_session *h2, const nghttp2_frame_hd *frame, void *user) {
    struct link_session *session = user;
    (void)h2;
    session->work += frame->type == NGHTTP2_HEADERS ? LINK_HEAD_WORK : 1;
    if (is_noise(frame) && !bucket_take(session, &session->noise))
        calm_down(session, "too many frames that carry nothing");
    return result(session);
}

/* ---- heads ---- */

static int on_begin_headers(nghttp2_session *h2, const nghttp2_frame *frame, void *user) {
    struct link_session *session = user;
    (void)h2, (void)frame;
    head_clear(&session->head);
    return 0;
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, nghttp2_rcbuf *name,
                     nghttp2_rcbuf *value, uint8_t flags, void *user) {
    struct link_session *session = user;
    (void)h2, (void)frame, (void)flags;
    bool added = !session->head.is_excess && head_add(&session->head, &session->limits, name, value);
    if (!added && session->role == LINK_SERVES) {
        session->head.is_excess = true; /* who asks is told so */
        return 0;
    }
    return added ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* resets the stream */
}

static void refuse(struct link_session *session, int32_t id) {
    nghttp2_submit_rst_stream(session->h2, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
}

static void on_request(struct link_session *session, int32_t id, bool has_body) {
    struct headers none = {.count = 0};
    struct stream_head head = head_view(&session->head);
    struct link_stream *stream = session->draining ? NULL : stream_new(session);
    if (!stream) {
        refuse(session, id);
        return;
    }
    stream->id = id;
    stream->tunnel = view_eq(head.method, VIEW("CONNECT"));
    nghttp2_session_set_stream_user_data(session->h2, id, stream);
    session->events.request(session->events.ctx, stream, &head, has_body);
    if (!stream->events) link_stream_reset(stream, true);
    if (!has_body) stream_ended(stream, &none);
}

static void on_first_request(struct link_session *session, int32_t id, bool has_body) {
    if (session->role == LINK_SERVES)
        on_request(session, id, has_body);
    else if (id == CONTROL_ID)
        control_accept(session, has_body);
    else if (!session->control.headed)
        session_fail(session, STATUS_INVALID, NGHTTP2_PROTOCOL_ERROR, "no control stream");
    else
        on_request(session, id, has_body);
}

static void on_informational(struct link_session *session, struct link_stream *stream, int status) {
    if (!bucket_take(session, &session->noise)) calm_down(session, "too many informational answers");
    if (status == 100 && stream->events->informational) stream->events->informational(stream->ctx, status);
}

static void on_answer(struct link_stream *stream, const struct stream_head *head, bool ends) {
    stream->headed = true;
    stream->remote_ended = ends;
    stream->events->head(stream->ctx, head);
}

static void on_head(struct link_session *session, const nghttp2_frame *frame) {
    struct headers none = {.count = 0};
    struct stream_head head = head_view(&session->head);
    bool ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    struct link_stream *stream = stream_of(session, frame->hd.stream_id);
    if (session->role != LINK_OPENS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        on_first_request(session, frame->hd.stream_id, !ends);
    else if (!stream || stream->dead)
        ;
    else if (head.status >= 100 && head.status < 200)
        on_informational(session, stream, head.status);
    else if (head.status)
        on_answer(stream, &head, ends);
    if (ends && stream) stream_ended(stream, head.status ? &none : head.headers);
    head_clear(&session->head);
    if (session->live_count == 0)
        head_done(&session->head); /* the control stream's: a link may long be idle */
}

/* ---- the other frames ---- */

static void on_reset(struct link_session *session, int32_t id, uint32_t code) {
    struct link_stream *stream = stream_of(session, id);
    bool fair = code == NGHTTP2_NO_ERROR && (!stream || stream->remote_ended); /* RFC 9113 8.1 */
    if (stream) stream->remote_reset = true;
    if (session->role != LINK_ANSWERS && !fair && !bucket_take(session, &session->resets))
        calm_down(session, "too many resets");
}

static void on_goaway(struct link_session *session, const nghttp2_goaway *goaway) {
    struct view reason = view_of(goaway->opaque_data, goaway->opaque_data_len);
    if (goaway->error_code != NGHTTP2_NO_ERROR) {
        if (reason.len == 0) reason = view_from_cstr(nghttp2_http2_strerror(goaway->error_code));
        session_failed(session, STATUS_GONE, "the other side ended the link: ", reason);
    } else if (!session->peer_draining) {
        session->peer_draining = true;
        if (session->events.draining) session->events.draining(session->events.ctx);
    }
}

/* nghttp2 lets pass those that nobody asked for, too. */
static void on_pong(struct link_session *session) {
    bool was_asked = session->pinging;
    session->pinging = false;
    if (was_asked && session->events.pong) session->events.pong(session->events.ctx);
}

static int on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *user) {
    struct link_session *session = user;
    struct headers none = {.count = 0};
    struct link_stream *stream;
    switch (frame->hd.type) {
    case NGHTTP2_DATA:
        if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) break;
        stream = nghttp2_session_get_stream_user_data(h2, frame->hd.stream_id);
        if (stream) stream_ended(stream, &none);
        break;
    case NGHTTP2_HEADERS: on_head(session, frame); break;
    case NGHTTP2_RST_STREAM: on_reset(session, frame->hd.stream_id, frame->rst_stream.error_code); break;
    case NGHTTP2_GOAWAY: on_goaway(session, &frame->goaway); break;
    case NGHTTP2_PING:
        if (frame->hd.flags & NGHTTP2_FLAG_ACK) on_pong(session);
        break;
    default: break;
    }
    return result(session);
}

static int on_data(nghttp2_session *h2, uint8_t flags, int32_t id, const uint8_t *bytes, size_t len,
                   void *user) {
    struct link_session *session = user;
    (void)flags;
    struct link_stream *stream = stream_of(session, id);
    if (!session->limits.connection_bytes) nghttp2_session_consume_connection(h2, len);
    if (!stream || !window_take(stream, len)) { /* nghttp2 has seen it, too, and resets the stream */
        window_free(session, len);
        return 0;
    }
    if (stream->dead)
        window_consumed(stream, len);
    else
        stream->events->data(stream->ctx, view_of(bytes, len));
    return result(session);
}

static int on_close(nghttp2_session *h2, int32_t id, uint32_t code, void *user) {
    struct link_session *session = user;
    struct link_stream *stream = nghttp2_session_get_stream_user_data(h2, id);
    allow_late(session, stream);
    note_gone(session, id, !stream || (!stream->remote_ended && !stream->remote_reset));
    if (stream == &session->control) {
        stream->closed = true;
        stream->events->lost(stream->ctx, STREAM_LOST);
    } else if (stream) {
        stream_closed(stream, code);
    }
    return 0;
}

void receive_callbacks(nghttp2_session_callbacks *callbacks) {
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
}

static void parse(struct link_session *session, struct view bytes) {
    ssize_t rv = nghttp2_session_mem_recv(session->h2, (const uint8_t *)bytes.ptr, bytes.len);
    if (rv == NGHTTP2_ERR_NOMEM)
        session_fail(session, STATUS_NO_MEMORY, NGHTTP2_INTERNAL_ERROR, "out of memory");
    else if (rv == NGHTTP2_ERR_FLOODED)
        calm_down(session, nghttp2_strerror((int)rv));
    else if (rv < 0)
        session_fail(session, STATUS_INVALID, NGHTTP2_PROTOCOL_ERROR, nghttp2_strerror((int)rv));
    size_t queued = nghttp2_session_get_outbound_queue_size(session->h2);
    if (queued > QUEUE_SLACK + 2 * (size_t)session->limits.streams_max)
        calm_down(session, "the other side does not read");
}

/* What comes of a visitor is taken frame by frame, so that each is judged by what the streams are then. */
static void take_by_frames(struct link_session *session, struct view bytes) {
    const struct frame_walk *walk = &session->walk;
    while (bytes.len && !session->failed) {
        bool is_payload = walk->left;
        struct view part =
            view_slice(bytes, 0, is_payload ? walk->left : sizeof(walk->head) - walk->head_len);
        if (is_payload) check_priority(session, part);
        walk_frames(session, part);
        if (!session->failed) parse(session, part);
        bytes = view_skip(bytes, part.len);
    }
}

enum status link_receive(struct link_session *session, struct view bytes) {
    assert(!session->busy);
    if (session->failed) return session->failed;
    session->busy = true;
    if (session->gone)
        take_by_frames(session, bytes);
    else
        walk_frames(session, bytes);
    if (!session->gone && bytes.len && !session->failed) parse(session, bytes);
    session->busy = false;
    session_wake(session);
    return session->failed;
}
