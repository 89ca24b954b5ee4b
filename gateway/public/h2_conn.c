/* See h2_conn.h. */
#include "public/h2_conn.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "http/limits.h"
#include "public/h2_visit.h"
#include "public/visit.h"
#include "sockets/tcp.h"

#define MAGIC 0x48325f43u /* "H2_C" */
#define READS_A_TURN 4
#define DENSE_REQUESTS 4 /* more than this in one read: behind others, the next is of few bytes */
#define DENSE_BYTES ((size_t)512)
#define SPARE_TRIES 64
#define MESSAGE_BYTES ((size_t)64 * 1024)
#define OUT_BYTES ((size_t)512 * 1024)
#define BUDGET_BYTES ((size_t)32 * 1024 * 1024)
#define ENDING_MS 2000 /* to take what was said last */

static const struct link_limits base_limits = {
    .window_bytes = H2_STREAM_WINDOW,
    .window_max_bytes = H2_STREAM_WINDOW,
    .connection_bytes = H2_CONNECTION_WINDOW,
    .unsent_bytes = VISIT_OUT_BYTES,
    .streams_max = H2_STREAMS_MAX,
    .headers_count = 512, /* the gate has its own bound, and tells of it */
    .message_bytes = MESSAGE_BYTES,
    .resets_per_second = 50,
    .noise_per_second = 50,
};

static void on_poll(uv_poll_t *poll, int status, int events);

/* ---- the end ---- */

static void on_closed(uv_handle_t *handle) {
    free(handle->data);
}

void h2_cut(struct h2_conn *conn) {
    conn->magic = 0;
    conn->is_over = true;
    link_free(conn->session);
    list_remove(&conn->node);
    list_remove(&conn->changed);
    list_remove(&conn->unread);
    list_remove(&conn->waiting);
    buf_done(&conn->out);
    client_release(conn->client);
    uv_close((uv_handle_t *)&conn->poll, on_closed);
    conn_close(&conn->conn);
}

/* What the session has to say last (GOAWAY) still leaves. */
static void end_soon(struct h2_conn *conn) {
    if (conn->is_ending || !conn->session) return;
    conn->is_ending = true;
    link_drain(conn->session);
    conn->deadline_ms = loop_now(conn->side->loop) + ENDING_MS;
    h2_wake(conn);
}

/* ---- going on ---- */

void h2_wake(struct h2_conn *conn) {
    if (list_empty(&conn->changed)) list_append(&conn->side->h2.changed, &conn->changed);
}

static void arm(struct h2_conn *conn) {
    int events = UV_READABLE | (conn->is_blocked || conn->conn.holds ? UV_WRITABLE : 0);
    if (events == conn->events) return;
    conn->events = events;
    uv_poll_start(&conn->poll, events, on_poll);
}

/* What the session has ready. False: the session is over. */
static bool make_output(struct h2_conn *conn) {
    if (conn->out.len || !link_wants_send(conn->session)) return true;
    return link_send(conn->session, &conn->out) == STATUS_OK;
}

/* False: the socket is. */
static bool send_output(struct h2_conn *conn) {
    struct view left = buf_view(&conn->out);
    const struct iovec part = {.iov_base = (void *)(uintptr_t)left.ptr, .iov_len = left.len};
    if (!left.len) return true;
    ssize_t len = conn_send(&conn->conn, &part, 1);
    if (len < 0 && errno != EAGAIN) return false;
    if (len > 0) {
        buf_consume(&conn->out, (size_t)len);
        turns_spend(&conn->side->turns, conn->share, TURN_OUT, (size_t)len);
    }
    conn->is_blocked = conn->out.len;
    if (!conn->out.len) buf_done(&conn->out);
    return true;
}

/* The session has failed: why, is said as far as the socket takes it. Closing with bytes unread would take
 * that back (RST), so what comes is thrown away for a moment. */
