/* See ws_server.h. libwebsockets has the sockets (one context, one vhost without a listening socket, one
 * protocol): it waits for them on our loop, reads through one block that all share, keeps what a socket does
 * not take, and closes. Of TLS it has the descriptor alone: it waits and closes, and the bytes are read and
 * written here. The handshake and the frames are ours (docs/decisions/own-websocket.md). */
#include "agents/ws_server.h"

#include <errno.h>
#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/log.h"
#include "sockets/tcp.h"

#define END_MAGIC 0x77735f65u
#define BLOCK_BYTES (64 * 1024)
#define READ_BYTES (256 * 1024)               /* at most, of one agent at one go */
#define UNSENT_BYTES (256 * 1024)             /* in the kernel: what waits there, streams cannot overtake */
#define WRITE_MAX_BYTES ((size_t)1024 * 1024) /* libwebsockets cuts what is longer */
#define UNSENT_TLS_MAX (2 * WRITE_MAX_BYTES)
#define WRITES_A_TURN 16
#define READS_A_TURN 4
#define LAST_READS 16
#define CLOSE_WAIT_MS 5000
#define PONGS_A_TURN 10 /* more pings are answered together */

struct ws_server {
    struct loop *loop;
    const struct ws_server_events *events;
    struct holding holding; /* struct ws_end.held */
    size_t frame_bytes;
    struct lws_context *context;
    struct lws_vhost *vhost;
    char block[BLOCK_BYTES]; /* for what is thrown away */
    struct {                 /* of the end that is being fed */
        size_t count, len;   /* pings; what the last of them held */
        char bytes[WS_CONTROL_MAX];
    } pings;
};

/* A message, or what is left of it. */
struct outgoing {
    struct list node;
    size_t len, sent;
    char bytes[]; /* WS_HEAD_MAX bytes of room, then the message */
};

/* ---- the end ---- */

/* With something unread, closing would take back what was sent last (RST). */
static void throw_away(struct ws_end *end) {
    char *block = end->server->block;
    for (int i = 0; i < LAST_READS && recv(end->conn.fd, block, BLOCK_BYTES, MSG_DONTWAIT) > 0; i++) continue;
}

static void on_gone(struct ws_end *end) {
    task_cancel(&end->begin);
    task_cancel(&end->write);
    task_cancel(&end->ask);
    held_done(&end->held);
    if (end->wsi) lws_set_opaque_user_data(end->wsi, NULL);
    end->wsi = NULL;
    conn_leave(&end->conn);
    end->server->events->gone(end);
}

/* Once, until it comes: each call costs libuv two system calls. Of a descriptor (TLS) it forgets, behind the
 * event, what was asked within it. */
static void ask_libwebsockets(struct ws_end *end) {
    if (end->is_asked) return;
    end->is_asked = true;
    if (end->conn.tls)
        tasks_post(&end->server->loop->tasks, &end->ask);
    else
        lws_callback_on_writable(end->wsi);
}

static void on_ask(struct task *task) {
    struct ws_end *end = LIST_ENTRY(task, struct ws_end, ask);
    if (end->wsi) lws_callback_on_writable(end->wsi);
}

static bool may_read(const struct ws_end *end) {
    return !end->is_paused && !held_any(&end->held);
}

/* Has TLS something for us that the socket does not tell of? */
static bool waits_inside(const struct ws_end *end) {
    return end->conn.holds && may_read(end);
}

/* At the end of all that happens to it. -1: it is to be closed. */
static int go_on(struct ws_end *end) {
    bool is_full = ws_end_is_full(end);
    if (end->is_deaf && end->is_close_sent && !is_full) conn_end(&end->conn);
    bool is_finished = end->is_over && !is_full;
    if (is_finished) throw_away(end);
    if (end->is_broken || is_finished) return -1;
    if (end->is_write_due || is_full || waits_inside(end)) ask_libwebsockets(end);
    return 0;
}

/* The same, outside libwebsockets' callbacks. */
static void go_on_or_close(struct ws_end *end) {
    if (!end->wsi) /* it was never adopted */
        on_gone(end);
    else if (go_on(end) < 0)
        lws_set_timeout(end->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_SYNC);
}

/* ---- out ---- */

