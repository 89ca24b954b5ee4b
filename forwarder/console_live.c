/* Standard output as a display (console.h), from when the first tunnel is up; lines until then, and one that
 * sums it up at the end. */
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "console.h"
#include "display/live.h"

static void set(char *out, size_t size, const char *text) {
    snprintf(out, size, "%s", text ? text : "");
}

static void start(struct console *console) {
    struct line_style style = {.colour = console->colour, .utf8 = console->utf8};
    console_flush(console);
    console->live = live_new(console->loop, STDOUT_FILENO, console->out, style);
    if (!console->live) return;
    live_board(console->live)->version = TTF_VERSION;
    live_board(console->live)->shows = console->shows;
    set(live_board(console->live)->inspector, sizeof(live_board(console->live)->inspector),
        console->inspector);
}

static void set_view(char *out, size_t size, struct view text) {
    size_t len = text.len < size ? text.len : size - 1;
    for (size_t i = 0; i < len; i++) out[i] = text.ptr[i] ? text.ptr[i] : '?';
    out[len] = '\0';
}

static void take(struct console *console, struct board_row *row) {
    set(row->clock, sizeof(row->clock), console_clock(console));
    board_take(live_board(console->live), row);
    live_changed(console->live);
}

static void note(struct console *console, bool is_alarm, struct view text) {
    struct board_row row = {.is_note = true, .is_alarm = is_alarm};
    set_view(row.target, sizeof(row.target), text);
    take(console, &row);
}

static void text(struct console *console, enum console_text kind, struct view text) {
    if (!console->live) {
        console_lines_form.text(console, kind, text);
    } else if (kind == TEXT_HINT) {
        struct board *board = live_board(console->live);
        set_view(board->hint, sizeof(board->hint), view_skip(text, view_find(text, ':') + 2));
        live_changed(console->live);
    } else {
        note(console, kind == TEXT_ERROR, text);
    }
}

static void request(struct console *console, const struct console_request *request) {
    struct buf target;
    if (!console->live) {
        console_lines_form.request(console, request);
        return;
    }
    struct board_row row = {.tunnel = request->tunnel,
                            .status = request->status,
                            .kind = request->kind,
                            .is_open = request->is_open,
                            .was_open = request->was_open,
                            .has_failed = console_request_failed(request),
                            .took_ms = request->took_ms,
                            .bytes = request->bytes,
                            .bytes_in = request->bytes_in};
    buf_init(&target, 64 * 1024);
    log_redact_target(&target, request->target);
    set(row.label, sizeof(row.label), request->label);
    set_view(row.method, sizeof(row.method), request->method);
    set_view(row.target, sizeof(row.target), buf_view(&target));
    if (request->code)
        snprintf(row.end, sizeof(row.end), "%.40s%s%.56s", request->code, request->detail ? ": " : "",
                 request->detail ? request->detail : "");
    take(console, &row);
    buf_done(&target);
}

static void tunnel(struct console *console, const struct console_tunnel *tunnel) {
    if (!console->live && tunnel->state == BOARD_UP && console->loop) {
        console_lines_form.tunnel(console, tunnel);
        start(console);
    }
    struct board_tunnel *shown = console->live ? board_tunnel(live_board(console->live), tunnel->key) : NULL;
    if (!shown) return;
    shown->state = tunnel->state;
    set(shown->label, sizeof(shown->label), tunnel->label);
    set(shown->gateway, sizeof(shown->gateway), tunnel->gateway);
    set(shown->service, sizeof(shown->service), tunnel->service);
    set(shown->url, sizeof(shown->url), tunnel->url);
    set(shown->path_url, sizeof(shown->path_url), tunnel->path_url);
    set(shown->share_url, sizeof(shown->share_url), tunnel->share_url);
    set(shown->why, sizeof(shown->why), tunnel->why);
    if (tunnel->is_new_url) console_qr(console, tunnel, &live_board(console->live)->qr);
    shown->has_latency = tunnel->latency_ms >= 0;
    shown->latency_ms = shown->has_latency ? (uint64_t)tunnel->latency_ms : 0;
    live_changed(console->live);
}

static void service(struct console *console, const struct console_tunnel *tunnel, const char *fault) {
    struct board_tunnel *shown = console->live ? board_tunnel(live_board(console->live), tunnel->key) : NULL;
    if (shown) shown->service_down = fault != NULL;
    console_lines_form.service(console, tunnel, fault);
}

static void latency(struct console *console, const void *tunnel, uint64_t latency_ms) {
    struct board_tunnel *shown = console->live ? board_tunnel(live_board(console->live), tunnel) : NULL;
    if (!shown || (shown->has_latency && shown->latency_ms == latency_ms)) return;
    shown->has_latency = true;
    shown->latency_ms = latency_ms;
    live_changed(console->live);
}

static void end(struct console *console) {
    if (!console->live) return;
    const struct board *board = live_board(console->live);
    unsigned long long requests = board->requests, failed = board->failed;
    live_end(console->live);
    console->live = NULL;
    console_line(console, "%llu request%s, %llu failed", requests, requests == 1 ? "" : "s", failed);
}

const struct console_form console_live_form = {.wants_kinds = true,
                                               .text = text,
                                               .request = request,
                                               .tunnel = tunnel,
                                               .service = service,
                                               .latency = latency,
                                               .end = end};
