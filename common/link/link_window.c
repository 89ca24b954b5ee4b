/* The window of a stream: what the other side may have sent and our reader not yet drained. At all times
 *     held + credit + what the other side may still send = window,
 * and giving credit back is a WINDOW_UPDATE. Bytes come back in quarters of a window.
 *
 * A reader that has drained everything, and half a window of it within WINDOW_TURN_MS, could take more: the
 * window doubles, if the budget allows. One that needs longer and still holds half a window lags: it gets no
 * credit until what the window had grown by is back in the budget. */
#include "link/link_state.h"

static void give_credit(struct link_stream *stream) {
    struct link_session *session = stream->session;
    int rv =
        nghttp2_submit_window_update(session->h2, NGHTTP2_FLAG_NONE, stream->id, (int32_t)stream->credit);
    stream->credit = 0;
    if (rv != 0) session_fail(session, STATUS_NO_MEMORY, NGHTTP2_INTERNAL_ERROR, nghttp2_strerror(rv));
    session_wake(session);
}

static void start_turn(struct link_stream *stream) {
    stream->turned = 0;
    stream->turned_ms = stream->session->now_ms;
}

static bool turn_is_long(const struct link_stream *stream) {
    return stream->session->now_ms - stream->turned_ms > WINDOW_TURN_MS;
}

static void grow(struct link_stream *stream) {
    const struct link_limits *limits = &stream->session->limits;
    struct link_budget *budget = stream->session->budget;
    uint32_t room = limits->window_max_bytes - stream->window;
    uint32_t more = stream->window < room ? stream->window : room;
    if (more == 0 || stream == &stream->session->control) return;
    if (budget->granted_bytes + more > budget->max_bytes / 4) return;
    if (budget->held_bytes + budget->granted_bytes + more > budget->max_bytes / 2) return;
    budget->granted_bytes += more;
    stream->window += more;
    stream->credit += more;
}

static void shrink(struct link_stream *stream) {
    uint32_t grown = stream->window - stream->session->limits.window_bytes;
    uint32_t less = grown < stream->credit ? grown : stream->credit;
    stream->session->budget->granted_bytes -= less;
    stream->window -= less;
    stream->credit -= less;
}

static void adapt(struct link_stream *stream) {
    bool drained = stream->held == 0;
    if (drained && !turn_is_long(stream) && stream->turned >= stream->window / 2) {
        grow(stream);
        start_turn(stream);
    } else if (drained && turn_is_long(stream)) {
        start_turn(stream);
    } else if (stream->credit >= stream->window / 4 && turn_is_long(stream)) {
        if (stream->held > stream->window / 2) shrink(stream);
        start_turn(stream);
    }
}

bool window_take(struct link_stream *stream, size_t len) {
    size_t window = stream->window > WINDOW_FIRST ? stream->window : WINDOW_FIRST;
    if (stream->held + stream->credit + len > window) return false;
    stream->held += len;
    stream->session->budget->held_bytes += len;
    return true;
}

void window_free(struct link_session *session, size_t len) {
    if (!session->limits.connection_bytes || !len) return;
    nghttp2_session_consume_connection(session->h2, len);
    session_wake(session);
}

void window_consumed(struct link_stream *stream, size_t len) {
    if (len > stream->held) len = stream->held;
    stream->held -= len;
    stream->session->budget->held_bytes -= len;
    window_free(stream->session, len);
    if (stream->remote_ended || stream->closed) return;
    stream->credit += (uint32_t)len;
    stream->turned += (uint32_t)len;
    adapt(stream);
    if (stream->credit > 0 && stream->credit >= stream->window / 4) give_credit(stream);
}

void window_close(struct link_stream *stream) {
    uint32_t initial = stream->session->limits.window_bytes;
    stream->session->budget->granted_bytes -= stream->window - initial;
    stream->window = initial;
}
