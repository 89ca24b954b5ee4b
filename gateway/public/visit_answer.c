/* See visit.h. What the core hands to the sink is gathered until the end of the turn. An answer that is whole
 * by then goes out with one system call and a length; one that is not is streamed from a bounded buffer.
 *
 * What goes out next is a lead (the head, a chunk's size), a piece of the body, and a tail (the chunk's end,
 * the last chunk); only the piece counts toward the core as drained. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "http/error_page.h"
#include "http/gate.h"
#include "http/names.h"
#include "http/reason.h"
#include "public/visit.h"

static struct visit *visit_of(void *ctx) {
    struct visit *visit = ctx;
    if (visit->magic != VISIT_MAGIC) abort();
    return visit;
}

/* ---- the head ---- */

static void add_field(struct buf *to, struct view name, struct view value) {
    char *at = buf_reserve(to, name.len + value.len + 4);
    if (!at) return; /* `failed` tells */
    http_put_name(at, name);
    at += name.len;
    *at++ = ':';
    *at++ = ' ';
    if (value.len) memcpy(at, value.ptr, value.len);
    at += value.len;
    *at++ = '\r';
    *at++ = '\n';
    buf_commit(to, name.len + value.len + 4);
}

static void add_fields(struct buf *to, const struct headers *headers) {
    for (size_t i = 0; i < headers->count; i++)
        add_field(to, headers->fields[i].name, headers->fields[i].value);
}

/* IMF-fixdate (RFC 9110 5.6.7), made once a second. */
struct view visitors_date(struct visitors *side) {
    time_t now = time(NULL);
    if (now != side->date_s) {
        struct tm fields;
        side->date_s = now;
        gmtime_r(&now, &fields);
        strftime(side->date, sizeof(side->date), "%a, %d %b %Y %H:%M:%S GMT", &fields);
    }
    return view_from_cstr(side->date);
}

static void begin_head(struct visit *visit, const struct answer_head *head) {
    struct buf *lead = &visit->lead;
    buf_reserve(lead, head->headers->bytes + 256);
    buf_append_view(lead, VIEW("HTTP/1.1 "));
    buf_append_number(lead, (uint64_t)head->status);
    buf_append_byte(lead, ' ');
    buf_append_view(lead, http_reason(head->status));
    buf_append_view(lead, VIEW("\r\n"));
    if (!headers_get(head->headers, VIEW("date")).ptr)
        add_field(lead, VIEW("Date"), visitors_date(visit->side));
    if (head->upgrade.ptr) visit_upgrade_fields(visit, head->upgrade);
    add_fields(lead, head->headers);
}

static void choose_framing(struct visit *visit) {
    bool is_known = visit->content_length != LENGTH_UNKNOWN;
    bool is_whole = !visit->exchange && visit->trailers.count == 0;
    if (visit->framing != FRAMED_LATER) return;
    if (!is_known && !is_whole) {
        visit->framing = visit->is_old ? FRAMED_BY_CLOSE : FRAMED_BY_CHUNKS;
        return;
    }
    visit->framing = FRAMED_BY_LENGTH;
    if (!is_known) visit->content_length = visit->out.len;
}

/* HEAD and 304 say what the length of the body would be, if it is known; 1xx and 204 never (RFC 9110 8.6). */
static void add_framing(struct visit *visit) {
    struct buf *lead = &visit->lead;
    bool would_have_one = view_eq(visit->access.method, VIEW("HEAD")) || visit->access.status == 304;
    uint64_t length = visit->content_length;
    if (visit->framing == FRAMED_BY_CHUNKS) add_field(lead, VIEW("Transfer-Encoding"), VIEW("chunked"));
    if (visit->framing == FRAMED_EMPTY && (visit->access.status == 204 || visit->access.status < 200))
        length = LENGTH_UNKNOWN;
    else if (visit->framing == FRAMED_EMPTY && !would_have_one)
        length = 0;
    bool has_length = visit->framing == FRAMED_BY_LENGTH || visit->framing == FRAMED_EMPTY;
    if (!has_length || length == LENGTH_UNKNOWN) return;
    buf_append_view(lead, VIEW("Content-Length: "));
    buf_append_number(lead, length);
    buf_append_view(lead, VIEW("\r\n"));
}

