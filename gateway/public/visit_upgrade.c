/* See visit.h. After `101 Switching Protocols`: bytes both ways, untouched, until one side closes. Toward the
 * visitor they take the way of any answer (visit_answer.c). */
#include "auth/websocket.h"
#include "public/visit.h"

void visit_upgrade_fields(struct visit *visit, struct view token) {
    const struct headers *asked = &visit->reader.head.headers;
    struct view key = headers_get(asked, VIEW("sec-websocket-key"));
    buf_printf(&visit->lead, "Connection: Upgrade\r\nUpgrade: %.*s\r\n", VIEW_ARG(token));
    if (!key.ptr || !view_eq_nocase(token, VIEW("websocket"))) return;
    char accept[WEBSOCKET_ACCEPT_LEN + 1];
    websocket_accept(key, accept);
    buf_printf(&visit->lead, "Sec-WebSocket-Accept: %s\r\n", accept);
}

void visit_upgrade_take(struct visit *visit, struct view *bytes) {
    size_t room = visit->exchange ? visit->credit : bytes->len; /* ended: thrown away */
    struct view piece = view_slice(*bytes, 0, room);
    *bytes = view_skip(*bytes, piece.len);
    if (!visit->exchange) return;
    visit->credit -= piece.len;
    access_received(&visit->access, piece.len);
    if (piece.len) exchange_body(visit->exchange, piece);
    if (!visit->is_eof || bytes->len || visit->body == VISIT_BODY_ENDED) return;
    visit->body = VISIT_BODY_ENDED;
    exchange_body_end(visit->exchange);
}
