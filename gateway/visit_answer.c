/* See visit.h. What the core hands to the sink is gathered until the end of the turn. An answer that is whole
 * by then goes out as one buffer; one that is not is streamed, MHD drawing from a bounded buffer. */
#include "tcp.h"
#include "visit_upgrade.h"

#include "base/log.h"
#include "http/gate.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define BY_HAND_MAX (64 * 1024)

static struct visit *visit_of(void *ctx) {
    struct visit *visit = ctx;
    if (visit->magic != VISIT_MAGIC) abort();
    return visit;
}

/* ---- the core's sink ---- */

/* The exchange is cancelled when MHD drops the request: the core must not lose it within its own call. */
static void give_up(struct visit *visit) {
    visit->is_broken = true;
    visit_wake(visit);
}

static void on_head(void *ctx, const struct answer_head *head) {
    struct visit *visit = visit_of(ctx);
    headers_init(&visit->answer_headers, &visit->arena);
    headers_init(&visit->trailers, &visit->arena);
    if (!headers_copy(&visit->answer_headers, head->headers)) {
        give_up(visit);
        return;
    }
    visit->has_head = true;
    visit->status = head->status;
    visit->content_length = head->content_length;
    visit->has_body = head->has_body;
    visit->must_close = head->close;
    visit->upgrade_token = arena_copy(&visit->arena, head->upgrade);
    if (!head->upgrade.ptr) visit->upgrade_token = (struct view){0};
    visit->error = head->error;
    if (!view_copy_to(exchange_tunnel(visit->exchange), visit->tunnel, sizeof(visit->tunnel)))
        visit->tunnel[0] = '\0';
    visit_wake(visit);
}

static void on_data(void *ctx, struct view data) {
    struct visit *visit = visit_of(ctx);
    if (!buf_append_view(&visit->out, data)) {
        give_up(visit);
        return;
    }
    visit_wake(visit);
}

/* MHD sends them behind the last chunk; an answer that is whole already, or has a length, has no place for
 * any. */
static void add_trailers(struct visit *visit) {
    if (visit->content_length != LENGTH_UNKNOWN || !visit->response) return;
    for (size_t i = 0; i < visit->trailers.count; i++) {
        const struct header *field = &visit->trailers.fields[i]; /* both have a NUL behind them */
        MHD_add_response_footer(visit->response, field->name.ptr, field->value.ptr);
    }
}

