/* The control stream: id 1, lines of JSON both ways, open as long as the link. It is a stream like the
 * others, except that the session owns it and that its end is the link's. */
#include "link/link_state.h"

static void on_line(struct link_session *session, struct view line) {
    if (!bucket_take(session, &session->noise))
        session_fail(session, STATUS_OVERLOADED, NGHTTP2_ENHANCE_YOUR_CALM, "too many control lines");
    if (line.len && !session->failed) session->events.control(session->events.ctx, line);
}

/* The first line may have begun in earlier bytes. */
static void on_first_line(struct link_session *session, struct view piece) {
    struct buf *begun = &session->control_line;
    if (begun->len == 0) {
        on_line(session, piece);
    } else if (buf_append_view(begun, piece)) {
        on_line(session, buf_view(begun));
    }
    if (begun->failed)
        session_fail(session, STATUS_INVALID, NGHTTP2_ENHANCE_YOUR_CALM, "control line too long");
    buf_done(begun);
}

static void on_control_data(void *ctx, struct view data) {
    struct link_session *session = ctx;
    size_t at, len = data.len;
    while (!session->failed && (at = view_find(data, '\n')) < data.len) {
        if (at > CONTROL_LINE_MAX)
            session_fail(session, STATUS_INVALID, NGHTTP2_ENHANCE_YOUR_CALM, "control line too long");
        else
            on_first_line(session, view_slice(data, 0, at));
        data = view_skip(data, at + 1);
    }
    if (!session->failed && data.len && !buf_append_view(&session->control_line, data))
        session_fail(session, STATUS_INVALID, NGHTTP2_ENHANCE_YOUR_CALM, "control line too long");
    window_consumed(&session->control, len);
}

static void on_control_head(void *ctx, const struct stream_head *head) {
    if (head->status != 200)
        session_fail(ctx, STATUS_INVALID, NGHTTP2_PROTOCOL_ERROR, "control stream refused");
}

static void on_control_end(void *ctx, const struct headers *trailers) {
    (void)trailers;
    session_fail(ctx, STATUS_GONE, NGHTTP2_NO_ERROR, "control stream ended");
}

static void on_control_lost(void *ctx, enum stream_end why) {
    (void)why;
    session_fail(ctx, STATUS_GONE, NGHTTP2_NO_ERROR, "control stream lost");
}

static const struct stream_events control_events = {
    .head = on_control_head, .data = on_control_data, .end = on_control_end, .lost = on_control_lost};

void control_init(struct link_session *session) {
    struct link_stream *control = &session->control;
    stream_init(control, session);
    control->events = &control_events;
    control->ctx = session;
    control->id = CONTROL_ID;
    buf_init(&session->control_line, CONTROL_LINE_MAX);
}

bool control_open(struct link_session *session) {
    struct headers none = {.count = 0};
    struct stream_head head = {.method = VIEW("POST"),
                               .scheme = VIEW("http"),
                               .authority = VIEW("control"),
                               .path = VIEW(CONTROL_PATH),
                               .headers = &none};
    struct outbound_head out UNSET;
    nghttp2_data_provider provider = send_provider(&session->control);
    outbound_init(&out);
    int32_t id = -1;
    if (outbound_request(&out, &head) == STATUS_OK)
        id = nghttp2_submit_request(session->h2, NULL, out.fields, out.count, &provider, &session->control);
    outbound_done(&out);
    return id == CONTROL_ID;
}

void control_accept(struct link_session *session, bool has_body) {
    struct headers none = {.count = 0};
    struct stream_head head = {.status = 200, .headers = &none};
    if (!has_body || !view_eq(session->head.method, VIEW("POST")) ||
        !view_eq(session->head.path, VIEW(CONTROL_PATH))) {
        session_fail(session, STATUS_INVALID, NGHTTP2_PROTOCOL_ERROR, "no control stream");
        return;
    }
    nghttp2_session_set_stream_user_data(session->h2, CONTROL_ID, &session->control);
    if (link_stream_answer(&session->control, &head, true) != STATUS_OK)
        session_fail(session, STATUS_NO_MEMORY, NGHTTP2_INTERNAL_ERROR, "out of memory");
}

void control_done(struct link_session *session) {
    session->budget->held_bytes -= session->control.out.bytes + session->control.held;
    queue_clear(session, &session->control.out);
    buf_done(&session->control_line);
}

enum status link_control(struct link_session *session, struct view line) {
    struct queue *out = &session->control.out;
    if (session->failed) return STATUS_GONE;
    if (view_find(line, '\n') < line.len) return STATUS_INVALID;
    if (line.len > CONTROL_LINE_MAX) return STATUS_TOO_LARGE;
    if (out->bytes + line.len >= CONTROL_QUEUE_MAX) return STATUS_OVERLOADED;
    enum status status = link_stream_write(&session->control, line);
    return status == STATUS_OK ? link_stream_write(&session->control, VIEW("\n")) : status;
}
