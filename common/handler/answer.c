/* See answer.h. */
#include "handler/answer.h"

#include "handler/core_state.h"
#include "http/hop.h"

void answer_init(struct answer *answer, const struct answer_sink *sink, size_t window_bytes) {
    *answer = (struct answer){.sink = *sink, .window_bytes = window_bytes};
}

/* ---- head ---- */

/* What the service says the length is, where there is no body to count: HEAD and 304 (RFC 9110 8.6). */
static uint64_t declared_length(const struct headers *headers) {
    uint64_t length;
    struct view value = headers_get(headers, VIEW("content-length"));
    return value.ptr && view_parse_u64(view_trim(value), &length) ? length : LENGTH_UNKNOWN;
}

static bool is_event_stream(const struct headers *headers) {
    struct view type = headers_get(headers, VIEW("content-type"));
    struct view name = view_trim(view_slice(type, 0, view_find(type, ';')));
    return view_eq_nocase(name, VIEW("text/event-stream"));
}

static enum answer_kind kind_of(bool has_body, const struct headers *headers) {
    if (!has_body) return ANSWER_EMPTY;
    return is_event_stream(headers) ? ANSWER_EVENTS : ANSWER_BODY;
}

static bool is_unread(const struct exchange *exchange) {
    return exchange->verdict.framing != BODY_NONE && !exchange->body_complete;
}

static void put_head(struct exchange *exchange, const struct answer_head *head, enum answer_kind kind) {
    exchange->answer.kind = kind;
    exchange->answer.sink.head(exchange->answer.sink.ctx, head);
}

void answer_begin(struct exchange *exchange, int status, struct headers *headers, uint64_t body_bytes) {
    bool has_body = http_answer_has_body(exchange->method, status);
    uint64_t length = has_body ? body_bytes : declared_length(headers);
    /* an agent of v1 may answer HEAD with GET's body: not passed on, but that is its length */
    if (!has_body && length == LENGTH_UNKNOWN && body_bytes > 0 && view_eq(exchange->method, VIEW("HEAD")))
        length = body_bytes;
    enum answer_kind kind = kind_of(has_body, headers);
    hop_strip(headers);
    hop_strip_ours(headers, VIEW("x-tunnel-rewrite"));
    headers_remove(headers, VIEW("content-length"));
    headers_add(headers, VIEW("x-tunnel-routing-mode"),
                exchange->route.mode == ROUTE_SUBDOMAIN ? VIEW("subdomain") : VIEW("path"));
    struct answer_head head = {.status = status,
                               .headers = headers,
                               .content_length = length,
                               .has_body = has_body,
                               .close = is_unread(exchange)};
    put_head(exchange, &head, kind);
}

void answer_switch(struct exchange *exchange, struct headers *headers, struct view protocol) {
    hop_strip(headers);
    hop_strip_ours(headers, (struct view){0});
    headers_remove(headers, VIEW("content-length"));
    headers_remove(headers, VIEW("sec-websocket-accept"));
    struct answer_head head = {.status = 101,
                               .headers = headers,
                               .content_length = LENGTH_UNKNOWN,
                               .has_body = true,
                               .close = true,
                               .upgrade = protocol};
    put_head(exchange, &head, ANSWER_SWITCHED);
}

/* ---- body ---- */

static void put_data(struct answer *answer, struct view data) {
    answer->under_way += data.len;
    answer->sink.data(answer->sink.ctx, data);
}

/* Of what is under way so much has drained: as much of what is owed for it is given back. */
static void give_back(struct exchange *exchange, size_t drained) {
    struct answer *answer = &exchange->answer;
    size_t due = drained < answer->under_way ? answer->owed * drained / answer->under_way : answer->owed;
    answer->under_way -= drained;
    answer->owed -= due;
    if (due > 0) exchange->delivery->credit(exchange, due);
}

void answer_write(struct exchange *exchange, struct view data) {
    struct answer *answer = &exchange->answer;
    answer->owed += data.len;
    if (answer->kind != ANSWER_EMPTY) put_data(answer, data);
    if (answer->under_way == 0) give_back(exchange, 0);
}

