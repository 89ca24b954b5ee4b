/* How a request is said: its first line, the fields given, and those of ours. */
#include "auth/websocket.h"
#include "base/base64.h"
#include "base/ids.h"
#include "http/chars.h"
#include "http/names.h"
#include "local/local_state.h"

#define KEY_BYTES 16

static bool is_printable(struct view v) {
    for (size_t i = 0; i < v.len; i++)
        if ((unsigned char)v.ptr[i] <= 0x20 || v.ptr[i] == 0x7f) return false;
    return v.len > 0;
}

static bool can_be_said(const struct local_head *head) {
    if (!http_is_token(head->method) || !is_printable(head->target)) return false;
    if (head->upgrade.ptr && (!http_is_upgrade(head->upgrade) || head->body_bytes == LOCAL_BODY_UNKNOWN))
        return false;
    for (size_t i = 0; i < head->headers->count; i++) {
        const struct header *field = &head->headers->fields[i];
        if (!http_is_token(field->name) || !http_is_field_value(view_trim(field->value))) return false;
    }
    return true;
}

static bool is_websocket(struct view upgrade) {
    return upgrade.ptr && http_list_has(upgrade, VIEW("websocket"));
}

/* Whose place ours take. */
static bool is_ours(struct view name, struct view upgrade) {
    switch (name.len) {
    case 7: return upgrade.ptr && view_eq_nocase(name, VIEW("upgrade"));
    case 10: return upgrade.ptr && view_eq_nocase(name, VIEW("connection"));
    case 14: return view_eq_nocase(name, VIEW("content-length"));
    case 17:
        return view_eq_nocase(name, VIEW("transfer-encoding")) ||
               (is_websocket(upgrade) && view_eq_nocase(name, VIEW("sec-websocket-key")));
    default: return false;
    }
}

static void say_field(struct buf *out, struct view name, struct view value) {
    char *bytes = buf_reserve(out, name.len + value.len + 4);
    if (!bytes) return;
    http_put_name(bytes, name);
    memcpy(bytes + name.len, ": ", 2);
    if (value.len) memcpy(bytes + name.len + 2, value.ptr, value.len);
    memcpy(bytes + name.len + 2 + value.len, "\r\n", 2);
    buf_commit(out, name.len + value.len + 4);
}

static bool has(const struct headers *headers, struct view name) {
    for (size_t i = 0; i < headers->count; i++)
        if (headers->fields[i].name.len == name.len && view_eq_nocase(headers->fields[i].name, name))
            return true;
    return false;
}

static void say_websocket_key(struct local_request *request, struct answer_to *to) {
    unsigned char random[KEY_BYTES];
    char key[64];
    ids_random(random, sizeof(random));
    size_t len = base64_encode(view_of(random, sizeof(random)), key);
    say_field(&request->head, VIEW("sec-websocket-key"), view_of(key, len));
    websocket_accept(view_of(key, len), request->accept);
    to->accept = view_of(request->accept, WEBSOCKET_ACCEPT_LEN);
}

static void say_upgrade(struct local_request *request, struct view upgrade, struct answer_to *to) {
    say_field(&request->head, VIEW("connection"), VIEW("Upgrade"));
    say_field(&request->head, VIEW("upgrade"), upgrade);
    if (is_websocket(upgrade)) say_websocket_key(request, to);
}

static void say_framing(struct local_request *request, int64_t body_bytes) {
    if (body_bytes >= 0)
        buf_printf(&request->head, "Content-Length: %lld\r\n", (long long)body_bytes);
    else if (body_bytes == LOCAL_BODY_UNKNOWN)
        say_field(&request->head, VIEW("transfer-encoding"), VIEW("chunked"));
}

static void say_first_line(struct buf *out, const struct local_head *head) {
    buf_append_view(out, head->method);
    buf_append_byte(out, ' ');
    buf_append_view(out, head->target);
    buf_append_view(out, VIEW(" HTTP/1.1\r\n"));
}

enum head_said request_say_head(struct local_request *request, const struct local_head *head,
                                struct answer_to *ret_to) {
    struct buf *out = &request->head;
    const struct headers *headers = head->headers;
    *ret_to = (struct answer_to){.is_head = view_eq(head->method, VIEW("HEAD"))};
    if (!can_be_said(head)) return HEAD_CANNOT_BE_SAID;
    say_first_line(out, head);
    if (!has(headers, VIEW("host")))
        say_field(out, VIEW("host"), view_from_cstr(request->client->host_field));
    for (size_t i = 0; i < headers->count; i++)
        if (!is_ours(headers->fields[i].name, head->upgrade))
            say_field(out, headers->fields[i].name, headers->fields[i].value);
    say_framing(request, head->body_bytes);
    if (request->way == BODY_AWAITS_100 && !has(headers, VIEW("expect")))
        say_field(out, VIEW("expect"), VIEW("100-continue"));
    if (head->upgrade.ptr) {
        memcpy(request->upgrade, head->upgrade.ptr, head->upgrade.len);
        ret_to->upgrade = view_of(request->upgrade, head->upgrade.len);
        say_upgrade(request, head->upgrade, ret_to);
    }
    buf_append_view(out, VIEW("\r\n"));
    return out->failed ? HEAD_NO_MEMORY : HEAD_SAID;
}
