/* See visit.h. From the socket to the core: heads become exchanges, bodies go as far as was granted, and what
 * came beyond is held. */
#include <errno.h>

#include "handler/access_log.h"
#include "public/visit.h"
#include "sockets/behind_proxy.h"

#define READS_A_TURN 4
#define METHOD_SHOWN_MAX 23

/* ---- a request begins ---- */

static void begin_head(struct visit *visit) {
    struct visitors *side = visit->side;
    uint64_t now_ms = loop_now(side->loop);
    if (visit->phase == VISIT_IDLE) { /* the first head has been awaited since the connection was accepted */
        visit->deadline_ms = now_ms + side->settings.header_timeout_ms;
        list_remove(&visit->waiting);
        list_append(&side->waiting, &visit->waiting);
    }
    access_begin(&visit->access, now_ms);
    visit->access.client = view_from_cstr(visit->client->text);
    visit->phase = VISIT_HEAD;
}

static void grant(void *ctx, size_t bytes) {
    struct visit *visit = ctx;
    visit->credit += bytes;
    visit_wake(visit);
}

static bool keeps_alive(const struct request_head *head) {
    if (headers_has_token(&head->headers, VIEW("connection"), VIEW("close"))) return false;
    return head->minor_version >= 1 ||
           headers_has_token(&head->headers, VIEW("connection"), VIEW("keep-alive"));
}

/* Method and target stand behind each other in the bytes that were read: one copy does for both. */
static bool keep_line(struct visit *visit, const struct request_head *head) {
    const char *end = head->target.ptr + head->target.len;
    struct view line = arena_copy(&visit->arena, view_of(head->method.ptr, (size_t)(end - head->method.ptr)));
    bool is_shown = head->method.len <= METHOD_SHOWN_MAX;
    visit->access.method = is_shown ? view_slice(line, 0, head->method.len) : VIEW("?");
    visit->access.target = view_skip(line, line.len - head->target.len);
    visit->access.version = visit->is_old ? VIEW("HTTP/1.0") : VIEW("HTTP/1.1");
    if (access_log_wants_fields()) {
        visit->access.referer = headers_get(&head->headers, VIEW("referer"));
        visit->access.agent = headers_get(&head->headers, VIEW("user-agent"));
    }
    return line.ptr;
}

static bool note_request(struct visit *visit, const struct request_head *head) {
    visit->is_old = head->minor_version == 0;
    visit->must_close = !keeps_alive(head);
    bool expects = !visit->is_old && request_reader_wants_body(&visit->reader) &&
                   headers_count(&head->headers, VIEW("expect")) > 0;
    if (expects) visit->body = VISIT_BODY_EXPECTS;
    return keep_line(visit, head);
}

/* False: that visitor has too many requests under way. *ret_hops stays 0 where no proxy says more. */
static bool find_behind(struct visit *visit, size_t *ret_hops) {
    const struct visitors *side = visit->side;
    struct sockaddr_storage address;
    if (!visit->client->is_proxy ||
        !behind_proxy(&visit->reader.head.headers, visit->client->clients, &address, ret_hops))
        return true;
    visit->behind = clients_take(side->proxied, (const struct sockaddr *)&address);
    if (visit->behind) visit->access.client = view_from_cstr(visit->behind->text);
    return visit->behind;
}

static bool ask_core(struct visit *visit) {
    const struct request_head *head = &visit->reader.head;
    size_t hops = 0;
    char version[] = "HTTP/1.x";
    list_remove(&visit->waiting);
    version[7] = (char)('0' + head->minor_version);
    if (!note_request(visit, head)) {
        visit_cut(visit);
        return false;
    }
    if (!find_behind(visit, &hops)) {
        visit->phase = VISIT_ASKED;
        return visit_refuse(visit, HTTP_ERROR_OVERLOADED);
    }
    struct forward_event event = {
        .method = head->method,
        .target = visit->access.target,
        .version = view_of(version, 8),
        .headers = &head->headers,
        .client = view_from_cstr(visit->client->text),
        .scheme = visit->conn.tls ? VIEW("https") : VIEW("http"),
        .client_is_proxy = visit->client->is_proxy,
        .visitor = (visit->behind ? visit->behind : visit->client)->number,
        .hops = hops,
    };
    struct body_source source = {.ctx = visit, .grant = grant};
    struct answer_sink sink = visit_sink(visit);
    visit->phase = VISIT_ASKED;
    visit->deadline_ms = 0;
    visit->exchange = core_forward(visit->side->core, &event, &source, &sink, VISIT_WINDOW_BYTES);
    if (!visit->exchange) {
        visit_cut(visit);
        return false;
    }
    visit->share = turns_share(exchange_tunnel_key(visit->exchange));
    if (request_reader_is_at_end(&visit->reader)) exchange_body_end(visit->exchange);
    return true;
}

