/* See ws_server.h. One libwebsockets context, one vhost without a listening socket, one protocol. */
#include "agents/ws_server.h"

#include "base/log.h"
#include "base/pages.h"
#include "sockets/tcp.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define END_MAGIC 0x77735f65u
#define SERVICE_BUFFER_BYTES (64 * 1024)
#define UNSENT_BYTES (256 * 1024) /* in the kernel: what waits there, streams cannot overtake */
#define WRITES_A_TURN 16
#define CLOSE_WAIT_MS 5000
#define WRITE_CLOSE                                                                                          \
    ((enum lws_write_protocol)4) /* between HTTP and PING, in no public header of libwebsockets */

struct ws_server {
    struct loop *loop;
    const struct ws_server_events *events;
    size_t frame_bytes;
    struct lws_context *context;
    struct lws_vhost *vhost;
    struct ws_end *adopting; /* until libwebsockets has made its own of it */
    struct view fields;      /* for its handshake's answer */
};

/* A message, or what is left of it. */
struct outgoing {
    struct list node;
    size_t len, sent;
    unsigned char bytes[]; /* LWS_PRE of headroom, then the message */
};

/* ---- libwebsockets' callbacks ---- */

static struct ws_server *server_of(struct lws *wsi) {
    return lws_context_user(lws_get_context(wsi));
}

static struct ws_end *end_of(struct lws *wsi) {
    struct ws_end *end = lws_get_opaque_user_data(wsi);
    if (end && end->magic != END_MAGIC) abort();
    return end;
}

static void on_adopted(struct lws *wsi) {
    struct ws_server *server = server_of(wsi);
    lws_set_opaque_user_data(wsi, server->adopting);
    if (!server->adopting) return;
    server->adopting->wsi = wsi;
    server->adopting = NULL;
}

static int add_fields(struct lws *wsi, struct lws_process_html_args *args) {
    struct view fields = server_of(wsi)->fields;
    if (fields.len == 0) return 0;
    if (args->max_len < 0 || fields.len > (size_t)args->max_len) return -1;
    memcpy(args->p, fields.ptr, fields.len);
    args->p += fields.len;
    return 0;
}

/* libwebsockets allocates the buffer for what is received just before it says so. */
static void *last_receive_buffer;

static void *allocate(void *block, size_t size, const char *reason) {
    if (size == 0) {
        free(block);
        return NULL;
    }
    if (block) return realloc(block, size);
    bool is_it = strcmp(reason, "rx_ubuf") == 0 && size >= SERVICE_BUFFER_BYTES;
    if (!is_it) return malloc(size);
    return last_receive_buffer = pages_alloc(size);
}

static void on_established(struct ws_end *end) {
    end->is_established = true;
    end->received = last_receive_buffer;
    last_receive_buffer = NULL;
    end->is_writable_asked = true;
    lws_callback_on_writable(end->wsi); /* something may wait already */
}

static int on_writeable(struct ws_end *end) {
    end->is_writable_asked = false;
    return end->is_close_sent ? 0 : end->server->events->write(end); /* waiting for the other side's */
}

static int on_client_close(struct ws_end *end, struct view payload) {
    if (end->server->events->client_close) end->server->events->client_close(end, payload);
    return end->is_close_sent ? -1 : 0; /* the answer to ours; otherwise libwebsockets answers */
}

