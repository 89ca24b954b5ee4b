/* A WebSocket as a client, against a server of a few lines that may say anything: handshakes that are none,
 * frames that must not be, messages that are too large, and what is written, in what frames. */
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/websocket.h"
#include "base/buf.h"
#include "cmocka_setup.h"
#include "net/loop.h"
#include "net/wire_state.h"
#include "net/ws_client_state.h"

#define TOLD_MAX ((size_t)1024 * 1024)
#define MESSAGE_MAX 1000
#define OK                                                                                                   \
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"                      \
    "Sec-WebSocket-Accept: $\r\n\r\n" /* $: what is right */
#define V(literal)                                                                                           \
    { literal, sizeof(literal) - 1 }

struct scene {
    struct loop loop;
    uv_tcp_t server, *peer;
    struct addresses addresses;
    struct ws_client *client;
    struct buf asked; /* by the client: its request, then its frames */
    size_t head_len;  /* of the request, once it is whole */
    struct buf told;  /* by the client to its owner, in short */
    struct buf saying;
    bool answers;
    struct view answer;
    size_t step; /* bytes of the answer at a time, 0: all at once */
    bool cuts;   /* closes behind the answer */
    bool ended;
    bool frees_on_open, frees_on_text, refuses_bytes, closes_on_open, allows_zero_keys;
    const char *protocol;
    unsigned fills; /* messages that are ready */
    size_t sends;   /* a text message of so many bytes, on open */
    struct turn_taker taker;
    struct wire_intake intake;
    size_t takes; /* of what comes: so many bytes, and then none */
};

/* ---- the server ---- */

static void on_closed(uv_handle_t *handle) {
    free(handle);
}

static void hang_up(struct scene *scene) {
    if (scene->peer) uv_close((uv_handle_t *)scene->peer, on_closed);
    scene->peer = NULL;
}

/* Its answer, from the next turn on. */
static void answer(struct scene *scene) {
    char accept[WEBSOCKET_ACCEPT_LEN + 1];
    struct view rest = view_slice(buf_view(&scene->asked), 0, scene->head_len), line;
    accept[0] = '\0';
    while (view_split(&rest, '\n', &line))
        if (view_starts_with(line, VIEW("Sec-WebSocket-Key: ")))
            websocket_accept(view_slice(line, 19, line.len - 1), accept);
    size_t at = view_find(scene->answer, '$');
    buf_append_view(&scene->saying, view_slice(scene->answer, 0, at));
    if (at < scene->answer.len) buf_printf(&scene->saying, "%s", accept);
    buf_append_view(&scene->saying, view_skip(scene->answer, at + 1));
    scene->answers = true;
}

static void turn(struct scene *scene) {
    struct view bytes = view_slice(buf_view(&scene->saying), 0, scene->step ? scene->step : TOLD_MAX);
    if (bytes.len && scene->peer) {
        uv_buf_t piece = uv_buf_init((char *)(uintptr_t)bytes.ptr, (unsigned)bytes.len);
        int written =
            uv_try_write((uv_stream_t *)scene->peer, &piece, 1); /* fails where the client has gone */
        assert_true(written < 0 || (size_t)written == bytes.len);
        buf_consume(&scene->saying, bytes.len);
    }
    if (scene->answers && scene->cuts && !scene->saying.len) hang_up(scene);
    uv_run(&scene->loop.uv, scene->saying.len ? UV_RUN_NOWAIT : UV_RUN_ONCE);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_room) {
    static char room[64 * 1024];
    (void)handle, (void)suggested;
    *ret_room = uv_buf_init(room, sizeof(room));
}

static size_t head_end(struct view bytes) {
    for (size_t i = 0; i + 4 <= bytes.len; i++)
        if (memcmp(bytes.ptr + i, "\r\n\r\n", 4) == 0) return i + 4;
    return 0;
}

static void on_asked(uv_stream_t *stream, ssize_t len, const uv_buf_t *bytes) {
    struct scene *scene = stream->data;
    if (len < 0) {
        hang_up(scene);
        return;
    }
    assert_true(buf_append(&scene->asked, bytes->base, (size_t)len));
    if (scene->head_len) return;
    scene->head_len = head_end(buf_view(&scene->asked));
    if (scene->head_len) answer(scene);
}