static void on_end(void *ctx, const struct headers *trailers) {
    struct visit *visit = visit_of(ctx);
    if (trailers && trailers->count && headers_copy(&visit->trailers, trailers)) add_trailers(visit);
    visit->exchange = NULL;
    visit->is_ended = true;
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

/* ---- to MHD ---- */

static ssize_t read_answer(void *ctx, uint64_t position, char *out, size_t max) {
    (void)position;
    struct visit *visit = visit_of(ctx);
    if (visit->is_broken) {
        tcp_reset(visit->fd);
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    struct view ready = buf_view(&visit->out);
    if (ready.len) {
        size_t len = ready.len < max ? ready.len : max;
        memcpy(out, ready.ptr, len);
        buf_consume(&visit->out, len);
        visit->sent_bytes += len;
        visit->deadline_ms = loop_now(visit->side->loop) + visit->side->settings.body_idle_timeout_ms;
        if (visit->exchange) exchange_drained(visit->exchange, len);
        return (ssize_t)len;
    }
    if (visit->is_ended) {
        bool is_short = visit->content_length != LENGTH_UNKNOWN && visit->sent_bytes < visit->content_length;
        if (!is_short) return MHD_CONTENT_READER_END_OF_STREAM;
        visit->is_broken = true;
        tcp_reset(visit->fd);
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    visit_suspend(visit);
    return 0;
}

static ssize_t read_nothing(void *ctx, uint64_t position, char *out, size_t max) {
    (void)ctx, (void)position, (void)out, (void)max;
    return MHD_CONTENT_READER_END_WITH_ERROR; /* never asked: the answer has a length but no body */
}

static struct MHD_Response *empty_response(void) {
    return MHD_create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);
}

/* A bodyless answer that does not say how long the body would be. */
static struct MHD_Response *lengthless_response(const struct visit *visit) {
#if MHD_VERSION >= 0x01000000
    (void)visit;
    return MHD_create_response_empty(MHD_RF_HEAD_ONLY_RESPONSE);
#else
    /* 0.9 can only say none and close (with chunks it would send the last chunk of a body that is not there).
     * That is right for HEAD, where a made-up length misleads. A 304 is too frequent for it and may say 0:
     * caches must not store that (RFC 9111 3.2). */
    if (visit->status == MHD_HTTP_NOT_MODIFIED) return empty_response();
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 1024, read_nothing, NULL, NULL);
    if (response) MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    return response;
#endif
}

/* HEAD and 304: the length is what the body would have, and none is sent. */
static struct MHD_Response *bodyless_response(const struct visit *visit) {
    bool tells_length = strcmp(visit->method, "HEAD") == 0 || visit->status == MHD_HTTP_NOT_MODIFIED;
    if (!tells_length || visit->content_length == 0 || visit->status == MHD_HTTP_NO_CONTENT)
        return empty_response();
    if (visit->content_length == LENGTH_UNKNOWN) return lengthless_response(visit);
    return MHD_create_response_from_callback(visit->content_length, 1024, read_nothing, NULL, NULL);
}

static struct MHD_Response *whole_response(struct visit *visit) {
    size_t len;
    char *bytes = buf_take(&visit->out, &len);
    visit->sent_bytes = len;
    if (!bytes) return empty_response();
    struct MHD_Response *response = MHD_create_response_from_buffer(len, bytes, MHD_RESPMEM_MUST_FREE);
    if (!response) free(bytes);
    return response;
}

static struct MHD_Response *create_response(struct visit *visit) {
    if (visit->upgrade_token.ptr) return visit_upgrade_response(visit);
    if (!visit->has_body || !http_answer_has_body(view_from_cstr(visit->method), visit->status))
        return bodyless_response(visit);
    bool is_known = visit->content_length != LENGTH_UNKNOWN;
    bool has_trailers = !is_known && visit->trailers.count > 0;
    if (visit->is_ended && !has_trailers && (!is_known || visit->out.len == visit->content_length))
        return whole_response(visit);
    uint64_t length = is_known ? visit->content_length : MHD_SIZE_UNKNOWN;
    return MHD_create_response_from_callback(length, VISIT_BLOCK_BYTES, read_answer, visit, NULL);
}

/* MHD takes no empty value (a blank is the same to every parser) and splits at none but CR and LF; a tab
 * becomes a blank. */
static bool add_header(struct visit *visit, struct MHD_Response *response, const struct header *field) {
    struct view value = field->value.len ? field->value : VIEW(" ");
    struct view name = arena_copy(&visit->arena, field->name), text = arena_copy(&visit->arena, value);
    if (!name.ptr || !text.ptr) return false;
    for (char *tab = (char *)(uintptr_t)text.ptr; (tab = strchr(tab, '\t')); tab++) *tab = ' ';
    if (MHD_add_response_header(response, name.ptr, text.ptr) == MHD_YES) return true;
    log_debug("visitor", "a field of the answer was left out: %.*s", VIEW_ARG(field->name));
    return true;
}

static bool add_headers(struct visit *visit, struct MHD_Response *response) {
    for (size_t i = 0; i < visit->answer_headers.count; i++)
        if (!add_header(visit, response, &visit->answer_headers.fields[i])) return false;
    if (visit->upgrade_token.ptr || (!visit->must_close && !visit->side->draining)) return true;
    return MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close") == MHD_YES;
}

/* Two heads that are both of extreme size; MHD would close without a word. */
static bool fits_pool(const struct visit *visit) {
    size_t request = visit->target.len + visit->headers.bytes + visit->headers.count * 80;
    return request + visit->answer_headers.bytes + 4096 <= VISIT_POOL_BYTES;
}

static void replace_answer(struct visit *visit) {
    struct view text = http_error_text(HTTP_ERROR_BAD_RESPONSE);
    buf_done(&visit->out);
    buf_append_view(&visit->out, text);
    headers_init(&visit->answer_headers, &visit->arena);
    headers_add(&visit->answer_headers, VIEW("x-tunnel-error"), http_error_code(HTTP_ERROR_BAD_RESPONSE));
    visit->status = http_error_status(HTTP_ERROR_BAD_RESPONSE);
    visit->error = HTTP_ERROR_BAD_RESPONSE;
    visit->content_length = text.len;
    visit->is_ended = visit->must_close = true;
    if (visit->exchange) exchange_cancel(visit->exchange);
    visit->exchange = NULL;
}

enum MHD_Result visit_queue(struct visit *visit) {
    if (!fits_pool(visit)) replace_answer(visit);
    struct MHD_Response *response = create_response(visit);
    if (!response) return MHD_NO;
    enum MHD_Result queued = MHD_NO;
    if (add_headers(visit, response)) {
        visit->phase = visit->upgrade_token.ptr ? VISIT_UPGRADED : VISIT_SENDING;
        visit->response = response;
        add_trailers(visit);
        visit->deadline_ms = loop_now(visit->side->loop) + visit->side->settings.body_idle_timeout_ms;
        queued = MHD_queue_response(visit->mhd, (unsigned)visit->status, response);
    }
    MHD_destroy_response(response);
    return queued;
}

/* ---- past MHD ---- */

static bool print_answer(struct visit *visit, struct buf *out) {
    bool has_body = visit->has_body && http_answer_has_body(view_from_cstr(visit->method), visit->status);
    buf_printf(out, "HTTP/1.1 %d %s\r\nConnection: close\r\n", visit->status,
               MHD_get_reason_phrase_for((unsigned)visit->status));
    for (size_t i = 0; i < visit->answer_headers.count; i++) {
        const struct header *field = &visit->answer_headers.fields[i];
        buf_printf(out, "%.*s: %.*s\r\n", VIEW_ARG(field->name), VIEW_ARG(field->value));
    }
    buf_printf(out, "Content-Length: %zu\r\n\r\n", has_body ? visit->out.len : 0);
    if (has_body) buf_append_view(out, buf_view(&visit->out));
    return !out->failed;
}

bool visit_answer_by_hand(struct visit *visit) {
    struct buf out;
    buf_init(&out, BY_HAND_MAX);
    bool fits = print_answer(visit, &out);
    if (fits) {
        ssize_t sent = send(visit->fd, buf_view(&out).ptr, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent == (ssize_t)out.len) visit->sent_bytes = visit->out.len;
        shutdown(visit->fd, SHUT_WR); /* sent as a whole or not: no more follows */
    }
    buf_done(&out);
    return fits;
}
