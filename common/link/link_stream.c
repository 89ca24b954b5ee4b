/* Streams, as their owners see them. nghttp2 keeps a stream until both ends have left or one has reset it;
 * ours lives longer where its reader still drains, and is let go of earlier where its owner resets it. */
#include "link/link_state.h"

/* ---- birth and death ---- */

void stream_init(struct link_stream *stream, struct link_session *session) {
    *stream = (struct link_stream){.session = session, .window = session->limits.window_bytes};
    stream->turned_ms = session->now_ms;
    list_init(&stream->node);
    list_init(&stream->sent_node);
    list_init(&stream->other_node);
}

struct link_stream *stream_new(struct link_session *session) {
    struct link_stream *stream = spares_take(&session->spare_streams);
    if (!stream) return NULL;
    stream_init(stream, session);
    list_append(&session->streams, &stream->node);
    session->live_count++;
    session->budget->streams++;
    session->active_ms = session->now_ms;
    return stream;
}

void stream_free(struct link_stream *stream) {
    struct link_session *session = stream->session;
    session->budget->streams--;
    list_remove(&stream->node);
    list_remove(&stream->sent_node);
    list_remove(&stream->other_node);
    trailers_free(stream->trailers);
    spares_give(&session->spare_streams, stream);
}

static void drop_queue(struct link_stream *stream) {
    stream->session->budget->held_bytes -= stream->out.bytes;
    queue_clear(stream->session, &stream->out);
}

static void own(struct link_stream *stream, const struct stream_events *events, void *ctx) {
    if (!stream->events) stream->session->owned_count++;
    stream->events = events;
    stream->ctx = ctx;
}

/* The owner has no part in it any more. */
static void let_go(struct link_stream *stream) {
    if (stream->events) stream->session->owned_count--;
    stream->dead = true;
    stream->sent = 0;
    list_remove(&stream->sent_node);
    if (stream->closed) list_remove(&stream->other_node);
    stream->session->budget->held_bytes -= stream->held;
    window_free(stream->session, stream->held);
    stream->held = 0;
}

bool stream_is_complete(const struct link_stream *stream) {
    return stream->session->role == LINK_OPENS ? stream->remote_ended : stream->local_left;
}

void stream_finish(struct link_stream *stream) {
    stream->firing = true;
    send_report(stream);
    if (!stream->dead) {
        let_go(stream);
        if (stream->events->done) stream->events->done(stream->ctx);
    }
    stream->firing = false;
    stream_free(stream);
}

void stream_lose(struct link_stream *stream, enum stream_end why) {
    let_go(stream);
    if (stream->events) stream->events->lost(stream->ctx, why);
}

static enum stream_end why_lost(const struct link_stream *stream, uint32_t code) {
    bool untouched = stream->session->role == LINK_OPENS && !stream->headed && code == NGHTTP2_REFUSED_STREAM;
    if (untouched) return STREAM_UNPROCESSED;
    return stream->remote_reset ? STREAM_RESET : STREAM_BROKEN;
}

void stream_closed(struct link_stream *stream, uint32_t code) {
    stream->closed = true;
    stream->session->live_count--;
    list_remove(&stream->other_node);
    drop_queue(stream);
    window_close(stream);
    if (stream->dead) {
        stream_free(stream);
    } else if (!stream_is_complete(stream)) {
        stream_lose(stream, why_lost(stream, code));
        stream_free(stream);
    } else if (stream->held == 0) {
        stream_finish(stream);
    }
}

void stream_abandon(struct link_stream *stream) {
    bool complete = stream_is_complete(stream);
    if (!stream->dead && !complete) stream_lose(stream, stream->session->loss);
    drop_queue(stream);
    window_close(stream);
    stream_finish(stream);
}

void stream_ended(struct link_stream *stream, const struct headers *trailers) {
    stream->remote_ended = true;
    window_close(stream);
    if (!stream->dead) stream->events->end(stream->ctx, trailers);
}

/* ---- opening side ---- */

