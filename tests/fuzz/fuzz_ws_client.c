/* libFuzzer target: a WebSocket server that says anything to a client of ours: its answer to the handshake,
 * then frames. Byte 0: bit 0, whether the handshake is answered rightly before (bit 6: but for further
 * fields); the rest, how the owner behaves. Byte 1: the size of the pieces. No end comes twice, and nothing
 * after it. */
#include <stdio.h>

#include "fuzz.h"
#include "fuzz_log.h"
#include "fuzz_mutate_ws.h"
#include "net/ws_client_state.h"

#define MESSAGE_MAX 3000

struct wire {
    struct wire_events events;
    void *ctx;
};

static struct {
    struct wire wire;
    struct ws_client *client;
    struct loop *loop;
    unsigned behaviour;
    bool is_open, is_over, is_gone;
    size_t written;
} scene;

/* ---- the wire, of which the client knows these ---- */

struct wire *wire_open(struct loop *loop, const struct sockaddr *address, const struct wire_way *way,
                       struct wire_tls *tls, const struct wire_events *events, void *ctx) {
    (void)loop, (void)address, (void)way, (void)tls;
    scene.wire = (struct wire){.events = *events, .ctx = ctx};
    return &scene.wire;
}

void wire_free(struct wire *wire) {
    require(!wire || wire == &scene.wire);
}

void wire_write(struct wire *wire, struct view bytes) {
    require(wire == &scene.wire && bytes.len > 0);
    scene.written += bytes.len;
}

void wire_look(struct wire *wire) {
    (void)wire;
}

bool wire_is_full(const struct wire *wire) {
    (void)wire;
    return scene.behaviour & 2;
}

bool wire_is_stranded(const struct wire *wire) {
    (void)wire;
    return false;
}

uint64_t wire_moved_ms(struct wire *wire) {
    (void)wire;
    return scene.behaviour & 4 ? loop_now(scene.loop) : 0;
}

/* ---- the owner ---- */

static unsigned stir(void) {
    scene.behaviour = scene.behaviour * 1103515245u + 12345u;
    return scene.behaviour >> 16;
}

static void maybe_leave(void) {
    if (scene.behaviour & 4 && stir() % 16 == 0) {
        scene.is_gone = true;
        ws_client_free(scene.client);
    } else if (stir() % 32 == 0)
        ws_client_close(scene.client, WS_CODE_NORMAL, "enough", 1000);
}

static const char *on_open(void *ctx, const struct headers *fields) {
    (void)ctx;
    require(!scene.is_open && !scene.is_over);
    struct view protocol = headers_get(fields, VIEW("sec-websocket-protocol"));
    require(!protocol.ptr || view_eq(protocol, VIEW("fuzz")));
    scene.is_open = true;
    return stir() % 32 ? NULL : "the owner does not like it";
}

static void on_text(void *ctx, struct view text) {
    (void)ctx;
    struct utf8_check check = {0};
    require(scene.is_open && !scene.is_over && !scene.is_gone && text.len <= MESSAGE_MAX);
    require(utf8_check(&check, text.ptr, text.len) && utf8_is_whole(&check));
    maybe_leave();
}

static bool on_bytes(void *ctx, struct view bytes) {
    (void)ctx, (void)bytes;
    require(scene.is_open && !scene.is_over && !scene.is_gone);
    maybe_leave();
    return stir() % 32 != 0;
}

static bool fill(void *ctx, struct buf *message) {
    (void)ctx;
    return buf_append(message, "filled", stir() % 7);
}

static void on_end(void *ctx, const struct ws_client_end *end) {
    (void)ctx;
    require(!scene.is_over && !scene.is_gone);
    scene.is_over = true;
    require((end->failure == WS_CLIENT_CLOSED) == scene.is_open || end->failure == WS_CLIENT_BAD_ANSWER);
    if (end->failure == WS_CLIENT_REFUSED) require(end->http_status >= 200 && end->said.len <= 1024);
}

static const struct ws_client_events events = {
    .on_open = on_open, .on_text = on_text, .on_bytes = on_bytes, .fill = fill, .on_end = on_end};

/* ---- the server ---- */

static bool hears(void) {
    return !scene.is_over && !scene.is_gone;
}

static void deliver(struct view piece) {
    char *copy = exact_copy(piece);
    scene.wire.events.on_bytes(scene.wire.ctx, view_of(copy, piece.len));
    free(copy);
}

/* `goes_on`: further fields are the input's to say. */
static void shake_hands(bool goes_on) {
    char text[256];
    int len =
        snprintf(text, sizeof(text),
                 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n%s",
                 scene.client->accept, goes_on ? "" : "\r\n");
    deliver(view_of(text, (size_t)len));
}

/* An owner's own wishes, between any two pieces. */
static void wish(void) {
    struct buf message;
    if (stir() % 4 == 0) ws_client_ping(scene.client);
    if (stir() % 4 == 0) ws_client_want_fill(scene.client);
    if (stir() % 4 == 0 && ws_message_init(&message, 100)) {
        buf_append(&message, "hello", 5);
        ws_client_send(scene.client, &message);
    }
    tasks_run(&scene.loop->tasks);
}

static void play(struct view bytes, size_t piece_max) {
    while (bytes.len && hears()) {
        struct view piece = view_slice(bytes, 0, piece_max);
        bytes = view_skip(bytes, piece.len);
        deliver(piece);
        if (hears()) wish();
    }
    static const struct wire_end cut = {.failure = WIRE_CUT};
    if (hears()) scene.wire.events.on_end(scene.wire.ctx, &cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct loop loop;
    if (size < 2) return 0;
    fuzz_hush();
    if (!scene.loop) require(loop_init(&loop));
    scene.loop = &loop;
    scene.behaviour = data[0];
    scene.is_open = scene.is_over = scene.is_gone = false;
    struct ws_client_settings settings = {
        .loop = &loop, .timeout_ms = 5000, .message_max = MESSAGE_MAX, .frame_max = 3};
    struct ws_client_request request = {
        .target = "/", .authority = "a", .protocol = "fuzz", .fields = VIEW("")};
    struct addresses addresses = {.count = 1};
    scene.client = ws_client_open(&settings, &addresses, &request, &events, NULL);
    require(scene.client != NULL);
    scene.wire.events.on_connected(scene.wire.ctx);
    scene.wire.events.on_up(scene.wire.ctx);
    if (data[0] & 1) shake_hands(data[0] & 64);
    play(view_of(data + 2, size - 2), 1 + (size_t)data[1] * data[1] / 8);
    if (!scene.is_gone) ws_client_free(scene.client);
    return 0;
}

/* The answer to the handshake is one piece; then come frames. */
static size_t piece_len(struct view rest) {
    static const char end[] = "\r\n\r\n";
    const char *found = view_starts_with(rest, VIEW("HTTP/")) ? memmem(rest.ptr, rest.len, end, 4) : NULL;
    return found ? (size_t)(found + 4 - rest.ptr) : ws_frame_len(rest);
}

static void change(struct dice *dice, struct view piece, struct buf *out) {
    if (view_starts_with(piece, VIEW("HTTP/")))
        mutate_bytes(piece, out);
    else
        ws_change(dice, piece, out);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
    static const struct grammar grammar = {
        .lead = 2, .piece_len = piece_len, .change = change, .fresh = ws_fresh};
    return mutate_pieces(&grammar, data, size, max_size, seed);
}