static void on_connection(uv_stream_t *server, int status) {
    struct scene *scene = server->data;
    assert_int_equal(status, 0);
    scene->peer = calloc(1, sizeof(*scene->peer));
    scene->peer->data = scene;
    uv_tcp_init(&scene->loop.uv, scene->peer);
    assert_int_equal(uv_accept(server, (uv_stream_t *)scene->peer), 0);
    uv_read_start((uv_stream_t *)scene->peer, on_room, on_asked);
}

/* The opcodes and lengths of the frames that came, which must be masked; the payload of the last one. */
static struct view frames(struct scene *scene, char *out, size_t out_size) {
    struct view rest = view_skip(buf_view(&scene->asked), scene->head_len), last = {0};
    size_t written = 0;
    out[0] = '\0';
    while (rest.len >= 6) {
        unsigned char *at = (unsigned char *)(uintptr_t)rest.ptr;
        size_t len = at[1] & 0x7f, head = 2;
        assert_true(at[1] & 0x80);
        if (len == 126) len = (size_t)at[2] << 8 | at[3], head = 4;
        assert_true(len < 127 || head == 4);
        assert_true(rest.len >= head + 4 + len);
        unsigned char *payload = at + head + 4;
        for (size_t i = 0; i < len; i++) payload[i] ^= at[head + i % 4];
        written +=
            (size_t)snprintf(out + written, out_size - written, "%s%02x:%zu", written ? " " : "", at[0], len);
        last = view_of(payload, len);
        rest = view_skip(rest, head + 4 + len);
    }
    assert_int_equal(rest.len, 0);
    return last;
}

/* ---- the owner ---- */

static void let_go(struct scene *scene) {
    ws_client_free(scene->client);
    scene->client = NULL;
    scene->ended = true;
}

static const char *on_open(void *ctx, const struct headers *fields) {
    struct scene *scene = ctx;
    struct view protocol = headers_get(fields, VIEW("sec-websocket-protocol"));
    buf_printf(&scene->told, "open%s%.*s ", protocol.ptr ? ":" : "", VIEW_ARG(protocol));
    if (scene->allows_zero_keys) ws_client_allow_zero_keys(scene->client);
    if (scene->sends) {
        struct buf message;
        ws_message_init(&message, TOLD_MAX);
        for (size_t i = 0; i < scene->sends; i++) buf_append_byte(&message, (char)('a' + i % 26));
        assert_true(ws_client_send(scene->client, &message));
        assert_true(ws_client_queued_bytes(scene->client) > scene->sends);
        ws_client_ping(scene->client);
    }
    if (scene->fills) ws_client_want_fill(scene->client);
    if (scene->closes_on_open) ws_client_close(scene->client, 1000, "enough", 50);
    if (scene->frees_on_open) let_go(scene);
    return view_eq(protocol, VIEW("other")) ? "the owner does not like it" : NULL;
}

static void on_text(void *ctx, struct view text) {
    struct scene *scene = ctx;
    buf_printf(&scene->told, "t<%.*s> ", VIEW_ARG(view_slice(text, 0, 20)));
    if (scene->frees_on_text) let_go(scene);
}

static bool on_bytes(void *ctx, struct view bytes) {
    struct scene *scene = ctx;
    buf_printf(&scene->told, "b<%.*s> ", VIEW_ARG(bytes));
    return !scene->refuses_bytes;
}

static size_t takes(void *ctx) {
    struct scene *scene = ctx;
    size_t bytes = scene->takes;
    scene->takes = 0;
    return bytes;
}

static void on_sent(void *ctx) {
    struct scene *scene = ctx;
    buf_printf(&scene->told, "sent ");
}

static bool fill(void *ctx, struct buf *message) {
    struct scene *scene = ctx;
    if (--scene->fills) ws_client_want_fill(scene->client);
    return buf_append_view(message, VIEW("binary"));
}