bool ws_end_is_full(const struct ws_end *end) {
    return end->unsent.len || (end->wsi && !end->conn.tls && lws_partial_buffered(end->wsi));
}

static void flush_tls(struct ws_end *end) {
    struct view left = buf_view(&end->unsent);
    const struct iovec part = {.iov_base = (void *)(uintptr_t)left.ptr, .iov_len = left.len};
    ssize_t len = left.len ? conn_send(&end->conn, &part, 1) : 0;
    if (len < 0 && errno != EAGAIN) end->is_broken = true;
    if (len > 0) buf_consume(&end->unsent, (size_t)len);
    if (!end->unsent.len) buf_done(&end->unsent);
}

static void put_tls(struct ws_end *end, struct view bytes) {
    const struct iovec part = {.iov_base = (void *)(uintptr_t)bytes.ptr, .iov_len = bytes.len};
    ssize_t len = end->unsent.len ? 0 : conn_send(&end->conn, &part, 1);
    if (len < 0 && errno != EAGAIN) end->is_broken = true;
    if (!end->is_broken && !buf_append_view(&end->unsent, view_skip(bytes, len > 0 ? (size_t)len : 0)))
        end->is_broken = true;
}

static void put(struct ws_end *end, struct view bytes) {
    if (end->is_broken) return;
    end->written_bytes += bytes.len;
    if (end->conn.tls) {
        put_tls(end, bytes);
        return;
    }
    unsigned char *at = (unsigned char *)(uintptr_t)bytes.ptr;
    if (!end->wsi || lws_write(end->wsi, at, bytes.len, LWS_WRITE_RAW) < 0) end->is_broken = true;
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
    end->is_write_due = may && ws_end_is_full(end);
    if (!may || end->is_write_due) return;
    end->is_writing = true;
    end->server->events->write(end);
    end->is_writing = false;
}

