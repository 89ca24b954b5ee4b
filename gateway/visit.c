/* See visit.h.
 *
 * When MHD calls the handler: once with no data when the head is there; then for pieces of the body; then
 * once with no data when it is complete. An answer queued in the first call makes MHD close the connection,
 * so a request without a body passes the first call at once and waits in the last. */
#include "visit.h"
#include "mhd_head.h"
#include "tcp.h"
#include "visit_upgrade.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define REQUEST_ARENA_BYTES (1024 * 1024)
#define DRAIN_MS 3000

struct visit *visit_new(struct visitors *side, struct MHD_Connection *mhd) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct visit *visit = info ? calloc(1, sizeof(*visit)) : NULL;
    if (!visit) return NULL;
    visit->magic = VISIT_MAGIC;
    visit->side = side;
    visit->mhd = mhd;
    visit->fd = (int)info->connect_fd;
    visit->peer = side->accepting;
    visit->deadline_ms = loop_now(side->loop) + side->settings.header_timeout_ms;
    arena_init(&visit->arena, REQUEST_ARENA_BYTES);
    buf_init(&visit->out, VISIT_OUT_BYTES);
    list_init(&visit->changed);
    list_init(&visit->suspended_node);
    list_append(&side->all, &visit->node);
    return visit;
}

void visit_free(struct visit *visit) {
    visit_end(visit);
    list_remove(&visit->node);
    list_remove(&visit->changed);
    list_remove(&visit->suspended_node);
    if (visit->peer) peer_release(visit->peer);
    arena_done(&visit->arena);
    visit->magic = 0;
    free(visit);
}

void visit_begin(struct visit *visit, const char *target) {
    if (visit->phase != VISIT_IDLE) visit_end(visit);
    struct visitors *side = visit->side;
    bool is_first = visit->started_ns == 0; /* its head has been awaited since it was accepted */
    if (!is_first) visit->deadline_ms = loop_now(side->loop) + side->settings.header_timeout_ms;
    visit->started_ns = uv_hrtime();
    visit->phase = VISIT_HEAD;
    visit->target = arena_copy(&visit->arena, view_from_cstr(target ? target : ""));
}

static void log_access(const struct visit *visit) {
    if (!log_enabled(LOG_LEVEL_INFO)) return;
    char text[512];
    struct buf target;
    buf_init(&target, sizeof(text));
    log_redact_target(&target, view_slice(visit->target, 0, 300));
    uint64_t ms = (uv_hrtime() - visit->started_ns) / 1000000;
    const char *how = visit->has_head && !visit->is_broken ? "" : visit->status ? " cut" : " aborted";
    struct view code = visit->error ? http_error_code(visit->error) : VIEW("-");
    log_info("access", "%s %s %.*s %d %llums %lluB tunnel=%s error=%.*s%s",
             visit->peer ? visit->peer->text : "?", visit->method, VIEW_ARG(buf_view(&target)), visit->status,
             (unsigned long long)ms, (unsigned long long)visit->sent_bytes,
             visit->tunnel[0] ? visit->tunnel : "-", VIEW_ARG(code), how);
    buf_done(&target);
}

void visit_end(struct visit *visit) {
    if (visit->phase == VISIT_IDLE) return;
    struct visitors *side = visit->side;
    if (visit->exchange) {
        visit->is_broken = true;
        exchange_cancel(visit->exchange);
    }
    if (visit->phase != VISIT_HEAD) log_access(visit);
    visit_upgrade_stop(visit);
    list_remove(&visit->changed);
    list_remove(&visit->suspended_node);
    arena_clear(&visit->arena);
    buf_done(&visit->out);
    visit->phase = VISIT_IDLE;
    visit->exchange = NULL;
    visit->credit = 0;
    visit->has_head = visit->is_ended = visit->is_broken = visit->must_close = false;
    visit->status = 0;
    visit->error = HTTP_ERROR_NONE;
    visit->sent_bytes = 0;
    visit->tunnel[0] = '\0';
    visit->upgrade_token = (struct view){0};
    visit->response = NULL;
    visit->deadline_ms = loop_now(side->loop) + (side->draining ? 0 : side->settings.keepalive_timeout_ms);
}

static enum MHD_Result collect_header(void *ctx, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                      const char *value, size_t value_len) {
    (void)kind;
    struct visit *visit = ctx;
    struct view key = view_of(name, name_len), text = view_of(value, value_len);
    /* the gate wants to see this one as libmicrohttpd does, which leaves blanks behind a value */
    if (!view_eq_nocase(key, VIEW("transfer-encoding"))) text = view_trim(text);
    bool added = headers_add(&visit->headers, key, text);
    return added ? MHD_YES : MHD_NO;
}