static void on_end(void *ctx, const struct ws_client_end *end) {
    static const char *const names[] = {"unreachable", "proxy",   "tls",        "silent",
                                        "cut",         "refused", "bad-answer", "closed"};
    struct scene *scene = ctx;
    buf_printf(&scene->told, "%s", names[end->failure]);
    if (end->http_status) buf_printf(&scene->told, " %d", end->http_status);
    if (end->close_code) buf_printf(&scene->told, " %d", end->close_code);
    if (end->why) buf_printf(&scene->told, " (%s)", end->why);
    if (end->said.len) buf_printf(&scene->told, " \"%.*s\"", VIEW_ARG(end->said));
    let_go(scene);
}

static const struct ws_client_events owner = {.on_open = on_open,
                                              .on_text = on_text,
                                              .on_bytes = on_bytes,
                                              .on_sent = on_sent,
                                              .fill = fill,
                                              .on_end = on_end};

/* ---- a scene ---- */

static void scene_init(struct scene *scene) {
    struct sockaddr_storage name;
    int name_size = sizeof(name);
    struct sockaddr_in loopback;
    *scene = (struct scene){0};
    assert_true(loop_init(&scene->loop));
    buf_init(&scene->asked, TOLD_MAX);
    buf_init(&scene->told, TOLD_MAX);
    buf_init(&scene->saying, TOLD_MAX);
    uv_ip4_addr("127.0.0.1", 0, &loopback);
    uv_tcp_init(&scene->loop.uv, &scene->server);
    scene->server.data = scene;
    uv_tcp_bind(&scene->server, (struct sockaddr *)&loopback, 0);
    assert_int_equal(uv_listen((uv_stream_t *)&scene->server, 8, on_connection), 0);
    uv_tcp_getsockname(&scene->server, (struct sockaddr *)&name, &name_size);
    memcpy(&loopback, &name, sizeof(loopback));
    addresses_add(&scene->addresses, (struct sockaddr *)&name, ntohs(loopback.sin_port));
}

static bool scene_open(struct scene *scene, uint64_t timeout_ms) {
    struct ws_client_settings settings = {.loop = &scene->loop,
                                          .intake = &scene->intake,
                                          .timeout_ms = timeout_ms,
                                          .message_max = MESSAGE_MAX,
                                          .frame_max = 100};
    scene->intake = (struct wire_intake){.taker = &scene->taker, .takes = takes, .ctx = scene};
    struct ws_client_request request = {.target = "/t?x=1",
                                        .authority = "host:1",
                                        .protocol = scene->protocol,
                                        .fields = VIEW("x-more: 1\r\n")};
    scene->client = ws_client_open(&settings, &scene->addresses, &request, &owner, scene);
    return scene->client;
}

static void scene_run(struct scene *scene) {
    while (!scene->ended) turn(scene);
    for (int i = 0; i < 20 && scene->peer; i++) uv_run(&scene->loop.uv, UV_RUN_NOWAIT); /* its last words */
}

static void scene_done(struct scene *scene) {
    ws_client_free(scene->client);
    hang_up(scene);
    uv_close((uv_handle_t *)&scene->server, NULL);
    loop_done(&scene->loop);
    buf_done(&scene->asked);
    buf_done(&scene->told);
    buf_done(&scene->saying);
}

static void told_is(struct scene *scene, const char *name, const char *expected) {
    buf_append_byte(&scene->told, '\0');
    if (strcmp(scene->told.ptr + scene->told.start, expected) == 0) return;
    print_error("%s: expected <%s>, told <%s>\n", name, expected, scene->told.ptr + scene->told.start);
    fail();
}

/* ---- what the server says ---- */

#define BROKE "closed (the server broke the protocol)"