static void give_up(struct h2_conn *conn) {
    log_from(LOG_LEVEL_DEBUG, "h2", view_from_cstr(conn->client->text), "%s", link_error(conn->session));
    if (!conn->out.len) link_send(conn->session, &conn->out);
    send_output(conn);
    conn->is_over = true;
    link_free(conn->session); /* each stream is told */
    conn->session = NULL;
    buf_done(&conn->out);
    conn_end(&conn->conn);
    conn->is_blocked = conn->conn.holds = false;
    arm(conn); /* half closed it is always writable */
    list_remove(&conn->waiting);
    conn->deadline_ms = loop_now(conn->side->loop) + ENDING_MS;
}

/* False: it was closed. */
static bool throw_away(struct h2_conn *conn) {
    for (int i = 0; i < READS_A_TURN; i++) {
        ssize_t len = recv(conn->conn.fd, conn->side->block, VISIT_BLOCK_BYTES, MSG_DONTWAIT);
        if (len < 0 && errno == EAGAIN) return true;
        if (len > 0) continue;
        h2_cut(conn);
        return false;
    }
    return true;
}

static bool may_send(const struct h2_conn *conn) {
    return !conn->is_blocked && turns_may(&conn->side->turns, conn->share, TURN_OUT);
}

/* As much as its tunnel may in this turn. False: it was closed. */
static bool flush(struct h2_conn *conn) {
    bool lives = true, takes = true;
    while (lives && takes && may_send(conn)) {
        lives = make_output(conn);
        if (!conn->out.len && lives) return true;
        takes = send_output(conn);
    }
    if (lives && takes) return true;
    if (takes)
        give_up(conn);
    else
        h2_cut(conn);
    return false;
}

/* Its tunnel has had its turn: what is still to be said (GOAWAY perhaps) is said in the next. */
static bool is_put_off(const struct h2_conn *conn) {
    bool has_more = !conn->is_blocked && (conn->out.len || link_wants_send(conn->session));
    return has_more && !may_send(conn);
}

/* Going down: who asks is answered, and told to ask elsewhere from now on. */
static void go_on(struct h2_conn *conn) {
    if (!conn->session) return;
    if (conn->asked && (conn->side->draining || conn->side->pass)) end_soon(conn);
    if (!flush(conn)) return;
    list_remove(&conn->changed);
    bool is_late = is_put_off(conn);
    if (conn->is_ending && !conn->count && !conn->out.len && !is_late) {
        conn_end(&conn->conn);
        h2_cut(conn);
        return;
    }
    if (is_late) list_append(&conn->side->h2.late, &conn->changed);
    arm(conn);
}

/* ---- in ---- */

static bool is_behind(const struct h2_conn *conn) {
    return turns_is_behind(&conn->side->turns, conn->share);
}

/* False: the session is over. */
static bool take(struct h2_conn *conn, struct view bytes) {
    uint32_t before = conn->asked;
    turns_spend(&conn->side->turns, conn->share, TURN_IN, bytes.len);
    if (link_receive(conn->session, bytes) != STATUS_OK) {
        give_up(conn);
        return false;
    }
    conn->is_dense = conn->asked - before > DENSE_REQUESTS;
    return true;
}

/* False: it was closed, or the session is over. */
static bool receive(struct h2_conn *conn) {
    char *block = conn->side->block;
    link_tick(conn->session, loop_now(conn->side->loop));
    for (int i = 0; i < READS_A_TURN; i++) {
        size_t max = conn->is_dense && is_behind(conn) ? DENSE_BYTES : VISIT_BLOCK_BYTES;
        ssize_t len = conn_recv(&conn->conn, block, max);
        if (len < 0 && errno == EAGAIN) return true;
        if (len <= 0) {
            h2_cut(conn);
            return false;
        }
        if (!take(conn, view_of(block, (size_t)len))) return false;
        if (!conn->conn.holds && len < (ssize_t)max) return true;
        if (!turns_may(&conn->side->turns, conn->share, TURN_IN)) return true;
    }
    return true;
}

