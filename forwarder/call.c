/* See call.h. */
#include "call.h"

#include "base/log.h"
#include "http/hop.h"
#include "metrics/metrics.h"
#include "rewrite_wish.h"

void call_init(struct call *call, const struct call_settings *settings, struct arena *arena,
               struct view method, struct view target) {
    *call = (struct call){.settings = settings,
                          .arena = arena,
                          .method = method,
                          .target = target,
                          .began_ms = loop_now(settings->loop)};
}

/* ---- the request ---- */

int64_t call_body_bytes(const struct call *call, int64_t bytes) {
    static const struct view methods[] = {{"POST", 4}, {"PUT", 3}, {"PATCH", 5}};
    if (bytes != LOCAL_BODY_NONE) return bytes;
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (view_eq(call->method, methods[i])) return 0;
    return LOCAL_BODY_NONE;
}

static bool can_be_asked_again(const struct local_head *head) {
    bool has_body = head->body_bytes > 0 || head->body_bytes == LOCAL_BODY_UNKNOWN;
    return !has_body && !head->upgrade.ptr && view_eq(head->method, VIEW("GET"));
}

static void tell_request(struct call *call, const struct local_head *head) {
    const struct watch *watch = call->settings->watch;
    if (!watch) return;
    struct watch_request request = {.tunnel = call->settings->label,
                                    .method = head->method,
                                    .target = head->target,
                                    .headers = head->headers,
                                    .upgrade = head->upgrade,
                                    .body_bytes = head->body_bytes};
    call->is_offer = head->upgrade.len;
    call->watched_us = metrics_now_us();
    call->watched = watch->request(watch->ctx, &request);
}

bool call_start(struct call *call, struct local_head *head, struct headers *headers, struct view visitor_host,
                const struct local_events *events, void *ctx) {
    const struct call_settings *settings = call->settings;
    if (settings->is_shut) return false;
    if (console_wants_kinds(settings->console)) call->kind = call_kind_asked(headers);
    hop_strip_ours(headers, (struct view){0});
    headers_remove(headers, VIEW("content-length"));
    if (!host_field_apply(settings->host_field, headers, visitor_host, &call->visitor)) return false;
    call->target = head->target;
    if (can_be_asked_again(head)) call->asked = *headers;
    head->headers = headers;
    tell_request(call, head);
    call->local = local_request_start(settings->client, head, events, ctx);
    return call->local;
}

bool call_send_body(struct call *call, struct view data) {
    const struct watch *watch = call->settings->watch;
    if (call->watched) watch->request_body(watch->ctx, call->watched, data);
    return local_request_body(call->local, data);
}

/* ---- the answer ---- */

static struct console_request line_of(const struct call *call) {
    bool is_stream = call->kind == BOARD_SOCKET || call->kind == BOARD_EVENTS;
    return (struct console_request){.tunnel = call->settings->service->tunnel,
                                    .label = call->settings->label,
                                    .method = call->method,
                                    .target = call->target,
                                    .status = call->status,
                                    .code = call->code,
                                    .detail = call->detail,
                                    .took_ms = loop_now(call->settings->loop) - call->began_ms,
                                    .bytes = call->bytes,
                                    .bytes_in = call->bytes_in,
                                    .kind = call->kind,
                                    .was_open = is_stream,
                                    .visitor_left = call->visitor_left};
}

/* A WebSocket or an event stream is told when it opens, too. */
static void look_at_head(struct call *call, const struct headers *received) {
    const struct watch *watch = call->settings->watch;
    service_state_answered(call->settings->service);
    if (call->watched) watch->answer(watch->ctx, call->watched, call->status, received);
    if (!console_wants_kinds(call->settings->console)) return;
    call->kind = call_kind_answered(call->kind, call->method, call->status, received);
    if (call->kind != BOARD_SOCKET && call->kind != BOARD_EVENTS) return;
    struct console_request line = line_of(call);
    line.is_open = true;
    line.was_open = false;
    console_request(call->settings->console, &line);
}

bool call_take_head(struct call *call, int status, const struct headers *received, bool drops_length,
                    const struct http_limits *limits, struct headers *ret_headers) {
    bool is_switch = status == 101;
    headers_init(ret_headers, call->arena);
    call->status = status;
    look_at_head(call, received);
    if (!headers_copy(ret_headers, received)) {
        call->detail = "the service sent too large a head";
        return false;
    }
    hop_strip(ret_headers);
    hop_strip_ours(ret_headers, is_switch ? (struct view){0} : VIEW("x-tunnel-rewrite"));
    if (drops_length) headers_remove(ret_headers, VIEW("content-length"));
    call->detail = is_switch ? NULL : gate_response_excess(status, ret_headers, limits);
    return !call->detail && (is_switch || rewrite_wish_say(call->settings->rewrite, ret_headers)) &&
           host_field_return(call->settings->host_field, &call->visitor, ret_headers);
}

void call_take_data(struct call *call, struct view data) {
    hints_on_data(call->settings->hints, call->status, call->bytes, data);
    call->bytes += data.len;
    const struct watch *watch = call->settings->watch;
    if (call->watched) watch->answer_body(watch->ctx, call->watched, data);
}

void call_take_end(struct call *call, enum local_error error, const char *detail) {
    const struct call_settings *settings = call->settings;
    struct hints_request request = {.target = call->target, .headers = &call->asked};
    call->local = NULL;
    if (error != LOCAL_OK) {
        log_debug("local", "the local service: %s", detail);
        if (error == LOCAL_UNAVAILABLE) service_state_failed(settings->service, detail);
        hints_on_failure(settings->hints, settings->client, detail);
        call->detail = arena_copy(call->arena, view_from_cstr(detail)).ptr;
    } else if (call->status >= 400 && call->asked.count) {
        hints_on_refusal(settings->hints, settings->client, &request, call->status);
    }
}

/* ---- the end ---- */

void call_cancel(struct call *call) {
    if (call->local) local_request_cancel(call->local);
    call->local = NULL;
}

void call_done(struct call *call) {
    const struct watch *watch = call->settings->watch;
    if (!call->watched) return;
    struct watch_end end = {.tunnel = call->settings->label,
                            .is_offer = call->is_offer,
                            .took_us = metrics_now_us() - call->watched_us,
                            .status = call->status,
                            .code = call->code,
                            .detail = call->detail};
    watch->end(watch->ctx, call->watched, &end);
    call->watched = 0;
}

void call_show(struct call *call) {
    struct console_request line = line_of(call);
    if (call->is_shown) return;
    call->is_shown = true;
    call_done(call);
    console_request(call->settings->console, &line);
}