static enum status may_open(const struct link_session *session) {
    uint32_t admitted =
        nghttp2_session_get_remote_settings(session->h2, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    uint32_t limit = session->limits.streams_max;
    if (admitted <= limit) limit = admitted ? admitted - 1 : 0; /* one is the control stream */
    if (session->failed) return STATUS_GONE;
    if (session->role != LINK_OPENS || session->draining || session->peer_draining) return STATUS_UNAVAILABLE;
    return session->live_count < limit ? STATUS_OK : STATUS_OVERLOADED;
}

/* Of 64 heads one tells names, long before they have gone from a table of TABLE_BYTES. */
#define TELLS_NAMES 64

static void begin_head(struct link_session *session, struct outbound_head *out) {
    outbound_init(out);
    out->tells_names = session->heads++ % TELLS_NAMES == 0;
}

static enum status submit_request(struct link_stream *stream, const struct stream_head *head) {
    struct outbound_head out UNSET;
    nghttp2_data_provider provider = send_provider(stream);
    begin_head(stream->session, &out);
    enum status status = outbound_request(&out, head);
    if (status == STATUS_OK) {
        stream->id = nghttp2_submit_request(stream->session->h2, NULL, out.fields, out.count,
                                            stream->local_ended ? NULL : &provider, stream);
        if (stream->id == NGHTTP2_ERR_STREAM_ID_NOT_AVAILABLE)
            status = STATUS_GONE;
        else if (stream->id < 0)
            status = STATUS_NO_MEMORY;
    }
    outbound_done(&out);
    return status;
}

struct link_stream *link_open(struct link_session *session, const struct stream_head *head, bool body_follows,
                              const struct stream_events *events, void *ctx, enum status *ret_status) {
    *ret_status = may_open(session);
    if (*ret_status != STATUS_OK) return NULL;
    struct link_stream *stream = stream_new(session);
    *ret_status = STATUS_NO_MEMORY;
    if (!stream) return NULL;
    stream->local_ended = !body_follows;
    *ret_status = submit_request(stream, head);
    if (*ret_status != STATUS_OK) {
        session->live_count--;
        stream_free(stream);
        return NULL;
    }
    own(stream, events, ctx);
    session_wake(session);
    return stream;
}

/* ---- answering side ---- */

enum status link_stream_informational(struct link_stream *stream, int status) {
    struct link_session *session = stream->session;
    struct outbound_head out UNSET;
    if (session->failed || stream->closed) return STATUS_GONE;
    if (stream->headed || status < 100 || status > 199) return STATUS_INVALID;
    outbound_init(&out);
    enum status result = outbound_status(&out, status);
    if (result == STATUS_OK && nghttp2_submit_headers(session->h2, NGHTTP2_FLAG_NONE, stream->id, NULL,
                                                      out.fields, out.count, NULL) != 0)
        result = STATUS_NO_MEMORY;
    outbound_done(&out);
    session_wake(session);
    return result;
}

enum status link_stream_answer(struct link_stream *stream, const struct stream_head *head,
                               bool body_follows) {
    struct link_session *session = stream->session;
    struct outbound_head out UNSET;
    nghttp2_data_provider provider = send_provider(stream);
    if (session->failed || stream->closed) return STATUS_GONE;
    if (stream->headed) return STATUS_INVALID;
    begin_head(session, &out);
    enum status status = outbound_answer(&out, head);
    if (status == STATUS_OK && nghttp2_submit_response(session->h2, stream->id, out.fields, out.count,
                                                       body_follows ? &provider : NULL) != 0)
        status = STATUS_NO_MEMORY;
    outbound_done(&out);
    if (status != STATUS_OK) return status;
    stream->headed = true;
    if (head->status > 299) stream->tunnel = false;
    stream->local_ended = !body_follows;
    session_wake(session);
    return STATUS_OK;
}

void link_stream_switched(struct link_stream *stream) {
    if (!stream->headed) stream->tunnel = true;
}

/* ---- both ---- */

void link_stream_attach(struct link_stream *stream, const struct stream_events *events, void *ctx) {
    if (stream->dead) return;
    if (events) {
        own(stream, events, ctx);
        return;
    }
    window_consumed(stream, stream->held);
    let_go(stream);
    if (stream->closed && !stream->firing) stream_free(stream);
}

void stream_resume(struct link_stream *stream) {
    struct link_session *session = stream->session;
    if (stream->idle) {
        stream->idle = false;
        nghttp2_session_resume_data(session->h2, stream->id);
    }
    session_wake(session);
}

/* What it was given cannot be sent, and a body that lacks bytes must not look whole. */
static enum status give_up(struct link_stream *stream, enum status status) {
    struct link_session *session = stream->session;
    drop_queue(stream);
    stream->local_ended = true;
    nghttp2_submit_rst_stream(session->h2, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_INTERNAL_ERROR);
    session_wake(session);
    return status;
}

enum status link_stream_write(struct link_stream *stream, struct view data) {
    struct link_session *session = stream->session;
    if (session->failed || stream->closed || stream->local_ended) return STATUS_GONE;
    if (data.len == 0) return STATUS_OK;
    size_t most = stream == &session->control ? CONTROL_QUEUE_MAX : session->limits.unsent_bytes;
    if (data.len > most - stream->out.bytes) return give_up(stream, STATUS_OVERLOADED);
    if (!queue_append(session, &stream->out, data)) return give_up(stream, STATUS_NO_MEMORY);
    session->budget->held_bytes += data.len;
    stream_resume(stream);
    return STATUS_OK;
}

enum status link_stream_end(struct link_stream *stream, const struct headers *trailers) {
    struct link_session *session = stream->session;
    if (session->failed || stream->closed || stream->local_ended) return STATUS_GONE;
    if (trailers && trailers->count) {
        stream->trailers = trailers_new(trailers);
        if (!stream->trailers) return give_up(stream, STATUS_NO_MEMORY);
    }
    stream->local_ended = true;
    stream_resume(stream);
    return STATUS_OK;
}

void link_stream_consumed(struct link_stream *stream, size_t bytes) {
    struct link_session *session = stream->session;
    if (stream->dead) return;
    window_consumed(stream, bytes);
    if (!stream->closed || stream->held || !list_empty(&stream->other_node)) return;
    list_append(&session->finished, &stream->other_node);
    session_wake(session);
}

/* Both directions: nghttp2 closes it when it returns from the callback that told so, and frees it with that.
 * A reset would be a message of its own, which the other side is woken for and passes over. */
static bool has_ended(const struct link_stream *stream) {
    return stream->remote_ended && stream->local_left;
}

void link_stream_reset(struct link_stream *stream, bool refused) {
    struct link_session *session = stream->session;
    if (stream->dead) return;
    let_go(stream);
    drop_queue(stream);
    list_remove(&stream->other_node);
    if (stream->closed) {
        if (!stream->firing) stream_free(stream);
        return;
    }
    if (has_ended(stream)) return;
    uint32_t code = refused ? NGHTTP2_REFUSED_STREAM : NGHTTP2_CANCEL;
    int rv = nghttp2_submit_rst_stream(session->h2, NGHTTP2_FLAG_NONE, stream->id, code);
    if (rv != 0) session_fail(session, STATUS_NO_MEMORY, NGHTTP2_INTERNAL_ERROR, nghttp2_strerror(rv));
    session_wake(session);
}