bool answer_may_idle(const struct answer *answer) {
    return answer->kind == ANSWER_EVENTS || answer->kind == ANSWER_SWITCHED;
}

size_t answer_room(const struct answer *answer) {
    return answer->window_bytes > answer->under_way ? answer->window_bytes - answer->under_way : 0;
}

void answer_drained(struct exchange *exchange, size_t bytes) {
    size_t under_way = exchange->answer.under_way;
    give_back(exchange, bytes < under_way ? bytes : under_way);
}

/* ---- end ---- */

/* Fields that would change what the head said have no place behind a body (RFC 9110 6.5.1). */
static bool is_no_trailer(void *ctx, const struct header *field) {
    (void)ctx;
    static const struct view names[] = {
        {"content-length", 14}, {"content-type", 12}, {"content-encoding", 16}, {"content-range", 13},
        {"set-cookie", 10},     {"host", 4},          {"location", 8},          {"authorization", 13}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (view_eq(field->name, names[i])) return true;
    return false;
}

void answer_end(struct exchange *exchange, const struct headers *trailers) {
    struct headers passed;
    headers_init(&passed, &exchange->arena);
    if (trailers && trailers->count > 0 && headers_copy(&passed, trailers)) {
        headers_remove_if(&passed, is_no_trailer, NULL);
        hop_strip(&passed);
        hop_strip_ours(&passed, (struct view){0});
    }
    if (!exchange->from_peer) exchange->core->counters.answers++;
    exchange->answer.sink.end(exchange->answer.sink.ctx, &passed);
}

void answer_abort(struct exchange *exchange) {
    exchange->answer.sink.abort(exchange->answer.sink.ctx);
}

/* ---- errors of ours ---- */

static struct view error_body(struct exchange *exchange, enum http_error error, bool html) {
    struct view text = http_error_text(error), code = http_error_code(error);
    if (!html) return arena_printf(&exchange->arena, "%.*s: %.*s\n", VIEW_ARG(code), VIEW_ARG(text));
    return arena_printf(
        &exchange->arena,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>%d %.*s</title>\n"
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem;"
        "color:#222}code{color:#888}@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}}"
        "</style></head>\n<body><h1>%d</h1><p>%.*s</p><p><code>%.*s</code></p></body></html>\n",
        http_error_status(error), VIEW_ARG(code), http_error_status(error), VIEW_ARG(text), VIEW_ARG(code));
}

static void error_headers(struct exchange *exchange, struct headers *headers, enum http_error error,
                          bool html) {
    headers_init(headers, &exchange->arena);
    headers_add(headers, VIEW("x-tunnel-error"), http_error_code(error));
    headers_add(headers, VIEW("content-type"),
                html ? VIEW("text/html; charset=utf-8") : VIEW("text/plain; charset=utf-8"));
    headers_add(headers, VIEW("cache-control"), VIEW("no-store"));
    headers_add(headers, VIEW("x-content-type-options"), VIEW("nosniff"));
    headers_add(headers, VIEW("content-security-policy"), VIEW(HTTP_ERROR_CSP));
    if (error == HTTP_ERROR_RATE_LIMITED || error == HTTP_ERROR_OVERLOADED)
        headers_add(headers, VIEW("retry-after"), VIEW("1"));
}

void answer_error(struct exchange *exchange, enum http_error error) {
    bool html = http_wants_html(exchange->accept);
    struct view body = error_body(exchange, error, html);
    struct headers headers;
    error_headers(exchange, &headers, error, html);
    bool has_body = !view_eq(exchange->method, VIEW("HEAD")) && body.len > 0;
    struct answer_head head = {.status = http_error_status(error),
                               .headers = &headers,
                               .content_length = body.len,
                               .has_body = has_body,
                               .close = http_error_closes(error) || is_unread(exchange),
                               .error = error};
    put_head(exchange, &head, has_body ? ANSWER_BODY : ANSWER_EMPTY);
    if (has_body) put_data(&exchange->answer, body);
    answer_end(exchange, NULL);
}
