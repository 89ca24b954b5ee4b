/* The WebSocket handshake (RFC 6455 4.1), and what a gateway says that refuses it. */
#include <stdio.h>

#include "base/base64.h"
#include "base/ids.h"
#include "base/log.h"
#include "http/head.h"
#include "uplink_state.h"

#define HEAD_MAX ((size_t)16 * 1024)
#define REFUSAL_MAX ((size_t)1024) /* of its body that we wait for */

/* ---- the request ---- */

static void print_key(struct uplink *uplink, struct buf *out) {
    unsigned char nonce[16];
    char key[32];
    ids_random(nonce, sizeof(nonce));
    struct view text = view_of(key, base64_encode(view_of(nonce, sizeof(nonce)), key));
    websocket_accept(text, uplink->accept);
    buf_append_view(out, text);
}

static void print_field(struct buf *out, const char *name, const char *value) {
    if (value) buf_printf(out, "%s%s\r\n", name, value);
}

static bool print_request(struct uplink *uplink, struct buf *out) {
    buf_printf(out,
               "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ",
               uplink->endpoint->target, uplink->endpoint->authority);
    print_key(uplink, out);
    print_field(out, "\r\nUser-Agent: ", "ttf/" TTF_VERSION);
    print_field(out,
                "Sec-WebSocket-Protocol: ", endpoint_is_aws(uplink->endpoint) ? NULL : UPLINK_SUBPROTOCOL_V2);
    print_field(out, "Authorization: Bearer ", uplink->token);
    print_field(out, "x-tunnel-name: ", uplink->name);
    print_field(out, "x-tunnel-resume: ", uplink->resume);
    buf_append(out, "\r\n", 2);
    return !out->failed;
}

void uplink_ask(struct uplink *uplink) {
    struct buf request;
    buf_init(&request, HEAD_MAX);
    if (print_request(uplink, &request))
        wire_write(uplink->wire, buf_view(&request));
    else
        uplink_finish(uplink, UPLINK_BROKEN, "the token is too long");
    buf_done(&request);
}

/* ---- the answer ---- */

void uplink_keep_reason(struct uplink *uplink, struct view text) {
    size_t len = strlen(uplink->end.reason);
    for (size_t i = 0; i < text.len && len + 1 < sizeof(uplink->end.reason); i++) {
        char byte = text.ptr[i];
        if (byte == '\n' || byte == '\r' || byte == '\t') byte = ' ';
        if ((unsigned char)byte < 0x20 || (unsigned char)byte >= 0x7f) continue;
        uplink->end.reason[len++] = byte;
    }
    while (len && uplink->end.reason[len - 1] == ' ') len--;
    uplink->end.reason[len] = '\0';
}

static void fail(struct uplink *uplink, const char *what) {
    char reason[320];
    snprintf(reason, sizeof(reason), "%s does not speak WebSocket (%s)", uplink->endpoint->authority, what);
    uplink_finish(uplink, UPLINK_BROKEN, reason);
}

/* NULL: it is what was asked for. */
static const char *check_switch(const struct uplink *uplink, const struct headers *headers) {
    struct view protocol = headers_get(headers, VIEW("sec-websocket-protocol"));
    if (!view_eq_nocase(headers_get(headers, VIEW("upgrade")), VIEW("websocket")))
        return "it switched to something else";
    if (!view_eq(headers_get(headers, VIEW("sec-websocket-accept")), view_from_cstr(uplink->accept)))
        return "its Sec-WebSocket-Accept is wrong";
    if (headers_get(headers, VIEW("sec-websocket-extensions")).ptr)
        return "it uses an extension that nobody asked for";
    bool fits = !protocol.ptr ||
                (view_eq(protocol, VIEW(UPLINK_SUBPROTOCOL_V2)) && !endpoint_is_aws(uplink->endpoint));
    return fits ? NULL : "it chose a protocol that nobody asked for";
}

static void on_switched(struct uplink *uplink, const struct headers *headers, struct view rest) {
    const char *wrong = check_switch(uplink, headers);
    if (wrong) {
        fail(uplink, wrong);
        return;
    }
    uplink->is_v2 = headers_get(headers, VIEW("sec-websocket-protocol")).ptr;
    uplink_on_open(uplink, rest);
}

/* Its reason is the body, where it says how long that is; it is waited for. */
static void on_refused(struct uplink *uplink, const struct response_head *head, struct view body) {
    uint64_t length = 0;
    uplink->end.http_status = head->status;
    view_parse_u64(headers_get(&head->headers, VIEW("content-length")), &length);
    if (length > REFUSAL_MAX) length = REFUSAL_MAX;
    if (body.len < length) return;
    uplink_keep_reason(uplink, view_slice(body, 0, (size_t)length));
    uplink_finish(uplink, UPLINK_REFUSED, NULL);
}

/* False: more bytes are needed, or it is over. */
static bool on_head(struct uplink *uplink) {
    struct arena arena;
    struct response_head head;
    size_t len = 0;
    bool again = false;
    arena_init(&arena, 2 * HEAD_MAX + 16 * 1024);
    switch (response_head_parse(buf_view(&uplink->incoming), HEAD_MAX, &arena, &head, &len)) {
    case HEAD_INCOMPLETE: break;
    case HEAD_COMPLETE:
        again = head.status < 200 && head.status != 101;
        struct view rest = view_skip(buf_view(&uplink->incoming), len);
        if (again)
            buf_consume(&uplink->incoming, len);
        else if (head.status == 101)
            on_switched(uplink, &head.headers, rest);
        else
            on_refused(uplink, &head, rest);
        break;
    default: fail(uplink, "its answer is not HTTP");
    }
    arena_done(&arena);
    return again;
}

void uplink_on_answer(struct uplink *uplink, struct view bytes) {
    if (!buf_append_view(&uplink->incoming, bytes)) {
        fail(uplink, "its answer is too long");
        return;
    }
    while (on_head(uplink)) {
    }
}

void uplink_on_answer_end(struct uplink *uplink) {
    if (uplink->end.http_status)
        uplink_finish(uplink, UPLINK_REFUSED, NULL);
    else
        fail(uplink, "connection closed");
}