static bool collect_headers(struct visit *visit) {
    headers_init(&visit->headers, &visit->arena);
    int total = MHD_get_connection_values_n(visit->mhd, MHD_HEADER_KIND, NULL, NULL);
    return MHD_get_connection_values_n(visit->mhd, MHD_HEADER_KIND, collect_header, visit) == total &&
           visit->headers.count == (size_t)total;
}

/* As MHD sees it, whatever the gate will think: does it expect a body? */
static bool expects_body(const struct visit *visit) {
    if (headers_count(&visit->headers, VIEW("transfer-encoding"))) return true;
    struct view length = headers_get(&visit->headers, VIEW("content-length"));
    return length.ptr && !view_eq(length, VIEW("0"));
}

static void grant(void *ctx, size_t bytes) {
    struct visit *visit = ctx;
    visit->credit += bytes;
    visit_wake(visit);
}

static enum MHD_Result ask_core(struct visit *visit, const char *method, const char *version) {
    struct visitors *side = visit->side;
    if (!visit->target.ptr || !collect_headers(visit)) return MHD_NO;
    /* A field without a name is what the gate refuses, with an answer of ours. */
    if (!mhd_head_is_strict(visit->mhd, method, version) && !headers_add(&visit->headers, VIEW(""), VIEW("")))
        return MHD_NO;
    struct view verb = view_from_cstr(method);
    if (!view_copy_to(verb, visit->method, sizeof(visit->method)))
        snprintf(visit->method, sizeof(visit->method), "?");
    struct forward_event event = {
        .method = verb,
        .target = visit->target,
        .version = view_from_cstr(version),
        .headers = &visit->headers,
        .peer = view_from_cstr(visit->peer->text),
        .scheme = VIEW("http"),
        .peer_is_proxy = visit->peer->is_proxy,
    };
    struct body_source source = {.ctx = visit, .grant = grant};
    struct answer_sink sink = visit_sink(visit);
    visit->phase = VISIT_ASKED;
    visit->deadline_ms = 0;
    visit->exchange = core_forward(side->core, &event, &source, &sink, VISIT_WINDOW_BYTES);
    if (!visit->exchange) return MHD_NO;
    if (expects_body(visit))
        visit_suspend(visit);
    else
        visit->phase = VISIT_UPLOAD;
    return MHD_YES;
}

/* The core ends an upload that stalls, with an answer; this is for when even that does not get through. */
static void expect_more(struct visit *visit) {
    visit->deadline_ms = loop_now(visit->side->loop) + visit->side->settings.body_idle_timeout_ms + DRAIN_MS;
}

/* The core has said its last word before the body was complete. What still comes is read for a while: closing
 * with bytes unread would take the answer back (RST). */
static bool answer_early(struct visit *visit) {
    if (!visit->is_ended || !visit_answer_by_hand(visit)) return false;
    visit->phase = VISIT_DRAIN;
    visit->deadline_ms = loop_now(visit->side->loop) + DRAIN_MS;
    return true;
}

/* Whoever waits for a 100 Continue has not sent the body; MHD's answer, and close, is then as good, and
 * without the 100. */
static enum MHD_Result refuse_body(struct visit *visit) {
    bool waits = headers_count(&visit->headers, VIEW("expect")) > 0;
    return !waits && answer_early(visit) ? MHD_YES : visit_queue(visit);
}

static enum MHD_Result go_on_asked(struct visit *visit) {
    if (visit->has_head) return refuse_body(visit);
    if (visit->credit) {
        visit->phase = VISIT_UPLOAD;
        expect_more(visit);
    } else {
        visit_suspend(visit);
    }
    return MHD_YES;
}

static enum MHD_Result take_body(struct visit *visit, const char *data, size_t *size) {
    if (visit->is_ended && !answer_early(visit)) {
        *size = 0; /* too large to be written at once: it waits for the end of the body */
        return MHD_YES;
    }
    if (visit->phase == VISIT_DRAIN) {
        *size = 0;
        return MHD_YES;
    }
    size_t taken = *size < visit->credit ? *size : visit->credit;
    if (taken && visit->exchange) {
        visit->credit -= taken;
        exchange_body(visit->exchange, view_of(data, taken));
    }
    *size -= taken;
    if (*size) {
        visit->deadline_ms = 0;
        visit_suspend(visit);
    } else {
        expect_more(visit);
    }
    return MHD_YES;
}

