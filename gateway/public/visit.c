/* See visit.h. The life of a connection: polling, going on, deadlines, the end. */
#include "public/visit.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "sockets/tcp.h"

#define REQUEST_ARENA_BYTES ((size_t)1024 * 1024)
#define LINGER_MS 3000
#define LEAVE_MS 10
#define PASS_AGAIN_MS 1

static void on_poll(uv_poll_t *poll, int status, int events);

/* ---- birth and end ---- */

struct visit *visit_new(struct visitors *side, const struct conn *conn, struct client *client) {
    struct visit *visit = calloc(1, sizeof(*visit));
    if (!visit || uv_poll_init(&side->loop->uv, &visit->poll, conn->fd) != 0) {
        struct conn left = *conn;
        free(visit);
        conn_close(&left);
        client_release(client);
        return NULL;
    }
    visit->magic = VISIT_MAGIC;
    visit->side = side;
    visit->client = client;
    visit->conn = *conn;
    visit->poll.data = visit;
    visit->deadline_ms = loop_now(side->loop) + side->settings.header_timeout_ms;
    arena_init(&visit->arena, REQUEST_ARENA_BYTES);
    request_reader_init(&visit->reader, side->settings.head_bytes + HTTP_HEAD_SLACK);
    buf_init(&visit->in, side->settings.head_bytes + HTTP_HEAD_SLACK + VISIT_BLOCK_BYTES);
    buf_init(&visit->lead, VISIT_LEAD_BYTES);
    buf_init(&visit->out, VISIT_OUT_BYTES);
    buf_init(&visit->tail, VISIT_LEAD_BYTES);
    list_init(&visit->changed);
    list_init(&visit->unread);
    list_init(&visit->leaving);
    list_append(&side->all, &visit->node);
    list_init(&visit->waiting);
    list_append(&side->waiting, &visit->waiting);
    visit->events = UV_READABLE | (conn->holds ? UV_WRITABLE : 0);
    uv_poll_start(&visit->poll, visit->events, on_poll);
    return visit;
}

/* What belongs to one request. The memory goes too: most connections are idle. */
static void forget_request(struct visit *visit) {
    list_remove(&visit->changed);
    list_remove(&visit->leaving);
    list_remove(&visit->waiting);
    request_reader_begin(&visit->reader);
    arena_done(&visit->arena);
    buf_done(&visit->lead);
    buf_done(&visit->out);
    buf_done(&visit->tail);
    if (visit->behind) client_release(visit->behind);
    visit->behind = NULL;
    visit->exchange = NULL;
    visit->credit = visit->piece_bytes = 0;
    visit->body = VISIT_BODY_FLOWS;
    visit->answer = VISIT_ANSWER_NONE;
    visit->must_close = visit->is_broken = visit->is_blocked = visit->may_idle = false;
    visit->pace = (struct visit_pace){0};
}

/* The request is over, one way or the other: an exchange that still runs is cancelled. */
static void end_request(struct visit *visit) {
    if (visit->phase != VISIT_ASKED && visit->phase != VISIT_UPGRADED) return;
    if (visit->exchange) exchange_cancel(visit->exchange);
    access_end(&visit->access, visit->answer && !visit->is_broken, loop_now(visit->side->loop));
    forget_request(visit);
}

static void on_closed(uv_handle_t *handle) {
    free(handle->data);
}

static void close_visit(struct visit *visit) {
    forget_request(visit);
    visit->phase = VISIT_CLOSED;
    visit->magic = 0;
    list_remove(&visit->node);
    list_remove(&visit->unread);
    buf_done(&visit->in);
    client_release(visit->client);
    uv_close((uv_handle_t *)&visit->poll, on_closed);
    conn_close(&visit->conn);
}

void visit_cut(struct visit *visit) {
    bool looks_whole =
        visit->phase == VISIT_ASKED && visit->answer >= VISIT_ANSWER_BODY && !visit_is_answered(visit);
    if (looks_whole) conn_reset(&visit->conn);
    visit->is_broken = true;
    end_request(visit);
    close_visit(visit);
}

