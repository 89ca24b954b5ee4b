/* See ws_server.h. Each end polls its socket; what it reads goes through one block that all share. */
#include "agents/ws_server.h"

#include "auth/websocket.h"
#include "sockets/tcp.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define END_MAGIC 0x77735f65u
#define BLOCK_BYTES (64 * 1024)
#define UNSENT_BYTES (256 * 1024) /* in the kernel: what waits there, streams cannot overtake */
#define OWED_MAX_BYTES ((size_t)1024 * 1024)
#define PONGS_MAX_BYTES 4096 /* who sends pings and reads no answers gets no more of them */
#define WRITES_A_TURN 16
#define LAST_READS 16
#define CLOSE_WAIT_MS 5000

struct ws_server {
    struct loop *loop;
    const struct ws_server_events *events;
    size_t frame_bytes;
    struct list ends;
    char block[BLOCK_BYTES];
};

/* A message, or what is left of it. */
struct outgoing {
    struct list node;
    size_t len, sent;
    char bytes[]; /* WS_HEAD_MAX bytes of room, then the message */
};

static void on_poll(uv_poll_t *poll, int status, int events);

/* ---- the end ---- */

static void on_closed(uv_handle_t *handle) {
    free(handle);
}

/* With something unread, closing would take back what was sent last (RST). */
static void throw_away(struct ws_end *end) {
    char *block = end->server->block;
    for (int i = 0; i < LAST_READS && recv(end->fd, block, BLOCK_BYTES, MSG_DONTWAIT) > 0; i++) continue;
}

static void finish(struct ws_end *end) {
    list_remove(&end->node);
    task_cancel(&end->begin);
    task_cancel(&end->write);
    if (end->poll) uv_close((uv_handle_t *)end->poll, on_closed);
    if (end->is_over) throw_away(end);
    close(end->fd);
    end->server->events->gone(end);
}

static void arm(struct ws_end *end) {
    int events = (end->is_over ? 0 : UV_READABLE) | (end->owed.len || end->is_write_due ? UV_WRITABLE : 0);
    if (events == end->polled) return;
    end->polled = events;
    if (uv_poll_start(end->poll, events, on_poll) != 0) ws_end_cut(end);
}

/* At the end of all that happens to it. */
static void go_on(struct ws_end *end) {
    if (end->is_deaf && end->is_close_sent && end->owed.len == 0) shutdown(end->fd, SHUT_WR);
    if (end->is_broken || (end->is_over && end->owed.len == 0))
        finish(end);
    else
        arm(end);
}

/* ---- out ---- */

static void put(struct ws_end *end, struct view bytes) {
    if (end->is_broken) return;
    if (end->owed.len == 0) {
        ssize_t sent = send(end->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) end->is_broken = true;
        if (sent > 0) bytes = view_skip(bytes, (size_t)sent);
    }
    if (bytes.len && !buf_append_view(&end->owed, bytes)) end->is_broken = true;
}

static void pay(struct ws_end *end) {
    if (end->owed.len == 0) return;
    struct view owed = buf_view(&end->owed);
    ssize_t sent = send(end->fd, owed.ptr, owed.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) end->is_broken = true;
    if (sent > 0) buf_consume(&end->owed, (size_t)sent);
    if (end->owed.len == 0) buf_done(&end->owed);
}

static void put_control(struct ws_end *end, enum ws_opcode opcode, struct view payload) {
    char room[WS_HEAD_MAX + WS_CONTROL_MAX];
    if (payload.len) memcpy(room + WS_HEAD_MAX, payload.ptr, payload.len);
    put(end, ws_frame_plain(room + WS_HEAD_MAX, payload.len, opcode, true));
}

static void put_close(struct ws_end *end, unsigned code) {
    char bytes[2] = {(char)(code >> 8), (char)code};
    put_control(end, WS_CLOSE, view_of(bytes, code ? sizeof(bytes) : 0));
    end->is_close_sent = true;
    end->is_write_due = false;
}

static void write_some(struct ws_end *end) {
    bool may = end->is_established && !end->is_close_sent && !end->is_broken;
    end->is_write_due = may && end->owed.len > 0;
    if (!may || end->is_write_due) return;
    end->is_writing = true;
    end->server->events->write(end);
    end->is_writing = false;
}