/* Something has come: is taken, if its tunnel may have more of this turn. */
static void hear(struct h2_conn *conn) {
    if (!conn->session) return;
    if (!turns_may(&conn->side->turns, conn->share, TURN_IN) || receive(conn)) go_on(conn);
}

static void on_poll(uv_poll_t *poll, int status, int events) {
    struct h2_conn *conn = poll->data;
    if (conn->magic != MAGIC) abort();
    if (status < 0) {
        h2_cut(conn);
        return;
    }
    if (!conn->session) {
        throw_away(conn);
        return;
    }
    if (events & UV_WRITABLE) conn->is_blocked = false;
    bool may_read = (events & UV_READABLE) || conn->conn.holds;
    if (!may_read)
        go_on(conn);
    else if (!is_behind(conn))
        hear(conn);
    else if (list_empty(&conn->unread))
        list_append(&conn->side->h2.unread, &conn->unread);
}

/* ---- the turn ---- */

/* True: some of them come behind the others. */
static bool go_on_changed(struct visitors *side) {
    struct list *node;
    bool has_late = false;
    while ((node = list_pop(&side->h2.changed))) {
        struct h2_conn *conn = LIST_ENTRY(node, struct h2_conn, changed);
        if (is_behind(conn)) {
            list_append(&side->h2.late, node);
            has_late = true;
        } else {
            go_on(conn);
        }
    }
    return has_late;
}

void h2_turn(struct visitors *side, bool is_first) {
    struct list late, *node;
    list_init(&late);
    if (go_on_changed(side) || is_first) list_move_all(&late, &side->h2.late);
    while ((node = list_pop(&late))) go_on(LIST_ENTRY(node, struct h2_conn, changed));
    while ((node = list_pop(&side->h2.unread))) hear(LIST_ENTRY(node, struct h2_conn, unread));
}

/* ---- the session's word ---- */

static void on_request(void *ctx, struct link_stream *stream, const struct stream_head *head, bool has_body) {
    struct h2_conn *conn = ctx;
    conn->asked++;
    h2_visit_begin(conn, stream, head, has_body);
    h2_wake(conn);
}

static void on_control(void *ctx, struct view line) {
    (void)ctx, (void)line; /* there is no such stream */
}

static void on_writable(void *ctx) {
    h2_wake(ctx);
}

static void on_draining(void *ctx) {
    end_soon(ctx);
}

/* ---- birth ---- */

void h2_side_init(struct h2_side *side) {
    list_init(&side->all);
    list_init(&side->changed);
    list_init(&side->late);
    list_init(&side->unread);
    list_init(&side->idle);
    side->budget = (struct link_budget){.max_bytes = BUDGET_BYTES};
}

static void set_idle(struct h2_conn *conn, uint64_t patience_ms) {
    list_append(&conn->side->h2.idle, &conn->waiting);
    conn->deadline_ms = loop_now(conn->side->loop) + patience_ms;
}

void h2_count(struct h2_conn *conn, int more) {
    conn->count += (size_t)more;
    if (conn->count) {
        list_remove(&conn->waiting);
        if (!conn->is_ending) conn->deadline_ms = 0;
    } else if (!conn->is_ending && !conn->is_over) {
        set_idle(conn, conn->side->settings.keepalive_timeout_ms);
    }
    if (!conn->count && conn->is_ending && !conn->is_over) h2_wake(conn);
}

static struct h2_conn *conn_new(struct visitors *side, const struct conn *conn, struct client *client) {
    struct h2_conn *made = calloc(1, sizeof(*made));
    if (!made) return NULL;
    const struct link_events events = {.ctx = made,
                                       .request = on_request,
                                       .control = on_control,
                                       .writable = on_writable,
                                       .draining = on_draining};
    struct link_limits limits = base_limits;
    limits.headers_bytes = side->settings.head_bytes + HTTP_HEAD_SLACK;
    made->session = link_new(LINK_SERVES, &limits, &side->h2.budget, &events);
    if (made->session && uv_poll_init(&side->loop->uv, &made->poll, conn->fd) == 0) {
        made->magic = MAGIC;
        made->side = side;
        made->client = client;
        made->conn = *conn;
        made->poll.data = made;
        return made;
    }
    link_free(made->session);
    free(made);
    return NULL;
}

