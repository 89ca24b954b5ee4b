/* See ws_candidate.h. */
#include "agents/ws_candidate.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

#define LINGER_MS 2000
#define PEEK_BYTES 512
#define PEEK_AGAIN_MS 10
#define SPARE_TRIES 64

static struct timers *timers_of(struct ws_candidate *candidate) {
    return &candidate->set->settings.loop->timers;
}

/* ---- the socket ---- */

static void on_poll_closed(uv_handle_t *handle) {
    free(handle);
}

static void stop_poll(struct ws_candidate *candidate) {
    if (!candidate->poll) return;
    uv_poll_stop(candidate->poll);
    uv_close((uv_handle_t *)candidate->poll, on_poll_closed);
    candidate->poll = NULL;
}

static void on_readable(uv_poll_t *poll, int status, int events);

static bool start_poll(struct ws_candidate *candidate) {
    candidate->poll = malloc(sizeof(*candidate->poll));
    if (!candidate->poll) return false;
    if (uv_poll_init(&candidate->set->settings.loop->uv, candidate->poll, candidate->conn.fd) != 0) {
        free(candidate->poll);
        candidate->poll = NULL;
        return false;
    }
    candidate->poll->data = candidate;
    uv_poll_start(candidate->poll, UV_READABLE, on_readable);
    return true;
}

void ws_candidate_free(struct ws_candidate *candidate) {
    stop_poll(candidate);
    timer_stop(timers_of(candidate), &candidate->deadline);
    timer_stop(timers_of(candidate), &candidate->again);
    list_remove(&candidate->all);
    if (candidate->behind) client_release(candidate->behind);
    if (candidate->conn.fd >= 0) {
        conn_close(&candidate->conn);
        client_release(candidate->client);
    }
    buf_done(&candidate->bytes);
    arena_done(&candidate->arena);
    free(candidate);
}

/* ---- its owner's word ---- */

void ws_candidate_wait(struct ws_candidate *candidate) {
    stop_poll(candidate);
    timer_stop(timers_of(candidate), &candidate->deadline);
    candidate->phase = WS_CANDIDATE_WAITING;
}

/* Waits a little for the other side to close: closing first, with bytes unread, would take the answer back
 * (RST). */
void ws_candidate_refuse(struct ws_candidate *candidate, int status, struct view text) {
    struct buf out;
    buf_init(&out, 8192);
    handshake_print_refusal(&out, status, text);
    const struct iovec part = {.iov_base = out.ptr, .iov_len = out.len};
    bool sent = !out.failed && conn_send(&candidate->conn, &part, 1) == (ssize_t)out.len;
    buf_done(&out);
    log_from(LOG_LEVEL_INFO, candidate->set->settings.name, view_from_cstr(ws_candidate_address(candidate)),
             "refused with %d: %.*s", status, VIEW_ARG(text));
    conn_end(&candidate->conn);
    candidate->phase = WS_CANDIDATE_LINGERING;
    if (!sent || (!candidate->poll && !start_poll(candidate)))
        ws_candidate_free(candidate);
    else
        timer_start(timers_of(candidate), &candidate->deadline, LINGER_MS);
}

struct ws_socket ws_candidate_take(struct ws_candidate *candidate) {
    const struct ws_socket socket = {
        .conn = candidate->conn,
        .client = candidate->client,
        .key = candidate->handshake.key,
        .early = view_skip(buf_view(&candidate->bytes), candidate->handshake.len),
    };
    candidate->conn = conn_plain(-1);
    stop_poll(candidate);
    timer_stop(timers_of(candidate), &candidate->deadline);
    return socket;
}

/* ---- its request ---- */

static void look_at_head(struct ws_candidate *candidate) {
    const struct ws_candidates_settings *settings = &candidate->set->settings;
    struct view text;
    int status =
        handshake_check(buf_view(&candidate->bytes), &candidate->arena, &candidate->handshake, &text);
    if (status == 0) return; /* more to come */
    candidate->ready_ms = loop_wall_ms(NULL);
    if (status == 101)
        settings->ready(settings->ctx, candidate);
    else
        ws_candidate_refuse(candidate, status, text);
}

static void to_foreign(struct ws_candidate *candidate) {
    const struct ws_candidates_settings *settings = &candidate->set->settings;
    const struct ws_socket socket = ws_candidate_take(candidate);
    settings->foreign(settings->ctx, socket.conn.fd, socket.client, (struct sockaddr *)&candidate->address,
                      candidate->address_len);
    ws_candidate_free(candidate);
}