static int on_end_event(struct ws_end *end, enum lws_callback_reasons reason, struct view in) {
    const struct ws_server_events *events = end->server->events;
    switch (reason) {
    case LWS_CALLBACK_ESTABLISHED: on_established(end); return 0;
    case LWS_CALLBACK_RECEIVE: return events->receive(end, in);
    case LWS_CALLBACK_RECEIVE_PONG:
        if (events->pong) events->pong(end);
        return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE: return on_writeable(end);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE: return on_client_close(end, in);
    case LWS_CALLBACK_CLOSED:
    case LWS_CALLBACK_WSI_DESTROY:
        lws_set_opaque_user_data(end->wsi, NULL);
        events->gone(end);
        return 0;
    default: return 0;
    }
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len) {
    (void)user;
    struct ws_end *end;
    switch (reason) {
    case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED: on_adopted(wsi); return 0;
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return in && strcmp(in, "websocket") == 0 ? 0 : -1; /* no use of wsi here */
    case LWS_CALLBACK_ADD_HEADERS: return add_fields(wsi, in);
    case LWS_CALLBACK_ESTABLISHED:
    case LWS_CALLBACK_RECEIVE_PONG:
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
    case LWS_CALLBACK_CLOSED:
    case LWS_CALLBACK_WSI_DESTROY:
        return (end = end_of(wsi)) ? on_end_event(end, reason, view_of(in, len)) : 0;
    case LWS_CALLBACK_RECEIVE:
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return (end = end_of(wsi)) ? on_end_event(end, reason, view_of(in, len)) : -1;
    case LWS_CALLBACK_HTTP:
    case LWS_CALLBACK_HTTP_BODY:
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
    case LWS_CALLBACK_RAW_RX:
    case LWS_CALLBACK_RAW_ADOPT:
    case LWS_CALLBACK_RAW_WRITEABLE: return -1;
    default: return 0;
    }
}

/* Which of those a client offers is taken, is its owner's to say (the handshake's `fields`). */
static const struct lws_protocols protocols[] = {{.name = "agents", .callback = on_event}, {.name = NULL}};

static void on_log(int level, const char *line) {
    if (strstr(line, "adopt_socket_readbuf")) return; /* at level error, and no error */
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
    lws_set_allocator(allocate);
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .foreign_loops = loops,
        .options =
            LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_DISABLE_IPV6,
        .pt_serv_buf_size = SERVICE_BUFFER_BYTES,
        .user = server,
        .pcontext = &server->context, /* NULL once it is freed */
    };
    server->context = lws_create_context(&info);
    if (!server->context) return false;
    struct lws_context_creation_info vhost = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .vhost_name = "agents",
        .protocols = protocols,
        .options = info.options,
        .alpn = "http/1.1",
    };
    server->vhost = lws_create_vhost(server->context, &vhost);
    return server->vhost != NULL;
}

struct ws_server *ws_server_new(struct loop *loop, const struct ws_server_events *events,
                                size_t frame_bytes) {
    struct ws_server *server = calloc(1, sizeof(*server));
    if (!server) return NULL;
    *server = (struct ws_server){.loop = loop, .events = events, .frame_bytes = frame_bytes};
    if (start(server)) return server;
    log_error("ws",
              "libwebsockets does not start (is its libuv plug-in, libwebsockets-evlib-uv, installed?)");
    return NULL; /* it may still hold the server: the process ends */
}

void ws_server_stop(struct ws_server *server) {
    if (server) lws_context_destroy(server->context);
}

void ws_server_free(struct ws_server *server) {
    if (!server) return;
    lws_context_destroy(
        server->context); /* on a foreign loop the second call, after the handles have closed, frees */
    free(server);
}

static bool print_handshake(const struct ws_socket *socket, struct buf *out) {
    buf_printf(out,
               "GET / HTTP/1.1\r\nHost: agents\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %.*s\r\n\r\n",
               VIEW_ARG(socket->key));
    buf_append_view(out, socket->early);
    return !out->failed;
}

void ws_server_adopt(struct ws_server *server, struct ws_end *end, const struct ws_socket *socket,
                     struct view fields) {
    struct buf handshake;
    buf_init(&handshake, 2 * HANDSHAKE_BYTES_MAX);
    tcp_limit_unsent(socket->fd, UNSENT_BYTES);
    server->adopting = end;
    server->fields = fields;
    /* It calls back at once, for the handshake as a whole; on failure WSI_DESTROY has ended it. */
    if (print_handshake(socket, &handshake))
        lws_adopt_socket_vhost_readbuf(server->vhost, socket->fd, buf_view(&handshake).ptr, handshake.len);
    else
        close(socket->fd);
    if (server->adopting) server->events->gone(end); /* it never came as far as a callback */
    server->adopting = NULL;
    server->fields = (struct view){0};
    buf_done(&handshake);
}