static const struct {
    const char *name;
    struct view answer;
    const char *told;
    const char *frames; /* that the client sent; NULL: none */
    const char *protocol;
} rows[] = {
    {"nothing", V(""), "cut (the connection was closed)", NULL, NULL},
    {"half a head", V("HTTP/1.1 101 Sw"), "cut (the connection was closed)", NULL, NULL},
    {"no HTTP", V("SSH-2.0-x\r\n\r\n"), "bad-answer (its answer is not HTTP)", NULL, NULL},
    {"no version", V("HTTP/2 101\r\n\r\n"), "bad-answer (its answer is not HTTP)", NULL, NULL},
    {"a name with a space", V("HTTP/1.1 101 x\r\nUpgrade : websocket\r\n\r\n"),
     "bad-answer (its answer is not HTTP)", NULL, NULL},
    {"refused", V("HTTP/1.1 403 No\r\nContent-Length: 4\r\n\r\nno!\nmore"), "refused 403 \"no!\n\"", NULL,
     NULL},
    {"refused without a word", V("HTTP/1.1 500 No\r\n\r\n"), "refused 500", NULL, NULL},
    {"refused, and cut", V("HTTP/1.1 503 No\r\nContent-Length: 400\r\n\r\nno"),
     "refused 503 (the connection was closed)", NULL, NULL},
    {"a length of nonsense", V("HTTP/1.1 400 No\r\nContent-Length: 99999999999999999999\r\n\r\nno"),
     "refused 400", NULL, NULL},
    {"after an interim answer", V("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 No\r\n\r\n"), "refused 404",
     NULL, NULL},
    {"wrong accept", V("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: AAAA\r\n\r\n"),
     "bad-answer (its Sec-WebSocket-Accept is wrong)", NULL, NULL},
    {"no accept", V("HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n"),
     "bad-answer (its Sec-WebSocket-Accept is wrong)", NULL, NULL},
    {"another upgrade", V("HTTP/1.1 101 x\r\nUpgrade: h2c\r\nSec-WebSocket-Accept: $\r\n\r\n"),
     "bad-answer (it switched to something else)", NULL, NULL},
    {"an extension",
     V("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: $\r\n"
       "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
     "bad-answer (it uses an extension that nobody asked for)", NULL, NULL},
    {"a protocol that was not offered",
     V("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: $\r\nSec-WebSocket-Protocol: "
       "p\r\n\r\n"),
     "bad-answer (it chose a protocol that nobody asked for)", NULL, NULL},
    {"another protocol",
     V("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: $\r\nSec-WebSocket-Protocol: "
       "p\r\n\r\n"),
     "bad-answer (it chose a protocol that nobody asked for)", NULL, "q"},
    {"the protocol",
     V("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: $\r\nSec-WebSocket-Protocol: p\r\n\r\n"
       "\x82\x01h"),
     "open:p b<h> closed (the connection was cut)", NULL, "p"},
    {"what the owner does not like",
     V("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: $\r\nSec-WebSocket-Protocol: "
       "other\r\n\r\n"
       "\x82\x01h"),
     "open:other bad-answer (the owner does not like it)", NULL, "other"},
    {"text with the answer", V(OK "\x81\x02hi"), "open t<hi> closed (the connection was cut)", NULL, NULL},
    {"text in pieces", V(OK "\x01\x02he\x00\x01l\x89\x01p\x80\x02lo"),
     "open t<hello> closed (the connection was cut)", "8a:1", NULL},
    {"an empty text", V(OK "\x81\x00"), "open t<> closed (the connection was cut)", NULL, NULL},
    {"close",
     V(OK "\x88\x07\x03\xe9"
          "going"),
     "open closed 1001 \"going\"", "88:2", NULL},
    {"close without a code", V(OK "\x88\x00"), "open closed", "88:0", NULL},
    {"close of one byte", V(OK "\x88\x01\x03"), "open closed", "88:2", NULL},
    {"nothing after close", V(OK "\x88\x00\x81\x02hi"), "open closed", "88:0", NULL},
    {"text not UTF-8", V(OK "\x81\x02\xc3\xff"), "open " BROKE, "88:2", NULL},
    {"a masked frame", V(OK "\x81\x82\x00\x00\x00\x00hi"), "open " BROKE, "88:2", NULL},
    {"reserved bits", V(OK "\xc1\x02hi"), "open " BROKE, "88:2", NULL},
    {"a continuation of nothing", V(OK "\x80\x02hi"), "open " BROKE, "88:2", NULL},
    {"a message within another", V(OK "\x01\x02hi\x81\x02hi"), "open " BROKE, "88:2", NULL},
    {"a ping in pieces", V(OK "\x09\x02hi"), "open " BROKE, "88:2", NULL},
    {"a long ping", V(OK "\x89\x7e\x00\x7e"), "open " BROKE, "88:2", NULL},
    {"an unknown kind", V(OK "\x83\x00"), "open " BROKE, "88:2", NULL},
    {"a negative length", V(OK "\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff"), "open " BROKE, "88:2", NULL},
    {"a length in too many bytes", V(OK "\x81\x7e\x00\x01x"), "open " BROKE, "88:2", NULL},
    {"a huge text that never comes", V(OK "\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xffhi"),
     "open closed (the connection was cut)", NULL, NULL},
};

static void test_rows(void **state) {
    (void)state;
    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        struct scene scene;
        char sent[256];
        scene_init(&scene);
        scene.answer = rows[i / 2].answer;
        scene.step = i % 2;
        scene.cuts = true;
        scene.protocol = rows[i / 2].protocol;
        assert_true(scene_open(&scene, 5000));
        scene_run(&scene);
        told_is(&scene, rows[i / 2].name, rows[i / 2].told);
        if (!strstr(rows[i / 2].told, "cut")) { /* one that is cut cannot read what was sent */
            frames(&scene, sent, sizeof(sent));
            assert_true(!sent[0] || strcmp(sent, rows[i / 2].frames) == 0);
        }
        scene_done(&scene);
    }
}

