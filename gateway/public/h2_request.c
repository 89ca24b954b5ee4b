/* See h2_visit.h. A request of HTTP/2 in the words of HTTP/1.1, which the gate reads and services are told:
 * nothing passes here that would mean something else there (RFC 9113 8.3, 10.3). nghttp2 has seen to names in
 * lower case, bytes of values, pseudo fields (once each, and first), and lengths that fit the body. */
#include "base/base64.h"
#include "base/buf.h"
#include "base/ids.h"
#include "handler/event.h"
#include "public/h2_visit.h"

#define KEY_BYTES 16

static bool is_ours(struct view name) {
    return view_eq(name, VIEW("host")) || view_eq(name, VIEW("cookie")) || view_eq(name, VIEW("te"));
}

/* Where there are both they must say the same (RFC 9113 8.3.1). */
static bool host_agrees(const struct stream_head *head) {
    size_t count = headers_count(head->headers, VIEW("host"));
    struct view host = headers_get(head->headers, VIEW("host"));
    return count == 0 || (count == 1 && (!head->authority.len || view_eq_nocase(host, head->authority)));
}

/* It may come in pieces, for compression (RFC 9113 8.2.3): hundreds of them, so each is copied once. */
static bool join_cookies(const struct stream_head *head, struct headers *to) {
    struct buf joined;
    size_t pieces = 0;
    buf_init(&joined, head->headers->bytes);
    for (size_t i = 0; i < head->headers->count; i++) {
        const struct header *field = &head->headers->fields[i];
        if (!view_eq(field->name, VIEW("cookie"))) continue;
        if (pieces++) buf_append_view(&joined, VIEW("; "));
        buf_append_view(&joined, field->value);
    }
    bool is_added = !joined.failed && (!pieces || headers_add(to, VIEW("cookie"), buf_view(&joined)));
    buf_done(&joined);
    return is_added;
}

/* Extended CONNECT (RFC 8441): the handshake that it stands for. What the service makes of the key is for the
 * agent to check. */
static bool add_upgrade(const struct stream_head *head, struct headers *to) {
    unsigned char bytes[KEY_BYTES];
    char key[24];
    ids_random(bytes, sizeof(bytes));
    size_t len = base64_encode(view_of(bytes, sizeof(bytes)), key);
    headers_remove(to, VIEW("sec-websocket-key"));
    return headers_add(to, VIEW("connection"), VIEW("upgrade")) &&
           headers_add(to, VIEW("upgrade"), head->protocol) &&
           headers_add(to, VIEW("sec-websocket-key"), view_of(key, len));
}

static bool add_fields(const struct stream_head *head, bool has_body, struct headers *to) {
    struct view authority = head->authority.len ? head->authority : headers_get(head->headers, VIEW("host"));
    if (authority.ptr && !headers_add(to, VIEW("host"), authority)) return false;
    for (size_t i = 0; i < head->headers->count; i++) {
        const struct header *field = &head->headers->fields[i];
        if (!is_ours(field->name) && !headers_add(to, field->name, field->value)) return false;
    }
    if (!join_cookies(head, to)) return false;
    if (head->protocol.ptr) return add_upgrade(head, to);
    bool is_counted = headers_count(head->headers, VIEW("content-length")) > 0;
    return !has_body || is_counted || headers_add(to, VIEW("transfer-encoding"), VIEW("chunked"));
}

/* Fields that only a connection has are no part of HTTP/2 (RFC 9113 8.2.2); nghttp2 refuses them, and what it
 * does not know to be one. */
static bool has_connection_fields(const struct headers *headers) {
    static const char *const names[] = {"connection", "proxy-connection", "keep-alive", "transfer-encoding",
                                        "upgrade"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (headers_count(headers, view_from_cstr(names[i]))) return true;
    return false;
}

enum http_error h2_request_read(const struct stream_head *head, bool has_body, struct arena *arena,
                                struct forward_event *ret_event, struct headers *ret_headers) {
    bool is_connect = view_eq(head->method, VIEW("CONNECT")), switches = head->protocol.ptr != NULL;
    headers_init(ret_headers, arena);
    *ret_event = (struct forward_event){
        .method = switches ? VIEW("GET") : head->method,
        .target = is_connect && !switches ? head->authority : head->path,
        .version = VIEW("HTTP/1.1"),
        .headers = ret_headers,
        .scheme = VIEW("https"),
    };
    if (head->is_excess) return HTTP_ERROR_HEADERS_TOO_LARGE;
    bool is_https = (is_connect && !switches) || view_eq_nocase(head->scheme, VIEW("https"));
    bool has_length = headers_count(head->headers, VIEW("content-length")) > 0;
    if (!is_https || !host_agrees(head) || has_connection_fields(head->headers) || (switches && has_length))
        return HTTP_ERROR_BAD_REQUEST; /* a stream that is switched has no length (RFC 8441 5) */
    return add_fields(head, has_body, ret_headers) ? HTTP_ERROR_NONE : HTTP_ERROR_HEADERS_TOO_LARGE;
}
