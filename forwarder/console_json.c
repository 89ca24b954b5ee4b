/* Standard output as objects of JSON, one a line (console.h): each has "time" and "event". */
#include "base/log.h"
#include "console.h"
#include "protocol/json_text.h"

static struct buf *begin(struct console *console, const char *event) {
    struct buf *out = &console->lines;
    if (out->len > CONSOLE_HELD_BYTES) console_flush(console);
    buf_printf(out, "{\"time\":\"%s\",\"event\":\"%s\"", log_stamp(), event);
    return out;
}

static void end(struct console *console) {
    buf_append_view(&console->lines, VIEW("}\n"));
    console_flush_later(console);
}

/* Nothing where it is absent. */
static void add_text(struct buf *out, const char *name, struct view value) {
    if (!value.ptr) return;
    buf_printf(out, ",\"%s\":", name);
    json_text_string(out, value);
}

static void add_number(struct buf *out, const char *name, uint64_t value) {
    buf_printf(out, ",\"%s\":%llu", name, (unsigned long long)value);
}

static const char *kind_name(enum board_kind kind) {
    static const char *const names[] = {[BOARD_CALL] = "call",
                                        [BOARD_PAGE] = "page",
                                        [BOARD_ASSET] = "asset",
                                        [BOARD_SOCKET] = "websocket",
                                        [BOARD_EVENTS] = "events"};
    return names[kind];
}

static bool is_left_out(const struct console *console, const struct console_request *request) {
    bool stands_out = request->status >= 400 || console_request_failed(request);
    return !stands_out && (console->shows == BOARD_ERRORS ||
                           (console->shows == BOARD_PAGES && request->kind == BOARD_ASSET));
}

static void request(struct console *console, const struct console_request *request) {
    struct buf target, *out;
    if (is_left_out(console, request)) return;
    buf_init(&target, 64 * 1024);
    log_redact_target(&target, request->target);
    out = begin(console, request->is_open ? "open" : "request");
    add_text(out, "tunnel", view_from_cstr(request->label));
    add_text(out, "method", view_slice(request->method, 0, 64));
    add_text(out, "target", view_slice(buf_view(&target), 0, 8192));
    add_text(out, "kind", view_from_cstr(kind_name(request->kind)));
    add_number(out, "status", request->status > 0 ? (uint64_t)request->status : 0);
    if (!request->is_open) {
        add_number(out, "ms", request->took_ms);
        add_number(out, "bytes", request->bytes);
        add_number(out, "bytes_in", request->bytes_in);
        add_text(out, "error", view_from_cstr(request->code));
        add_text(out, "detail", view_from_cstr(request->detail));
    }
    end(console);
    buf_done(&target);
}

static void text(struct console *console, enum console_text kind, struct view text) {
    if (kind == TEXT_HINT) text = view_skip(text, view_find(text, ':') + 2);
    add_text(begin(console, kind == TEXT_HINT ? "hint" : "message"), "text", text);
    end(console);
}

static void tunnel(struct console *console, const struct console_tunnel *tunnel) {
    static const char *const states[] = {
        [BOARD_CONNECTING] = "connecting", [BOARD_UP] = "online", [BOARD_DOWN] = "offline"};
    struct buf *out = begin(console, "tunnel");
    add_text(out, "tunnel", view_from_cstr(tunnel->label));
    add_text(out, "state", view_from_cstr(states[tunnel->state]));
    add_text(out, "service", view_from_cstr(tunnel->service));
    add_text(out, "url", view_from_cstr(tunnel->url));
    add_text(out, "path_url", view_from_cstr(tunnel->path_url));
    add_text(out, "share_url", view_from_cstr(tunnel->share_url));
    if (tunnel->share_url) add_number(out, "share_until", tunnel->share_until_s);
    add_text(out, "reason", view_from_cstr(tunnel->why));
    if (tunnel->latency_ms >= 0) add_number(out, "latency_ms", (uint64_t)tunnel->latency_ms);
    end(console);
}

static void service(struct console *console, const struct console_tunnel *tunnel, const char *fault) {
    struct buf *out = begin(console, "service");
    add_text(out, "tunnel", view_from_cstr(tunnel->label));
    add_text(out, "service", view_from_cstr(tunnel->service));
    add_text(out, "state", fault ? VIEW("down") : VIEW("up"));
    add_text(out, "reason", view_from_cstr(fault));
    end(console);
}

static void nothing(struct console *console) {
    (void)console;
}

const struct console_form console_json_form = {.wants_kinds = true,
                                               .text = text,
                                               .request = request,
                                               .tunnel = tunnel,
                                               .service = service,
                                               .end = nothing};