/* What it sends to one that stays. */
static void test_goodbyes(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct scene scene;
        char sent[256];
        if (!rows[i].frames || strstr(rows[i].told, "cut")) continue;
        scene_init(&scene);
        scene.answer = rows[i].answer;
        assert_true(scene_open(&scene, 5000));
        while (!scene.head_len || scene.asked.len == scene.head_len) turn(&scene);
        struct view payload = frames(&scene, sent, sizeof(sent));
        assert_string_equal(sent, rows[i].frames);
        int code = payload.len ? (unsigned char)payload.ptr[0] << 8 | (unsigned char)payload.ptr[1] : 0;
        assert_int_equal(code, strstr(rows[i].name, "UTF-8")      ? 1007
                               : strstr(rows[i].name, "one byte") ? 1002
                               : strstr(rows[i].told, "broke")    ? 1002
                               : strstr(rows[i].told, "1001")     ? 1001
                                                                  : 0);
        scene_done(&scene);
    }
}

static void test_the_request(void **state) {
    struct scene scene;
    (void)state;
    scene_init(&scene);
    scene.answer = VIEW("HTTP/1.1 404 No\r\n\r\n");
    scene.protocol = "p.v1";
    assert_true(scene_open(&scene, 5000));
    scene_run(&scene);
    buf_append_byte(&scene.asked, '\0');
    const char *asked = scene.asked.ptr + scene.asked.start;
    assert_non_null(strstr(asked, "GET /t?x=1 HTTP/1.1\r\nHost: host:1\r\n"));
    assert_non_null(strstr(asked, "\r\nSec-WebSocket-Version: 13\r\n"));
    assert_non_null(strstr(asked, "\r\nSec-WebSocket-Protocol: p.v1\r\nx-more: 1\r\n\r\n"));
    scene_done(&scene);
}

/* In frames of 100 bytes; the ping overtakes. */
static void test_sending(void **state) {
    struct scene scene;
    char sent[256];
    (void)state;
    scene_init(&scene);
    scene.answer = VIEW(OK);
    scene.sends = 250;
    scene.fills = 2;
    assert_true(scene_open(&scene, 5000));
    while (!scene.head_len || scene.asked.len < scene.head_len + 6 + 250 + 3 * 6 + 2 * 12) turn(&scene);
    struct view last = frames(&scene, sent, sizeof(sent));
    assert_string_equal(sent, "89:0 01:100 00:100 80:50 82:6 82:6");
    assert_true(view_eq(last, VIEW("binary")));
    assert_int_equal(ws_client_queued_bytes(scene.client), 0);
    told_is(&scene, "sending", "open sent ");
    scene_done(&scene);
}

/* What is written for a key of 0 is the message itself; only whoever is asked for it does so. */
static void test_zero_keys(void **state) {
    (void)state;
    for (int allowed = 0; allowed < 2; allowed++) {
        struct scene scene;
        scene_init(&scene);
        scene.answer = VIEW(OK);
        scene.fills = 1;
        scene.allows_zero_keys = allowed;
        assert_true(scene_open(&scene, 5000));
        while (!scene.head_len || scene.asked.len < scene.head_len + 12) turn(&scene);
        struct view frame = view_skip(buf_view(&scene.asked), scene.head_len);
        bool is_plain = view_eq(frame, VIEW("\x82\x86\0\0\0\0binary"));
        assert_int_equal(is_plain, allowed);
        scene_done(&scene);
    }
}