/* ---- between requests ---- */

static void linger(struct visit *visit) {
    conn_end(&visit->conn);
    visit->phase = VISIT_LINGER; /* what is held is thrown away there, too */
    list_append(&visit->side->waiting, &visit->waiting);
    visit->deadline_ms = loop_now(visit->side->loop) + LINGER_MS;
}

static void wait_for_next(struct visit *visit) {
    struct visitors *side = visit->side;
    visit->phase = VISIT_IDLE;
    list_append(&side->waiting, &visit->waiting);
    visit->deadline_ms = loop_now(side->loop) + (side->draining ? 0 : side->settings.keepalive_timeout_ms);
}

/* False: there is no room now, and it is tried again. */
static bool pass(struct visit *visit) {
    struct visitors *side = visit->side;
    bool is_late = !side->pass(side->pass_ctx, visit->conn.fd) && errno == EAGAIN;
    return !is_late || !timer_start(&side->loop->timers, &side->pass_again, PASS_AGAIN_MS);
}

/* What has come meanwhile and was not read goes with the socket. */
void visit_pass_on(struct visit *visit) {
    struct visitors *side = visit->side;
    bool is_between = visit->phase == VISIT_NEW || visit->phase == VISIT_IDLE;
    if (!side->pass || !is_between || visit->in.len || visit->is_eof) return;
    if (visit->conn.is_ours && (visit->phase == VISIT_NEW || conn_has_unread(&visit->conn))) return;
    if (visit->conn.is_ours || pass(visit)) close_visit(visit);
}

static void after_answer(struct visit *visit) {
    bool is_read = visit->phase == VISIT_ASKED && request_reader_is_at_end(&visit->reader);
    bool keeps = is_read && !visit->must_close;
    bool may_come_more = !is_read || visit->in.len || http_error_closes(visit->access.error);
    end_request(visit);
    if (keeps) {
        wait_for_next(visit);
        visit_pass_on(visit);
    } else if (may_come_more && !visit->is_eof) {
        linger(visit);
    } else {
        close_visit(visit);
    }
}

/* ---- going on ---- */

/* What TLS holds is no matter of the socket's: being writable is what the next turn wakes us for then. */
static void arm(struct visit *visit) {
    bool reads = !visit->is_eof && visit_reads(visit);
    int events = visit->is_blocked || (reads && visit->conn.holds) ? UV_WRITABLE : 0;
    if (!visit->is_eof) events |= reads ? UV_READABLE : UV_DISCONNECT; /* EOF is said once */
    if (events == visit->events) return;
    visit->events = events;
    if (events)
        uv_poll_start(&visit->poll, events, on_poll);
    else
        uv_poll_stop(&visit->poll);
}

/* Within a request only what the visitor owes us has a deadline: bytes of the body, or reading the answer.
 * The core watches all else. */
static void set_deadline(struct visit *visit) {
    const struct visitors *side = visit->side;
    if (visit->phase != VISIT_ASKED && visit->phase != VISIT_UPGRADED) return;
    bool owes_body =
        visit->phase == VISIT_ASKED && visit->credit && request_reader_wants_body(&visit->reader);
    bool owes_reading = visit->phase == VISIT_ASKED && visit->is_blocked;
    if (!owes_body && !owes_reading)
        visit->deadline_ms = 0;
    else if (visit->moved || !visit->deadline_ms) /* the core ends an upload that stalls; this is for when
                                                     even that does not get through */
        visit->deadline_ms =
            loop_now(side->loop) + side->settings.body_idle_timeout_ms + (owes_reading ? 0 : LINGER_MS);
    visit->moved = false;
}

/* Who has sent all of his request and closes his direction may still want the answer, if there is one soon:
 * who has left for good looks the same. */
static void leave_soon(struct visit *visit) {
    struct visitors *side = visit->side;
    visit->leave_ms = loop_now(side->loop) + LEAVE_MS;
    visit->leave_bytes = visit->access.bytes_out;
    list_append(&side->leaving, &visit->leaving);
    if (!timer_armed(&side->leave)) timer_start(&side->loop->timers, &side->leave, LEAVE_MS);
}

