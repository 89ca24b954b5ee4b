/* See handshake.h. */
#include "agents/handshake.h"

#include "auth/websocket.h"
#include "base/base64.h"
#include "http/reason.h"

#define KEY_LEN 24 /* base64 of 16 bytes */

static bool is_key(struct view key) {
    char bytes[24];
    size_t len;
    return key.len == KEY_LEN && base64_decoded_max(KEY_LEN) <= sizeof(bytes) &&
           base64_decode(key, bytes, &len) && len == 16;
}

static int check_head(const struct request_head *head, struct view *ret_text) {
    const struct headers *headers = &head->headers;
    *ret_text = VIEW("The request's method is not GET.");
    if (!view_eq(head->method, VIEW("GET"))) return 405;
    *ret_text = VIEW("The agent port speaks HTTP/1.1 only.");
    if (head->minor_version != 1) return 505;
    *ret_text = VIEW("The request has not exactly one Host.");
    if (headers_count(headers, VIEW("host")) != 1) return 400;
    *ret_text = VIEW("This is the agent port of ttf-gateway: it speaks WebSocket with ttf, the agent. "
                     "Tunnels are visited at the public port.");
    if (!headers_has_token(headers, VIEW("connection"), VIEW("upgrade")) ||
        !headers_has_token(headers, VIEW("upgrade"), VIEW("websocket")))
        return 426;
    *ret_text = VIEW("Sec-WebSocket-Version is not 13.");
    if (headers_count(headers, VIEW("sec-websocket-version")) != 1 ||
        !view_eq(headers_get(headers, VIEW("sec-websocket-version")), VIEW("13")))
        return 426;
    *ret_text = VIEW("Sec-WebSocket-Key is not 16 bytes of base64.");
    if (headers_count(headers, VIEW("sec-websocket-key")) != 1 ||
        !is_key(headers_get(headers, VIEW("sec-websocket-key"))))
        return 400;
    *ret_text = VIEW("A handshake has no body.");
    if (headers_count(headers, VIEW("transfer-encoding")) || headers_count(headers, VIEW("content-length")))
        return 400;
    return 101;
}

int handshake_check(struct view bytes, struct arena *arena, struct handshake *ret_handshake,
                    struct view *ret_text) {
    *ret_text = VIEW("");
    switch (
        request_head_parse(bytes, HANDSHAKE_BYTES_MAX, arena, &ret_handshake->head, &ret_handshake->len)) {
    case HEAD_INCOMPLETE:
        if (bytes.len < HANDSHAKE_BYTES_MAX) return 0;
        /* fall through */
    case HEAD_TOO_LARGE: *ret_text = VIEW("The request's head is too large."); return 431;
    case HEAD_MALFORMED: *ret_text = VIEW("The request is malformed."); return 400;
    case HEAD_COMPLETE: break;
    }
    int status = check_head(&ret_handshake->head, ret_text);
    if (status == 101)
        ret_handshake->key = headers_get(&ret_handshake->head.headers, VIEW("sec-websocket-key"));
    return status;
}

static const char *extra_fields(int status) {
    switch (status) {
    case 401: return "WWW-Authenticate: Bearer\r\n";
    case 405: return "Allow: GET\r\n";
    case 426: return "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
    case 429: return "Retry-After: 1\r\n";
    default: return "";
    }
}

void handshake_print_refusal(struct buf *out, int status, struct view text) {
    buf_printf(
        out,
        "HTTP/1.1 %d %.*s\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"
        "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\nContent-Length: %zu\r\n%s"
        "Connection: %s\r\n\r\n%.*s\n",
        status, VIEW_ARG(http_reason(status)), text.len + 1, extra_fields(status),
        status == 426 ? "Upgrade, close" : "close", VIEW_ARG(text));
}

bool handshake_accept(struct buf *out, struct view key, struct view fields) {
    char accept[WEBSOCKET_ACCEPT_LEN + 1];
    websocket_accept(key, accept);
    buf_printf(out,
               "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Accept: %s\r\n%.*s\r\n",
               accept, VIEW_ARG(fields));
    return !out->failed;
}