static void on_write(struct task *task) {
    struct ws_end *end = LIST_ENTRY(task, struct ws_end, write);
    write_some(end);
    go_on(end);
}

void ws_end_ask_writable(struct ws_end *end) {
    if (!end->is_established || end->is_close_sent) return; /* then it comes, or nothing does */
    if (end->is_writing)
        end->is_write_due = true;
    else if (!end->is_write_due)
        tasks_post(&end->server->loop->tasks, &end->write);
}

enum status ws_end_send(struct ws_end *end, struct view message, size_t max_bytes) {
    if (end->closing_ms) return STATUS_GONE;
    if (message.len > max_bytes - end->outgoing_bytes) return STATUS_OVERLOADED;
    struct outgoing *out = malloc(sizeof(*out) + WS_HEAD_MAX + message.len);
    if (!out) return STATUS_NO_MEMORY;
    out->len = message.len;
    out->sent = 0;
    if (message.len > 0) memcpy(out->bytes + WS_HEAD_MAX, message.ptr, message.len);
    list_init(&out->node);
    list_append(&end->outgoing, &out->node);
    end->outgoing_bytes += message.len;
    ws_end_ask_writable(end);
    return STATUS_OK;
}

/* One frame of the first message. The room in front of a later frame is what was sent before it. */
static void write_frame(struct ws_end *end) {
    struct outgoing *out = LIST_ENTRY(end->outgoing.next, struct outgoing, node);
    size_t left = out->len - out->sent, max = end->server->frame_bytes, len = left < max ? left : max;
    enum ws_opcode opcode = out->sent ? WS_CONTINUATION : WS_TEXT;
    put(end, ws_frame_plain(out->bytes + WS_HEAD_MAX + out->sent, len, opcode, len == left));
    out->sent += len;
    if (out->sent < out->len) return;
    end->outgoing_bytes -= out->len;
    list_remove(&out->node);
    free(out);
}

void ws_end_write_messages(struct ws_end *end) {
    for (int i = 0; i < WRITES_A_TURN && !list_empty(&end->outgoing) && !ws_end_is_full(end); i++)
        write_frame(end);
}

void ws_end_write_binary(struct ws_end *end, char *message, size_t len) {
    put(end, ws_frame_plain(message, len, WS_BINARY, true));
}

void ws_end_write_ping(struct ws_end *end) {
    put_control(end, WS_PING, (struct view){0});
}

void ws_end_write_done(struct ws_end *end, bool more) {
    if (!list_empty(&end->outgoing) || more)
        ws_end_ask_writable(end);
    else if (end->closing_ms)
        put_close(end, end->close_code);
}

void ws_end_drop(struct ws_end *end) {
    struct list *node;
    while ((node = list_pop(&end->outgoing))) free(LIST_ENTRY(node, struct outgoing, node));
    end->outgoing_bytes = 0;
}

/* ---- in ---- */

static void on_close_frame(struct ws_end *end, struct view payload) {
    if (end->server->events->client_close) end->server->events->client_close(end, payload);
    if (!end->is_close_sent) put_close(end, ws_close_answer(payload));
    if (!end->closing_ms) end->closing_ms = loop_now(end->server->loop);
    end->is_over = true;
}

static void on_piece(struct ws_end *end, const struct ws_piece *piece) {
    const struct ws_server_events *events = end->server->events;
    bool is_control = piece->opcode == WS_PING || piece->opcode == WS_PONG;
    if (is_control && events->control) events->control(end);
    if (piece->opcode == WS_CLOSE)
        on_close_frame(end, piece->payload);
    else if (!is_control)
        events->receive(end, piece);
    else if (piece->opcode == WS_PING && !end->is_close_sent && end->owed.len < PONGS_MAX_BYTES)
        put_control(end, WS_PONG, piece->payload);
}

/* Bytes that may be written to. */
static void feed(struct ws_end *end, struct view bytes) {
    struct ws_piece piece;
    enum ws_step step = WS_MORE;
    while (!end->is_over && !end->is_deaf && (step = ws_decode(&end->decoder, &bytes, &piece)) == WS_PIECE)
        on_piece(end, &piece);
    if (step != WS_BAD) return;
    end->is_deaf = true;
    end->server->events->bad(end, end->decoder.code, end->decoder.detail);
}