void h2_accept(struct visitors *side, const struct conn *conn, struct client *client,
               const struct sockaddr *address, socklen_t len) {
    struct h2_conn *made = conn_new(side, conn, client);
    if (!made) {
        struct conn left = *conn;
        conn_close(&left);
        client_release(client);
        return;
    }
    memcpy(&made->address, address, len);
    buf_init(&made->out, OUT_BYTES);
    list_init(&made->changed);
    list_init(&made->unread);
    list_init(&made->waiting);
    list_init(&made->visits);
    list_append(&side->h2.all, &made->node);
    set_idle(made, side->settings.header_timeout_ms);
    link_tick(made->session, loop_now(side->loop));
    h2_wake(made);
}

/* ---- all of them ---- */

/* Behind its deadline: told to go, and then cut. */
static void look(struct h2_conn *conn, uint64_t now_ms) {
    if (conn->session) link_tick(conn->session, now_ms);
    h2_visits_look(conn, now_ms);
    if (!conn->deadline_ms || conn->deadline_ms > now_ms) return;
    if (!conn->session || (conn->is_ending && !conn->count))
        h2_cut(conn);
    else
        end_soon(conn);
}

void h2_sweep(struct visitors *side, uint64_t now_ms) {
    for (struct list *node = side->h2.all.next, *next; node != &side->h2.all; node = next) {
        next = node->next;
        look(LIST_ENTRY(node, struct h2_conn, node), now_ms);
    }
}

bool h2_spare(struct visitors *side) {
    if (list_empty(&side->h2.idle)) return false;
    h2_cut(LIST_ENTRY(side->h2.idle.next, struct h2_conn, waiting));
    return true;
}

bool h2_spare_stalled(struct visitors *side, uint64_t least_ms) {
    uint64_t now_ms = loop_now(side->loop);
    struct list *node = side->h2.all.next;
    for (int i = 0; i < SPARE_TRIES && node != &side->h2.all; i++, node = node->next) {
        struct h2_conn *conn = LIST_ENTRY(node, struct h2_conn, node);
        if (!conn->session || !h2_visits_have_stalled(conn, now_ms, least_ms)) continue;
        h2_cut(conn);
        return true;
    }
    return false;
}

void h2_drain(struct visitors *side) {
    for (struct list *node = side->h2.all.next; node != &side->h2.all; node = node->next)
        end_soon(LIST_ENTRY(node, struct h2_conn, node));
}

size_t h2_busy(const struct visitors *side) {
    size_t count = 0;
    for (const struct list *node = side->h2.all.next; node != &side->h2.all; node = node->next) {
        const struct h2_conn *conn = LIST_ENTRY(node, const struct h2_conn, node);
        bool has_more = conn->out.len || !list_empty(&conn->changed);
        count += conn->count ? conn->count : has_more;
    }
    return count;
}

void h2_stop(struct visitors *side) {
    while (!list_empty(&side->h2.all)) h2_cut(LIST_ENTRY(side->h2.all.next, struct h2_conn, node));
}

struct h2_conn *h2_fullest(const struct visitors *side, size_t *ret_bytes) {
    struct h2_conn *most = NULL;
    *ret_bytes = 0;
    for (struct list *node = side->h2.all.next; node != &side->h2.all; node = node->next) {
        struct h2_conn *conn = LIST_ENTRY(node, struct h2_conn, node);
        size_t bytes = h2_visits_unsent(conn);
        if (bytes > *ret_bytes) most = conn, *ret_bytes = bytes;
    }
    return most;
}
