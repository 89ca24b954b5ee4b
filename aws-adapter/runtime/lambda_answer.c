#include "runtime/lambda_answer.h"

#include "protocol/json_text.h"

static bool seen_before(const struct headers *headers, size_t index) {
    for (size_t i = 0; i < index; i++)
        if (view_eq(headers->fields[i].name, headers->fields[index].name)) return true;
    return false;
}

/* All values of the field at `index`. */
static bool append_list(struct buf *out, const struct headers *headers, size_t index) {
    bool ok = buf_append_byte(out, '['), first = true;
    for (size_t i = index; i < headers->count && ok; i++) {
        if (!view_eq(headers->fields[i].name, headers->fields[index].name)) continue;
        ok = (first || buf_append_byte(out, ',')) && json_text_string(out, headers->fields[i].value);
        first = false;
    }
    return ok && buf_append_byte(out, ']');
}

static bool append_joined(struct buf *out, const struct headers *headers, size_t index) {
    struct view name = headers->fields[index].name;
    if (headers_count(headers, name) == 1) return json_text_string(out, headers->fields[index].value);
    struct buf joined;
    buf_init(&joined, headers->bytes + 2 * headers->count);
    for (size_t i = index; i < headers->count; i++) {
        if (!view_eq(headers->fields[i].name, name)) continue;
        if (joined.len > 0) buf_append(&joined, ", ", 2);
        buf_append_view(&joined, headers->fields[i].value);
    }
    bool ok = !joined.failed && json_text_string(out, buf_view(&joined));
    buf_done(&joined);
    return ok;
}

static bool append_fields(struct buf *out, const struct headers *headers, bool apart) {
    bool ok = buf_append_byte(out, '{'), first = true;
    for (size_t i = 0; i < headers->count && ok; i++) {
        struct view name = headers->fields[i].name;
        if (seen_before(headers, i) || (!apart && view_eq(name, VIEW("set-cookie")))) continue;
        ok = (first || buf_append_byte(out, ',')) && json_text_string(out, name) &&
             buf_append_byte(out, ':') &&
             (apart ? append_list(out, headers, i) : append_joined(out, headers, i));
        first = false;
    }
    return ok && buf_append_byte(out, '}');
}

static bool append_cookies(struct buf *out, const struct headers *headers) {
    for (size_t i = 0; i < headers->count; i++)
        if (view_eq(headers->fields[i].name, VIEW("set-cookie")))
            return buf_printf(out, ",\"cookies\":") && append_list(out, headers, i);
    return true;
}

bool lambda_answer_http(struct buf *out, enum lambda_kind kind, int status, const struct headers *headers,
                        struct view body) {
    bool apart = kind == LAMBDA_HTTP_1;
    return buf_printf(out, "{\"statusCode\":%d,\"%s\":", status, apart ? "multiValueHeaders" : "headers") &&
           append_fields(out, headers, apart) && (apart || append_cookies(out, headers)) &&
           buf_printf(out, ",\"body\":") && json_text_base64(out, body) &&
           buf_printf(out, ",\"isBase64Encoded\":true}");
}

bool lambda_answer_status(struct buf *out, int status, const char *reason) {
    bool ok = buf_printf(out, "{\"statusCode\":%d", status);
    if (reason && *reason)
        ok = ok && buf_printf(out, ",\"body\":") && json_text_string(out, view_from_cstr(reason));
    return ok && buf_append_byte(out, '}');
}