/* True: the line is whole, or longer than any that is foreign, and it is ours. */
static bool peek(struct ws_candidate *candidate) {
    char bytes[PEEK_BYTES];
    ssize_t len = recv(candidate->conn.fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);
    if (len < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (len <= 0) {
        ws_candidate_free(candidate);
        return false;
    }
    struct view all = view_of(bytes, (size_t)len), line = view_slice(all, 0, view_find(all, '\r'));
    if (candidate->set->settings.is_foreign(line)) {
        to_foreign(candidate);
        return false;
    }
    if (line.len < all.len || all.len == sizeof(bytes)) {
        candidate->phase = WS_CANDIDATE_READING;
        return true;
    }
    uv_poll_stop(candidate->poll); /* what has come stays: it would wake us without end */
    timer_start(timers_of(candidate), &candidate->again, PEEK_AGAIN_MS);
    return false;
}

static void on_again(struct timer *timer) {
    struct ws_candidate *candidate = LIST_ENTRY(timer, struct ws_candidate, again);
    uv_poll_start(candidate->poll, UV_READABLE, on_readable);
}

/* One piece of what has come. False: there is no more for now, or no candidate. */
static bool receive(struct ws_candidate *candidate) {
    char bytes[4096];
    ssize_t len = conn_recv(&candidate->conn, bytes, sizeof(bytes));
    if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
        if (candidate->phase == WS_CANDIDATE_READING && candidate->bytes.len) look_at_head(candidate);
        return false;
    }
    if (len <= 0) {
        ws_candidate_free(candidate);
        return false;
    }
    bool is_kept = candidate->phase == WS_CANDIDATE_READING; /* else thrown away */
    if (is_kept && !buf_append(&candidate->bytes, bytes, (size_t)len)) {
        ws_candidate_refuse(candidate, 431, VIEW("The request's head is too large."));
        return false;
    }
    if (candidate->conn.holds) return true; /* all of it, for nobody will tell of it again */
    if (is_kept) look_at_head(candidate);
    return false;
}

static void on_readable(uv_poll_t *poll, int status, int events) {
    (void)status, (void)events;
    struct ws_candidate *candidate = poll->data;
    if (candidate->phase == WS_CANDIDATE_PEEKING && !peek(candidate)) return;
    while (receive(candidate)) continue;
}

static void on_deadline(struct timer *timer) {
    struct ws_candidate *candidate = LIST_ENTRY(timer, struct ws_candidate, deadline);
    if (candidate->phase == WS_CANDIDATE_READING && candidate->bytes.len)
        ws_candidate_refuse(candidate, 408, VIEW("The request did not arrive in time."));
    else
        ws_candidate_free(candidate);
}

/* ---- all of them ---- */

void ws_candidates_init(struct ws_candidates *set, const struct ws_candidates_settings *settings) {
    *set = (struct ws_candidates){.settings = *settings};
    list_init(&set->all);
}

void ws_candidates_accept(struct ws_candidates *set, const struct conn *conn, struct client *client,
                          const struct sockaddr *address, socklen_t len) {
    struct ws_candidate *candidate = calloc(1, sizeof(*candidate));
    if (!candidate) {
        struct conn left = *conn;
        conn_close(&left);
        client_release(client);
        return;
    }
    candidate->set = set;
    candidate->phase = set->settings.is_foreign ? WS_CANDIDATE_PEEKING : WS_CANDIDATE_READING;
    candidate->conn = *conn;
    candidate->client = client;
    candidate->address_len = len;
    memcpy(&candidate->address, address, len);
    buf_init(&candidate->bytes, HANDSHAKE_BYTES_MAX);
    arena_init(&candidate->arena, HANDSHAKE_BYTES_MAX * 8);
    timer_init(&candidate->deadline, on_deadline);
    timer_init(&candidate->again, on_again);
    list_append(&set->all, &candidate->all);
    if (!start_poll(candidate) ||
        !timer_start(timers_of(candidate), &candidate->deadline, set->settings.head_timeout_ms))
        ws_candidate_free(candidate);
    else
        while (candidate->conn.holds && receive(candidate)) continue;
}

bool ws_candidates_spare(struct ws_candidates *set) {
    struct list *node = set->all.next;
    for (int i = 0; i < SPARE_TRIES && node != &set->all; i++, node = node->next) {
        struct ws_candidate *candidate = LIST_ENTRY(node, struct ws_candidate, all);
        if (candidate->phase == WS_CANDIDATE_WAITING) continue;
        ws_candidate_free(candidate);
        return true;
    }
    return false;
}

void ws_candidates_stop(struct ws_candidates *set) {
    set->is_stopped = true;
    for (struct list *node = set->all.next, *next; node != &set->all; node = next) {
        next = node->next;
        struct ws_candidate *candidate = LIST_ENTRY(node, struct ws_candidate, all);
        if (candidate->phase != WS_CANDIDATE_WAITING) ws_candidate_free(candidate);
    }
}

void ws_candidates_done(struct ws_candidates *set) {
    while (!list_empty(&set->all)) ws_candidate_free(LIST_ENTRY(set->all.next, struct ws_candidate, all));
}
