/* See visit_upgrade.h. MHD hands the socket over once the 101 is out, and closes it when told to; in between
 * it is ours. */
#include "visit_upgrade.h"

#include "auth/websocket.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#define READ_BYTES ((size_t)64 * 1024)
#define READS_A_TURN 4

struct visit_upgrade {
    struct visit *visit;
    struct MHD_UpgradeResponseHandle *handle;
    uv_poll_t poll;
    int events;   /* that the poll is armed for */
    bool is_read; /* the visitor has closed its direction */
};

static void on_poll_closed(uv_handle_t *handle) {
    free(handle->data);
}

void visit_upgrade_stop(struct visit *visit) {
    struct visit_upgrade *upgrade = visit->upgrade;
    if (!upgrade) return;
    visit->upgrade = NULL;
    uv_poll_stop(&upgrade->poll);
    uv_close((uv_handle_t *)&upgrade->poll, on_poll_closed);
    MHD_upgrade_action(upgrade->handle, MHD_UPGRADE_ACTION_CLOSE);
    mhd_loop_kick(&visit->side->mhd);
}

/* ---- both directions; false when the connection is over ---- */

static bool read_visitor(struct visit_upgrade *upgrade) {
    struct visit *visit = upgrade->visit;
    char bytes[READ_BYTES];
    for (int i = 0; i < READS_A_TURN && visit->credit && visit->exchange && !upgrade->is_read; i++) {
        size_t max = visit->credit < sizeof(bytes) ? visit->credit : sizeof(bytes);
        ssize_t len = recv(visit->fd, bytes, max, MSG_DONTWAIT);
        if (len < 0) return errno == EAGAIN || errno == EINTR;
        if (len == 0) {
            upgrade->is_read = true;
            exchange_body_end(visit->exchange);
            return true;
        }
        visit->credit -= (size_t)len;
        exchange_body(visit->exchange, view_of(bytes, (size_t)len));
        if ((size_t)len < max) return true;
    }
    return true;
}

static bool write_visitor(struct visit_upgrade *upgrade) {
    struct visit *visit = upgrade->visit;
    while (visit->out.len) {
        struct view ready = buf_view(&visit->out);
        ssize_t len = send(visit->fd, ready.ptr, ready.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (len < 0) return errno == EAGAIN || errno == EINTR;
        buf_consume(&visit->out, (size_t)len);
        visit->sent_bytes += (uint64_t)len;
        if (visit->exchange) exchange_drained(visit->exchange, (size_t)len);
    }
    return !visit->is_ended;
}

static void on_socket(uv_poll_t *poll, int status, int events);

static void arm(struct visit_upgrade *upgrade) {
    struct visit *visit = upgrade->visit;
    int events = UV_DISCONNECT;
    if (visit->credit && visit->exchange && !upgrade->is_read) events |= UV_READABLE;
    if (visit->out.len) events |= UV_WRITABLE;
    if (upgrade->is_read) events &= ~UV_DISCONNECT; /* said once, and true ever after */
    if (events == upgrade->events) return;
    upgrade->events = events;
    if (events)
        uv_poll_start(&upgrade->poll, events, on_socket);
    else
        uv_poll_stop(&upgrade->poll);
}

static void go_on(struct visit_upgrade *upgrade) {
    struct visit *visit = upgrade->visit;
    if (visit->is_broken || !read_visitor(upgrade) || !write_visitor(upgrade))
        visit_upgrade_stop(visit);
    else
        arm(upgrade);
}

static void on_socket(uv_poll_t *poll, int status, int events) {
    struct visit_upgrade *upgrade = poll->data;
    bool gone =
        status < 0 || ((events & UV_DISCONNECT) && !(events & UV_READABLE) && !upgrade->visit->credit);
    if (gone)
        visit_upgrade_stop(upgrade->visit);
    else
        go_on(upgrade);
}

void visit_upgrade_changed(struct visit *visit) {
    if (visit->upgrade) go_on(visit->upgrade);
}

/* ---- the switch ---- */

/* Bytes that came behind the request, read by MHD already. More than was granted: the visitor was too hasty.
 */
static bool take_early(struct visit *visit, const char *bytes, size_t len) {
    if (len > visit->credit) return false;
    if (len == 0) return true;
    visit->credit -= len;
    exchange_body(visit->exchange, view_of(bytes, len));
    return true;
}

static void on_upgraded(void *ctx, struct MHD_Connection *connection, void *request, const char *early,
                        size_t early_len, MHD_socket socket, struct MHD_UpgradeResponseHandle *handle) {
    (void)connection, (void)request;
    struct visit *visit = ctx;
    struct visit_upgrade *upgrade = calloc(1, sizeof(*upgrade));
    visit->deadline_ms = 0;
    if (!upgrade || uv_poll_init(&visit->side->loop->uv, &upgrade->poll, socket) != 0) {
        free(upgrade);
        MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
        return;
    }
    upgrade->visit = visit;
    upgrade->handle = handle;
    upgrade->poll.data = upgrade;
    visit->fd = socket;
    visit->upgrade = upgrade;
    if (visit->exchange && !take_early(visit, early, early_len)) visit->is_broken = true;
    visit_wake(visit);
}

static bool add_accept(struct visit *visit, struct MHD_Response *response) {
    struct view key = headers_get(&visit->headers, VIEW("sec-websocket-key"));
    if (!key.ptr || !view_eq_nocase(visit->upgrade_token, VIEW("websocket"))) return true;
    char accept[WEBSOCKET_ACCEPT_LEN + 1];
    websocket_accept(key, accept);
    return MHD_add_response_header(response, "Sec-WebSocket-Accept", accept) == MHD_YES;
}

struct MHD_Response *visit_upgrade_response(struct visit *visit) {
    struct view token = arena_copy(&visit->arena, visit->upgrade_token);
    struct MHD_Response *response = token.ptr ? MHD_create_response_for_upgrade(on_upgraded, visit) : NULL;
    if (!response) return NULL;
    if (MHD_add_response_header(response, MHD_HTTP_HEADER_UPGRADE, token.ptr) == MHD_YES &&
        add_accept(visit, response))
        return response;
    MHD_destroy_response(response);
    return NULL;
}
