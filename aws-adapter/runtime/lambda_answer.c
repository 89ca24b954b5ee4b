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

/* How an answer's fields are written. */
enum style {
    STYLE_LISTS,  /* "multiValueHeaders": a list for each name */
    STYLE_JOINED, /* "headers": one text for each, and cookies elsewhere */
    STYLE_SINGLE, /* the same, and each cookie under a name of its own */
};

static bool is_cookie(const struct header *field) {
    return view_eq(field->name, VIEW("set-cookie"));
}

/* "set-cookie", "Set-cookie", "sEt-cookie", "SEt-cookie", …: a load balancer takes one value a name, tells
 * names by their capitals, and cookies cannot be joined (RFC 6265 3). */
static bool append_cookie(struct buf *out, struct view value, unsigned number) {
    char name[] = "set-cookie";
    for (char *at = name; *at; at++) {
        if (*at == '-') continue;
        if (number & 1) *at = (char)(*at & ~0x20);
        number >>= 1;
    }
    return buf_printf(out, "\"%s\":", name) && json_text_string(out, value);
}

static bool append_field(struct buf *out, const struct headers *headers, size_t index, enum style style) {
    return json_text_string(out, headers->fields[index].name) && buf_append_byte(out, ':') &&
           (style == STYLE_LISTS ? append_list(out, headers, index) : append_joined(out, headers, index));
}

static bool append_fields(struct buf *out, const struct headers *headers, enum style style) {
    bool ok = buf_append_byte(out, '{'), first = true;
    unsigned cookies = 0;
    for (size_t i = 0; i < headers->count && ok; i++) {
        bool alone = style == STYLE_SINGLE && is_cookie(&headers->fields[i]);
        bool elsewhere = style == STYLE_JOINED && is_cookie(&headers->fields[i]);
        if (elsewhere || (!alone && seen_before(headers, i))) continue;
        ok = (first || buf_append_byte(out, ',')) &&
             (alone ? append_cookie(out, headers->fields[i].value, cookies++)
                    : append_field(out, headers, i, style));
        first = false;
    }
    return ok && buf_append_byte(out, '}');
}

static bool append_cookies(struct buf *out, const struct headers *headers) {
    for (size_t i = 0; i < headers->count; i++)
        if (is_cookie(&headers->fields[i]))
            return buf_printf(out, ",\"cookies\":") && append_list(out, headers, i);
    return true;
}

static enum style style_of(enum lambda_kind kind) {
    if (kind == LAMBDA_HTTP_1 || kind == LAMBDA_ALB_MULTI) return STYLE_LISTS;
    return kind == LAMBDA_ALB ? STYLE_SINGLE : STYLE_JOINED;
}

bool lambda_answer_http(struct buf *out, enum lambda_kind kind, int status, const struct headers *headers,
                        struct view body) {
    enum style style = style_of(kind);
    const char *member = style == STYLE_LISTS ? "multiValueHeaders" : "headers";
    return buf_printf(out, "{\"statusCode\":%d,\"%s\":", status, member) &&
           append_fields(out, headers, style) && (style != STYLE_JOINED || append_cookies(out, headers)) &&
           buf_printf(out, ",\"body\":") && json_text_base64(out, body) &&
           buf_printf(out, ",\"isBase64Encoded\":true}");
}

bool lambda_answer_status(struct buf *out, int status, const char *reason) {
    bool ok = buf_printf(out, "{\"statusCode\":%d", status);
    if (reason && *reason)
        ok = ok && buf_printf(out, ",\"body\":") && json_text_string(out, view_from_cstr(reason));
    return ok && buf_append_byte(out, '}');
}