/* To a loopback address: nor where the system paces. */
static void test_not_paced(void **state) {
    (void)state;
#ifdef TCP_CONGESTION
    struct scene scene;
    uv_os_fd_t fd;
    char control[16] = "";
    socklen_t len = sizeof(control) - 1;
    scene_init(&scene);
    assert_true(scene_open(&scene, 5000));
    assert_int_equal(uv_fileno((uv_handle_t *)&scene.client->wire->tcp, &fd), 0);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, control, &len), 0);
    assert_string_not_equal(control, "bbr");
    scene_done(&scene);
#endif
}

/* Each message of the owner that is ready leaves, however many there are. */
static void test_many_fills(void **state) {
    struct scene scene;
    (void)state;
    scene_init(&scene);
    scene.answer = VIEW(OK);
    scene.fills = 100;
    assert_true(scene_open(&scene, 5000));
    while (!scene.head_len || scene.asked.len < scene.head_len + (size_t)100 * 12) turn(&scene);
    assert_int_equal(scene.fills, 0);
    scene_done(&scene);
}

/* A message of one byte too many, whole or in pieces, is not gathered. */
static void test_a_message_that_is_too_large(void **state) {
    (void)state;
    for (int pieces = 0; pieces < 2; pieces++) {
        struct scene scene;
        struct buf text;
        scene_init(&scene);
        buf_init(&text, TOLD_MAX);
        buf_append_view(&text, VIEW(OK));
        buf_append(&text, pieces ? "\x01\x7e\x03\xe8" : "\x81\x7e\x03\xe9", 4);
        for (int i = 0; i < MESSAGE_MAX + !pieces; i++) buf_append_byte(&text, 'x');
        if (pieces) buf_append(&text, "\x80\x01x", 3);
        scene.answer = buf_view(&text);
        scene.cuts = true;
        assert_true(scene_open(&scene, 5000));
        scene_run(&scene);
        told_is(&scene, "too large", "open closed (the server sent a message that is too large)");
        buf_done(&text);
        scene_done(&scene);
    }
}

static void test_an_owner_that_lets_go(void **state) {
    (void)state;
    for (int when = 0; when < 2; when++) {
        struct scene scene;
        scene_init(&scene);
        scene.answer = VIEW(OK "\x01\x02hi\x80\x02ho\x81\x02hi");
        scene.frees_on_open = when == 0;
        scene.frees_on_text = when == 1;
        assert_true(scene_open(&scene, 5000));
        scene_run(&scene);
        told_is(&scene, "lets go", when ? "open t<hiho> " : "open ");
        scene_done(&scene);
    }
}

static void test_bytes_that_make_no_sense(void **state) {
    struct scene scene;
    (void)state;
    scene_init(&scene);
    scene.answer = VIEW(OK "\x82\x01x\x82\x01y");
    scene.refuses_bytes = scene.cuts = true;
    assert_true(scene_open(&scene, 5000));
    scene_run(&scene);
    told_is(&scene, "no sense", "open b<x> " BROKE);
    scene_done(&scene);
}

/* A goodbye that nobody answers ends after its grace; what was still queued is dropped. */
static void test_a_goodbye(void **state) {
    struct scene scene;
    (void)state;
    scene_init(&scene);
    scene.answer = VIEW(OK);
    scene.closes_on_open = true;
    scene.sends = 50;
    assert_true(scene_open(&scene, 5000));
    scene_run(&scene);
    told_is(&scene, "goodbye", "open closed (enough)");
    scene_done(&scene);
}

/* Without a turn of the loop, as after a thaw: what has come, then that it is dead. */
static void test_looking(void **state) {
    struct scene scene;
    uv_buf_t text = uv_buf_init((char[]){(char)0x81, 2, 'h', 'i'}, 4);
    (void)state;
    scene_init(&scene);
    scene.answer = VIEW(OK);
    assert_true(scene_open(&scene, 5000));
    ws_client_look(scene.client); /* nothing is there yet */
    while (!scene.told.len) turn(&scene);
    assert_int_equal(uv_try_write((uv_stream_t *)scene.peer, &text, 1), 4);
    ws_client_look(scene.client);
    ws_client_look(scene.client);
    assert_int_equal(scene.told.len, strlen("open t<hi> "));
    hang_up(&scene);
    ws_client_look(scene.client);
    assert_true(scene.ended);
    told_is(&scene, "looking", "open t<hi> closed (the connection was cut)");
    scene_done(&scene);
}

