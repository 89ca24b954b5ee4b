/* The handshake (RFC 6455 4.1), and the answer that refuses it. */
#include "base/base64.h"
#include "base/ids.h"
#include "http/head.h"
#include "net/ws_client_state.h"

#define HEAD_MAX ((size_t)16 * 1024)
#define REFUSAL_MAX ((size_t)1024) /* of its body that we wait for */

/* ---- the request ---- */

static void print_key(struct ws_client *client) {
    unsigned char nonce[16];
    char key[32];
    ids_random(nonce, sizeof(nonce));
    struct view text = view_of(key, base64_encode(view_of(nonce, sizeof(nonce)), key));
    websocket_accept(text, client->accept);
    buf_append_view(&client->request, text);
}

bool ws_client_print_request(struct ws_client *client, const struct ws_client_request *request) {
    struct buf *out = &client->request;
    buf_init(out, HEAD_MAX);
    buf_printf(out,
               "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ",
               request->target, request->authority);
    print_key(client);
    if (request->protocol) {
        view_copy_to(view_from_cstr(request->protocol), client->protocol, sizeof(client->protocol));
        buf_printf(out, "\r\nSec-WebSocket-Protocol: %s", client->protocol);
    }
    buf_append(out, "\r\n", 2);
    buf_append_view(out, request->fields);
    buf_append(out, "\r\n", 2);
    return !out->failed;
}

/* ---- the answer ---- */

static void fail(struct ws_client *client, const char *why) {
    ws_client_end(client, &(struct ws_client_end){.failure = WS_CLIENT_BAD_ANSWER, .why = why});
}

/* NULL: it is what was asked for. */
static const char *check_switch(const struct ws_client *client, const struct headers *fields) {
    struct view protocol = headers_get(fields, VIEW("sec-websocket-protocol"));
    if (!view_eq_nocase(headers_get(fields, VIEW("upgrade")), VIEW("websocket")))
        return "it switched to something else";
    if (!view_eq(headers_get(fields, VIEW("sec-websocket-accept")), view_from_cstr(client->accept)))
        return "its Sec-WebSocket-Accept is wrong";
    if (headers_get(fields, VIEW("sec-websocket-extensions")).ptr)
        return "it uses an extension that nobody asked for";
    bool fits = !protocol.ptr || (client->protocol[0] && view_eq(protocol, view_from_cstr(client->protocol)));
    return fits ? NULL : "it chose a protocol that nobody asked for";
}

/* `rest` came behind the answer, and is in `incoming`. */
static void on_switched(struct ws_client *client, const struct headers *fields, struct view rest) {
    struct buf handshake = client->incoming;
    const char *wrong = check_switch(client, fields);
    buf_init(&client->incoming, client->settings.message_max);
    if (!wrong) {
        timer_stop(&client->settings.loop->timers, &client->deadline);
        client->phase = WS_PHASE_OPEN;
        client->heard_ms = loop_now(client->settings.loop);
        wrong = client->events.on_open(client->ctx, fields);
    }
    if (wrong && client->phase != WS_PHASE_OVER)
        fail(client, wrong);
    else if (rest.len && client->phase != WS_PHASE_OVER)
        ws_client_on_frames(client, rest);
    buf_done(&handshake);
}

/* Its reason is the body, where it says how long that is; it is waited for. */
static void on_refused(struct ws_client *client, const struct response_head *head, struct view body) {
    uint64_t length = 0;
    client->refused = head->status;
    http_content_length(headers_get(&head->headers, VIEW("content-length")), &length);
    if (length > REFUSAL_MAX) length = REFUSAL_MAX;
    if (body.len < length) return;
    ws_client_end(client, &(struct ws_client_end){.failure = WS_CLIENT_REFUSED,
                                                  .http_status = head->status,
                                                  .said = view_slice(body, 0, (size_t)length)});
}

/* False: more bytes are needed, or it is over. */
static bool on_head(struct ws_client *client) {
    struct arena arena;
    struct response_head head;
    size_t len = 0;
    bool again = false;
    arena_init(&arena, 2 * HEAD_MAX + (size_t)16 * 1024);
    switch (response_head_parse(buf_view(&client->incoming), HEAD_MAX, &arena, &head, &len)) {
    case HEAD_INCOMPLETE: break;
    case HEAD_COMPLETE:
        again = head.status < 200 && head.status != 101;
        struct view rest = view_skip(buf_view(&client->incoming), len);
        if (again)
            buf_consume(&client->incoming, len);
        else if (head.status == 101)
            on_switched(client, &head.headers, rest);
        else
            on_refused(client, &head, rest);
        break;
    default: fail(client, "its answer is not HTTP");
    }
    arena_done(&arena);
    return again;
}

void ws_client_on_answer(struct ws_client *client, struct view bytes) {
    if (!buf_append_view(&client->incoming, bytes)) {
        fail(client, "its answer is too long");
        return;
    }
    while (on_head(client)) {
    }
}
