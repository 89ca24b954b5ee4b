/* libFuzzer target: a visitor's connection that speaks HTTP/2. Its bytes come in pieces; what comes out of
 * the session as a request is put into the words of HTTP/1.1, and what the gate then lets pass is one
 * request, all of whose bytes may stand in a head. */
#include "fuzz.h"
#include "http/gate.h"
#include "link/link.h"
#include "public/h2_visit.h"

static struct link_budget budget = {.max_bytes = (size_t)32 * 1024 * 1024};

static void on_data(void *ctx, struct view data) {
    struct link_stream **stream = ctx;
    if (*stream) link_stream_consumed(*stream, data.len);
}

static void on_end(void *ctx, const struct headers *trailers) {
    (void)ctx, (void)trailers;
}

static void on_done(void *ctx) {
    *(struct link_stream **)ctx = NULL;
}

static void on_lost(void *ctx, enum stream_end why) {
    (void)why;
    on_done(ctx);
}

static const struct stream_events stream_events = {
    .data = on_data, .end = on_end, .done = on_done, .lost = on_lost};

static bool is_printable(struct view text) {
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] <= ' ' || text.ptr[i] == 0x7f) return false;
    return true;
}

static void require_sound(const struct forward_event *event, const struct http_limits *limits,
                          struct arena *arena) {
    struct gate_verdict verdict;
    const struct gate_request request = {.method = event->method,
                                         .raw_target = event->target,
                                         .version = event->version,
                                         .headers = event->headers};
    if (gate_check_request(&request, limits, arena, &verdict) != HTTP_ERROR_NONE) return;
    require(is_printable(event->method) && is_printable(event->target));
    require(gate_check_fields(event->headers) && headers_count(event->headers, VIEW("host")) == 1);
}

/* One stream at a time is held; the others are refused. */
static struct link_stream *held;

static void on_request(void *ctx, struct link_stream *stream, const struct stream_head *head, bool has_body) {
    const struct http_limits limits = HTTP_LIMITS_DEFAULT;
    struct forward_event event;
    struct headers headers;
    struct arena arena;
    (void)ctx;
    arena_init(&arena, (size_t)1024 * 1024);
    enum http_error error = h2_request_read(head, has_body, &arena, &event, &headers);
    if (error == HTTP_ERROR_NONE) require_sound(&event, &limits, &arena);
    if (!held) {
        held = stream;
        link_stream_attach(stream, &stream_events, &held);
        const struct stream_head answer = {.status = 200, .headers = &(struct headers){.count = 0}};
        if (link_stream_answer(stream, &answer, true) == STATUS_OK && held) {
            link_stream_write(held, VIEW("body"));
            if (held && !has_body) link_stream_end(held, NULL);
        }
    }
    arena_done(&arena);
}

static void on_control(void *ctx, struct view line) {
    (void)ctx, (void)line;
    abort(); /* there is no control stream */
}

static void on_writable(void *ctx) {
    (void)ctx;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct link_limits limits = {.window_bytes = 65536,
                                       .window_max_bytes = 65536,
                                       .connection_bytes = 1 << 20,
                                       .unsent_bytes = 1 << 20,
                                       .streams_max = 20,
                                       .headers_bytes = 65536,
                                       .headers_count = 256,
                                       .message_bytes = 65536,
                                       .resets_per_second = 50,
                                       .noise_per_second = 50};
    const struct link_events events = {.request = on_request, .control = on_control, .writable = on_writable};
    struct link_session *session = link_new(LINK_SERVES, &limits, &budget, &events);
    struct buf out;
    held = NULL;
    require(session);
    link_tick(session, 1);
    buf_init(&out, (size_t)1 << 22);
    enum status status = link_receive(session, VIEW("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"));
    while (status == STATUS_OK && size) {
        size_t len = 1 + data[0] % 200;
        data++, size--;
        if (len > size) len = size;
        char *piece = exact_copy(view_of(data, len));
        status = link_receive(session, view_of(piece, len));
        free(piece);
        data += len, size -= len;
        if (status == STATUS_OK) status = link_send(session, &out);
        buf_clear(&out);
    }
    link_free(session);
    require(budget.streams == 0 && budget.held_bytes == 0 && budget.granted_bytes == 0);
    buf_done(&out);
    return 0;
}