static void read_some(struct ws_end *end) {
    char *block = end->server->block;
    ssize_t len = recv(end->fd, block, BLOCK_BYTES, MSG_DONTWAIT);
    if (len > 0)
        feed(end, view_of(block, (size_t)len));
    else if (len == 0 || (errno != EAGAIN && errno != EINTR))
        end->is_broken = true;
}

static void on_poll(uv_poll_t *poll, int status, int events) {
    struct ws_end *end = poll->data;
    if (end->magic != END_MAGIC) abort();
    if (status < 0) end->is_broken = true;
    if (events & UV_WRITABLE) pay(end);
    if (end->is_write_due && !end->owed.len) write_some(end);
    if ((events & UV_READABLE) && !end->is_broken) read_some(end);
    go_on(end);
}

/* ---- the server ---- */

struct ws_server *ws_server_new(struct loop *loop, const struct ws_server_events *events,
                                size_t frame_bytes) {
    struct ws_server *server = malloc(sizeof(*server));
    if (!server) return NULL;
    server->loop = loop;
    server->events = events;
    server->frame_bytes = frame_bytes;
    list_init(&server->ends);
    return server;
}

void ws_server_stop(struct ws_server *server) {
    while (server && !list_empty(&server->ends)) finish(LIST_ENTRY(server->ends.next, struct ws_end, node));
}

void ws_server_free(struct ws_server *server) {
    free(server);
}

static bool start_poll(struct ws_end *end) {
    end->poll = malloc(sizeof(*end->poll));
    if (!end->poll) return false;
    if (uv_poll_init(&end->server->loop->uv, end->poll, end->fd) == 0) {
        end->poll->data = end;
        return true;
    }
    free(end->poll);
    end->poll = NULL;
    return false;
}

static void on_begin(struct task *task) {
    struct ws_end *end = LIST_ENTRY(task, struct ws_end, begin);
    if (!start_poll(end)) end->is_broken = true;
    end->is_established = true;
    if (!end->is_broken) feed(end, buf_view(&end->early));
    buf_done(&end->early);
    write_some(end); /* something may wait already */
    go_on(end);
}

static void answer_handshake(struct ws_end *end, struct view key, struct view fields) {
    char accept[WEBSOCKET_ACCEPT_LEN + 1];
    struct buf head;
    buf_init(&head, 2 * HANDSHAKE_BYTES_MAX);
    websocket_accept(key, accept);
    buf_printf(&head,
               "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Accept: %s\r\n%.*s\r\n",
               accept, VIEW_ARG(fields));
    if (head.failed) end->is_broken = true;
    put(end, buf_view(&head));
    buf_done(&head);
}

void ws_server_adopt(struct ws_server *server, struct ws_end *end, const struct ws_socket *socket,
                     struct view fields) {
    list_append(&server->ends, &end->node);
    tcp_limit_unsent(end->fd, UNSENT_BYTES);
    answer_handshake(end, socket->key, fields);
    if (!buf_append_view(&end->early, socket->early)) end->is_broken = true;
    tasks_post(&server->loop->tasks, &end->begin);
}

/* ---- our end of one ---- */

void ws_end_init(struct ws_end *end, struct ws_server *server, int fd) {
    *end = (struct ws_end){.magic = END_MAGIC, .server = server, .fd = fd, .decoder.reads_client = true};
    list_init(&end->node);
    list_init(&end->outgoing);
    task_init(&end->begin, on_begin);
    task_init(&end->write, on_write);
    buf_init(&end->early, HANDSHAKE_BYTES_MAX);
    buf_init(&end->owed, OWED_MAX_BYTES);
}

void ws_end_done(struct ws_end *end) {
    ws_end_drop(end);
    buf_done(&end->early);
    buf_done(&end->owed);
    end->magic = 0;
}

void ws_end_close(struct ws_end *end, unsigned code) {
    if (end->closing_ms) return;
    end->closing_ms = loop_now(end->server->loop);
    end->close_code = code;
    ws_end_ask_writable(end);
}

bool ws_end_is_stuck(const struct ws_end *end, uint64_t now_ms) {
    return end->closing_ms && now_ms - end->closing_ms > CLOSE_WAIT_MS;
}

void ws_end_cut(struct ws_end *end) {
    shutdown(end->fd, SHUT_RDWR);
}