static void on_write(struct task *task) {
    struct ws_end *end = LIST_ENTRY(task, struct ws_end, write);
    write_some(end);
    go_on_or_close(end);
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

static void put_pong(struct ws_end *end, struct view payload) {
    if (!end->is_close_sent && !ws_end_is_full(end)) put_control(end, WS_PONG, payload);
}

/* Each costs a system call: of many that came together the last is answered for all (RFC 6455 5.5.3). */
static void on_ping(struct ws_end *end, struct view payload) {
    struct ws_server *server = end->server;
    if (++server->pings.count <= PONGS_A_TURN) {
        put_pong(end, payload);
        return;
    }
    server->pings.len = payload.len;
    if (payload.len) memcpy(server->pings.bytes, payload.ptr, payload.len);
}

static void answer_last_ping(struct ws_end *end) {
    struct ws_server *server = end->server;
    if (server->pings.count > PONGS_A_TURN) put_pong(end, view_of(server->pings.bytes, server->pings.len));
    server->pings.count = 0;
}

static void on_piece(struct ws_end *end, const struct ws_piece *piece) {
    const struct ws_server_events *events = end->server->events;
    bool is_control = piece->opcode == WS_PING || piece->opcode == WS_PONG;
    if (is_control && events->control) events->control(end);
    if (piece->opcode == WS_CLOSE)
        on_close_frame(end, piece->payload);
    else if (!is_control)
        events->receive(end, piece);
    else if (piece->opcode == WS_PING)
        on_ping(end, piece->payload);
}

static bool takes_more(struct ws_end *end) {
    const struct ws_server_events *events = end->server->events;
    return !events->has_had || !events->has_had(end);
}

/* Bytes that may be written to. What is left of them: its owner has had enough. */
static struct view feed(struct ws_end *end, struct view bytes) {
    struct ws_piece piece;
    enum ws_step step = WS_MORE;
    while (!end->is_over && !end->is_deaf && (step = ws_decode(&end->decoder, &bytes, &piece)) == WS_PIECE) {
        on_piece(end, &piece);
        if (end->is_paused || !takes_more(end)) break;
    }
    if (step == WS_PIECE && !end->is_over && !end->is_deaf) return bytes;
    if (step == WS_BAD) {
        end->is_deaf = true;
        end->server->events->bad(end, end->decoder.code, end->decoder.detail);
    }
    return (struct view){0};
}

static void set_reading(struct ws_end *end) {
    if (!end->wsi) return;
    lws_rx_flow_control(end->wsi, may_read(end));
    if (waits_inside(end)) ask_libwebsockets(end);
}

static struct view feed_in_pieces(struct ws_end *end, struct view bytes) {
    size_t (*takes)(struct ws_end * end) = end->server->events->takes;
    while (bytes.len && !end->is_over && !end->is_deaf) {
        size_t most = held_any(&end->held) || end->is_paused ? 0 : takes ? takes(end) : bytes.len;
        struct view part = view_slice(bytes, 0, most);
        if (!most) return bytes;
        bytes = view_skip(bytes, part.len - feed(end, part).len);
    }
    return (struct view){0};
}

/* As much as its owner takes in this turn of the loop. What is left is to be held. */
static struct view feed_in_turns(struct ws_end *end, struct view bytes) {
    struct view left = feed_in_pieces(end, bytes);
    answer_last_ping(end);
    return left;
}

static void feed_fresh(struct ws_end *end, struct view bytes) {
    struct view left = feed_in_turns(end, bytes);
    if (!left.len) return;
    if (!held_add(&end->server->holding, &end->held, left)) end->is_broken = true;
    set_reading(end);
}

static void on_due(struct held *held, struct buf *bytes) {
    struct ws_end *end = LIST_ENTRY(held, struct ws_end, held);
    struct view left = feed_in_turns(end, buf_view(bytes));
    buf_consume(bytes, bytes->len - left.len);
    if (!left.len)
        set_reading(end);
    else if (end->is_paused)
        held_park(held, bytes);
    else
        held_put_back(&end->server->holding, held, bytes);
    go_on_or_close(end);
}

/* ---- libwebsockets' callbacks ---- */

/* Through the block that all share. */
static void receive_tls(struct ws_end *end) {
    char *block = end->server->block;
    for (int i = 0; i < READS_A_TURN && may_read(end) && !end->is_broken; i++) {
        ssize_t len = conn_recv(&end->conn, block, BLOCK_BYTES);
        if (len > 0) feed_fresh(end, view_of(block, (size_t)len));
        if (len == 0 || (len < 0 && errno != EAGAIN)) end->is_broken = true;
        if (!end->conn.holds) return;
    }
}

static int on_writable(struct ws_end *end) {
    end->is_asked = false;
    if (end->unsent.len) flush_tls(end);
    if (waits_inside(end)) receive_tls(end);
    if (end->is_write_due && !ws_end_is_full(end)) write_some(end);
    return go_on(end);
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len) {
    (void)user;
    struct ws_end *end = lws_get_opaque_user_data(wsi);
    if (!end) return 0; /* not yet, or not any more */
    if (end->magic != END_MAGIC) abort();
    switch (reason) {
    case LWS_CALLBACK_RAW_RX: feed_fresh(end, view_of(in, len)); return go_on(end);
    case LWS_CALLBACK_RAW_RX_FILE: receive_tls(end); return go_on(end);
    case LWS_CALLBACK_RAW_WRITEABLE:
    case LWS_CALLBACK_RAW_WRITEABLE_FILE: return on_writable(end);
    case LWS_CALLBACK_RAW_CLOSE:
    case LWS_CALLBACK_RAW_CLOSE_FILE:
    case LWS_CALLBACK_WSI_DESTROY: on_gone(end); return 0;
    default: return 0;
    }
}

static const struct lws_protocols protocols[] = {
    {.name = "agents", .callback = on_event, .tx_packet_size = WRITE_MAX_BYTES}, {.name = NULL}};

/* Whether a link lives is for its owner to find out. */
static const lws_retry_bo_t no_idle_policy = {0};

static void on_log(int level, const char *line) {
    int len = (int)strcspn(line, "\n");
    if (level & (LLL_ERR | LLL_WARN))
        log_warn("lws", "%.*s", len, line);
    else
        log_debug("lws", "%.*s", len, line);
}

/* ---- the server ---- */

static bool start(struct ws_server *server) {
    void *loops[1] = {&server->loop->uv};
    lws_set_log_level(LLL_ERR | LLL_WARN, on_log);
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .foreign_loops = loops,
        .options =
            LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_DISABLE_IPV6,
        .pt_serv_buf_size = READ_BYTES,
        .retry_and_idle_policy = &no_idle_policy,
        .user = server,
        .pcontext = &server->context, /* NULL once it is freed */
    };
    server->context = lws_create_context(&info);
    if (!server->context) return false;
    struct lws_context_creation_info vhost = {.port = CONTEXT_PORT_NO_LISTEN_SERVER,
                                              .vhost_name = "agents",
                                              .protocols = protocols,
                                              .options = info.options,
                                              .retry_and_idle_policy = &no_idle_policy};
    server->vhost = lws_create_vhost(server->context, &vhost);
    return server->vhost;
}