static void add_connection(struct visit *visit) {
    bool is_left = visit->side->pass && visit->conn.is_ours;
    visit->must_close = visit->must_close || visit->side->draining || is_left ||
                        visit->framing == FRAMED_BY_CLOSE || !request_reader_is_at_end(&visit->reader);
    if (visit->must_close)
        add_field(&visit->lead, VIEW("Connection"), VIEW("close"));
    else if (visit->is_old)
        add_field(&visit->lead, VIEW("Connection"), VIEW("keep-alive"));
}

/* At the end of the turn that brought the head: how much of the body there is decides the framing. */
static void end_head(struct visit *visit) {
    visit->answer = VISIT_ANSWER_BODY;
    choose_framing(visit);
    if (visit->framing == FRAMED_SWITCHED) {
        visit->phase = VISIT_UPGRADED;
    } else {
        add_connection(visit);
        add_framing(visit);
    }
    buf_append_view(&visit->lead, VIEW("\r\n"));
}

/* ---- the core's sink ---- */

static enum visit_framing framing_of(const struct visit *visit, const struct answer_head *head) {
    if (head->upgrade.ptr) return FRAMED_SWITCHED;
    bool has_body = head->has_body && http_answer_has_body(visit->access.method, head->status);
    return has_body ? FRAMED_LATER : FRAMED_EMPTY;
}

static void on_head(void *ctx, const struct answer_head *head) {
    struct visit *visit = visit_of(ctx);
    headers_init(&visit->trailers, &visit->arena);
    visit->answer = VISIT_ANSWER_HEAD;
    visit->content_length = head->content_length;
    visit->framing = framing_of(visit, head);
    visit->must_close = visit->must_close || head->close;
    visit->may_idle = head->may_idle;
    access_head(&visit->access, visit->exchange, head, &visit->arena, loop_now(visit->side->loop));
    begin_head(visit, head);
    visit_wake(visit);
}

static void on_data(void *ctx, struct view data) {
    struct visit *visit = visit_of(ctx);
    buf_append_view(&visit->out, data); /* `failed` tells */
    visit_wake(visit);
}

static void on_end(void *ctx, const struct headers *trailers) {
    struct visit *visit = visit_of(ctx);
    if (trailers && trailers->count && !headers_copy(&visit->trailers, trailers)) visit->is_broken = true;
    visit->exchange = NULL;
    visit_wake(visit);
}

static void on_abort(void *ctx) {
    struct visit *visit = visit_of(ctx);
    visit->exchange = NULL;
    visit->is_broken = true;
    visit_wake(visit);
}

struct answer_sink visit_sink(struct visit *visit) {
    return (struct answer_sink){
        .ctx = visit, .head = on_head, .data = on_data, .end = on_end, .abort = on_abort};
}

void visit_answer_error(struct visit *visit, enum http_error error) {
    struct headers headers;
    struct view body = error_page(error, false, &visit->arena, &headers);
    struct answer_head head = {.status = http_error_status(error),
                               .headers = &headers,
                               .content_length = body.len,
                               .has_body = true,
                               .close = true,
                               .error = error};
    on_head(visit, &head);
    on_data(visit, body); /* and that is all: there is no exchange */
}

/* ---- to the socket ---- */

/* Is there more, or less, than the head said? */
static bool contradicts_length(const struct visit *visit) {
    if (visit->framing != FRAMED_BY_LENGTH) return false;
    uint64_t total = visit->access.bytes_out + visit->out.len;
    return total > visit->content_length || (!visit->exchange && total < visit->content_length);
}

