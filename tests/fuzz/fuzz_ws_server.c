/* libFuzzer target: a client of a WebSocket of ours that sends anything (agents/ws_server.c), with an owner
 * that takes what has come in parts, answers, closes and cuts by chance, and a socket that is full at times.
 * Byte 0 is how they behave, byte 1 the size of the pieces. What is written are frames of a server, with
 * nothing behind a close; what is received are pieces of messages, and no more behind a fault; and the end
 * comes once. */
#include <fcntl.h>
#include <libwebsockets.h>

#include "agents/ws_server.h"
#include "fuzz.h"
#include "fuzz_log.h"
#include "fuzz_mutate_ws.h"

/* ---- libwebsockets, of which the server knows these ---- */

struct lws {
    void *opaque;
    bool wants_write, is_killed;
};

static struct {
    lws_callback_function *callback;
    struct lws wsi;
    struct ws_end end;
    struct loop loop;
    int fd;
    struct ws_decoder written; /* what the client reads */
    unsigned behaviour;
    size_t head_left; /* of the answer to the handshake */
    bool is_full, is_bad, is_gone, is_closed;
} scene;

static unsigned stir(void) {
    scene.behaviour = scene.behaviour * 1103515245u + 12345u;
    return scene.behaviour >> 16;
}

struct lws_context *lws_create_context(const struct lws_context_creation_info *info) {
    return (struct lws_context *)(uintptr_t)info;
}

struct lws_vhost *lws_create_vhost(struct lws_context *context,
                                   const struct lws_context_creation_info *info) {
    (void)context;
    scene.callback = info->protocols[0].callback;
    return (struct lws_vhost *)(uintptr_t)info;
}

void lws_context_destroy(struct lws_context *context) {
    (void)context;
}

struct lws *lws_adopt_descriptor_vhost(struct lws_vhost *vhost, lws_adoption_type type,
                                       lws_sock_file_fd_type fd, const char *protocol, struct lws *parent) {
    (void)vhost, (void)type, (void)fd, (void)protocol, (void)parent;
    return &scene.wsi;
}

void lws_set_opaque_user_data(struct lws *wsi, void *data) {
    wsi->opaque = data;
}

void *lws_get_opaque_user_data(const struct lws *wsi) {
    return wsi->opaque;
}

int lws_callback_on_writable(struct lws *wsi) {
    wsi->wants_write = true;
    return 1;
}

int lws_partial_buffered(struct lws *wsi) {
    (void)wsi;
    return scene.is_full;
}

int lws_rx_flow_control(struct lws *wsi, int enable) {
    (void)wsi, (void)enable;
    return 0;
}

void lws_set_timeout(struct lws *wsi, enum pending_timeout reason, int secs) {
    (void)reason, (void)secs;
    wsi->is_killed = true;
}

void lws_set_log_level(int level, void (*emit)(int level, const char *line)) {
    (void)level, (void)emit;
}

const char *lws_get_library_version(void) {
    return "0";
}

/* As the client reads it. */
static void hear(struct view bytes) {
    struct ws_piece piece;
    enum ws_step step;
    while ((step = ws_decode(&scene.written, &bytes, &piece)) == WS_PIECE) {
        require(!scene.is_closed);
        if (piece.opcode == WS_CLOSE) scene.is_closed = true;
    }
    require(step == WS_MORE);
}

int lws_write(struct lws *wsi, unsigned char *bytes, size_t len, enum lws_write_protocol protocol) {
    (void)wsi;
    require(len > 0 && protocol == LWS_WRITE_RAW);
    struct view all = view_of(bytes, len);
    if (scene.head_left) {
        require(view_starts_with(all, VIEW("HTTP/1.1 101 ")) && view_ends_with(all, VIEW("\r\n\r\n")));
        scene.head_left = 0;
        return (int)len;
    }
    hear(all);
    if (stir() % 8 == 0) scene.is_full = true;
    return (int)len;
}

/* ---- the owner ---- */

static void act(struct ws_end *end) {
    static const char large[201];
    switch (stir() % 64) {
    case 0: ws_end_close(end, WS_CODE_POLICY); break;
    case 1: ws_end_cut(end); break;
    case 2: ws_end_pause(end, stir() % 2); break;
    case 3: ws_end_send(end, VIEW(""), 200); break;
    case 4: require(ws_end_send(end, view_of(large, sizeof(large)), 200) != STATUS_OK); break;
    case 5: ws_end_send(end, VIEW("a message of more than a frame"), 200); break;
    case 6:
        ws_end_close(end,
                     WS_CODE_AWAY); /* what is dropped may be half a message: nothing but a close follows */
        ws_end_drop(end);
        break;
    case 7: ws_end_ask_writable(end); break;
    default: break;
    }
}