struct ws_server *ws_server_new(struct loop *loop, const struct ws_server_events *events,
                                size_t frame_bytes) {
    struct ws_server *server = calloc(1, sizeof(*server));
    if (!server) return NULL;
    server->loop = loop;
    server->events = events;
    server->frame_bytes = frame_bytes;
    holding_init(&server->holding, loop, on_due);
    if (start(server)) return server;
    log_error("ws",
              "libwebsockets does not start (is its libuv plug-in, libwebsockets-evlib-uv, installed?)");
    return NULL; /* it may still hold the server: the process ends */
}

void ws_server_stop(struct ws_server *server) {
    if (!server) return;
    holding_done(&server->holding);
    lws_context_destroy(server->context);
}

void ws_server_free(struct ws_server *server) {
    if (!server) return;
    lws_context_destroy(
        server->context); /* on a foreign loop the second call, after the handles have closed, frees */
    free(server);
}

static void on_begin(struct task *task) {
    struct ws_end *end = LIST_ENTRY(task, struct ws_end, begin);
    end->is_established = true;
    if (!end->is_broken) feed_fresh(end, buf_view(&end->early));
    buf_done(&end->early);
    write_some(end); /* something may wait already */
    go_on_or_close(end);
}

void ws_server_adopt(struct ws_server *server, struct ws_end *end, const struct ws_socket *socket,
                     struct view fields) {
    lws_sock_file_fd_type fd = {.sockfd = end->conn.fd};
    lws_adoption_type type = end->conn.tls ? LWS_ADOPT_RAW_FILE_DESC : LWS_ADOPT_SOCKET;
    tcp_limit_unsent(end->conn.fd, UNSENT_BYTES);
    /* closes the socket when it fails */
    end->wsi = lws_adopt_descriptor_vhost(server->vhost, type, fd, protocols[0].name, NULL);
    if (end->wsi) lws_set_opaque_user_data(end->wsi, end);
    struct buf head;
    buf_init(&head, 2 * HANDSHAKE_BYTES_MAX);
    if (!handshake_accept(&head, socket->key, fields)) end->is_broken = true;
    put(end, buf_view(&head));
    buf_done(&head);
    if (!buf_append_view(&end->early, socket->early)) end->is_broken = true;
    tasks_post(&server->loop->tasks, &end->begin);
}

/* ---- our end of one ---- */

void ws_end_init(struct ws_end *end, struct ws_server *server, const struct conn *conn) {
    *end = (struct ws_end){.magic = END_MAGIC, .server = server, .conn = *conn, .decoder.reads_client = true};
    list_init(&end->outgoing);
    task_init(&end->begin, on_begin);
    task_init(&end->write, on_write);
    task_init(&end->ask, on_ask);
    buf_init(&end->early, HANDSHAKE_BYTES_MAX);
    held_init(&end->held, 2 * READ_BYTES);
    buf_init(&end->unsent, UNSENT_TLS_MAX);
}

void ws_end_done(struct ws_end *end) {
    ws_end_drop(end);
    buf_done(&end->early);
    held_done(&end->held);
    buf_done(&end->unsent);
    end->magic = 0;
}

bool ws_end_has_unread(const struct ws_end *end) {
    return held_any(&end->held) || conn_has_unread(&end->conn);
}

void ws_end_pause(struct ws_end *end, bool paused) {
    end->is_paused = paused;
    if (!paused) held_resume(&end->server->holding, &end->held);
    set_reading(end);
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
    if (end->wsi) shutdown(end->conn.fd, SHUT_RDWR);
}

const char *ws_server_library(void) {
    static char text[48];
    const char *version = lws_get_library_version(); /* "4.1.6-Debian-…" */
    snprintf(text, sizeof(text), "libwebsockets %.*s", (int)strcspn(version, "- "), version);
    return text;
}