static void end_body(struct visit *visit) {
    visit->answer = VISIT_ANSWER_LAST;
    if (visit->framing != FRAMED_BY_CHUNKS) return;
    buf_append_view(&visit->tail, VIEW("0\r\n"));
    add_fields(&visit->tail, &visit->trailers);
    buf_append_view(&visit->tail, VIEW("\r\n"));
}

static void next_piece(struct visit *visit) {
    if (visit->framing == FRAMED_EMPTY) buf_done(&visit->out);
    visit->piece_bytes = visit->out.len;
    if (visit->piece_bytes && visit->framing == FRAMED_BY_CHUNKS) {
        buf_printf(&visit->lead, "%zx\r\n", visit->piece_bytes);
        buf_append_view(&visit->tail, VIEW("\r\n"));
    }
    if (!visit->exchange && visit->answer == VISIT_ANSWER_BODY) end_body(visit);
}

static bool has_failed(const struct visit *visit) {
    return visit->is_broken || visit->lead.failed || visit->out.failed || visit->tail.failed;
}

static bool has_output(const struct visit *visit) {
    return visit->lead.len || visit->piece_bytes || visit->tail.len;
}

static ssize_t send_output(struct visit *visit, size_t *ret_total) {
    const struct view parts[3] = {buf_view(&visit->lead),
                                  view_slice(buf_view(&visit->out), 0, visit->piece_bytes),
                                  buf_view(&visit->tail)};
    struct iovec vectors[3];
    size_t count = 0;
    *ret_total = 0;
    for (size_t i = 0; i < 3; i++) {
        if (!parts[i].len) continue;
        vectors[count++] =
            (struct iovec){.iov_base = (void *)(uintptr_t)parts[i].ptr, .iov_len = parts[i].len};
        *ret_total += parts[i].len;
    }
    return conn_send(&visit->conn, vectors, count);
}

static size_t consume(struct buf *buf, size_t most, size_t len) {
    size_t count = len < most ? len : most;
    buf_consume(buf, count);
    return count;
}

static void on_sent(struct visit *visit, size_t len) {
    len -= consume(&visit->lead, visit->lead.len, len);
    size_t body = consume(&visit->out, visit->piece_bytes, len);
    consume(&visit->tail, visit->tail.len, len - body);
    visit->piece_bytes -= body;
    if (visit->answer) access_passed(&visit->access, body); /* not of a 100 alone */
    visit->moved = true;
    turns_spend(&visit->side->turns, visit->share, TURN_OUT, body);
    if (body && visit->exchange) exchange_drained(visit->exchange, body);
}

static bool write_output(struct visit *visit) {
    while (!visit->is_blocked) {
        size_t total;
        if (visit->answer >= VISIT_ANSWER_BODY && !visit->piece_bytes && !visit->tail.len) next_piece(visit);
        if (has_failed(visit)) return false;
        if (!has_output(visit)) return true;
        ssize_t len = send_output(visit, &total);
        if (len < 0 && errno != EAGAIN) return false; /* never EINTR: it does not wait */
        if (len > 0) on_sent(visit, (size_t)len);
        visit->is_blocked = len < (ssize_t)total;
    }
    return true;
}

bool visit_flush(struct visit *visit) {
    if (visit->body == VISIT_BODY_EXPECTS && visit->credit && !visit->answer) {
        visit->body = VISIT_BODY_FLOWS;
        buf_append_view(&visit->lead, VIEW("HTTP/1.1 100 Continue\r\n\r\n"));
    }
    if (has_failed(visit)) return false;
    if (visit->answer == VISIT_ANSWER_HEAD) end_head(visit);
    if (visit->answer && contradicts_length(visit)) return false;
    return write_output(visit);
}

bool visit_is_answered(const struct visit *visit) {
    return visit->answer == VISIT_ANSWER_LAST && !visit->out.len && !has_output(visit);
}