static enum MHD_Result end_body(struct visit *visit) {
    visit->phase = VISIT_WAITING;
    visit->deadline_ms = 0;
    if (visit->exchange) exchange_body_end(visit->exchange);
    if (visit->has_head) return visit_queue(visit);
    visit_suspend(visit);
    return MHD_YES;
}

enum MHD_Result visit_handle(struct visit *visit, const char *method, const char *version, const char *data,
                             size_t *size) {
    if (visit->is_broken || visit->side->stopped) return MHD_NO;
    switch (visit->phase) {
    case VISIT_HEAD: return ask_core(visit, method, version);
    case VISIT_ASKED: return go_on_asked(visit);
    case VISIT_UPLOAD: return *size ? take_body(visit, data, size) : end_body(visit);
    case VISIT_WAITING:
        if (visit->has_head) return visit_queue(visit);
        visit_suspend(visit);
        return MHD_YES;
    case VISIT_DRAIN:
        if (!*size) return MHD_NO;
        *size = 0;
        return MHD_YES;
    case VISIT_IDLE:
    case VISIT_UPGRADED:
    case VISIT_SENDING: break;
    }
    return MHD_NO;
}

/* MHD waits for more of the body and would not call: the answer, or the end, must not wait with it. */
static void interrupt_upload(struct visit *visit) {
    if (visit->is_broken)
        shutdown(visit->fd, SHUT_RDWR);
    else
        answer_early(visit);
}

void visit_changed(struct visit *visit) {
    if (visit->is_suspended)
        visit_resume(visit);
    else if (visit->phase == VISIT_UPLOAD)
        interrupt_upload(visit);
    else if (visit->phase == VISIT_UPGRADED)
        visit_upgrade_changed(visit);
}

void visit_wake(struct visit *visit) {
    if (list_empty(&visit->changed)) list_append(&visit->side->changed, &visit->changed);
}

void visit_suspend(struct visit *visit) {
    struct visitors *side = visit->side;
    visit->is_suspended = true;
    visit->suspended_ms = loop_now(side->loop);
    list_append(&side->suspended, &visit->suspended_node);
    if (!timer_armed(&side->watch)) timer_start(&side->loop->timers, &side->watch, VISIT_WATCH_AFTER_MS);
    MHD_suspend_connection(visit->mhd);
}

void visit_resume(struct visit *visit) {
    if (!visit->is_suspended) return;
    visit->is_suspended = false;
    list_remove(&visit->suspended_node);
    if (visit->is_watched) epoll_ctl(visit->side->watch_fd, EPOLL_CTL_DEL, visit->fd, NULL);
    visit->is_watched = false;
    if (visit->phase == VISIT_SENDING)
        visit->deadline_ms = loop_now(visit->side->loop) + visit->side->settings.body_idle_timeout_ms;
    MHD_resume_connection(visit->mhd);
    mhd_loop_kick(&visit->side->mhd);
}

void visit_break(struct visit *visit) {
    visit->is_broken = true;
    if (visit->exchange) {
        exchange_cancel(visit->exchange);
        visit->exchange = NULL;
    }
    visit_wake(visit);
}

static void send_408(struct visit *visit) {
    struct view text = http_error_text(HTTP_ERROR_REQUEST_TIMEOUT);
    char answer[512];
    int len = snprintf(answer, sizeof(answer),
                       "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Type: text/plain\r\n"
                       "x-tunnel-error: request_timeout\r\nContent-Length: %zu\r\n\r\n%.*s\n",
                       text.len + 1, VIEW_ARG(text));
    if (len > 0) (void)!send(visit->fd, answer, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void visit_cut(struct visit *visit) {
    if (visit->phase == VISIT_HEAD) send_408(visit);
    if (visit->phase == VISIT_SENDING)
        tcp_reset(visit->fd);
    else
        shutdown(visit->fd, SHUT_RDWR);
    visit_break(visit);
}

bool visit_past_deadline(struct visit *visit, uint64_t now_ms) {
    if (!visit->deadline_ms || visit->deadline_ms > now_ms || visit->is_suspended) return false;
    if (visit->phase == VISIT_UPGRADED) return false;
    if (visit->phase != VISIT_SENDING) return true;
    uint64_t acked = tcp_acked_bytes(visit->fd);
    if (acked == visit->acked_bytes) return true;
    visit->acked_bytes = acked;
    visit->deadline_ms = now_ms + visit->side->settings.body_idle_timeout_ms;
    return false;
}