void visit_leave(struct visit *visit) {
    bool gets_answer =
        visit->is_blocked || !list_empty(&visit->changed) || visit->access.bytes_out > visit->leave_bytes;
    list_remove(&visit->leaving);
    if (gets_answer) /* were he gone, a reset would come for it */
        leave_soon(visit);
    else
        visit_cut(visit);
}

/* False when that was the connection's end. */
static bool heed_eof(struct visit *visit) {
    if (!visit->is_eof || visit->phase == VISIT_UPGRADED) return true;
    if (visit->phase == VISIT_ASKED && !visit->exchange) return true; /* the rest of the answer */
    if (visit->phase == VISIT_ASKED && request_reader_is_at_end(&visit->reader)) {
        if (list_empty(&visit->leaving)) leave_soon(visit);
        return true;
    }
    visit_cut(visit);
    return false;
}

/* False when the connection was closed. */
static bool answer(struct visit *visit) {
    if (visit_flush(visit)) return true;
    visit_cut(visit);
    return false;
}

static bool has_answered(const struct visit *visit) {
    return (visit->phase == VISIT_ASKED || visit->phase == VISIT_UPGRADED) && visit_is_answered(visit);
}

void visit_go_on(struct visit *visit) {
    enum visit_phase before;
    do { /* what is held may be of use to another phase: the next request, or what was switched to */
        before = visit->phase;
        if (!visit_take_held(visit) || !answer(visit)) return;
        if (has_answered(visit)) after_answer(visit);
        if (visit->phase == VISIT_CLOSED) return;
    } while (visit->phase != before && visit->in.len);
    if (!heed_eof(visit)) return;
    set_deadline(visit);
    arm(visit);
}

static void on_poll(uv_poll_t *poll, int status, int events) {
    struct visit *visit = poll->data;
    if (visit->magic != VISIT_MAGIC) abort();
    bool has_left = status < 0 || ((events & UV_DISCONNECT) && !(visit->events & UV_READABLE));
    if (has_left) {
        visit_cut(visit);
        return;
    }
    if (events & UV_WRITABLE) {
        visit->is_blocked = false;
        visit_wake(visit);
    }
    bool may_read = (events & UV_READABLE) || visit->conn.holds;
    if (!may_read) return;
    if (!turns_is_behind(&visit->side->turns, visit->share))
        visit_hear(visit);
    else if (list_empty(&visit->unread))
        list_append(&visit->side->unread, &visit->unread);
}

/* What is not read now is told of again in the next turn of the loop. */
void visit_hear(struct visit *visit) {
    if (!turns_may(&visit->side->turns, visit->share, TURN_IN)) return;
    if (visit_receive(visit)) visit_go_on(visit);
}

void visit_wake(struct visit *visit) {
    if (list_empty(&visit->changed)) list_append(&visit->side->changed, &visit->changed);
}

/* ---- deadlines ---- */

static bool is_read_slowly(struct visit *visit) {
    if (visit->phase != VISIT_ASKED || !visit->is_blocked) return false;
    uint64_t acked = tcp_acked_bytes(visit->conn.fd);
    if (acked == visit->acked_bytes) return false;
    visit->acked_bytes = acked;
    return true;
}

static void end_slow(struct visit *visit) {
    if (visit->answer)
        visit_cut(visit);
    else
        visit_refuse(visit, HTTP_ERROR_REQUEST_TIMEOUT);
}

void visit_tick(struct visit *visit, uint64_t now_ms) {
    if (!visit_look(visit, now_ms)) {
        end_slow(visit);
        return;
    }
    if (!visit->deadline_ms || visit->deadline_ms > now_ms) return;
    if (is_read_slowly(visit))
        visit->deadline_ms = now_ms + visit->side->settings.body_idle_timeout_ms;
    else if (visit->phase == VISIT_HEAD)
        visit_refuse(visit, HTTP_ERROR_REQUEST_TIMEOUT);
    else
        visit_cut(visit);
}