/* Takes so many bytes, and no more. */
static size_t told_with(struct scene *scene, size_t bytes) {
    scene->takes = bytes;
    while (scene->takes) uv_run(&scene->loop.uv, UV_RUN_NOWAIT);
    for (int turns = 10; turns; turns--) uv_run(&scene->loop.uv, UV_RUN_NOWAIT);
    return scene->told.len;
}

/* What is not wanted now waits in the socket; it is told when it is. */
static void test_wanted_in_pieces(void **state) {
    struct scene scene;
    uv_buf_t texts =
        uv_buf_init((char[]){(char)0x81, 2, 'h', 'i', (char)0x82, 3, 'y', 'o', 'u', (char)0x88, 0}, 11);
    (void)state;
    scene_init(&scene);
    scene.answer = VIEW(OK);
    assert_true(scene_open(&scene, 5000));
    while (!scene.told.len) turn(&scene);
    scene.taker.share = 1;
    assert_int_equal(uv_try_write((uv_stream_t *)scene.peer, &texts, 1), 11);
    assert_int_equal(told_with(&scene, 0), strlen("open "));
    assert_int_equal(told_with(&scene, 4), strlen("open t<hi> "));
    assert_int_equal(told_with(&scene, 3), strlen("open t<hi> b<y> "));
    assert_int_equal(told_with(&scene, 0), strlen("open t<hi> b<y> "));
    scene.taker.share = 0;
    scene_run(&scene);
    told_is(&scene, "in pieces", "open t<hi> b<y> b<ou> closed");
    scene_done(&scene);
}

static void test_no_answer(void **state) {
    struct scene scene;
    (void)state;
    scene_init(&scene);
    assert_true(scene_open(&scene, 50));
    scene_run(&scene);
    told_is(&scene, "silent", "silent (it does not answer in time)");
    scene_done(&scene);
}

/* Where nobody listens the next address is tried; without one it is told. */
static void test_addresses(void **state) {
    (void)state;
    for (int more = 0; more < 2; more++) {
        struct scene scene;
        struct sockaddr_in nobody;
        scene_init(&scene);
        struct address right = scene.addresses.list[0];
        scene.addresses.count = 0;
        uv_ip4_addr("127.0.0.1", 1, &nobody);
        addresses_add(&scene.addresses, (struct sockaddr *)&nobody, 1);
        if (more) scene.addresses.list[scene.addresses.count++] = right;
        scene.answer = VIEW("HTTP/1.1 404 No\r\n\r\n");
        assert_true(scene_open(&scene, 5000));
        scene_run(&scene);
        told_is(&scene, "addresses", more ? "refused 404" : "unreachable");
        scene_done(&scene);
    }
}

static void test_a_request_that_does_not_fit(void **state) {
    static char target[20 * 1024];
    struct scene scene;
    (void)state;
    scene_init(&scene);
    memset(target, 'x', sizeof(target) - 1);
    struct ws_client_settings settings = {.loop = &scene.loop, .timeout_ms = 1000};
    struct ws_client_request request = {.target = target, .authority = "host"};
    assert_null(ws_client_open(&settings, &scene.addresses, &request, &owner, &scene));
    scene_done(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_goodbyes),
        cmocka_unit_test(test_the_request),
        cmocka_unit_test(test_sending),
        cmocka_unit_test(test_zero_keys),
        cmocka_unit_test(test_not_paced),
        cmocka_unit_test(test_many_fills),
        cmocka_unit_test(test_a_message_that_is_too_large),
        cmocka_unit_test(test_an_owner_that_lets_go),
        cmocka_unit_test(test_bytes_that_make_no_sense),
        cmocka_unit_test(test_a_goodbye),
        cmocka_unit_test(test_looking),
        cmocka_unit_test(test_wanted_in_pieces),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_a_request_that_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