/* ---- our end of one ---- */

void ws_end_init(struct ws_end *end, struct ws_server *server, int fd) {
    *end = (struct ws_end){.magic = END_MAGIC, .server = server, .fd = fd};
    list_init(&end->outgoing);
}

void ws_end_drop(struct ws_end *end) {
    struct list *node;
    while ((node = list_pop(&end->outgoing))) free(LIST_ENTRY(node, struct outgoing, node));
    end->outgoing_bytes = 0;
}

void ws_end_done(struct ws_end *end) {
    ws_end_drop(end);
    end->magic = 0;
}

/* Once, until it comes: each call costs libuv two system calls. */
void ws_end_ask_writable(struct ws_end *end) {
    if (!end->is_established || end->is_writable_asked) return;
    end->is_writable_asked = true;
    lws_callback_on_writable(end->wsi);
}

enum status ws_end_send(struct ws_end *end, struct view message, size_t max_bytes) {
    if (end->closing_ms) return STATUS_GONE;
    if (message.len > max_bytes - end->outgoing_bytes) return STATUS_OVERLOADED;
    struct outgoing *out = malloc(sizeof(*out) + LWS_PRE + message.len);
    if (!out) return STATUS_NO_MEMORY;
    out->len = message.len;
    out->sent = 0;
    if (message.len > 0) memcpy(out->bytes + LWS_PRE, message.ptr, message.len);
    list_init(&out->node);
    list_append(&end->outgoing, &out->node);
    end->outgoing_bytes += message.len;
    ws_end_ask_writable(end);
    return STATUS_OK;
}

/* One frame of the first message; a large one goes in several, so that libwebsockets need not keep a copy of
 * it. */
static int write_frame(struct ws_end *end) {
    struct outgoing *out = LIST_ENTRY(end->outgoing.next, struct outgoing, node);
    size_t left = out->len - out->sent, max = end->server->frame_bytes, len = left < max ? left : max;
    int protocol = lws_write_ws_flags(LWS_WRITE_TEXT, out->sent == 0, len == left);
    if (lws_write(end->wsi, out->bytes + LWS_PRE + out->sent, len, (enum lws_write_protocol)protocol) < 0)
        return -1;
    out->sent += len;
    if (out->sent < out->len) return 0;
    end->outgoing_bytes -= out->len;
    list_remove(&out->node);
    free(out);
    return 0;
}

int ws_end_write_messages(struct ws_end *end) {
    for (int i = 0; i < WRITES_A_TURN && !list_empty(&end->outgoing); i++) {
        if (lws_partial_buffered(end->wsi)) break;
        if (write_frame(end) < 0) return -1;
    }
    return 0;
}

/* Not lws_close_reason: Debian's build of libwebsockets closes twice in a row where it should close (its "uv
 * repeat test"), and the second time cuts before the frame is sent. */
static int write_close(struct ws_end *end) {
    unsigned char bytes[LWS_PRE + 2];
    bytes[LWS_PRE] = (unsigned char)(end->close_code >> 8);
    bytes[LWS_PRE + 1] = (unsigned char)end->close_code;
    end->is_close_sent = true;
    return lws_write(end->wsi, bytes + LWS_PRE, 2, WRITE_CLOSE) < 0 ? -1 : 0;
}

int ws_end_write_done(struct ws_end *end, bool more) {
    if (!list_empty(&end->outgoing) || more)
        ws_end_ask_writable(end);
    else if (end->closing_ms)
        return write_close(end);
    return 0;
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

/* A frame of which a part has come is in that buffer. */
void ws_end_rest(struct ws_end *end) {
    if (end->wsi && lws_remaining_packet_payload(end->wsi) == 0)
        pages_rest(end->received, SERVICE_BUFFER_BYTES);
}

void ws_end_cut(struct ws_end *end) {
    shutdown(end->fd, SHUT_RDWR);
}