/* What is not taken is held until the next turn of the loop. */
static size_t on_takes(struct ws_end *end) {
    require(end == &scene.end && !scene.is_gone);
    return stir() % 4 ? 1 + stir() % 64 : 0;
}

static void on_receive(struct ws_end *end, const struct ws_piece *piece) {
    require(!scene.is_bad && !scene.is_gone && (piece->opcode == WS_TEXT || piece->opcode == WS_BINARY));
    act(end);
}

static void on_write(struct ws_end *end) {
    require(!scene.is_closed && !scene.is_gone);
    ws_end_write_messages(end);
    if (stir() % 8 == 0 && !ws_end_is_full(end)) ws_end_write_ping(end);
    ws_end_write_done(end, false);
}

static void on_control(struct ws_end *end) {
    require(!scene.is_bad);
    act(end);
}

static void on_client_close(struct ws_end *end, struct view payload) {
    (void)end;
    require(!scene.is_bad && payload.len <= WS_CONTROL_MAX);
}

static void on_bad(struct ws_end *end, unsigned code, const char *why) {
    require(!scene.is_bad && (code == WS_CODE_PROTOCOL_ERROR || code == WS_CODE_BAD_TEXT) && why && why[0]);
    scene.is_bad = true;
    ws_end_drop(end);
    ws_end_close(end, code);
}

static void on_gone(struct ws_end *end) {
    require(end == &scene.end && !scene.is_gone);
    scene.is_gone = true;
}

static const struct ws_server_events events = {.takes = on_takes,
                                               .receive = on_receive,
                                               .write = on_write,
                                               .control = on_control,
                                               .client_close = on_client_close,
                                               .bad = on_bad,
                                               .gone = on_gone};

/* ---- the client ---- */

static void next_turn(void) {
    struct loop_hook *hook = LIST_ENTRY(scene.loop.hooks.next, struct loop_hook, node);
    scene.loop.turn++;
    hook->fn(hook);
    tasks_run(&scene.loop.tasks);
}

static void happens(enum lws_callback_reasons reason, char *bytes, size_t len) {
    if (scene.is_gone) return;
    if (scene.callback(&scene.wsi, reason, NULL, bytes, len) < 0) scene.wsi.is_killed = true;
    tasks_run(&scene.loop.tasks);
    if (!scene.wsi.is_killed && !scene.is_gone) next_turn();
    if (scene.wsi.is_killed && !scene.is_gone)
        scene.callback(&scene.wsi, LWS_CALLBACK_RAW_CLOSE, NULL, NULL, 0);
}

static void play(struct view bytes, size_t piece_max) {
    while (bytes.len && !scene.is_gone) {
        struct view piece = view_slice(bytes, 0, piece_max);
        char *copy = exact_copy(piece);
        bytes = view_skip(bytes, piece.len);
        happens(LWS_CALLBACK_RAW_RX, copy, piece.len);
        free(copy);
        if (scene.is_gone || !scene.wsi.wants_write || stir() % 2) continue;
        scene.wsi.wants_write = scene.is_full = false;
        happens(LWS_CALLBACK_RAW_WRITEABLE, NULL, 0);
    }
    scene.wsi.is_killed = true;
    happens(LWS_CALLBACK_RAW_WRITEABLE, NULL, 0);
}

static struct ws_server *server(void) {
    static struct ws_server *only;
    if (only) return only;
    require(loop_init(&scene.loop));
    scene.fd = open("/dev/null", O_RDWR); /* no socket: what is asked of it fails */
    only = ws_server_new(&scene.loop, &events, 8);
    require(only != NULL);
    return only;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    fuzz_hush();
    struct ws_server *ours = server();
    struct view early = VIEW("");
    struct view bytes = view_of(data + 2, size - 2);
    if (data[0] & 1) early = view_slice(bytes, 0, 40);
    scene.wsi = (struct lws){.opaque = NULL};
    scene.written = (struct ws_decoder){.reads_client = false};
    scene.behaviour = data[0];
    scene.head_left = 1;
    scene.is_full = scene.is_bad = scene.is_gone = scene.is_closed = false;
    const struct conn conn = conn_plain(scene.fd);
    const struct ws_socket socket = {.conn = conn, .key = VIEW("dGhlIHNhbXBsZSBub25jZQ=="), .early = early};
    ws_end_init(&scene.end, ours, &conn);
    ws_server_adopt(ours, &scene.end, &socket, VIEW(""));
    tasks_run(&scene.loop.tasks);
    if (scene.wsi.is_killed) happens(LWS_CALLBACK_RAW_WRITEABLE, NULL, 0);
    play(view_skip(bytes, early.len), 1 + (size_t)data[1]);
    require(scene.is_gone);
    ws_end_done(&scene.end);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
    static const struct grammar grammar = {
        .lead = 2, .piece_len = ws_frame_len, .change = ws_change, .fresh = ws_fresh};
    return mutate_pieces(&grammar, data, size, max_size, seed);
}