bool visit_refuse(struct visit *visit, enum http_error error) {
    if (visit->answer) {
        visit_cut(visit);
        return false;
    }
    if (visit->exchange) exchange_cancel(visit->exchange);
    visit->exchange = NULL;
    if (visit->phase != VISIT_ASKED) { /* not even a head */
        visit->access.method = visit->access.target = VIEW("?");
    }
    list_remove(&visit->waiting);
    visit->phase = VISIT_ASKED;
    visit->deadline_ms = 0;
    visit_answer_error(visit, error);
    return true;
}

/* ---- using what came ---- */

/* The core has said its last word: what still comes of the body is read, so that the visitor reads the
 * answer, and thrown away. */
static bool throws_away(const struct visit *visit) {
    if (visit->phase == VISIT_LINGER) return true;
    return visit->phase == VISIT_ASKED && !visit->exchange && !request_reader_is_at_end(&visit->reader);
}

static void pass_body(struct visit *visit, struct view data) {
    visit->credit -= data.len;
    access_received(&visit->access, data.len);
    visit->moved = true;
    exchange_body(visit->exchange, data);
}

/* As far as it can be used now. False when the connection was closed. */
static bool take(struct visit *visit, struct view *bytes) {
    for (;;) {
        struct view data;
        if (visit->phase == VISIT_UPGRADED) {
            visit_upgrade_take(visit, bytes);
            return true;
        }
        if (throws_away(visit)) {
            *bytes = view_skip(*bytes, bytes->len);
            return true;
        }
        if (visit->phase == VISIT_ASKED && bytes->len) visit->body = VISIT_BODY_FLOWS;
        if (visit->phase == VISIT_ASKED && request_reader_is_at_end(&visit->reader)) return true;
        enum request_step step =
            request_reader_next(&visit->reader, bytes, visit->credit, &visit->arena, &data);
        if (visit->phase <= VISIT_IDLE && (step != REQUEST_MORE || bytes->len)) begin_head(visit);
        switch (step) {
        case REQUEST_MORE: return true;
        case REQUEST_HEAD:
            if (!ask_core(visit)) return false;
            break;
        case REQUEST_DATA: pass_body(visit, data); break;
        case REQUEST_END: exchange_body_end(visit->exchange); return true;
        case REQUEST_REFUSED:
            if (!visit_refuse(visit, visit->reader.error)) return false;
            break;
        }
    }
}

bool visit_take_held(struct visit *visit) {
    bool says_end = visit->is_eof && visit->phase == VISIT_UPGRADED;
    if (!visit->in.len && !says_end) return true;
    struct view held = buf_view(&visit->in), left = held;
    if (!take(visit, &left)) return false;
    buf_consume(&visit->in, held.len - left.len);
    if (!visit->in.len) buf_done(&visit->in);
    return true;
}

/* ---- reading ---- */

size_t visit_reads(const struct visit *visit) {
    size_t most = VISIT_BLOCK_BYTES;
    bool asked = visit->phase == VISIT_ASKED || visit->phase == VISIT_UPGRADED;
    if (visit->phase == VISIT_CLOSED) return 0;
    if (asked && !throws_away(visit)) {
        bool wants_body = visit->phase == VISIT_UPGRADED || request_reader_wants_body(&visit->reader);
        most = VISIT_HELD_BYTES + (wants_body ? visit->credit : 0);
        most = visit->in.len >= most ? 0 : most - visit->in.len;
    }
    size_t room = visit->in.max - visit->in.len;
    if (most > room) most = room;
    return most < VISIT_BLOCK_BYTES ? most : VISIT_BLOCK_BYTES;
}

/* Into the block that all share, when nothing is held: only what is left of it needs memory of its own. */
static ssize_t receive_fresh(struct visit *visit, size_t max) {
    char *block = visit->side->block;
    ssize_t len = conn_recv(&visit->conn, block, max);
    if (len <= 0) return len;
    struct view bytes = view_of(block, (size_t)len);
    if (!take(visit, &bytes)) return len;
    if (!buf_append_view(&visit->in, bytes)) visit_cut(visit);
    return len;
}

static ssize_t receive_behind(struct visit *visit, size_t max) {
    char *room = buf_reserve(&visit->in, max);
    if (!room) {
        errno = ENOMEM;
        return -1;
    }
    ssize_t len = conn_recv(&visit->conn, room, max);
    if (len <= 0) return len;
    buf_commit(&visit->in, (size_t)len);
    visit_take_held(visit);
    return len;
}

bool visit_receive(struct visit *visit) {
    for (int i = 0; i < READS_A_TURN && visit->phase != VISIT_CLOSED && !visit->is_eof; i++) {
        size_t max = visit_reads(visit);
        if (!max) return true;
        ssize_t len = visit->in.len ? receive_behind(visit, max) : receive_fresh(visit, max);
        if (len < 0 && errno != EAGAIN) visit_cut(visit);
        if (len > 0) turns_spend(&visit->side->turns, visit->share, TURN_IN, (size_t)len);
        if (len == 0) visit->is_eof = true;
        if (len < (ssize_t)max) break;
    }
    return visit->phase != VISIT_CLOSED;
}
